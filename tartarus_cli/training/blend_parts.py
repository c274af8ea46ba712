"""The parts of a blend: models that are there already, or are trained for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.targets import target_dims
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.errors import DataError, RequestError, SizeError, call, nearest, parameter
from tartarus_cli.experiments.inference import infer_task
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.resolve import experiment_names, resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.experiments.sections import TrainingSection, ValidationSection
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import Progress, QuietProgress
from tartarus_cli.training.reuse import find_trained

TrainFunction = Callable[[TrainingRequest, Progress], Model]
"""Trains a part."""


def validation_share(experiment: Experiment) -> float:
    """Return which share of the train items is held out, where there are no val items.

    Raises
    ------
    RequestError
        If the training of an experiment holds out none.
    """
    training = experiment.training
    if isinstance(training, ValidationSection | TrainingSection):
        return training.validation
    msg = f"{experiment.name} holds out no items to choose by"
    raise RequestError(msg, hint="Give the dataset val items with plays.")


def requested_parts(store: Store, request: TrainingRequest) -> list[Model | TrainingRequest]:
    """Return the models that are named, and the requests of the others."""
    options = cast("BlendOptions", request.experiment.network)
    if not options.names:
        msg = f"{request.experiment.name} names nothing to blend"
        example = parameter("overrides", 'network.parts=["two_tower", "ridge_plays"]')
        raise RequestError(msg, hint=f"Name experiments or models: {example}.")
    wanted: list[Model | TrainingRequest] = []
    for name in options.parts:
        if name in store.names():
            wanted.append(_check_model(store.get(name), request))
        else:
            _check_name(store, name, "parts")
            wanted.append(_reading(_request(store, name, request, request.settings)))
    for key in ("each_setting", "each_sparse", "each_dense"):
        for name in getattr(options, key):
            _check_name(store, name, key)
    dataset = store.dataset(request.experiment.dataset.name)
    for setting in request.settings if options.of_one_setting else ():
        sparse = dataset.features(setting, "train").sparse
        names = options.of_setting(sparse=sparse)
        wanted += [_request(store, name, request, (setting,)) for name in names]
    unique = {_key(each): each for each in wanted}
    return list(unique.values())


def _reading(request: TrainingRequest) -> TrainingRequest:
    """Let a part that would read more settings than the blend has read those that there are."""
    experiment, count = request.experiment, len(request.settings)
    if 0 < count < experiment.settings_needed and experiment.takes_fewer_settings:
        return replace(request, experiment=experiment.with_fewer_settings(count))
    return request


def with_targets(
    dataset: Dataset, wanted: list[Model | TrainingRequest], progress: Progress
) -> list[Model | TrainingRequest]:
    """Leave out experiments that learn factors which the dataset does not have, if not all do."""

    def lacks_targets(each: Model | TrainingRequest) -> bool:
        if isinstance(each, Model) or each.experiment.targets.kind == PLAYS_KIND:
            return False
        return not target_dims(dataset, each.experiment.targets.kind)

    lacking = [each for each in wanted if lacks_targets(each)]
    if len(lacking) == len(wanted):
        return wanted
    for each in lacking:
        kind = cast("TrainingRequest", each).experiment.targets.kind
        command = call("factorize", dataset.name, kind)
        reason = f"{dataset.name} has no {kind} factors (with them: {command})"
        progress.say(f"{part_title(each)} is left out of the blend: {reason}")
    return [each for each in wanted if each not in lacking]


def _check_name(store: Store, name: str, key: str) -> None:
    """Make sure that there is an experiment of this name, which a parameter of a blend names."""
    experiments = experiment_names(store.workspace.experiments)
    if name in experiments:
        return
    models = key == "parts"
    msg = f"network.{key}: there is no experiment {'or model ' * models}called {name!r}"
    known = [*experiments, *(model.name for model in store.finished() if models)]
    raise RequestError(msg, hint=nearest(name, known))


def _key(wanted: Model | TrainingRequest) -> tuple[Any, ...]:
    if isinstance(wanted, Model):
        return (wanted.name,)
    return (wanted.experiment.name, wanted.settings)


def _check_model(model: Model, request: TrainingRequest) -> Model:
    dataset = request.experiment.dataset
    if (model.manifest.dataset, model.manifest.task) != (dataset.name, dataset.task):
        msg = f"{model.name} was trained on {model.manifest.dataset} ({model.manifest.task})"
        raise RequestError(msg, hint=f"Blend models of {dataset.name} ({dataset.task}).")
    if model.manifest.shuffled != request.experiment.shuffled and (
        model.manifest.settings or model.manifest.patches
    ):
        learns = "shuffled features" if model.manifest.shuffled else "features as they are"
        msg = f"{model.name} learnt from {learns}, and the blend does not"
        raise RequestError(msg, hint="Name experiments in place of models, or leave it out.")
    if model.manifest.blends:
        msg = f"{model.name} is a blend itself"
        raise RequestError(msg, hint=f"Name its parts: {', '.join(model.manifest.parts)}.")
    if model.baseline is not None and model.baseline.sees_truth:
        msg = f"{model.name} ({model.manifest.experiment}) sees the truth"
        raise RequestError(msg, hint="Blend models that have to predict it.")
    if dataset.task != "recommendation" and model.experiment.targets.kind != "class":
        msg = f"{model.name} predicts factors of labels, which have no mean with scores of classes"
        raise RequestError(msg, hint="Blend models whose targets.kind is class.")
    return model


def _request(
    store: Store, name: str, request: TrainingRequest, settings: tuple[str, ...]
) -> TrainingRequest:
    """Return the request that trains an experiment as a part of a blend."""
    blend = request.experiment
    experiment = resolve(
        name,
        folder=store.workspace.experiments,
        dataset=blend.dataset.name,
        infer=lambda dataset, baseline: infer_task(store.dataset(dataset), baseline),
    )
    baseline = experiment.baseline
    unfit = baseline is not None and (baseline.blends or baseline.sees_truth)
    own, task = experiment.dataset.task, blend.dataset.task
    factors = task != "recommendation" and experiment.targets.kind != "class"
    if own != task or unfit or factors:
        reason = f"it is for {own}, and {blend.dataset.name} for {task}" if own != task else ""
        msg = f"{name} cannot be a part of {blend.name}{': ' * bool(reason)}{reason}"
        aims = "recommend" if task == "recommendation" else f"predict classes ({task})"
        hint = f"Name experiments that {aims}, see no truth, and are no blends."
        raise RequestError(msg, hint=hint)
    reads_none = experiment.settings_needed == 0 and not experiment.takes_any_settings
    if reads_none or (baseline is not None and baseline.settings[1] == 0):
        settings = ()
    training = experiment.training
    if isinstance(training, ValidationSection | TrainingSection):
        training = training.model_copy(update={"validation": validation_share(blend)})
        experiment = experiment.model_copy(update={"training": training})
    scorings = baseline.scorings if baseline else ()
    if experiment.targets.kind == "als" and "validated" in scorings:
        experiment = experiment.model_copy(update={"scoring": "validated"})
    if blend.shuffled and experiment.reads_features:
        experiment = experiment.model_copy(update={"shuffled": True})
    return replace(request, experiment=experiment, settings=settings, overrides=())


def train_parts(
    store: Store,
    wanted: Sequence[Model | TrainingRequest],
    train: TrainFunction,
    progress: Progress,
) -> list[Model]:
    """Return the parts; those that are too large to be trained are left out, if any is not."""
    parts, problems = list[Model](), list[SizeError]()
    for each in wanted:
        try:
            parts.append(_part(store, each, train, progress))
        except SizeError as problem:
            progress.warn(f"{part_title(each)} is left out of the blend: {problem}")
            problems.append(problem)
    if not parts:
        raise problems[0]
    return parts


def part_title(wanted: Model | TrainingRequest) -> str:
    """Return what a part is called: a model, or an experiment with its settings."""
    if isinstance(wanted, Model):
        return wanted.name
    return " ".join((wanted.experiment.name, *wanted.settings))


def _part(
    store: Store, wanted: Model | TrainingRequest, train: TrainFunction, progress: Progress
) -> Model:
    if isinstance(wanted, Model):
        return wanted
    dataset = store.dataset(wanted.experiment.dataset.name)
    experiment = wanted.experiment.with_settings(len(wanted.settings))
    sized = infer_dimensions(dataset, experiment, wanted.settings, QuietProgress(progress))
    title = part_title(wanted)
    model = find_trained(store, replace(wanted, experiment=sized))
    if model is not None:
        progress.say(f"{title}: {model.name} is used again")
        return model
    model = train(replace(wanted, experiment=sized), QuietProgress(progress))
    score = model.manifest.validation_score
    quality = "" if score is None else f", validation {model.manifest.score_name} {score:.4f}"
    progress.say(f"{title}: {model.name} is trained{quality}")
    return model


def require_held_out(wanted: Model | TrainingRequest, share: float, noun: str) -> None:
    """Make sure that a part does not learn from the train items that validate.

    Parameters
    ----------
    wanted
        The part.
    share
        Share of the train items that is held out for the blend.
    noun
        What val items lack.

    Raises
    ------
    DataError
        If it does.
    """
    own = getattr(wanted.experiment.training, "validation", None)
    if own != share:
        title = part_title(wanted)
        msg = f"{title} learns from train items that would choose its weight: there are no val "
        msg += f"items with {noun}, and it holds out {own or 'none'} of these, not {share}"
        hint = f"Give the dataset val items with {noun}, or leave out {title}."
        raise DataError(msg, hint=hint)
