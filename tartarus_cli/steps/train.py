"""Train a network on a dataset; it becomes a model of the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tartarus_cli.data.dataset import Part, TrainingData, open_training
from tartarus_cli.errors import TrainingError
from tartarus_cli.files import digest, replacing
from tartarus_cli.models import (
    HISTORY,
    NETWORK,
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
from tartarus_cli.signals import between_steps
from tartarus_cli.steps.check import check_experiment
from tartarus_cli.steps.experiments import Order
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.fit import fit, mean_loss
from tartarus_cli.workspace import Kind, Workspace

if TYPE_CHECKING:
    import keras

JUDGED_BYTES = 4 << 20  # of a batch where nothing is learnt; many of them may be under way


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
    targets = experiment.targets.model_copy(update={"dim": wanted.dim})
    experiment = experiment.model_copy(update={"targets": targets})
    share = experiment.training.validation
    data = open_training(inventory, wanted, settings, validation=share)
    if data.remark:
        progress.say(data.remark)
    with between_steps() as check:
        name = _trained(workspace, replace(order, experiment=experiment), data, progress, check)
    return Store(workspace).get(name)


def _trained(
    workspace: Workspace,
    order: Order,
    data: TrainingData,
    progress: Progress,
    check: Callable[[], None],
) -> str:
    """Fit, and keep what was fitted as a model of a new number; return its name."""
    experiment, dataset = order.experiment, order.experiment.dataset.name
    name, folder = Store(workspace).claim()
    manifest = Manifest(
        status="training",
        experiment=experiment.name,
        dataset=dataset,
        task=experiment.dataset.task,
        settings=list(order.settings),
        target_dim=experiment.targets.dim,
        seed=order.seed,
        started=now(),
        items=_items(data),
        **surroundings(),
    )
    with _accounted(name, folder, manifest, progress):
        write_manifest(folder, manifest)
        write_experiment(folder, experiment)
        lists = [f.path for f in workspace.scan().select(Kind.ITEMS, dataset=dataset)]
        manifest.inputs = {workspace.within(path): digest(path) for path in [*lists, *data.files]}
        with _enough_memory():
            _fit(order, data, folder, manifest, progress)
        check()
    return name


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
        what = "failed" if isinstance(problem, Exception) else "was interrupted"
        progress.warn(f"the training of {name} {what}; it is no model that can be used")
        raise
    finally:
        manifest.duration_s = round(time.monotonic() - began, 3)
        manifest.peak_memory_mib = peak_memory_mib()
        if folder.is_dir():  # else it was deleted meanwhile
            write_manifest(folder, manifest)


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Explain that a network does not fit."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        text = str(problem)
        if isinstance(problem, RuntimeError) and "RESOURCE_EXHAUSTED" not in text:
            raise
        hint = "Make network.hidden or training.batch_size smaller."
        msg = f"there is not enough memory: {text.splitlines()[0] if text else 'out of memory'}"
        raise TrainingError(msg, hint=hint) from None


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
        Batches(data.validation, size=_judged_at_once(data.validation), normalize=normalize),
        options=training,
        history=folder / HISTORY,
        progress=progress,
    )
    manifest.epochs, manifest.best_epoch = fitted.epochs, fitted.best_epoch
    manifest.validation_loss = fitted.validation_loss
    if data.held_out is not None:
        size = _judged_at_once(data.held_out)
        rest = Batches(data.held_out, size=size, normalize=normalize)
        manifest.held_out_loss = mean_loss(network, rest, training.loss)
    manifest.layers = layers_of(network)
    with replacing(folder / NETWORK) as beside:
        network.save(beside)


def _judged_at_once(part: Part) -> int:
    """Return how many rows make a batch of a few megabytes."""
    width = sum(matrix.shape[1] for matrix in part.inputs)
    return min(max(32, JUDGED_BYTES // (4 * width)), 512)


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
