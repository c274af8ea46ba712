"""``tartarus models``."""

from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.explained import explained
from tartarus_cli.cli.options import Json, ListsByDefault, Root

app = typer.Typer(cls=ListsByDefault, help="What has been trained, with layers and scores.")

DeletedModels = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="Models, such as model_1, or groups with their models, such as group_1.",
        autocompletion=completing(completion.models_and_groups),
    ),
]
ShownModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model, such as model_1, or a group, such as group_1.",
        autocompletion=completing(completion.models_and_groups),
    ),
]
All = Annotated[
    bool, typer.Option("--all", help="Also list the members of groups, and what these blend.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@explained
def list_(*, members: All = False, workspace: Root = None, json: Json = False) -> None:
    """List all models, finished or not; a group of them is one line."""
    from tartarus_cli.api.models import list_groups, list_models

    groups = list_groups(workspace=workspace)
    render.models(list_models(workspace=workspace), groups, members=members, json=json)


@app.command()
@explained
def show(model: ShownModel, *, workspace: Root = None, json: Json = False) -> None:
    """Show where a model comes from, its layers and its scores; of a group, its members."""
    from tartarus_cli.models.groups import Groups
    from tartarus_cli.models.lookup import is_group_name
    from tartarus_cli.models.store import Store
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    if is_group_name(model):
        render.group(Groups(root).find(model), json=json)
    else:
        render.model(Store(root).find(model), json=json)


@app.command()
@explained
def delete(models: DeletedModels, *, yes: Yes = False, workspace: Root = None) -> None:
    """Delete models with their predictions and results; settings made from their layers stay.

    A model that another one is made of stays, unless both are named. The
    members of a group go with it, but for those that another group has too.
    """
    from tartarus_cli.evaluation.delete import delete_group, delete_model, plan_deletion
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    # An unknown model is an error, before a question.
    deletion = plan_deletion(root, models)
    if yes or render.confirmed(render.deletion_question(deletion)):
        for name in deletion.models:
            render.deleted(root, name, delete_model(root, name))
        for name in deletion.groups:
            delete_group(root, name)
            render.deleted_group(name)
        render.deletion_remarks(deletion)
