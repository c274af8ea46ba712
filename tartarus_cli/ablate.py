"""Train, predict and evaluate a model with fewer settings, and with shuffled ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tartarus_cli.baselines.blend import BlendOptions
from tartarus_cli.errors import RequestError, TartarusError, parameter
from tartarus_cli.evaluation.ablation import WHOLE, Ablation, AblationKind
from tartarus_cli.evaluation.ablation_rows import AblatedModel, compute_ablation
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluator import evaluate_predictions, fingerprint_of
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.requirements import check_request
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.prediction.predict import Pool, PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.training.blend_parts import requested_parts
from tartarus_cli.training.control import DEFAULT_CONTROL, TrainingControl
from tartarus_cli.training.resumable import find_resumable
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.training.train import resume, train


@dataclass(frozen=True)
class PlannedRow:
    """A model that an ablation needs."""

    label: str
    kind: AblationKind
    inputs: tuple[str, ...]
    """The settings that it reads, and the parts of a blend that read patches."""
    request: TrainingRequest


def check_ablation(store: Store, request: TrainingRequest, options: EvaluationOptions) -> None:
    """Make sure that there is something to ablate, before anything is trained.

    Raises
    ------
    RequestError
        If the experiment reads no features, or shuffled ones, or blends models that are there; or
        if only some users are evaluated.
    """
    experiment, option = request.experiment, parameter("ablate")
    if not experiment.reads_features:
        msg = f"{option}: {experiment.name} reads no features, of which some could be left out"
        raise RequestError(msg, hint="Leave it out.")
    if experiment.shuffled:
        msg = f"{option}: {experiment.name} is to learn from shuffled features anyway"
        raise RequestError(msg, hint=f"Leave out {parameter('overrides', 'shuffled=true')}.")
    if options.users != slice(None):
        msg = f"{option} and {parameter('users')} exclude each other: only whole evaluations are "
        msg += "compared"
        raise RequestError(msg, hint="Leave out one of the two.")
    models = {*getattr(experiment.network, "parts", ())} & store.names()
    if models:
        name = min(models)
        msg = f"{option}: {experiment.name} blends {name}, which is trained already and reads what "
        msg += "it reads"
        raise RequestError(msg, hint="Name experiments in network.parts, which are trained anew.")


def parts_of_patches(store: Store, request: TrainingRequest) -> dict[str, TrainingRequest]:
    """Return the parts of a blend that read patches, whatever its settings are, by name.

    Raises
    ------
    RequestError
        If a part does not exist, or cannot be blended.
    """
    baseline = request.experiment.baseline
    if baseline is None or not baseline.blends:
        return {}
    parts = (each for each in requested_parts(store, request) if isinstance(each, TrainingRequest))
    unfed = (part for part in parts if not part.settings and part.experiment.reads_features)
    return {part.experiment.name: part for part in unfed}


def plan_rows(
    request: TrainingRequest, patches: Mapping[str, TrainingRequest] = MappingProxyType({})
) -> tuple[PlannedRow, ...]:
    """Return what an ablation needs: all, each setting alone, all but each, and all shuffled.

    Of two settings, all but the one is the other one alone.

    Parameters
    ----------
    request
        That of the model of all settings.
    patches
        The parts of a blend that read patches: each of them counts as a setting.
    """
    inputs = (*dict.fromkeys(request.settings), *patches)
    rows = [PlannedRow(WHOLE, "all", inputs, request)]
    if len(inputs) > 1 and request.experiment.takes_fewer_settings:
        for name in inputs:
            label = f"{name} alone"
            if len(inputs) == 2:
                label = f"{label} (without {next(other for other in inputs if other != name)})"
            rows.append(PlannedRow(label, "alone", (name,), _only(request, patches, (name,))))
        for name in inputs if len(inputs) > 2 else ():
            rest = tuple(other for other in inputs if other != name)
            part = _only(request, patches, rest)
            rows.append(PlannedRow(f"without {name}", "without", rest, part))
    return (*rows, PlannedRow("shuffled", "shuffled", inputs, _shuffled(request)))


def _only(
    request: TrainingRequest, patches: Mapping[str, TrainingRequest], inputs: Sequence[str]
) -> TrainingRequest:
    """Return the request of a model that reads some of the inputs alone.

    A blend of a part that reads patches, and of nothing else, is that part.
    """
    if len(inputs) == 1 and inputs[0] in patches:
        return patches[inputs[0]]
    experiment = request.experiment
    settings = tuple(name for name in dict.fromkeys(request.settings) if name in inputs)
    overrides = [text for text in request.overrides if not text.startswith("inputs.count")]
    if not experiment.takes_any_settings:
        overrides.append(f"inputs.count={len(settings)}")
    experiment = experiment.with_fewer_settings(len(settings))
    network = experiment.network
    if patches and isinstance(network, BlendOptions):
        parts = tuple(part for part in network.parts if part in inputs or part not in patches)
        network = network.model_copy(update={"parts": parts})
        experiment = experiment.model_copy(update={"network": network})
        overrides = [text for text in overrides if not text.startswith("network.parts")]
        overrides.append(f"network.parts={json.dumps(parts)}")
    return replace(request, experiment=experiment, settings=settings, overrides=tuple(overrides))


def _shuffled(request: TrainingRequest) -> TrainingRequest:
    experiment = request.experiment.model_copy(update={"shuffled": True})
    return replace(request, experiment=experiment, overrides=(*request.overrides, "shuffled=true"))


def find_or_train(
    store: Store,
    request: TrainingRequest,
    *,
    compared_with: str = "",
    control: TrainingControl = DEFAULT_CONTROL,
    progress: Progress,
) -> tuple[Model, bool]:
    """Return the model of a request, and whether it was trained before.

    One that was trained to be compared with another is none of the user's own. A training that was
    stopped goes on.

    Raises
    ------
    TartarusError
        If it cannot be trained.
    """
    settings, dataset = request.settings, store.dataset(request.experiment.dataset.name)
    experiment = request.experiment.with_settings(len(settings))
    check_request(dataset, experiment, settings)
    sized = infer_dimensions(dataset, experiment, settings, UNWATCHED)
    complete = replace(request, experiment=sized)
    found = find_trained(store, complete)
    if found is not None and (compared_with or not found.manifest.compared_with):
        return found, True
    stopped = find_resumable(store, complete)
    if stopped is not None and stopped.manifest.compared_with == compared_with:
        return resume(stopped, evaluated=True, control=control, progress=progress), False
    model = train(
        store,
        request,
        evaluated=True,
        compared_with=compared_with,
        control=control,
        progress=progress,
    )
    return model, False


def ablate(
    whole: Model,
    request: TrainingRequest,
    evaluation: Evaluation,
    options: EvaluationOptions,
    *,
    pool: Pool = "mean",
    progress: Progress = UNWATCHED,
) -> Ablation:
    """Compare a model with such of fewer settings, and with one of shuffled features.

    Rows whose models were trained before are not trained again. One that cannot be had is left out,
    and that is reported.

    Parameters
    ----------
    whole
        The model of all settings, which has been evaluated.
    request
        What it was trained by.
    evaluation
        Its figures, and those beneath it.
    options
        How it was evaluated.
    pool
        How the predictions for an item's patches become one.
    progress
        Reports each row, and the work on it.

    Raises
    ------
    TartarusError
        If no row can be had.
    """
    options = replace(options, baselines=False)
    remark = _remark(request.experiment, request.settings)
    if remark:
        progress.say(remark)
    first, *rows = plan_rows(request, parts_of_patches(whole.store, request))
    models = [AblatedModel(first.label, first.kind, first.inputs, whole)]
    problems = dict[str, TartarusError]()
    for number, row in enumerate(rows, 1):
        try:
            progress.say(f"ablation, row {number} of {len(rows)}: {row.label}")
            model = _evaluate_row(evaluation, whole, row, options, pool, progress)
        except TartarusError as problem:
            progress.warn(f"{row.label} is left out of the ablation: {problem}")
            problems[row.label] = problem
            continue
        models.append(AblatedModel(row.label, row.kind, row.inputs, model))
    if len(models) == 1:
        raise next(iter(problems.values()))
    left_out = {label: str(problem) for label, problem in problems.items()}
    seed = request.seed if options.seed is None else options.seed
    return compute_ablation(
        evaluation, models, left_out=left_out, remark=remark, seed=seed, progress=progress
    )


def _remark(experiment: Experiment, settings: Sequence[str]) -> str:
    """Say why no setting is left out, where there are several inputs."""
    if len(experiment.inputs.kinds) < 2 or experiment.takes_fewer_settings:
        return ""
    kinds = " and ".join(experiment.inputs.kinds)
    return (
        f"{experiment.network.name} reads {kinds}, and is another network without one of them: "
        f"{' and '.join(settings)} cannot be left out, only shuffled"
    )


def _evaluate_row(
    evaluation: Evaluation,
    whole: Model,
    row: PlannedRow,
    options: EvaluationOptions,
    pool: Pool,
    progress: Progress,
) -> Model:
    """Train the model of a row, let it predict, and evaluate it, as far as that is not done."""
    quiet = QuietProgress(progress)
    request = row.request
    model, reused = find_or_train(whole.store, request, compared_with=whole.name, progress=quiet)
    for split in required_splits(model):
        predict(model, PredictOptions(split=split, pool=pool), progress=quiet)
    if not _is_evaluated(model, evaluation, options):
        adapted = replace(options, references=not model.manifest.compared_with)
        evaluate_predictions(model, adapted, progress=quiet)
    progress.say(f"{row.label}: {model.name} is {'used again' if reused else 'trained'}")
    return model


def _is_evaluated(model: Model, evaluation: Evaluation, options: EvaluationOptions) -> bool:
    """Whether the results of a model are those of its predictions, on the data of another's."""
    try:
        results = read_results(model.workspace, model.name)
    except TartarusError:
        return False
    unit = "users" if evaluation.task == "recommendation" else "items"
    known = model.workspace.unit_values(model.name, unit).is_file()
    has_all = {*evaluation.metrics} <= {*results.metrics} and results.basis == evaluation.basis
    same = results.fingerprint == fingerprint_of(model_predictions(model), options)
    return known and has_all and same
