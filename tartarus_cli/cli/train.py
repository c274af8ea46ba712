"""``tartarus train``."""

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Code,
    DatasetName,
    Device,
    ExperimentName,
    Json,
    Overrides,
    Root,
    Seed,
    Settings,
)


def train(
    experiment: ExperimentName,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    device: Device = "auto",
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Train a network, a blend of models, or a baseline; it becomes model_N.

    For new items, begin with cold_multi and all settings of theirs (with a
    single one: cold_sparse for tags, else cold_audio).
    """
    from tartarus_cli.api.models import train as fit

    model = fit(
        experiment,
        *settings or (),
        dataset=dataset,
        overrides=overrides or (),
        device=device,
        code=code or (),
        seed=seed,
        workspace=workspace,
        progress=render.ConsoleProgress(),
    )
    render.trained(model, json=json)
