"""The log of a command: a file, standard error, or both."""

from __future__ import annotations

import logging
import os
import stat
import sys
from io import TextIOWrapper
from pathlib import Path

from tartarus_cli.cli.render.console import aside, plain, printable
from tartarus_cli.errors import display_path

# The ancestor of the loggers of all modules.
LOGGER = logging.getLogger("tartarus_cli")
# Without any handler Python would print warnings, which are on standard error already.
LOGGER.addHandler(logging.NullHandler())

LINE = "%(asctime)s %(process)d %(levelname)s %(message)s"
TIME = "%Y-%m-%dT%H:%M:%S%z"


def log_shown(level: int, message: str) -> None:
    """Write a message into the log that standard error shows already."""
    LOGGER.log(level, "%s", message, extra={"shown": True})


def log_crash(problem: BaseException) -> None:
    """Write the traceback of an error that nobody expected, which standard error shows too."""
    LOGGER.critical("unexpected error", exc_info=problem, extra={"shown": True})


class _Lines(logging.Formatter):
    """One line a record, whatever characters the names of the user hold."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 — logging's name
        """Write control characters as what they are; a traceback keeps its lines."""
        record.message = printable(record.message)
        return super().formatMessage(record)


class _StandardError(logging.Handler):
    """Prints what nothing else prints there; above a bar, where one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        if not getattr(record, "shown", False):
            aside().print(f"[dim]{plain(self.format(record))}[/]")


class _LogFile(logging.FileHandler):
    """Writes to the end of a file until that fails, which is said once; the work goes on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._failed = False

    def _open(self) -> TextIOWrapper:
        """Open the file; a pipe that nobody reads is an error, and is not waited for."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self.baseFilename, flags, 0o666)
        if stat.S_ISBLK(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(0, "it is a device")
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)  # noqa: PTH123

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless an earlier one could not be written."""
        if not self._failed:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — logging's name
        """Say that the log ends; any other error than one of the system is a bug, shown as one."""
        problem = sys.exception()
        if not isinstance(problem, OSError):
            super().handleError(record)
        elif not self._failed:
            self._fail(problem)

    def close(self) -> None:
        """Close the file; what still cannot be written is given up."""
        try:
            super().close()
        except OSError as problem:
            self._fail(problem)

    def _fail(self, problem: OSError) -> None:
        if not self._failed:
            self._failed = True
            path, reason = display_path(Path(self.baseFilename)), problem.strerror or problem
            text = f"the log {path} ends here, it cannot be written ({reason}); the work goes on"
            aside().print(f"[yellow]Warning:[/] {plain(text)}")


def open_handlers(path: Path | None, *, verbose: bool) -> list[logging.Handler]:
    """Return what writes to a file, at its end, and what prints on standard error.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if path is not None:
        handlers.append(_LogFile(path))
    if verbose:
        handlers.append(_StandardError())
    for handler in handlers:
        handler.setFormatter(_Lines(LINE, TIME))
        LOGGER.addHandler(handler)
    if handlers:
        LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
        # What other libraries hang to the root would print the lines once more.
        LOGGER.propagate = False
    return handlers


def close_handlers(handlers: list[logging.Handler]) -> None:
    """Take the handlers away, and close their files."""
    for handler in handlers:
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.propagate = True
