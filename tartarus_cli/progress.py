"""How a long piece of work reports what it does.

Functions take a :class:`Progress`; the command line passes one that draws bars, and
:data:`UNWATCHED` shows nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from logging import Logger
from typing import Protocol

# A line of a log is due when another tenth is done, at most once a second, and after 30 s anyway.
TENTHS = 10
SHORTEST_S, LONGEST_S = 1, 30


class ProgressTask(Protocol):
    """A piece of work that has begun, and whose units are counted."""

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more units as done."""

    def describe(self, text: str) -> None:
        """Show what is being done now, in a few words."""


class Progress(Protocol):
    """What shows the messages and the course of the work."""

    def say(self, message: str) -> None:
        """Show a message that is worth knowing."""

    def warn(self, message: str) -> None:
        """Show a message about what may be a mistake of the user's."""

    def task(self, description: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Begin a piece of work of ``total`` units; it ends with the block."""


class Unwatched:
    """Progress that shows nothing, as for tests and scripts."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:  # noqa: ARG002
        """Begin a piece of work whose units are not counted."""
        yield _Uncounted()


class _Uncounted:
    def advance(self, amount: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


UNWATCHED = Unwatched()


_WATCHER: ContextVar[tuple[Progress, set[str]] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(progress: Progress) -> Iterator[None]:
    """Hand to ``progress`` what :func:`warn` is told during the block, each warning once."""
    token = _WATCHER.set((progress, set()))
    try:
        yield
    finally:
        _WATCHER.reset(token)


def warn(message: str) -> None:
    """Tell something that may be a mistake, where no progress is at hand: in what is global."""
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
        Gets the lines, at the level INFO.
    description
        What is done.
    total
        Units of the whole work.
    clock
        Seconds since whenever.
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
        if silence >= LONGEST_S or (silence >= SHORTEST_S and tenth > self._tenth):
            self._tenth = tenth
            self.write("{percent}% after {seconds:.1f} s")

    def describe(self, text: str) -> None:
        """Say what is being done now, in the next lines."""
        self._text = text.removeprefix(self._description).lstrip(", :")

    def write(self, line: str) -> None:
        """Write a line; ``percent`` and ``seconds`` are put into it."""
        self._last_line = self._clock()
        percent = min(100 * self._done // self._total, 100)
        state = line.format(percent=percent, seconds=self._last_line - self._began)
        self._logger.info("%s", ": ".join(filter(None, (self._description, self._text, state))))
