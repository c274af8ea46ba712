"""``tartarus evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Baselines,
    By,
    Code,
    CutOffs,
    DatasetName,
    Json,
    Memory,
    Overrides,
    Published,
    Resume,
    Root,
    Seed,
    Users,
    run_code,
)
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

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
Slices = Annotated[
    By | None,
    typer.Option("--by", help="Print the figures by quantiles of users or of items instead."),
]
Merge = Annotated[
    bool,
    typer.Option("--merge", help="Join what was evaluated with --users, on whatever machine."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say exactly what was done, and what each figure is.")
]


@panels(
    {
        "Predictions made elsewhere": ("experiment", "dataset", "ids", "overrides"),
        "Many users": ("users", "memory", "resume", "merge"),
    }
)
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
    baselines: Baselines = False,
    by: Slices = None,
    explain: Explain = False,
    memory: Memory = "1GiB",
    resume: Resume = False,
    merge: Merge = False,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Print the metrics table of a model, or of predictions made elsewhere."""
    from tartarus_cli.evaluation.evaluate import evaluate as compute
    from tartarus_cli.evaluation.evaluate import evaluation_options
    from tartarus_cli.evaluation.slices import evaluate_slices
    from tartarus_cli.experiments.request import ExperimentRequest
    from tartarus_cli.workspace import open_workspace

    _check_one(by, explain)
    run_code(code)
    root = open_workspace(workspace)
    options = evaluation_options(
        *(k or (), users),
        published=published,
        seed=seed,
        baselines=baselines,
        memory=memory,
        resume=resume,
        merge=merge,
    )
    asked, watching = (
        ExperimentRequest(experiment, dataset, tuple(overrides or ())),
        render.Watching(),
    )
    if by is not None:
        cut = evaluate_slices(root, subject, asked, options, by.value, ids=ids, progress=watching)
        render.slices(cut, json=json)
        return
    result = compute(root, subject, asked, options, ids=ids, progress=watching)
    render.evaluation(root, result, explain=explain, json=json)


def _check_one(by: By | None, explain: bool) -> None:
    """Make sure that no option is left unheard."""
    if by is not None and explain:
        msg = "--by and --explain exclude each other"
        raise RequestError(msg, hint="Ask for one of them.")
