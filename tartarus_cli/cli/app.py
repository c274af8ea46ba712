"""Assemble the command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import encoders, experiments, models, render, studies
from tartarus_cli.cli.check_data import check_data
from tartarus_cli.cli.compare import compare
from tartarus_cli.cli.doctor import doctor
from tartarus_cli.cli.embed import embed
from tartarus_cli.cli.evaluate import evaluate
from tartarus_cli.cli.explained import explained, output_error
from tartarus_cli.cli.export import export
from tartarus_cli.cli.factorize import factorize
from tartarus_cli.cli.features import features
from tartarus_cli.cli.fetch import fetch
from tartarus_cli.cli.init import init
from tartarus_cli.cli.logs import LoggedGroup
from tartarus_cli.cli.patches import patches
from tartarus_cli.cli.predict import predict
from tartarus_cli.cli.recommend import recommend
from tartarus_cli.cli.reproduce import reproduce
from tartarus_cli.cli.run import run
from tartarus_cli.cli.split import split
from tartarus_cli.cli.terminal import OutputError, prepare_process
from tartarus_cli.cli.text import text
from tartarus_cli.cli.train import train
from tartarus_cli.cli.tune import tune
from tartarus_cli.signals import at_the_edges

PANELS = {
    "Start": (init, fetch, check_data, doctor),
    "Data": (split, factorize, features, embed, patches, text),
    "Experiments": (train, predict, evaluate, compare, run, tune, reproduce),
    "Models": (recommend, export),
}

app = typer.Typer(
    cls=LoggedGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Show the version.", callback=render.version, is_eager=True, metavar=""
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        envvar="TARTARUS_LOG",
        help="Write what happens, with times, to the end of this file; also after a command.",
        show_default=False,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        metavar="",
        help="Print on standard error what a log has, and the files read and written; also after "
        "a command.",
    ),
]


@app.callback()
def tartarus(*, version: Version = False, log: LogFile = None, verbose: Verbose = False) -> None:
    """Run deep-learning experiments on audio and text: recommendation and genre classification."""


for title, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=title)(explained(command))
app.add_typer(encoders.app, name="encoders", rich_help_panel="Data")
app.add_typer(experiments.app, name="experiments", rich_help_panel="Experiments")
app.add_typer(studies.app, name="studies", rich_help_panel="Experiments")
app.add_typer(models.app, name="models", rich_help_panel="Models")


def main() -> None:
    """Run the command line; signals end it at once but while a command runs."""
    at_the_edges()
    prepare_process()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(1)
    except OutputError as problem:
        render.error(output_error(problem))
        sys.exit(1)
