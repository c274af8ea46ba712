"""How a long piece of work reports what it does.

Functions take a :class:`Progress`; the command line passes one that draws bars, and
:data:`UNWATCHED` shows nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from logging import Logger
from typing import Protocol

TENTHS = 10
"""Parts of a piece of work after each of which a line of the log is due."""

MIN_INTERVAL_S = 1
"""Seconds between two lines at least."""

MAX_INTERVAL_S = 30
"""Seconds after which a line is due anyway."""


class ProgressTask(Protocol):
    """A piece of work that has begun, and whose units are counted."""

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more units as done."""

    def describe(self, text: str) -> None:
        """Show what is being done now, in a few words."""

    def record(self, line: str) -> None:
        """Show what a part of the work came to, such as an epoch, where there is no bar."""


class Progress(Protocol):
    """What shows the messages and the course of the work."""

    def say(self, message: str) -> None:
        """Show a message that is worth knowing."""

    def warn(self, message: str) -> None:
        """Show a message about what may be a mistake of the user's."""

    def task(self, description: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Begin a piece of work of ``total`` units; it ends with the block."""


class SilentProgress:
    """Progress that shows nothing, as for tests and scripts."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:  # noqa: ARG002
        """Begin a piece of work whose units are not counted."""
        yield _SilentTask()


class _SilentTask:
    def advance(self, amount: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass

    def record(self, line: str) -> None:
        pass


UNWATCHED = SilentProgress()
"""The default of functions that take a :class:`Progress`: it shows nothing."""


_WATCHER: ContextVar[tuple[Progress, set[str]] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(progress: Progress) -> Iterator[None]:
    """Let :func:`warn` show its messages through ``progress`` during the block, each one once.

    What was shown in an outer block is not shown again.
    """
    outer = _WATCHER.get()
    token = _WATCHER.set((progress, outer[1] if outer is not None else set()))
    try:
        yield
    finally:
        _WATCHER.reset(token)


def warn(message: str) -> None:
    """Show a message about a possible mistake, in code that has no :class:`Progress`.

    Outside of :func:`watching` it is dropped.
    """
    watcher = _WATCHER.get()
    if watcher is not None and message not in watcher[1]:
        watcher[1].add(message)
        watcher[0].warn(message)


@contextmanager
def logged_task(
    logger: Logger, description: str, total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[ProgressTask]:
    """Write into a log that a piece of work begins, how far it is, and how it ends.

    Parameters
    ----------
    logger
        The lines are written to it, at the level INFO.
    description
        What is done, in a few words.
    total
        Units of the whole work.
    clock
        Returns the time in seconds, counted from any moment.
    """
    task = _LoggedTask(logger, description, total, clock)
    logger.info("%s: started", description)
    try:
        yield task
    except BaseException:
        task.write("stopped at {percent}% after {seconds:.1f} s")
        raise
    task.write("done in {seconds:.1f} s")


class _LoggedTask:
    """Counts a piece of work, and writes a line when one is due."""

    def __init__(
        self, logger: Logger, description: str, total: int, clock: Callable[[], float]
    ) -> None:
        self._logger, self._description, self._total = logger, description, max(total, 1)
        self._text, self._clock = "", clock
        self._began = self._last_line = clock()
        self._done = self._tenth = 0

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more units as done."""
        self._done += amount
        silence = self._clock() - self._last_line
        tenth = TENTHS * self._done // self._total
        if silence >= MAX_INTERVAL_S or (silence >= MIN_INTERVAL_S and tenth > self._tenth):
            self._tenth = tenth
            self.write("{percent}% after {seconds:.1f} s")

    def describe(self, text: str) -> None:
        """Add what is being done now to the next lines."""
        self._text = text.removeprefix(self._description).lstrip(", :")

    def record(self, line: str) -> None:
        """Write a line of its own."""
        self._last_line = self._clock()
        self._logger.info("%s: %s", self._description, line)

    def write(self, line: str) -> None:
        """Write a line, a format string with ``percent`` and ``seconds``."""
        self._last_line = self._clock()
        percent = min(100 * self._done // self._total, 100)
        state = line.format(percent=percent, seconds=self._last_line - self._began)
        self._logger.info("%s", ": ".join(filter(None, (self._description, self._text, state))))


@dataclass(frozen=True)
class QuietProgress:
    """Passes on tasks and warnings, but no messages: they were shown for the model already."""

    progress: Progress

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Report what may be a mistake of the user's."""
        self.progress.warn(message)

    def task(self, description: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Begin a piece of work of ``total`` units."""
        return self.progress.task(description, total)
