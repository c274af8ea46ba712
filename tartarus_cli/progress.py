"""How a long piece of work reports what it does.

Functions take a :class:`Progress`; the command line passes one that draws bars, and
:data:`UNWATCHED` shows nothing.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


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
