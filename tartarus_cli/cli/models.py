"""``tartarus models``."""

from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import Json, ListsByDefault, ModelName, Root

app = typer.Typer(cls=ListsByDefault, help="What has been trained, with layers and scores.")

DeletedModels = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="Models, such as model_1.",
        autocompletion=completing(completion.models),
    ),
]
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
def delete(models: DeletedModels, *, yes: Yes = False, workspace: Root = None) -> None:
    """Delete models with their predictions and results; settings made from their layers stay.

    A model that another one is made of stays, unless both are named.
    """
    from tartarus_cli.evaluation.delete import delete_model, require_no_part
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    names = list(dict.fromkeys(models))
    # An unknown model is an error, before a question.
    require_no_part(root, names)
    whose = "their predictions and their" if len(names) > 1 else "its predictions and its"
    if yes or render.confirmed(f"Delete {', '.join(names)}, {whose} results?"):
        for name in names:
            render.deleted(root, name, delete_model(root, name))
