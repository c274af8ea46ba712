"""Where errors become messages and exit statuses: the only place that catches them."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from traceback import walk_tb
from typing import Any

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.flags import name_workspace
from tartarus_cli.cli.logs import INTERRUPTED, open_log
from tartarus_cli.cli.options import LogFile, Verbose
from tartarus_cli.cli.signatures import arrange_signature
from tartarus_cli.cli.terminal import OutputError
from tartarus_cli.errors import TartarusError, system_error
from tartarus_cli.progress import watching
from tartarus_cli.signals import in_order


def explained(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a TartarusError into a message, a hint and a status; a bug keeps its traceback.

    Parameters
    ----------
    command
        A function whose parameters Typer turns into options; it gets those of the log as well.
    """
    common = inspect.signature(_begin, eval_str=True).parameters

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            with _explanations():
                _begin(**{name: kwargs.pop(name) for name in common})
                with watching(render.ConsoleProgress()):
                    command(*args, **kwargs)
        finally:
            name_workspace(None)

    wrapper.__signature__ = arrange_signature(command, common.values())  # type: ignore[attr-defined]
    return wrapper


def _begin(*, context: typer.Context, log: LogFile = None, verbose: Verbose = False) -> None:
    """Begin the log, before anything is done; commands that are shown name the same workspace."""
    source = context.get_parameter_source("workspace")
    is_named = source is not None and source.name == "COMMANDLINE"
    name_workspace(context.params["workspace"] if is_named else None)
    open_log(context, log, verbose=verbose)


@contextmanager
def _explanations() -> Iterator[None]:
    try:
        # Not where an error is printed, and not while a library reads the command line.
        with in_order():
            yield
            sys.stdout.flush()
    except TartarusError as problem:
        render.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except BrokenPipeError:
        # The reader of the output has closed it.
        raise
    except (OSError, EOFError, UnicodeEncodeError) as problem:
        # Typer would say "Aborted." of an EOFError.
        render.error(_explained(problem))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        render.interrupted()
        raise typer.Exit(INTERRUPTED) from None


def _explained(problem: OSError | EOFError | UnicodeEncodeError) -> TartarusError:
    """Return an error that says what the system, a library or an encoding refused."""
    if isinstance(problem, OutputError):
        return output_error(problem)
    if isinstance(problem, OSError):
        return system_error(problem)
    if isinstance(problem, UnicodeEncodeError):
        sign = problem.object[problem.start : problem.end]
        msg = f"{sign!a} cannot be written in {problem.encoding}"
        return TartarusError(msg, hint="Set PYTHONUTF8=1 (or LC_ALL=C.UTF-8) in the environment.")
    *_, (frame, line) = walk_tb(problem.__traceback__)
    where = f"{frame.f_code.co_filename}, line {line}"
    msg = f"what a library read ended too early ({where}): {str(problem) or 'EOFError'}"
    hint = "A file that it keeps, such as a cache, may have been cut: delete that. "
    return TartarusError(msg, hint=hint + "With -v the command says which files it reads.")


def output_error(problem: OutputError) -> TartarusError:
    """Return an error that says why nothing can be printed."""
    msg = f"standard output cannot be written: {problem.strerror}"
    return TartarusError(msg, hint="Send it elsewhere; what the command wrote into files is there.")
