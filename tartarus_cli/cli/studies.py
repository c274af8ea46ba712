"""``tartarus studies``."""

from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import Json, ListsByDefault, Root

app = typer.Typer(cls=ListsByDefault, help="The searches for parameters, and their trials.")

Name = Annotated[str, typer.Argument(metavar="STUDY", help="A study, such as rec_multi_1.")]


@app.command("list")
@explained
def list_(*, workspace: Root = None, json: Json = False) -> None:
    """List all studies."""
    from tartarus_cli.api.tuning import list_studies

    render.studies(list_studies(workspace=workspace), json=json)


@app.command()
@explained
def show(name: Name, *, workspace: Root = None, json: Json = False) -> None:
    """Show the trials of a study, also while processes work on it."""
    from tartarus_cli.api.tuning import show_study
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    render.study(root, show_study(name, workspace=root), json=json)
