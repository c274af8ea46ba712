"""Shares of work that workers of a cluster do; the results are files that all machines see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.distribution import Task, TaskResult, run_tasks
from tartarus_cli.errors import TartarusError, count_noun
from tartarus_cli.progress import Progress


@dataclass(frozen=True)
class ClusterWork:
    """What a cluster does, and who waits for it."""

    cluster: str
    """As ``run_tasks`` takes it."""
    folder: Path
    """Folder of the results, which all machines see."""
    progress: Progress
    """Is told of workers that are lost."""
    check: Callable[[], None] = lambda: None
    """Called after each share; an error that it raises stops the work."""

    def values(
        self, function: Callable[..., Any], tasks: Sequence[Task], noun: str
    ) -> Iterator[Any]:
        """Yield the values of shares, in the order in which they are done.

        Parameters
        ----------
        function
            Does a share.
        tasks
            The shares.
        noun
            What they consist of, for messages.

        Raises
        ------
        TartarusError
            If shares failed, once all others are done.
        """
        failed = list[TaskResult]()
        for result in run_tasks(
            function, tasks, cluster=self.cluster, folder=self.folder, progress=self.progress
        ):
            self.check()
            if result.failed:
                failed.append(result)
            else:
                yield result.value
        if failed:
            first = failed[0]
            shares = f"{count_noun(len(failed), 'share')} of {len(tasks):,}"
            msg = f"{shares} of the {noun} failed; {first.task.name}: {first.error}"
            hint = f"{first.hint} Then give the command again: it continues."
            raise TartarusError(msg, hint=hint)
