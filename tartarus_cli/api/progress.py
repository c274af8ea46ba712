"""How a function tells what it does: bars and messages on standard error, or nothing.

``progress="auto"`` shows them in a notebook and on a terminal and stays quiet elsewhere; True and
False decide; any object with ``say``, ``warn`` and ``task`` is told itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tartarus_cli.progress import UNWATCHED, Progress, ProgressTask, watching

if TYPE_CHECKING:
    from tqdm import tqdm

ProgressOption = Progress | bool | Literal["auto"]


class BarProgress:
    """Shows bars and messages on standard error."""

    def say(self, message: str) -> None:
        """Write something worth knowing."""
        _write(message)

    def warn(self, message: str) -> None:
        """Write something that may be a mistake."""
        _write(f"warning: {message}")

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:
        """Draw a bar for the time of the block."""
        from tqdm import tqdm

        with tqdm(desc=description, total=total, leave=False, file=sys.stderr) as bar:
            yield _BarTask(bar)


class _BarTask:
    def __init__(self, bar: tqdm[None]) -> None:
        self._bar = bar

    def advance(self, amount: int = 1) -> None:
        self._bar.update(amount)

    def describe(self, text: str) -> None:
        self._bar.set_description(text)

    def record(self, line: str) -> None:
        pass


@contextmanager
def shown(progress: ProgressOption) -> Iterator[Progress]:
    """Yield whoever is told, who also hears the warnings of plug-ins during the block."""
    watcher = _watcher(progress)
    with watching(watcher):
        yield watcher


def _watcher(progress: ProgressOption) -> Progress:
    if not isinstance(progress, bool | str):
        return progress
    visible = progress if isinstance(progress, bool) else _is_interactive()
    return BarProgress() if visible else UNWATCHED


def _is_interactive() -> bool:
    """Whether somebody looks: a terminal, or the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.stderr.isatty() or hasattr(shell, "kernel")


def _write(message: str) -> None:
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)
