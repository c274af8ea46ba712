"""``tartarus train``."""

from tartarus_cli.cli import render
from tartarus_cli.cli.options import (
    Code,
    DatasetName,
    Device,
    Json,
    Overrides,
    Root,
    Seed,
    Settings,
)
from tartarus_cli.cli.resuming import (
    CheckpointEvery,
    ExperimentOrModel,
    ResumeTraining,
    named_or_resumed,
)
from tartarus_cli.cli.signatures import panels


@panels({"Training": ("device", "checkpoint_every", "resume")})
def train(
    experiment: ExperimentOrModel = None,
    settings: Settings = None,
    *,
    dataset: DatasetName = None,
    overrides: Overrides = None,
    device: Device = "auto",
    code: Code = None,
    seed: Seed = None,
    checkpoint_every: CheckpointEvery = "10m",
    resume: ResumeTraining = False,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Train a network, a blend of models, or a baseline; it becomes model_N.

    A training that was stopped, or killed, goes on with
    'tartarus train --resume', to the same weights as if it had not been.

    For new items, begin with cold_multi and all settings of theirs (with a
    single one: cold_sparse for tags, else cold_audio).
    """
    from tartarus_cli.api.models import train as fit

    experiment, settings, resumed = named_or_resumed(experiment, settings, resume=resume)
    model = fit(
        experiment,
        *settings,
        dataset=dataset,
        overrides=overrides or (),
        device=device,
        code=code or (),
        seed=seed,
        checkpoint_every=checkpoint_every,
        resume=resumed,
        workspace=workspace,
        progress=render.ConsoleProgress(),
    )
    render.trained(model, json=json)
