"""Bars and messages on standard error while a command works; its log has them too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import aside, plain
from tartarus_cli.cli.render.log import LOGGER
from tartarus_cli.cli.render.messages import remark, warning
from tartarus_cli.progress import logged_task

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from tartarus_cli.progress import ProgressTask


class ConsoleProgress:
    """Shows on standard error how far a command is: bars on a terminal, else lines."""

    def say(self, text: str) -> None:
        """Print something worth knowing."""
        remark(text)

    def warn(self, text: str) -> None:
        """Print something that may be a mistake."""
        warning(text)

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:
        """Draw a bar for the time of the block, and write into the log how far it is."""
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TaskProgressColumn(),
            TextColumn("·"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        console = aside()
        bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        with logged_task(LOGGER, description, total) as in_log, bars:
            yield _Bar(bars, bars.add_task(plain(description), total=total), in_log)


class _Bar:
    def __init__(self, bars: Bars, task: TaskID, in_log: ProgressTask) -> None:
        self._bars, self._task, self._in_log = bars, task, in_log

    def advance(self, amount: int = 1) -> None:
        self._bars.advance(self._task, amount)
        self._in_log.advance(amount)

    def describe(self, text: str) -> None:
        self._bars.update(self._task, description=plain(text))
        self._in_log.describe(text)

    def record(self, line: str) -> None:
        if self._bars.disable:
            remark(line)
        else:
            self._in_log.record(line)
