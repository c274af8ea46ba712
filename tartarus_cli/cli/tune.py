"""``tartarus tune``."""

from enum import StrEnum
from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import (
    Cluster,
    Code,
    DatasetName,
    Device,
    DryRun,
    Json,
    Root,
    Seed,
    Settings,
)
from tartarus_cli.cli.signatures import panels


class Pruner(StrEnum):
    """How trials that fall behind are stopped."""

    asha = "asha"
    hyperband = "hyperband"
    none = "none"


TunedExperiment = Annotated[
    str | None,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A preset or one of the workspace's own; not needed to go on with a study.",
        autocompletion=completing(completion.experiments),
        show_default=False,
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=RANGE",
        help="A parameter: 0.1..0.7, 1e-4..1e-2:log, 64..512:64, values such as 256,512 or "
        "[512],[512,512], or one value; may be repeated. Without a range, those of [tune] count: "
        "see 'tartarus experiments show'.",
        show_default=False,
    ),
]
ObjectiveName = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="METRIC",
        help="The figure of the validation items (default: MAP@500, PR-AUC or accuracy, as the "
        "task is); val_loss, nDCG@5, …",
        show_default=False,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        min=1,
        help="Trials of the study, those of all processes together (default: 20).",
        show_default=False,
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        help="Time after which no trial goes on: 90s, 30m, 2h.",
        show_default=False,
    ),
]
PrunerOption = Annotated[
    Pruner, typer.Option("--pruner", help="How trials that fall behind are stopped.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes of this machine.")]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME",
        help="Name of the study; processes that name the same one share its trials.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with this study, or with the newest of this search."),
]
Save = Annotated[
    str | None,
    typer.Option(
        "--save",
        metavar="NAME",
        help="Name of the best experiment (default: EXPERIMENT_tuned).",
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite an experiment that has the name of --save.")
]


@panels(
    {
        "Search": ("overrides", "objective", "trials", "timeout", "pruner"),
        "Study": ("jobs", "cluster", "study", "resume", "save", "force"),
    }
)
def tune(
    experiment: TunedExperiment = None,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Ranges = None,
    objective: ObjectiveName = None,
    trials: Trials = None,
    timeout: Timeout = None,
    pruner: PrunerOption = Pruner.asha,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    study: StudyName = None,
    resume: Resume = False,
    save: Save = None,
    force: Force = False,
    device: Device = "auto",
    dry_run: DryRun = False,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Search for good parameters by validation items; test items are not read.

    The best experiment becomes a file in the workspace's folder
    experiments/. To look at studies: tartarus studies.
    """
    from tartarus_cli.api.tuning import tune as search
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.options import parse_duration
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    result = search(
        experiment,
        *settings or (),
        dataset=dataset,
        overrides=overrides or (),
        objective=objective,
        trials=trials,
        timeout=None if timeout is None else parse_duration(timeout),
        pruner=pruner.value,
        jobs=jobs,
        cluster=cluster,
        study=study,
        resume=resume,
        save=save,
        force=force,
        device=device,
        dry_run=dry_run,
        code=code or (),
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    if isinstance(result, Forecast):
        render.forecast(result, json=json)
    else:
        render.study(root, result, json=json)
