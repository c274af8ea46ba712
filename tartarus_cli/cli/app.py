"""Assemble the command."""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, ParamSpec

import typer

from tartarus_cli.cli import experiments, models, render
from tartarus_cli.cli.check_data import check_data
from tartarus_cli.cli.evaluate import evaluate
from tartarus_cli.cli.init import init
from tartarus_cli.cli.predict import predict
from tartarus_cli.cli.run import run
from tartarus_cli.cli.train import train
from tartarus_cli.errors import TartarusError, system_error

P = ParamSpec("P")

INTERRUPTED = 130
TERMINATED = 143


def explained(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a TartarusError into a message, a hint and a status; a bug keeps its traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
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


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Version = Annotated[
    bool,
    typer.Option("--version", help="Show the version.", callback=render.version, is_eager=True),
]


@app.callback()
def tartarus(*, version: Version = False) -> None:
    """Run deep-learning experiments on audio and text: recommendation and genre classification."""


for command in (init, check_data, train, predict, evaluate, run):
    app.command()(explained(command))
for group, name in ((experiments.app, "experiments"), (models.app, "models")):
    for each in group.registered_commands:
        each.callback = explained(each.callback) if each.callback else None
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line; a polite kill, as of a cluster's scheduler, lets it tidy up first."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(TERMINATED))
    app()
