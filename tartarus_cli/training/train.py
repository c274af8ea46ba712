"""Train a network or a baseline on a dataset, which becomes a model of the workspace."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from tartarus_cli.checking.check import check_experiment
from tartarus_cli.data.training_data import open_training_data
from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli.experiments.inputs import check_word_numbers, input_sources
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.resolve import resolve, to_toml
from tartarus_cli.models.manifest import WholeRequest, record_trials
from tartarus_cli.models.predictors import write_fitted
from tartarus_cli.models.preprocessing import save_preprocessing
from tartarus_cli.models.store import Model, Store, write_experiment
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.baseline import fit_baseline
from tartarus_cli.training.blend import fit_blend
from tartarus_cli.training.control import DEFAULT_CONTROL, Circumstances, TrainingControl
from tartarus_cli.training.network import NetworkTraining, train_network
from tartarus_cli.training.records import (
    file_digest,
    record_ids,
    recording_outcome,
    reference_files,
    start_manifest,
)
from tartarus_cli.training.resumable import (
    asked_for,
    find_resumable,
    request_of,
    require_resumable,
    where,
)
from tartarus_cli.training.reuse import find_trained


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
    how = Circumstances(evaluated, compared_with, control=control, progress=progress)
    return _train(store, request, how)


def resume(
    model: Model,
    *,
    evaluated: bool = False,
    control: TrainingControl = DEFAULT_CONTROL,
    progress: Progress = UNWATCHED,
) -> Model:
    """Go on with a training that was stopped, where it was stopped; the model keeps its number.

    Without a checkpoint, it begins again. Where the model is a part of what was asked for, such as
    of a blend, it goes on with that.

    Parameters
    ----------
    model
        The model, such as :func:`tartarus_cli.training.resumable.find_resumable` returns it.
    evaluated, control, progress
        As for :func:`train`.

    Returns
    -------
    The finished model, of the same weights and losses as if it had never been stopped; or that of
    which it is a part.

    Raises
    ------
    RequestError
        If it is finished, or being trained by another process.
    DataError
        If a file or code has changed since the training began, or its checkpoint is damaged.
    TartarusError
        As :func:`train`; or if the versions of libraries are others.
    """
    require_resumable(model)
    manifest, part = model.manifest, request_of(model)
    how = Circumstances(
        evaluated, manifest.compared_with, control=control, progress=progress, resumed=model
    )
    if manifest.part_of is None:
        progress.say(f"{model.name} goes on: {where(model)}")
        return _train(model.store, part, how)
    whole = asked_for(model)
    title = " ".join((whole.experiment.name, *whole.settings))
    progress.say(f"{model.name} is a part of {title}, which goes on")
    return _train(model.store, whole, replace(how, resumed=None))


def _train(store: Store, request: TrainingRequest, how: Circumstances) -> Model:
    dataset = store.dataset(request.experiment.dataset.name)
    experiment = check_experiment(
        dataset,
        request.experiment,
        request.settings,
        evaluated=how.evaluated,
        progress=how.progress,
    )
    request = replace(request, experiment=experiment)
    dataset = store.dataset(dataset.name, request.shuffle)
    if experiment.baseline is not None:
        train_one = _train_blend if experiment.baseline.blends else _train_baseline
        return train_one(store, request, how)
    sources = input_sources(experiment, request.settings)
    share = experiment.fitting.validation
    data = open_training_data(dataset, experiment.target_spec, sources, validation=share)
    for subset in data.subsets:
        check_word_numbers(experiment, subset.set)
    for remark in data.remarks:
        how.progress.say(remark)
    residual = _train_residual(store, request, how)
    open_keras()
    with keras_defaults(experiment.fitting.precision), defer_interrupts():
        return train_network(NetworkTraining(store, request, data, residual, how))


def residual_request(request: TrainingRequest) -> TrainingRequest | None:
    """Return the request of the ridge on plays that a network adds to; None if it adds to none."""
    experiment = request.experiment
    if experiment.two_tower is None or experiment.two_tower.residual == "none":
        return None
    overrides = [f"training.validation={experiment.fitting.validation}"]
    overrides.append(f"shuffled={str(experiment.shuffled).lower()}")
    ridge = resolve("ridge_plays", dataset=experiment.dataset.name, overrides=overrides)
    return replace(request, experiment=ridge.with_settings(len(request.settings)), overrides=())


def _train_residual(store: Store, request: TrainingRequest, how: Circumstances) -> Model | None:
    """Return the ridge on plays that a network adds to: one that is trained, or a new one."""
    part = residual_request(request)
    if part is None:
        return None
    model = find_trained(store, part)
    if model is None:
        model = _train(store, part, how.quiet())
        how.progress.say(f"ridge_plays: {model.name} is trained")
    return model


def _train_baseline(store: Store, request: TrainingRequest, how: Circumstances) -> Model:
    """Fit a baseline, and store it as a model of a new number."""
    start, experiment = time.monotonic(), request.experiment
    dataset = store.dataset(experiment.dataset.name, request.shuffle)
    manifest = start_manifest(store.workspace, request)
    inputs = fit_baseline(dataset, request, how.progress)
    data, fitted = inputs.data, inputs.fitted
    manifest.kind, manifest.compared_with, manifest.form = (
        "baseline",
        how.compared_with,
        fitted.form,
    )
    if fitted.form == "vectors":
        manifest.users = "features"
    manifest.items = data.counts
    manifest.widths = [matrix.shape[1] for matrix in data.items.inputs]
    patches = data.items.patch_file
    manifest.patches = patches.fingerprint if patches is not None else ""
    record_trials(manifest, fitted)
    manifest.held_out_loss = fitted.held_out_loss
    files = [*reference_files(dataset, experiment, request.settings), *data.files]
    manifest.inputs = {
        dataset.workspace.relative(path): file_digest(dataset, path) for path in files
    }
    record_ids(manifest, dataset)
    name, folder = store.claim()
    with recording_outcome(name, folder, manifest, how.progress, start=start):
        write_experiment(folder, experiment)
        save_preprocessing(folder, dataset, experiment, request.settings, data.items)
        write_fitted(folder, fitted, manifest.score_name)
    return store.get(name)


def _train_blend(store: Store, request: TrainingRequest, how: Circumstances) -> Model:
    """Train the parts of a blend, choose their weights, and store it as a model of a new number."""
    start = time.monotonic()
    dataset = store.dataset(request.experiment.dataset.name)
    manifest = start_manifest(store.workspace, request)
    whole = WholeRequest(
        experiment=to_toml(request.experiment),
        settings=list(request.settings),
        overrides=list(request.overrides),
    )
    train_part = partial(_train_part, store, replace(how.quiet(), part_of=whole))
    blend = fit_blend(store, request, train_part, how.progress)
    manifest.kind, manifest.compared_with = "baseline", how.compared_with
    manifest.form = "blend" if manifest.task == "recommendation" else "factors"
    manifest.items = blend.counts
    weights = blend.fitted.arrays["weights"].tolist()
    manifest.parts = {part.name: weight for part, weight in zip(blend.parts, weights, strict=True)}
    record_trials(manifest, blend.fitted)
    for part in blend.parts:
        manifest.inputs |= part.manifest.inputs
    record_ids(manifest, dataset)
    name, folder = store.claim()
    with recording_outcome(name, folder, manifest, how.progress, start=start):
        write_experiment(folder, request.experiment)
        write_fitted(folder, blend.fitted, manifest.score_name)
    return store.get(name)


def _train_part(
    store: Store, how: Circumstances, request: TrainingRequest, progress: Progress
) -> Model:
    """Train a part of a blend, or go on with it where that was stopped."""
    how = replace(how, progress=progress, resumed=find_resumable(store, request))
    return _train(store, request, how)
