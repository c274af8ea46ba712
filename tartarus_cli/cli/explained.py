"""Where errors become messages and exit statuses: the only place that catches them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from tartarus_cli.cli import render
from tartarus_cli.errors import TartarusError, system_error
from tartarus_cli.progress import watching

P = ParamSpec("P")

INTERRUPTED = 130


def explained(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a TartarusError into a message, a hint and a status; a bug keeps its traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            watching(render.Watching())(command)(*args, **kwargs)
        except TartarusError as problem:
            render.error(problem)
            raise typer.Exit(problem.exit_code) from None
        except BrokenPipeError:
            raise  # whoever read our output has seen enough
        except OSError as problem:
            render.error(system_error(problem))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            render.interrupted()
            raise typer.Exit(INTERRUPTED) from None

    return wrapper
