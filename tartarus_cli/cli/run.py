"""``tartarus run``."""

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Ablate,
    Baselines,
    Cluster,
    Code,
    CutOffs,
    DatasetName,
    Device,
    DryRun,
    Folds,
    Json,
    Overrides,
    Pooled,
    PoolName,
    Published,
    Root,
    Seed,
    Seeds,
    Settings,
    Ties,
    TiesName,
    Users,
)
from tartarus_cli.cli.resuming import (
    CheckpointEvery,
    ExperimentOrModel,
    ResumeTraining,
    named_or_resumed,
)
from tartarus_cli.cli.signatures import panels


@panels(
    {
        "Training": ("device", "checkpoint_every", "resume"),
        "Several runs": ("seeds", "folds", "cluster"),
        "Evaluation": ("k", "users", "published", "ties", "baselines", "ablate", "pool"),
    }
)
def run(
    experiment: ExperimentOrModel = None,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    seed: Seed = None,
    seeds: Seeds = None,
    folds: Folds = False,
    cluster: Cluster = None,
    k: CutOffs = None,
    users: Users = None,
    published: Published = False,
    ties: Ties = TiesName.drawn,
    baselines: Baselines = False,
    pool: Pooled = PoolName.mean,
    ablate: Ablate = False,
    device: Device = "auto",
    code: Code = None,
    checkpoint_every: CheckpointEvery = "10m",
    resume: ResumeTraining = False,
    dry_run: DryRun = False,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Check, train, predict and evaluate: one table at the end.

    For new items, begin with cold_multi and all settings of theirs (with a
    single one: cold_sparse for tags, else cold_audio), and --baselines.
    """
    from tartarus_cli.api.models import run as run_all
    from tartarus_cli.evaluation.group_report import GroupEvaluation
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.plural.seeds import parse_seeds
    from tartarus_cli.workspace import open_workspace

    experiment, settings, resumed = named_or_resumed(experiment, settings, resume=resume)
    root = open_workspace(workspace)
    result = run_all(
        experiment,
        *settings,
        dataset=dataset,
        overrides=overrides or (),
        k=k or (),
        users=users,
        published=published,
        ties=ties.value,
        baselines=baselines,
        pool=pool.value,
        ablate=ablate,
        device=device,
        code=code or (),
        seed=seed,
        checkpoint_every=checkpoint_every,
        resume=resumed,
        seeds=None if seeds is None else parse_seeds(seeds),
        folds=folds,
        cluster=cluster,
        dry_run=dry_run,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    if isinstance(result, Forecast):
        render.forecast(result, json=json)
        return
    if not isinstance(result, GroupEvaluation):
        render.evaluation(root, result, json=json)
        return
    render.group_evaluation(result, json=json)
    raise typer.Exit(1 if result.failed else 0)
