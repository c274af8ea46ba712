"""``tartarus train``."""

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Code,
    DatasetName,
    ExperimentName,
    Json,
    Overrides,
    Root,
    Seed,
    Settings,
    run_code,
)


def train(
    experiment: ExperimentName,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Train a network, or fit a baseline; it becomes model_N."""
    from tartarus_cli.experiments.request import build_request
    from tartarus_cli.models.store import Store
    from tartarus_cli.training.train import train as fit
    from tartarus_cli.workspace import open_workspace

    root, named = open_workspace(workspace), run_code(code)
    request = build_request(
        root, experiment, settings or (), dataset, overrides or (), seed, code=named
    )
    render.trained(fit(Store(root), request, progress=render.ConsoleProgress()), json=json)
