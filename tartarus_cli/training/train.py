"""Train a network or a baseline on a dataset, which becomes a model of the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import with_log_norms
from tartarus_cli.checking.check import check_experiment
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import unit_rows
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData, open_training_data
from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli.experiments.inputs import (
    check_word_numbers,
    inference_batch_size,
    input_sources,
    load_word_vectors,
)
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import atomic_write
from tartarus_cli.models.manifest import ModelManifest, record_trials, write_model_manifest
from tartarus_cli.models.networks import layers_of
from tartarus_cli.models.predictors import write_fitted
from tartarus_cli.models.preprocessing import save_preprocessing
from tartarus_cli.models.store import HISTORY, NETWORK, Model, Store, write_experiment
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import fit_baseline
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.blend import fit_blend
from tartarus_cli.training.control import DEFAULT_CONTROL, TrainingControl, TrainingCourse
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
from tartarus_cli.training.reuse import find_trained

if TYPE_CHECKING:
    import keras


def train(
    store: Store,
    request: TrainingRequest,
    *,
    evaluated: bool = False,
    compared_with: str = "",
    control: TrainingControl = DEFAULT_CONTROL,
    progress: Progress = UNWATCHED,
) -> Model:
    """Fit the network of an experiment to the train items, with early stopping; or a baseline.

    Parameters
    ----------
    store
        The models of a workspace, which has the data; the new one gets the next number.
    request
        Experiment, settings and seed. The same request on the same machine gives the same weights.
    evaluated
        Whether an evaluation follows: the truth is then checked before the training.
    compared_with
        The model that this one is trained to be compared with, as a baseline or as a row of an
        ablation. It never counts as the newest model then.
    control
        How often it writes a checkpoint, and what is told of its epochs.
    progress
        Receives a task with a step for each batch, and messages.

    Returns
    -------
    The finished model.

    Raises
    ------
    RequestError
        If the experiment cannot be applied to these settings.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If the training diverges. The model then stays unfinished, as it does when interrupted.
    TartarusError
        If the backend of Keras is not installed.
    """
    dataset = store.dataset(request.experiment.dataset.name)
    experiment = check_experiment(
        dataset, request.experiment, request.settings, evaluated=evaluated, progress=progress
    )
    request = replace(request, experiment=experiment)
    dataset = store.dataset(dataset.name, request.shuffle)
    if experiment.baseline is not None:
        if experiment.baseline.blends:
            return _train_blend(store, request, compared_with, control, progress)
        return _train_baseline(store, request, compared_with, progress)
    sources = input_sources(experiment, request.settings)
    share = experiment.fitting.validation
    data = open_training_data(dataset, experiment.target_spec, sources, validation=share)
    for subset in data.subsets:
        check_word_numbers(experiment, subset.set)
    for remark in data.remarks:
        progress.say(remark)
    residual = _train_residual(store, request, compared_with, progress)
    open_keras()
    with keras_defaults(experiment.fitting.precision), defer_interrupts() as check:
        training = _NetworkTraining(
            store, request, compared_with, data, residual, control, progress
        )
        return _train_network(training, check)


def resume(
    model: Model, *, control: TrainingControl = DEFAULT_CONTROL, progress: Progress = UNWATCHED
) -> Model:
    """Go on with a training that was stopped, where it was stopped; the model keeps its number.

    Parameters
    ----------
    model
        The model, such as :func:`tartarus_cli.training.resumable.find_resumable` returns it.
    control, progress
        As for :func:`train`.

    Returns
    -------
    The finished model, of the same weights and losses as if it had never been stopped.

    Raises
    ------
    RequestError
        If it is finished, or being trained by another process.
    DataError
        If a file or code has changed since the training began, or its checkpoint is damaged.
    TartarusError
        As :func:`train`.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class _NetworkTraining:
    """A network that is to be trained, and what it learns from."""

    store: Store
    request: TrainingRequest
    compared_with: str
    data: TrainingData
    residual: Model | None
    """The ridge on plays that it adds to."""
    control: TrainingControl
    progress: Progress

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return self.store.dataset(self.request.experiment.dataset.name, self.request.shuffle)


def _train_residual(
    store: Store, request: TrainingRequest, compared_with: str, progress: Progress
) -> Model | None:
    """Return the ridge on plays that a network adds to: one that is trained, or a new one."""
    experiment = request.experiment
    if experiment.two_tower is None or experiment.two_tower.residual == "none":
        return None
    overrides = [f"training.validation={experiment.fitting.validation}"]
    overrides.append(f"shuffled={str(experiment.shuffled).lower()}")
    ridge = resolve("ridge_plays", dataset=experiment.dataset.name, overrides=overrides)
    part = replace(request, experiment=ridge.with_settings(len(request.settings)), overrides=())
    model = find_trained(store, part)
    if model is None:
        quiet = QuietProgress(progress)
        model = train(store, part, compared_with=compared_with, progress=quiet)
        progress.say(f"ridge_plays: {model.name} is trained")
    return model


def _train_network(training: _NetworkTraining, check: Callable[[], None]) -> Model:
    """Fit a network, and store it as a model of a new number."""
    store, request, data, progress = (
        *(training.store, training.request),
        *(training.data, training.progress),
    )
    experiment, dataset = request.experiment, training.dataset
    with memory_errors_explained():
        network = build_network(request, data)
    load_word_vectors(
        network, dataset, experiment, request.settings, seed=request.seed, progress=progress
    )
    name, folder = store.claim()
    manifest = start_manifest(store.workspace, request)
    manifest.compared_with = training.compared_with
    manifest.items = count_items(data)
    manifest.patches = data.fit.set.patches.fingerprint if data.fit.set.patches else ""
    with recording_outcome(name, folder, manifest, progress):
        write_model_manifest(folder, manifest)
        write_experiment(folder, experiment)
        record_ids(manifest, dataset)
        files = [*reference_files(dataset, experiment, request.settings), *data.files]
        manifest.inputs = {
            dataset.workspace.relative(path): input_digest(dataset, path, data) for path in files
        }
        save_preprocessing(folder, dataset, experiment, request.settings, data.fit.set)
        with memory_errors_explained():
            _fit(network, training, folder, manifest)
        check()
    return store.get(name)


def _train_baseline(
    store: Store, request: TrainingRequest, compared_with: str, progress: Progress
) -> Model:
    """Fit a baseline, and store it as a model of a new number."""
    start, experiment = time.monotonic(), request.experiment
    dataset = store.dataset(experiment.dataset.name, request.shuffle)
    manifest = start_manifest(store.workspace, request)
    inputs = fit_baseline(dataset, request, progress)
    data, fitted = inputs.data, inputs.fitted
    manifest.kind, manifest.compared_with, manifest.form = "baseline", compared_with, fitted.form
    if fitted.form == "vectors":
        manifest.users = "features"
    manifest.items = data.counts
    manifest.widths = [matrix.shape[1] for matrix in data.items.inputs]
    record_trials(manifest, fitted)
    manifest.held_out_loss = fitted.held_out_loss
    files = [*reference_files(dataset, experiment, request.settings), *data.files]
    manifest.inputs = {dataset.workspace.relative(path): dataset.digest(path) for path in files}
    record_ids(manifest, dataset)
    name, folder = store.claim()
    with recording_outcome(name, folder, manifest, progress, start=start):
        write_experiment(folder, experiment)
        save_preprocessing(folder, dataset, experiment, request.settings, data.items)
        write_fitted(folder, fitted, manifest.score_name)
    return store.get(name)


def _train_blend(
    store: Store,
    request: TrainingRequest,
    compared_with: str,
    control: TrainingControl,
    progress: Progress,
) -> Model:
    """Train the parts of a blend, choose their weights, and store it as a model of a new number."""
    start = time.monotonic()
    dataset = store.dataset(request.experiment.dataset.name)
    manifest = start_manifest(store.workspace, request)
    train_part = partial(_train_part, store, compared_with, control.of_part())
    blend = fit_blend(store, request, train_part, progress)
    manifest.kind, manifest.compared_with = "baseline", compared_with
    manifest.form = "blend" if manifest.task == "recommendation" else "factors"
    manifest.items = blend.counts
    weights = blend.fitted.arrays["weights"].tolist()
    manifest.parts = {part.name: weight for part, weight in zip(blend.parts, weights, strict=True)}
    record_trials(manifest, blend.fitted)
    for part in blend.parts:
        manifest.inputs |= part.manifest.inputs
    record_ids(manifest, dataset)
    name, folder = store.claim()
    with recording_outcome(name, folder, manifest, progress, start=start):
        write_experiment(folder, request.experiment)
        write_fitted(folder, blend.fitted, manifest.score_name)
    return store.get(name)


def _train_part(
    store: Store,
    compared_with: str,
    control: TrainingControl,
    request: TrainingRequest,
    progress: Progress,
) -> Model:
    return train(store, request, compared_with=compared_with, control=control, progress=progress)


def _fit(
    network: keras.Model, training: _NetworkTraining, folder: Path, manifest: ModelManifest
) -> None:
    """Fit a network to targets or plays, and write it into the folder of its model."""
    if training.request.experiment.two_tower is None:
        _fit_targets(network, training, folder, manifest)
    else:
        plays = PlayTraining(
            training.request, training.dataset, training.data, folder, training.residual
        )
        network = fit_plays(network, plays, manifest, training.control, training.progress)
    manifest.layers = layers_of(network)
    with atomic_write(folder / NETWORK) as temporary:
        network.save(temporary)


def _fit_targets(
    network: keras.Model, training: _NetworkTraining, folder: Path, manifest: ModelManifest
) -> None:
    request, data = training.request, training.data
    experiment, options = request.experiment, request.experiment.fitting
    prepare = _target_preparation(experiment)
    rng = np.random.default_rng(request.seed)
    batch_size = inference_batch_size(experiment, data.validation.set)
    if experiment.scoring == "norm":
        options = options.model_copy(update={"loss": "cosine_and_norm"})
    result = fit(
        network,
        Batches(data.fit, size=options.batch_size, prepare=prepare, rng=rng),
        Batches(data.validation, size=batch_size, prepare=prepare),
        options=options,
        course=TrainingCourse(folder / HISTORY, training.control),
        progress=training.progress,
    )
    manifest.epochs, manifest.best_epoch = result.epochs, result.best_epoch
    manifest.validation_loss = result.validation_loss
    if data.held_out is not None:
        batches = Batches(data.held_out, size=batch_size, prepare=prepare)
        manifest.held_out_loss = mean_loss(network, batches, options.loss)


def build_network(request: TrainingRequest, data: TrainingData) -> keras.Model:
    """Build the network of an experiment for the shapes of its data; its weights are random."""
    build = request.experiment.architecture.build
    shapes = [source.shape[1:] for source in data.fit.set.inputs]
    experiment = request.experiment
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
