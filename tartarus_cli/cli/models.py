"""``tartarus models``."""

from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import Json, ListsByDefault, ModelName, Root

app = typer.Typer(cls=ListsByDefault, help="What has been trained, with layers and scores.")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@explained
def list_(*, workspace: Root = None, json: Json = False) -> None:
    """List all models, finished or not."""
    from tartarus_cli.api.models import list_models

    render.models(list_models(workspace=workspace), json=json)


@app.command()
@explained
def show(model: ModelName, *, workspace: Root = None, json: Json = False) -> None:
    """Show where a model comes from, its layers and its scores."""
    from tartarus_cli.models.store import Store
    from tartarus_cli.workspace import open_workspace

    render.model(Store(open_workspace(workspace)).find(model), json=json)


@app.command()
@explained
def delete(model: ModelName, *, yes: Yes = False, workspace: Root = None) -> None:
    """Delete a model with its predictions and results; settings made from its layers stay."""
    from tartarus_cli.evaluation.delete import delete_model
    from tartarus_cli.models.store import Store
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    # An unknown model is an error, before a question.
    Store(root).require_deletable(model)
    if yes or render.confirmed(f"Delete {model}, its predictions and its results?"):
        render.deleted(root, model, delete_model(root, model))
