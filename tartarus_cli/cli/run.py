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
    ExperimentName,
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
from tartarus_cli.cli.signatures import panels


@panels(
    {
        "Several runs": ("seeds", "cluster"),
        "Evaluation": ("k", "users", "published", "ties", "baselines", "ablate", "pool"),
    }
)
def run(
    experiment: ExperimentName,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    seed: Seed = None,
    seeds: Seeds = None,
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
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Check, train, predict and evaluate: one table at the end.

    For new items, begin with cold_multi and all settings of theirs (with a
    single one: cold_sparse for tags, else cold_audio), and --baselines.
    """
    from tartarus_cli.api.models import run as run_all
    from tartarus_cli.evaluation.group_report import GroupEvaluation
    from tartarus_cli.plural.seeds import parse_seeds
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    result = run_all(
        experiment,
        *settings or (),
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
        seeds=None if seeds is None else parse_seeds(seeds),
        cluster=cluster,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    if not isinstance(result, GroupEvaluation):
        render.evaluation(root, result, json=json)
        return
    render.group_evaluation(result, json=json)
    raise typer.Exit(1 if result.failed else 0)
