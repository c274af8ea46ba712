"""``tartarus predict``."""

from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Json, NewestModel, Root, Split

Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME|INDEX",
        help="Read out this layer as a new setting; see 'tartarus models show MODEL'.",
    ),
]
OneSplit = Annotated[
    Split | None,
    typer.Option(
        "--split", help="Which items. [default: test; all with --layer]", show_default=False
    ),
]


def predict(
    model: NewestModel = None,
    *,
    layer: Layer = None,
    split: OneSplit = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Predict the factors of new items, or read out a layer as a setting for the next run."""
    from tartarus_cli.steps.predict import predict as run
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    made = run(root, model, layer=layer, split=split, progress=render.Watching())
    render.predicted(root, made, json=json)
