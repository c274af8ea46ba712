"""``tartarus evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import (
    Baselines,
    Cluster,
    Code,
    CutOffs,
    DatasetName,
    Device,
    DryRun,
    Json,
    Memory,
    Overrides,
    Published,
    Resume,
    Root,
    Seed,
    SliceName,
    Ties,
    TiesName,
    Users,
)
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    from tartarus_cli.workspace import Workspace

Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL|GROUP|FILE.npy]",
        help="A model (the newest if none is named), a group, or predictions made elsewhere.",
        autocompletion=completing(completion.models_and_predictions),
        show_default=False,
    ),
]
ExperimentOption = Annotated[
    str | None,
    typer.Option(
        "--experiment",
        help="For a file: the experiment whose predictions these are.",
        autocompletion=completing(completion.experiments),
    ),
]
Ids = Annotated[
    Path | None,
    typer.Option("--ids", help="For a file: the ids of its rows; else the test items in order."),
]
SlicesOption = Annotated[
    SliceName | None,
    typer.Option(
        "--by",
        help="Print the figures apart instead: by quantiles of users or items, for items of known "
        "(semi-cold) and new artists, for plays of artists that the user knows or discovers, or "
        "for items by which settings they have.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="N/OF",
        help="Evaluate the N-th of OF equal shares of the users, such as 2/8; --merge joins them.",
        show_default=False,
    ),
]
Merge = Annotated[
    bool,
    typer.Option(
        "--merge", help="Join what was evaluated with --users or --shard, on whatever machine."
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say exactly what was done, and what each figure is.")
]


@panels(
    {
        "Predictions made elsewhere": ("experiment", "dataset", "ids", "overrides"),
        "Many users": ("users", "memory", "resume", "shard", "merge", "cluster"),
    }
)
def evaluate(
    subject: Subject = None,
    *,
    experiment: ExperimentOption = None,
    dataset: DatasetName = None,
    ids: Ids = None,
    overrides: Overrides = None,
    k: CutOffs = None,
    users: Users = None,
    published: Published = False,
    ties: Ties = TiesName.drawn,
    baselines: Baselines = False,
    by: SlicesOption = None,
    explain: Explain = False,
    memory: Memory = "1GiB",
    resume: Resume = False,
    shard: Shard = None,
    merge: Merge = False,
    cluster: Cluster = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Print the metrics table of a model, of a group, or of predictions made elsewhere."""
    from tartarus_cli.api.results import evaluate as compute
    from tartarus_cli.workspace import open_workspace

    _check_one(by, explain)
    root = open_workspace(workspace)
    result = compute(
        subject,
        experiment=experiment,
        dataset=dataset,
        ids=ids,
        overrides=overrides or (),
        k=k or (),
        users=users,
        published=published,
        ties=ties.value,
        baselines=baselines,
        by=by.value if by else None,
        memory=memory,
        resume=resume,
        shard=shard,
        merge=merge,
        cluster=cluster,
        device=device,
        dry_run=dry_run,
        code=code or (),
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    _show(root, result, explain, json)


def _show(root: Workspace, result: Any, explain: bool, json: bool) -> None:
    from tartarus_cli.evaluation.group_report import GroupEvaluation
    from tartarus_cli.evaluation.slices import EvaluatedSlices
    from tartarus_cli.forecasting.forecast import Forecast

    if isinstance(result, Forecast):
        render.forecast(result, json=json)
    elif isinstance(result, GroupEvaluation):
        render.group_evaluation(result, explain=explain, json=json)
        raise typer.Exit(1 if result.failed else 0)
    elif isinstance(result, EvaluatedSlices):
        render.slices(result, json=json)
    else:
        render.evaluation(root, result, explain=explain, json=json)


def _check_one(by: SliceName | None, explain: bool) -> None:
    """Make sure that no option would have no effect."""
    if by is not None and explain:
        msg = "--by and --explain exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")
