"""Bars and messages on standard error while a step works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import aside, message, plain

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from tartarus_cli.progress import ProgressTask


class Watching:
    """Shows on standard error what a step does; bars only on a terminal."""

    def say(self, text: str) -> None:
        """Print something worth knowing."""
        aside().print(f"[dim]{message(text)}[/]")

    def warn(self, text: str) -> None:
        """Print something that may be a mistake."""
        aside().print(f"[yellow]warning:[/] {message(text)}")

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:
        """Draw a bar for the time of the block."""
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
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
        )
        console = aside()
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bars:
            yield _Bar(bars, bars.add_task(plain(description), total=total))


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: int = 1) -> None:
        self._bars.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._bars.update(self._task, description=plain(text))
