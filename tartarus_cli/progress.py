"""How a step tells whoever watches it what is going on; the command line draws it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol


class ProgressTask(Protocol):
    """A piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more units as done."""

    def describe(self, text: str) -> None:
        """Say what is being done now."""


class Progress(Protocol):
    """Whoever watches a step."""

    def say(self, message: str) -> None:
        """Tell something worth knowing."""

    def warn(self, message: str) -> None:
        """Tell something that may be a mistake of the user's."""

    def task(self, description: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Begin a piece of work of ``total`` units."""


class Unwatched:
    """Nobody looks: for tests and for use as a library."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[ProgressTask]:  # noqa: ARG002
        """Begin a piece of work that nobody counts."""
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
