"""Evaluate a model, or predictions made elsewhere, as the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tartarus_cli.errors import RequestError
from tartarus_cli.evaluation.baseline_rows import evaluate_baselines
from tartarus_cli.evaluation.evaluator import evaluate_file, evaluate_predictions
from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions
from tartarus_cli.experiments.request import ExperimentRequest, seed_of
from tartarus_cli.models.staleness import require_unchanged_inputs
from tartarus_cli.models.store import Model, Store
from tartarus_cli.options import parse_bytes
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import Workspace


def evaluation_options(
    k: Sequence[int], users: str | None, *, memory: str = "1GiB", **more: Any
) -> EvaluationOptions:
    """Read how to evaluate from what the command line says."""
    return EvaluationOptions(tuple(k), parse_users(users), memory=parse_bytes(memory), **more)


def parse_users(text: str | None) -> slice:
    """Read ``A:B``, users counted from 0, B not included.

    >>> parse_users("100:200")
    slice(100, 200, None)
    """
    if text is None:
        return slice(None)
    first, colon, last = text.partition(":")
    if not colon or not all(part.isascii() and part.isdigit() for part in (first, last) if part):
        msg = f"--users {text}: not of the form A:B"
        raise RequestError(msg, hint="For example --users 0:1000, or --users 1000: for the rest.")
    return slice(int(first) if first else None, int(last) if last else None)


def evaluate(
    workspace: Workspace,
    subject: str | None,
    asked: ExperimentRequest,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Evaluate a model by name, the newest if None, or a ``.npy`` file of predictions.

    Raises
    ------
    RequestError
        If there is no such model, or the request does not fit what is evaluated.
    DataError
        If a file is missing, damaged or out of step.
    """
    if is_file_of_predictions(subject):
        if options.baselines:
            msg = "--baselines: a file of predictions does not tell which settings it was made from"
            raise RequestError(msg, hint="Leave it out, or name a model.")
        experiment, path = asked.resolve(workspace), Path(str(subject))
        dataset = workspace.dataset(experiment.dataset.name)
        options = replace(options, seed=seed_of(workspace, options.seed))
        return evaluate_file(path, experiment, dataset, options, ids=ids, progress=progress)
    model = find_model(workspace, subject, asked, ids)
    return evaluate_model(model, options, progress=progress)


def is_file_of_predictions(subject: str | None) -> bool:
    """Whether a ``.npy`` file is named, not a model."""
    return subject is not None and subject.endswith(".npy")


def find_model(
    workspace: Workspace, subject: str | None, asked: ExperimentRequest, ids: Path | None
) -> Model:
    """Return the model that is to be evaluated; what only files need must not be said of it."""
    if subject is not None and Path(subject).is_file():
        msg = f"{subject} is no .npy file"
        raise RequestError(msg, hint="Write predictions with numpy.save(path, array).")
    model = Store(workspace).get(subject)
    own = (None, model.manifest.dataset)
    if asked.experiment or asked.overrides or ids is not None or asked.dataset not in own:
        msg = f"{model.name} is evaluated with the experiment and the dataset that it learnt"
        hint = "--experiment, --dataset, --set and --ids are for a .npy file of predictions."
        raise RequestError(msg, hint=hint)
    return model


def evaluate_model(
    model: Model, options: EvaluationOptions, *, progress: Progress = UNWATCHED
) -> Evaluation:
    """Evaluate what a model predicted for the test items, with its baselines if asked for.

    Raises
    ------
    DataError
        If it has not predicted yet, or a file is missing, damaged or out of step.
    """
    if not options.baselines:
        return evaluate_predictions(model, options, progress=progress)
    require_unchanged_inputs(model)  # before baselines are trained for nothing
    rows = evaluate_baselines(model, options, progress)
    return evaluate_predictions(model, options, others=rows, progress=progress)
