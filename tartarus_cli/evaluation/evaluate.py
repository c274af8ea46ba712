"""Evaluate a model, or predictions made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.distribution import staying_connected
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.evaluation.baseline_rows import evaluate_baselines
from tartarus_cli.evaluation.evaluator import evaluate_file, evaluate_predictions
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions
from tartarus_cli.experiments.request import ExperimentRequest, seed_of
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.staleness import require_unchanged_inputs
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import Workspace


@dataclass(frozen=True)
class PredictionFile:
    """Predictions that were made elsewhere."""

    path: Path
    """A ``.npy`` file, ``(items, dim)``."""
    experiment: Experiment
    """What was predicted: its task and its targets."""
    dataset: Dataset
    """The dataset of the experiment."""
    ids: Path | None
    """A file of the ids of the rows; None: the test items in their order."""
    seed: int
    """Of the random row, unless another one is asked for: that of the workspace, else 0."""


def find_subject(
    workspace: Workspace, named: Model | str | None, request: ExperimentRequest, ids: Path | None
) -> Model | PredictionFile:
    """Return what is to be evaluated.

    Parameters
    ----------
    workspace
        The workspace of the model or of the dataset.
    named
        A model or its name, the newest if None; or the path of a ``.npy`` file of predictions.
    request
        For a file: the experiment that it was predicted for.
    ids
        For a file: a file of the ids of its rows; None: the test items in their order.

    Raises
    ------
    RequestError
        If there is no such model or experiment, or options are given that only a file has.
    """
    if isinstance(named, str) and named.endswith(".npy"):
        experiment = request.resolve(workspace)
        dataset = workspace.dataset(experiment.dataset.name)
        return PredictionFile(Path(named), experiment, dataset, ids, seed_of(workspace, None))
    if isinstance(named, str) and Path(named).is_file():
        msg = f"{named} is no .npy file"
        raise RequestError(msg, hint="Write predictions with numpy.save(path, array).")
    model = named if isinstance(named, Model) else Store(workspace).get(named)
    other_dataset = request.dataset not in (None, model.manifest.dataset)
    if request.experiment or request.overrides or ids is not None or other_dataset:
        msg = f"{model.name} is evaluated with the experiment and the dataset that it learnt"
        names = [parameter(name) for name in ("experiment", "dataset", "overrides", "ids")]
        hint = f"Leave out {', '.join(names[:-1])} and {names[-1]}"
        raise RequestError(msg, hint=f"{hint}: they are for a .npy file of predictions.")
    return model


def evaluate(
    subject: Model | PredictionFile, options: EvaluationOptions, *, progress: Progress = UNWATCHED
) -> Evaluation:
    """Evaluate what a model, or somebody else, predicted for the test items.

    Parameters
    ----------
    subject
        A model that has predicted its test items, or a file of predictions.
    options
        How to evaluate; with ``baselines``, those of the model are trained too.
    progress
        Reports each block of users, and what may be a mistake.

    Raises
    ------
    RequestError
        If the options do not fit what is evaluated.
    DataError
        If nothing was predicted yet, or a file is missing, damaged or out of step.
    """
    if isinstance(subject, PredictionFile):
        return _evaluate_file(subject, options, progress)
    if options.baselines and options.cluster is not None:
        with staying_connected(options.cluster, progress):
            return _evaluate_model(subject, options, progress)
    return _evaluate_model(subject, options, progress)


def _evaluate_model(subject: Model, options: EvaluationOptions, progress: Progress) -> Evaluation:
    if not options.baselines:
        return evaluate_predictions(subject, options, progress=progress)
    # Before baselines are trained for nothing.
    require_unchanged_inputs(subject)
    beside = evaluate_baselines(subject, options, progress)
    return evaluate_predictions(
        subject, options, other_rows=beside.rows, chosen=beside.chosen, progress=progress
    )


def _evaluate_file(
    file: PredictionFile, options: EvaluationOptions, progress: Progress
) -> Evaluation:
    if options.baselines:
        problem = "a file of predictions does not say which settings it was made from"
        msg = f"{parameter('baselines')}: {problem}"
        raise RequestError(msg, hint="Leave it out, or name a model.")
    if options.seed is None:
        options = replace(options, seed=file.seed)
    return evaluate_file(
        file.path, file.experiment, file.dataset, options, ids=file.ids, progress=progress
    )
