"""Where errors become messages and exit statuses: the only place that catches them."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.logs import INTERRUPTED, open_log
from tartarus_cli.cli.options import LogFile, Verbose
from tartarus_cli.cli.signatures import arrange_signature
from tartarus_cli.errors import TartarusError, system_error
from tartarus_cli.progress import watching


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
        with _explanations():
            _begin(**{name: kwargs.pop(name) for name in common})
            with watching(render.ConsoleProgress()):
                command(*args, **kwargs)

    wrapper.__signature__ = arrange_signature(command, common.values())  # type: ignore[attr-defined]
    return wrapper


def _begin(*, context: typer.Context, log: LogFile = None, verbose: Verbose = False) -> None:
    """Begin the log, before anything is done."""
    open_log(context, log, verbose=verbose)


@contextmanager
def _explanations() -> Iterator[None]:
    try:
        yield
    except TartarusError as problem:
        render.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except BrokenPipeError:
        # The reader of the output has closed it.
        raise
    except OSError as problem:
        render.error(system_error(problem))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        render.interrupted()
        raise typer.Exit(INTERRUPTED) from None
