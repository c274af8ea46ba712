"""Train a network on a dataset; it becomes a model of the workspace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tartarus_cli.data.dataset import TrainingData, open_training
from tartarus_cli.errors import TartarusError
from tartarus_cli.files import digest, replacing
from tartarus_cli.models import (
    LayerInfo,
    Manifest,
    Model,
    Store,
    now,
    peak_memory_mib,
    surroundings,
    write_experiment,
    write_manifest,
)
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.steps.check import check_experiment
from tartarus_cli.steps.experiments import Order
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.fit import FitOptions, fit, mean_loss
from tartarus_cli.workspace import Workspace

if TYPE_CHECKING:
    import keras

JUDGED_AT_ONCE = 512  # rows of a batch where nothing is learnt


def train(
    workspace: Workspace,
    order: Order,
    *,
    evaluated: bool = False,
    progress: Progress = UNWATCHED,
) -> Model:
    """Fit the network of an experiment to the train items, with early stopping.

    Parameters
    ----------
    workspace
        Where the data is and the model goes.
    order
        Experiment, settings and seed. The same order on the same machine gives the same weights.
    evaluated
        Whether an evaluation follows, so that the truth is checked before the work begins.
    progress
        Told how it goes.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If the training diverges. The model then stays unfinished, as it does when interrupted.
    """
    inventory = workspace.scan()
    experiment, settings = order.experiment, order.settings
    wanted = check_experiment(
        inventory, experiment, settings, evaluated=evaluated, progress=progress
    )
    share = experiment.training.validation
    data = open_training(inventory, wanted, settings, validation=share)
    if data.remark:
        progress.say(data.remark)
    store = Store(workspace)
    name, folder = store.claim()
    manifest = Manifest(
        status="training",
        experiment=experiment.name,
        dataset=wanted.dataset,
        task=experiment.dataset.task,
        settings=list(settings),
        target_dim=wanted.dim,
        seed=order.seed,
        started=now(),
        items=_items(data),
        **surroundings(),
    )
    with _accounted(name, folder, manifest, progress):
        write_manifest(folder, manifest)
        write_experiment(folder, experiment)
        manifest.inputs = {workspace.within(path): digest(path) for path in data.files}
        _fit(order, data, folder, manifest, progress)
    return store.get(name)


@contextmanager
def _accounted(name: str, folder: Path, manifest: Manifest, progress: Progress) -> Iterator[None]:
    """Write into the manifest how the training ended, whatever way that is."""
    began = time.monotonic()
    try:
        yield
        manifest.status = "finished"
    except BaseException as problem:
        manifest.status = "failed" if isinstance(problem, Exception) else "interrupted"
        manifest.reason = str(problem) if isinstance(problem, Exception) else "stopped from outside"
        what = "failed" if isinstance(problem, TartarusError) else f"was {manifest.status}"
        progress.warn(f"the training of {name} {what}; it is no model that can be used")
        raise
    finally:
        manifest.duration_s = round(time.monotonic() - began, 3)
        manifest.peak_memory_mib = peak_memory_mib()
        write_manifest(folder, manifest)


def _items(data: TrainingData) -> dict[str, int]:
    held_out = len(data.held_out) if data.held_out else 0
    return {"fit": len(data.fit), "validation": len(data.validation), "held out": held_out}


def _fit(
    order: Order, data: TrainingData, folder: Path, manifest: Manifest, progress: Progress
) -> None:
    experiment, training = order.experiment, order.experiment.training
    normalize = experiment.targets.normalize
    rng = np.random.default_rng(order.seed)
    network = build_network(order, data)
    fitted = fit(
        network,
        Batches(data.fit, size=training.batch_size, normalize=normalize, rng=rng),
        Batches(data.validation, size=JUDGED_AT_ONCE, normalize=normalize),
        options=FitOptions(
            loss=training.loss,
            optimizer=training.optimizer,
            learning_rate=training.learning_rate,
            epochs=training.epochs,
            patience=training.patience,
            monitor=training.monitor,
        ),
        history=folder / "history.csv",
        progress=progress,
    )
    manifest.epochs, manifest.best_epoch = fitted.epochs, fitted.best_epoch
    manifest.validation_loss = fitted.validation_loss
    if data.held_out is not None:
        rest = Batches(data.held_out, size=JUDGED_AT_ONCE, normalize=normalize)
        manifest.held_out_loss = mean_loss(network, rest, training.loss)
    manifest.layers = layers_of(network)
    with replacing(folder / "model.keras") as beside:
        network.save(beside)


def build_network(order: Order, data: TrainingData) -> keras.Model:
    """Build the network of an experiment for the shapes of its data, not trained yet."""
    build = order.experiment.architecture.build
    if build is None:
        msg = f"{order.experiment.network.name} is no network that can be built"
        raise AssertionError(msg)
    shapes = [matrix.shape[1:] for matrix in data.fit.inputs]
    width = data.fit.targets.shape[1]
    return build(shapes, order.experiment.network, width, order.seed)


def layers_of(network: keras.Model) -> list[LayerInfo]:
    """List the layers of a network in order."""
    return [
        LayerInfo(
            name=layer.name,
            kind=type(layer).__name__,
            shape=tuple(layer.output.shape[1:]),
            parameters=layer.count_params(),
        )
        for layer in network.layers
    ]
