"""Train a network or a baseline on a dataset; it becomes a model of the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tartarus_cli.checking.check import check_experiment
from tartarus_cli.data.dataset import TrainingData, open_training_data
from tartarus_cli.data.targets import TargetSpec
from tartarus_cli.errors import TrainingError
from tartarus_cli.experiments.inputs import (
    check_word_numbers,
    inference_batch_size,
    input_sources,
    load_word_vectors,
)
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.files import atomic_write, digest
from tartarus_cli.machine import describe_environment, now, peak_memory_mib
from tartarus_cli.models.manifest import LayerInfo, ModelManifest, write_model_manifest
from tartarus_cli.models.predictors import write_fitted
from tartarus_cli.models.preprocessing import save_preprocessing
from tartarus_cli.models.staleness import companion_factors, train_ids_digest
from tartarus_cli.models.store import HISTORY, NETWORK, Model, Store, write_experiment
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import fit_baseline
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.fit import fit, mean_loss
from tartarus_cli.workspace import Kind, Workspace, WorkspaceFiles

if TYPE_CHECKING:
    import keras


def train(
    workspace: Workspace,
    order: TrainingRequest,
    *,
    evaluated: bool = False,
    beside: str = "",
    progress: Progress = UNWATCHED,
) -> Model:
    """Fit the network of an experiment to the train items, with early stopping; or a baseline.

    Parameters
    ----------
    workspace
        Where the data is and the model goes.
    order
        Experiment, settings and seed. The same order on the same machine gives the same weights.
    evaluated
        Whether an evaluation follows, so that the truth is checked before the work begins.
    beside
        The model that a baseline is trained to be compared with; such a one is never the newest.
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
    experiment = check_experiment(
        inventory, order.experiment, order.settings, evaluated=evaluated, progress=progress
    )
    order = replace(order, experiment=experiment)
    if experiment.baseline is not None:
        return Store(workspace).get(_fitted_baseline(inventory, order, beside, progress))
    wanted = TargetSpec(experiment.dataset.name, experiment.targets.kind, experiment.targets.dim)
    sources = input_sources(experiment, order.settings)
    share = experiment.fitting.validation
    data = open_training_data(inventory, wanted, sources, validation=share)
    for part in data.parts:
        check_word_numbers(experiment, part.set)
    if data.remark:
        progress.say(data.remark)
    with defer_interrupts() as check:
        name = _trained(inventory, order, data, progress, check)
    return Store(workspace).get(name)


def _trained(
    inventory: WorkspaceFiles,
    order: TrainingRequest,
    data: TrainingData,
    progress: Progress,
    check: Callable[[], None],
) -> str:
    """Fit, and keep what was fitted as a model of a new number; return its name."""
    workspace, experiment = inventory.workspace, order.experiment
    with _enough_memory():
        network = build_network(order, data)
    load_word_vectors(network, inventory, experiment, order.settings)
    name, folder = Store(workspace).claim()
    manifest = _manifest(order)
    manifest.items = _items(data)
    manifest.patches = data.fit.set.patches.fingerprint if data.fit.set.patches else ""
    with _accounted(name, folder, manifest, progress):
        write_model_manifest(folder, manifest)
        write_experiment(folder, experiment)
        manifest.train_ids = train_ids_digest(inventory, manifest.dataset)
        manifest.inputs = {
            workspace.within(path): _content(path, data)
            for path in [*_beside(inventory, order), *data.files]
        }
        save_preprocessing(folder, inventory, experiment, order.settings, data.fit.set)
        with _enough_memory():
            _fit(network, order, data, folder, manifest, progress)
        check()
    return name


def _fitted_baseline(
    inventory: WorkspaceFiles, order: TrainingRequest, beside: str, progress: Progress
) -> str:
    """Fit a baseline, and keep it as a model of a new number; return its name."""
    began, workspace = time.monotonic(), inventory.workspace
    manifest = _manifest(order)
    lesson = fit_baseline(inventory, order, progress)
    material, fitted = lesson.material, lesson.fitted
    manifest.kind, manifest.beside, manifest.form = "baseline", beside, fitted.form
    manifest.items = material.counts
    manifest.widths = [each.shape[1] for each in material.items.inputs]
    manifest.trials = {repr(trial.strength): trial.loss for trial in fitted.trials}
    if fitted.best is not None:
        manifest.strength, manifest.validation_loss = fitted.best.strength, fitted.best.loss
    manifest.held_out_loss = fitted.held_out_loss
    files = [*_beside(inventory, order), *material.files]
    manifest.inputs = {workspace.within(path): digest(path) for path in files}
    manifest.train_ids = train_ids_digest(inventory, manifest.dataset)
    name, folder = Store(workspace).claim()
    with _accounted(name, folder, manifest, progress, began=began):
        write_experiment(folder, order.experiment)
        save_preprocessing(folder, inventory, order.experiment, order.settings, material.items)
        write_fitted(folder, fitted)
    return name


def _manifest(order: TrainingRequest) -> ModelManifest:
    """Begin the manifest of a training."""
    experiment = order.experiment
    return ModelManifest(
        status="training",
        experiment=experiment.name,
        dataset=experiment.dataset.name,
        task=experiment.dataset.task,
        settings=list(order.settings),
        target_dim=experiment.targets.dim,
        seed=order.seed,
        started=now(),
        **describe_environment(),
    )


def _beside(inventory: WorkspaceFiles, order: TrainingRequest) -> list[Path]:
    """Return what is not learnt from, but says what is meant: ids, factors of users or labels."""
    dataset, targets = order.experiment.dataset.name, order.experiment.targets
    lists = [file.path for file in inventory.select(Kind.ITEMS, dataset=dataset)]
    return [*lists, *companion_factors(inventory, TargetSpec(dataset, targets.kind, targets.dim))]


@contextmanager
def _accounted(
    name: str,
    folder: Path,
    manifest: ModelManifest,
    progress: Progress,
    *,
    began: float | None = None,
) -> Iterator[None]:
    """Write into the manifest how the training ended, whatever way that is."""
    began = time.monotonic() if began is None else began
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
            write_model_manifest(folder, manifest)


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


def _content(path: Path, data: TrainingData) -> str:
    """Return the hash of a file; a file of patches, which may be very large, says its own."""
    for part in data.parts:
        patches = part.set.patches
        if patches is not None and patches.path == path and patches.fingerprint:
            return patches.fingerprint
    return digest(path)


def _fit(
    network: keras.Model,
    order: TrainingRequest,
    data: TrainingData,
    folder: Path,
    manifest: ModelManifest,
    progress: Progress,
) -> None:
    experiment, training = order.experiment, order.experiment.fitting
    normalize = experiment.targets.normalize
    rng = np.random.default_rng(order.seed)
    judged = inference_batch_size(experiment, data.validation.set)
    fitted = fit(
        network,
        Batches(data.fit, size=training.batch_size, normalize=normalize, rng=rng),
        Batches(data.validation, size=judged, normalize=normalize),
        options=training,
        history=folder / HISTORY,
        progress=progress,
    )
    manifest.epochs, manifest.best_epoch = fitted.epochs, fitted.best_epoch
    manifest.validation_loss = fitted.validation_loss
    if data.held_out is not None:
        rest = Batches(data.held_out, size=judged, normalize=normalize)
        manifest.held_out_loss = mean_loss(network, rest, training.loss)
    manifest.layers = layers_of(network)
    with atomic_write(folder / NETWORK) as beside:
        network.save(beside)


def build_network(order: TrainingRequest, data: TrainingData) -> keras.Model:
    """Build the network of an experiment for the shapes of its data, not trained yet."""
    build = order.experiment.architecture.build
    shapes = [each.shape[1:] for each in data.fit.set.inputs]
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
