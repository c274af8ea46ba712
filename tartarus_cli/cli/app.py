"""Assemble the command."""

import signal
import sys
from typing import Annotated

import typer

from tartarus_cli.cli import experiments, models, render
from tartarus_cli.cli.check_data import check_data
from tartarus_cli.cli.compare import compare
from tartarus_cli.cli.evaluate import evaluate
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.export import export
from tartarus_cli.cli.factorize import factorize
from tartarus_cli.cli.features import features
from tartarus_cli.cli.fetch import fetch
from tartarus_cli.cli.init import init
from tartarus_cli.cli.patches import patches
from tartarus_cli.cli.predict import predict
from tartarus_cli.cli.recommend import recommend
from tartarus_cli.cli.run import run
from tartarus_cli.cli.split import split
from tartarus_cli.cli.text import text
from tartarus_cli.cli.train import train

TERMINATED = 143


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


for command in (
    *(init, fetch, check_data, split, factorize, features, patches, text),
    *(train, predict, evaluate, compare, run),
    *(recommend, export),
):
    app.command()(explained(command))
app.add_typer(experiments.app, name="experiments")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line; a polite kill, as of a cluster's scheduler, lets it tidy up first."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(TERMINATED))
    app()
