"""A blend as a model: its parts, each a model of its own, and the weight of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import BaselineResult, PredictionForm, TrainingExamples
from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import has_plays, read_plays
from tartarus_cli.data.targets import target_dims
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData, open_training_data
from tartarus_cli.errors import DataError, RequestError, SizeError, call, nearest, parameter
from tartarus_cli.experiments.inputs import infer_dimensions, input_sources
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.requirements import infer_task
from tartarus_cli.experiments.resolve import experiment_names, resolve
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.experiments.sections import TrainingSection, ValidationSection
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import Progress, QuietProgress
from tartarus_cli.scoring.blocks import Floats
from tartarus_cli.scoring.scorers import Scorer, standardize
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.judging import fit_only, validation_ranking
from tartarus_cli.training.model_scores import validation_scorer
from tartarus_cli.training.reuse import find_trained

TrainFunction = Callable[[TrainingRequest, Progress], Model]
"""Trains a part."""


@dataclass(frozen=True)
class BlendFit:
    """The parts of a blend, and their weights."""

    parts: tuple[Model, ...]
    fitted: BaselineResult
    counts: dict[str, int]
    """Number of items by use."""


def fit_blend(
    store: Store, request: TrainingRequest, train: TrainFunction, progress: Progress
) -> BlendFit:
    """Train the parts of a blend, or take those that are trained, and choose their weights.

    Parameters
    ----------
    store
        The models of the workspace; each part becomes one of them.
    request
        The experiment of the blend, with its settings and the seed.
    train
        Trains a part.
    progress
        Receives the tasks of each part, and messages.

    Raises
    ------
    RequestError
        If a part does not exist, or cannot be blended.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If a training diverges, or there is not enough memory.
    """
    dataset = store.dataset(request.experiment.dataset.name, request.shuffle)
    share = _share(request.experiment)
    wanted = _with_targets(dataset, _wanted(store, request), progress)
    if not has_plays(dataset, "val"):
        for each in wanted:
            _require_held_out(each, share)
    parts = _parts(store, wanted, train, progress)
    names = [part.name for part in parts]
    data = _validation_data(dataset, parts[0], share)
    for remark in data.remarks:
        progress.say(remark)
    ranking = validation_ranking(dataset, data.validation.set.split, _rows(data), request.seed)
    with progress.task("blending", 1) as task:
        scores = [_standardized(_scorer(part, dataset, ranking, share), ranking) for part in parts]
        examples = TrainingExamples(
            (), np.empty((0, 0)), judge=_judge(ranking, scores), parts=names
        )
        baseline = request.experiment.baseline
        if baseline is None:
            msg = f"{request.experiment.name} blends nothing"
            raise TypeError(msg)
        fitted = baseline.fit(examples, request.experiment.network)
        task.advance()
    counts = {"fit": len(data.fit), "validation": len(data.validation)}
    return BlendFit(tuple(parts), fitted, counts)


def _share(experiment: Experiment) -> float:
    training = experiment.training
    if isinstance(training, ValidationSection | TrainingSection):
        return training.validation
    msg = f"{experiment.name} holds out no items to choose by"
    raise RequestError(msg, hint="Give the dataset val items with plays.")


def _wanted(store: Store, request: TrainingRequest) -> list[Model | TrainingRequest]:
    """Return the models that are named, and the requests of the others."""
    options = cast("BlendOptions", request.experiment.network)
    if not options.parts and not options.each_setting:
        msg = f"{request.experiment.name} names nothing to blend"
        example = parameter("overrides", 'network.parts=["two_tower", "ridge_plays"]')
        raise RequestError(msg, hint=f"Name experiments or models: {example}.")
    wanted: list[Model | TrainingRequest] = []
    for name in options.parts:
        if name in store.names():
            wanted.append(_check_model(store.get(name), request))
        else:
            _check_name(store, name, models=True)
            wanted.append(_request(store, name, request, request.settings))
    for name in options.each_setting:
        _check_name(store, name, models=False)
        wanted += [_request(store, name, request, (setting,)) for setting in request.settings]
    unique = {_key(each): each for each in wanted}
    return list(unique.values())


def _with_targets(
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
        progress.say(f"{_title(each)} is left out of the blend: {reason}")
    return [each for each in wanted if each not in lacking]


def _check_name(store: Store, name: str, *, models: bool) -> None:
    """Make sure that there is an experiment of this name."""
    experiments = experiment_names(store.workspace.experiments)
    if name in experiments:
        return
    parameter_name = "parts" if models else "each_setting"
    msg = f"network.{parameter_name}: there is no experiment {'or model ' * models}called {name!r}"
    known = [*experiments, *(model.name for model in store.finished() if models)]
    raise RequestError(msg, hint=nearest(name, known))


def _key(wanted: Model | TrainingRequest) -> tuple[Any, ...]:
    if isinstance(wanted, Model):
        return (wanted.name,)
    return (wanted.experiment.name, wanted.settings)


def _check_model(model: Model, request: TrainingRequest) -> Model:
    dataset = request.experiment.dataset.name
    if model.manifest.dataset != dataset or model.manifest.task != "recommendation":
        msg = f"{model.name} was trained on {model.manifest.dataset} ({model.manifest.task})"
        raise RequestError(msg, hint=f"Blend models that recommend items of {dataset}.")
    if model.manifest.shuffled != request.experiment.shuffled and (
        model.manifest.settings or model.manifest.patches
    ):
        learns = "shuffled features" if model.manifest.shuffled else "features as they are"
        msg = f"{model.name} learnt from {learns}, and the blend does not"
        raise RequestError(msg, hint="Name experiments in place of models, or leave it out.")
    if model.manifest.form == "blend":
        msg = f"{model.name} is a blend itself"
        raise RequestError(msg, hint=f"Name its parts: {', '.join(model.manifest.parts)}.")
    if model.baseline is not None and model.baseline.sees_truth:
        msg = f"{model.name} ({model.manifest.experiment}) sees the truth"
        raise RequestError(msg, hint="Blend models that have to predict it.")
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
    if experiment.dataset.task != "recommendation" or unfit:
        msg = f"{name} cannot be a part of {blend.name}"
        hint = "Name experiments that recommend, see no truth, and are no blends."
        raise RequestError(msg, hint=hint)
    if baseline is not None and baseline.settings[1] == 0:
        settings = ()
    training = experiment.training
    if isinstance(training, ValidationSection | TrainingSection):
        training = training.model_copy(update={"validation": _share(blend)})
        experiment = experiment.model_copy(update={"training": training})
    scorings = baseline.scorings if baseline else ()
    if experiment.targets.kind == "als" and "validated" in scorings:
        experiment = experiment.model_copy(update={"scoring": "validated"})
    if blend.shuffled and experiment.reads_features:
        experiment = experiment.model_copy(update={"shuffled": True})
    return replace(request, experiment=experiment, settings=settings, overrides=())


def _parts(
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
            progress.warn(f"{_title(each)} is left out of the blend: {problem}")
            problems.append(problem)
    if not parts:
        raise problems[0]
    return parts


def _title(wanted: Model | TrainingRequest) -> str:
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
    title = _title(wanted)
    model = find_trained(store, replace(wanted, experiment=sized))
    if model is not None:
        progress.say(f"{title}: {model.name} is used again")
        return model
    model = train(wanted, QuietProgress(progress))
    score = model.manifest.validation_score
    quality = "" if score is None else f", validation MAP {score:.4f}"
    progress.say(f"{title}: {model.name} is trained{quality}")
    return model


def _validation_data(dataset: Dataset, model: Model, share: float) -> TrainingData:
    """Open the data of a blend as one of its parts sees them; which items validate is the same."""
    experiment = model.experiment
    sources = input_sources(experiment, model.manifest.settings)
    spec = replace(experiment.target_spec, kind=PLAYS_KIND)
    return open_training_data(dataset, spec, sources, validation=share)


def _rows(data: TrainingData) -> NDArray[np.int64]:
    items = data.validation.set
    return np.unique(items.items[data.validation.samples])


def _scorer(model: Model, dataset: Dataset, ranking: ValidationRanking, share: float) -> Scorer:
    data = _validation_data(dataset, model, share)
    plays = read_plays(dataset, "train").matrix
    rows = _rows(data)
    if len(rows) != len(ranking.ids):
        msg = f"{model.name} predicts {len(rows):,} of the items that validate, and other parts "
        msg += f"{len(ranking.ids):,}: items lack patches"
        raise DataError(msg, hint="Blend models that predict the same items.")
    return validation_scorer(model, data.validation, ranking, fit_only(plays, data))


def _require_held_out(wanted: Model | TrainingRequest, share: float) -> None:
    """Make sure that a part does not learn from the train items that validate.

    Raises
    ------
    DataError
        If it does.
    """
    own = getattr(wanted.experiment.training, "validation", None)
    if own != share:
        title = _title(wanted)
        msg = f"{title} learns from train items that would choose its weight: there are no val "
        msg += f"items with plays, and it holds out {own or 'none'} of these, not {share}"
        hint = f"Give the dataset val items with plays, or leave out {title}."
        raise DataError(msg, hint=hint)


def _standardized(scorer: Scorer, ranking: ValidationRanking) -> Floats:
    blocks = ranking.budget.blocks(slice(0, len(ranking.users)))
    parts = [standardize(scorer(block)) for block in blocks]
    return np.concatenate(parts) if parts else np.empty((0, len(ranking.ids)), np.float32)


def _judge(
    ranking: ValidationRanking, scores: list[Floats]
) -> Callable[[Any, PredictionForm, str], float]:
    """Return what says how well a weighted sum of scores ranks the validation items."""

    def judge(weights: Any, _form: PredictionForm, _scoring: str) -> float:
        def total(users: slice) -> Floats:
            parts = zip(weights, scores, strict=True)
            return sum(
                (np.float32(weight) * part[users] for weight, part in parts if weight),
                np.zeros((users.stop - users.start, len(ranking.ids)), np.float32),
            )

        return ranking.mean_average_precision(total)

    return judge
