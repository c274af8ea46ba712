"""``tartarus evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    CutOffs,
    DatasetName,
    Json,
    Overrides,
    Published,
    Root,
    Seed,
    Users,
)

Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL|FILE.npy]",
        help="A model (the newest if none is named), or predictions made elsewhere.",
        show_default=False,
    ),
]
Experiment = Annotated[
    str | None,
    typer.Option("--experiment", help="For a file: the experiment whose predictions these are."),
]
Ids = Annotated[
    Path | None,
    typer.Option("--ids", help="For a file: the ids of its rows; else the test items in order."),
]


def evaluate(
    subject: Subject = None,
    *,
    experiment: Experiment = None,
    dataset: DatasetName = None,
    ids: Ids = None,
    overrides: Overrides = None,
    k: CutOffs = None,
    users: Users = None,
    published: Published = False,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Print the metrics table of a model, or of predictions made elsewhere."""
    from tartarus_cli.steps.evaluate import evaluate as compute
    from tartarus_cli.steps.evaluate import evaluation_options
    from tartarus_cli.steps.experiments import Asked
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    options = evaluation_options(k or (), users, published=published, seed=seed)
    asked = Asked(experiment, dataset, tuple(overrides or ()))
    result = compute(root, subject, asked, options, ids=ids, progress=render.Watching())
    render.evaluation(root, result, json=json)
