"""Train a network, from its first step or from where it was stopped; it becomes a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.architectures.audio import LONGER_PATCHES
from tartarus_cli.baselines import with_log_norms
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import unit_rows
from tartarus_cli.data.patches import Patches
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.experiments.inputs import inference_batch_size, load_word_vectors
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import atomic_write, locked
from tartarus_cli.models.checkpoint import CHECKPOINT, LOCK, read_state
from tartarus_cli.models.manifest import ModelManifest, write_model_manifest
from tartarus_cli.models.networks import layers_of
from tartarus_cli.models.preprocessing import save_preprocessing
from tartarus_cli.models.store import HISTORY, NETWORK, Model, Store, write_experiment
from tartarus_cli.training.augmentation import Augmentation, crop_frames_of, open_augmentation
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.class_weights import balanced_weights
from tartarus_cli.training.control import Circumstances, TrainingCourse
from tartarus_cli.training.fit import fit, mean_loss
from tartarus_cli.training.plays import PlayTraining, fit_plays
from tartarus_cli.training.records import (
    count_items,
    input_digest,
    memory_errors_explained,
    record_ids,
    recording_outcome,
    reference_files,
    start_manifest,
)
from tartarus_cli.training.resumable import being_trained, require_same_inputs

if TYPE_CHECKING:
    import keras

LOCK_PATIENCE_S = 1.0
"""How long to wait for who only looks whether a model is being trained."""


@dataclass(frozen=True)
class NetworkTraining:
    """A network that is to be trained, and what it learns from."""

    store: Store
    request: TrainingRequest
    data: TrainingData
    residual: Model | None
    """The ridge on plays that it adds to."""
    circumstances: Circumstances

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return self.store.dataset(self.request.experiment.dataset.name, self.request.shuffle)


def train_network(training: NetworkTraining) -> Model:
    """Fit a network, and store it as a model: of a new number, or of that which it had.

    Raises
    ------
    RequestError
        If another process trains it.
    DataError
        If files are not those with which the training began.
    TrainingError
        If the training diverges, or there is not enough memory.
    """
    store, request, data = training.store, training.request, training.data
    experiment, dataset, how = request.experiment, training.dataset, training.circumstances
    with memory_errors_explained():
        network = build_network(request, data)
    augmentation = open_augmentation(dataset, experiment, data.fit.set)
    load_word_vectors(
        network, dataset, experiment, request.settings, seed=request.seed, progress=how.progress
    )
    manifest = _begin(training)
    name, folder = (how.resumed.name, how.resumed.folder) if how.resumed else store.claim()
    with _training_lock(name, folder):
        if how.resumed is not None:
            manifest = _going_on(how.resumed, manifest)
        start = time.monotonic() - manifest.duration_s
        command = how.control.command
        with recording_outcome(
            name, folder, manifest, how.progress, start=start, resumed_by=command
        ):
            write_model_manifest(folder, manifest)
            write_experiment(folder, experiment)
            save_preprocessing(folder, dataset, experiment, request.settings, data.fit.set)
            with memory_errors_explained():
                _fit(network, training, augmentation, folder, manifest)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        (folder / LOCK).unlink(missing_ok=True)
    return store.get(name)


def _begin(training: NetworkTraining) -> ModelManifest:
    """Return the manifest of a training that begins now, with all that it reads."""
    request, data, dataset = training.request, training.data, training.dataset
    manifest = start_manifest(training.store.workspace, request)
    manifest.compared_with = training.circumstances.compared_with
    manifest.part_of = training.circumstances.part_of
    manifest.items = count_items(data)
    manifest.patches = data.fit.set.patches.fingerprint if data.fit.set.patches else ""
    record_ids(manifest, dataset)
    files = [*reference_files(dataset, request.experiment, request.settings), *data.files]
    manifest.inputs = {
        dataset.workspace.relative(path): input_digest(dataset, path, data) for path in files
    }
    return manifest


def _going_on(model: Model, now: ModelManifest) -> ModelManifest:
    """Return the manifest of a training that goes on, if it reads what it has read before.

    Parameters
    ----------
    model
        The model.
    now
        That of the same training if it began now.
    """
    recorded = model.store.find(model.name).manifest  # as it is while nobody else trains it
    if recorded.status == "finished":
        msg = f"{model.name} is finished"
        raise RequestError(msg, hint="There is nothing to go on with.")
    require_same_inputs(model, now.inputs)
    recorded.status, recorded.reason, recorded.inputs = "training", "", now.inputs
    recorded.ids, recorded.train_ids, recorded.items = now.ids, now.train_ids, now.items
    recorded.sorted_test_ids = now.sorted_test_ids
    recorded.resumed += 1
    path = model.folder / CHECKPOINT
    recorded.duration_s = read_state(path).duration_s if path.exists() else 0
    return recorded


@contextmanager
def _training_lock(name: str, folder: Path) -> Iterator[None]:
    """Let no other process train a model during the block.

    Raises
    ------
    RequestError
        If another one does.
    """
    lock = locked(folder / LOCK, patience=LOCK_PATIENCE_S)
    try:
        lock.__enter__()
    except RequestError:
        raise being_trained(name) from None
    with ExitStack() as stack:
        stack.push(lock)
        yield


def _fit(
    network: keras.Model,
    training: NetworkTraining,
    augmentation: Augmentation | None,
    folder: Path,
    manifest: ModelManifest,
) -> None:
    """Fit a network to targets or plays, and write it into the folder of its model."""
    if training.request.experiment.two_tower is None:
        _fit_targets(network, training, augmentation, folder, manifest)
    else:
        request, dataset, data = training.request, training.dataset, training.data
        plays = PlayTraining(request, dataset, data, folder, training.residual, augmentation)
        course = _course(training, folder)
        network = fit_plays(network, plays, manifest, course, training.circumstances.progress)
    manifest.layers = layers_of(network)
    with atomic_write(folder / NETWORK) as temporary:
        network.save(temporary)


def _course(training: NetworkTraining, folder: Path) -> TrainingCourse:
    return TrainingCourse(folder / HISTORY, training.circumstances.control, folder / CHECKPOINT)


def _fit_targets(
    network: keras.Model,
    training: NetworkTraining,
    augmentation: Augmentation | None,
    folder: Path,
    manifest: ModelManifest,
) -> None:
    request, data = training.request, training.data
    experiment, options = request.experiment, request.experiment.fitting
    prepare = _target_preparation(experiment)
    batch_size = inference_batch_size(experiment, data.validation.set)
    loss = _loss(experiment, data)
    result = fit(
        network,
        Batches(
            data.fit,
            size=options.batch_size,
            prepare=prepare,
            rng=np.random.default_rng(request.seed),
            augmentation=augmentation,
        ),
        Batches(data.validation, size=batch_size, prepare=prepare),
        options=options,
        course=_course(training, folder),
        progress=training.circumstances.progress,
        loss=loss,
    )
    manifest.epochs, manifest.best_epoch = result.epochs, result.best_epoch
    manifest.validation_loss = result.validation_loss
    if data.held_out is not None:
        batches = Batches(data.held_out, size=batch_size, prepare=prepare)
        manifest.held_out_loss = mean_loss(network, batches, loss)


def _loss(experiment: Experiment, data: TrainingData) -> Any:
    """Return what the network of an experiment minimises."""
    from tartarus_cli.losses import LOSSES, weighted_crossentropy

    options = experiment.fitting
    if options.class_weights == "balanced":
        return weighted_crossentropy(options.loss, balanced_weights(data.fit, options.loss))
    return LOSSES["cosine_and_norm" if experiment.scoring == "norm" else options.loss]


def build_network(request: TrainingRequest, data: TrainingData) -> keras.Model:
    """Build the network of an experiment for the shapes of its data; its weights are random.

    Raises
    ------
    RequestError
        If the network does not fit into its crops, or these are longer than the patches.
    """
    experiment = request.experiment
    shapes = [
        (crop_frames_of(experiment, source), *source.shape[2:])
        if isinstance(source, Patches)
        else source.shape[1:]
        for source in data.fit.set.inputs
    ]
    try:
        return _build(request, data, shapes)
    except RequestError as problem:
        crops = 0 if experiment.patches is None else experiment.fitting.crops
        if not crops:
            raise
        longer = f"longer crops: {parameter('overrides', ['training.crops=…'])}"
        hint = problem.hint.replace(LONGER_PATCHES, longer)
        msg = f"crops of {crops:g} s: {problem}"
        raise RequestError(msg, hint=hint) from None


def _build(
    request: TrainingRequest, data: TrainingData, shapes: Sequence[tuple[int, ...]]
) -> keras.Model:
    experiment, build = request.experiment, request.experiment.architecture.build
    plays = experiment.targets.kind == PLAYS_KIND  # vectors, and a bias
    width = experiment.targets.dim + 1 if plays else data.fit.targets.shape[1]
    from tartarus_cli.layers import add_log_norm, with_float32_output

    network = with_float32_output(build(shapes, experiment.network, width, request.seed))
    if experiment.scoring != "norm":
        return network
    return add_log_norm(network, request.seed, _mean_log_norm(data))


def _mean_log_norm(data: TrainingData) -> float:
    """Return the mean logarithm of the norms of the targets to fit."""
    targets, rows = data.fit.targets, np.unique(data.fit.set.items[data.fit.samples])
    return float(with_log_norms(targets.rows(rows))[:, -1].mean())


def _target_preparation(
    experiment: Experiment,
) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Return what is done to targets before they are learnt."""
    if experiment.scoring == "norm":
        return with_log_norms
    return unit_rows if experiment.targets.normalize else np.asarray
