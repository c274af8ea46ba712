"""``tartarus run``."""

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Baselines,
    Code,
    CutOffs,
    DatasetName,
    ExperimentName,
    Json,
    Overrides,
    Pooled,
    PoolName,
    Published,
    Root,
    Seed,
    Settings,
    Users,
    run_code,
)
from tartarus_cli.cli.signatures import panels


@panels({"Evaluation": ("k", "users", "published", "baselines", "pool")})
def run(
    experiment: ExperimentName,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    seed: Seed = None,
    k: CutOffs = None,
    users: Users = None,
    published: Published = False,
    baselines: Baselines = False,
    pool: Pooled = PoolName.mean,
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Check, train, predict and evaluate: one table at the end."""
    from tartarus_cli.evaluation.evaluate import evaluation_options
    from tartarus_cli.experiments.request import build_request
    from tartarus_cli.run import run as run_all
    from tartarus_cli.workspace import open_workspace

    root, named = open_workspace(workspace), run_code(code)
    order = build_request(
        root, experiment, settings or (), dataset, overrides or (), seed, code=named
    )
    options = evaluation_options(
        k or (), users, published=published, seed=seed, baselines=baselines
    )
    result = run_all(root, order, options, pool=pool.value, progress=render.ConsoleProgress())
    render.evaluation(root, result, json=json)
