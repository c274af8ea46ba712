"""The log that ``--log`` and ``--verbose`` keep of a command, from its words to its exit status."""

from __future__ import annotations

import errno
import logging
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from typer import Abort, Context, Exit
from typer.core import TyperGroup

from tartarus_cli.cli import render
from tartarus_cli.errors import RequestError, TartarusError, display_path

INTERRUPTED = 130
LOGGER = logging.getLogger("tartarus_cli")


class LoggedGroup(TyperGroup):
    """The commands: whichever is run has a log, if one is asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words of the command line."""
        ctx.obj = CommandLog(tuple(args))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its log ends with the exit status."""
        log: CommandLog = ctx.obj
        log.path, log.verbose = ctx.params["log"], ctx.params["verbose"]
        with log.running():
            return super().invoke(ctx)


class CommandLog:
    """The log of one command.

    Parameters
    ----------
    words
        The command line without ``tartarus``.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.path: Path | None = None
        """The file that is named before the command, or by the environment."""
        self.verbose = False
        """Whether ``--verbose`` stands before the command."""
        self.words, self._began = words, time.monotonic()
        self._handlers: list[logging.Handler] = []

    def open(self, path: Path | None, *, verbose: bool) -> None:
        """Begin the log; what is named after the command counts before what is named earlier.

        Raises
        ------
        RequestError
            If the file cannot be written.
        """
        path = path or self.path
        try:
            self._handlers = render.open_handlers(path, verbose=verbose or self.verbose)
        except OSError as problem:
            msg = f"the log {display_path(path or Path())} cannot be written: {problem.strerror}"
            raise RequestError(msg, hint=_hint(problem)) from None
        LOGGER.info("start: tartarus %s", shlex.join(self.words))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write how the command ends that runs in the block."""
        status = 0
        try:
            yield
        except BaseException as problem:
            status = _status(problem)
            self._log_problem(problem)
            raise
        finally:
            LOGGER.info("end: exit status %d, %.1f s", status, time.monotonic() - self._began)
            render.close_handlers(self._handlers)

    def _log_problem(self, problem: BaseException) -> None:
        """Write what Typer is going to print: a command line that is wrong, or a bug."""
        if not self._handlers:
            # The command line could not be read so far as to know its --log.
            with suppress(TartarusError):
                self.open(_log_named(self.words), verbose=False)
        message = getattr(problem, "format_message", None)
        if message is not None:
            render.log_shown(logging.ERROR, message())
        elif isinstance(problem, Abort):
            render.log_shown(logging.WARNING, "aborted")
        elif isinstance(problem, Exception) and not isinstance(problem, Exit | BrokenPipeError):
            render.log_crash(problem)


def open_log(context: Context, path: Path | None, *, verbose: bool) -> None:
    """Begin the log of the command that a context is of.

    Raises
    ------
    RequestError
        If the file cannot be written.
    """
    log: CommandLog = context.find_root().obj
    log.open(path, verbose=verbose)


def _hint(problem: OSError) -> str:
    """Say what helps against a log that cannot be written."""
    if problem.errno == errno.ENXIO:
        return "It is a pipe or a socket that nobody reads; name a file."
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return "Name a file in a folder that exists."
    return "Name another file, in a folder that may be written to."


def _log_named(words: Sequence[str]) -> Path | None:
    """Return the file behind ``--log``.

    >>> _log_named(["run", "--log", "a.log", "--epohcs=3"]), _log_named(["run", "--log=b.log"])
    (PosixPath('a.log'), PosixPath('b.log'))
    >>> _log_named(["run", "--log"])
    """
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name == "--log" and (value or following):
            return Path(value or following)
    return None


def _status(problem: BaseException) -> int:
    """Return the exit status that an exception ends a command with."""
    if isinstance(problem, KeyboardInterrupt):
        return INTERRUPTED
    code = problem.code if isinstance(problem, SystemExit) else getattr(problem, "exit_code", 1)
    return code if isinstance(code, int) else int(code is not None)
