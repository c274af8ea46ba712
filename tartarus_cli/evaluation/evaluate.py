"""Evaluate a model, or predictions made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tartarus_cli.errors import RequestError, parameter
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
    """Return how to evaluate, from texts as a user writes them.

    Parameters
    ----------
    k
        Cut-offs in addition to the usual ones.
    users
        ``A:B``, as for :func:`parse_users`.
    memory
        An amount such as ``1GiB``.
    more
        Other fields of :class:`EvaluationOptions`.

    Raises
    ------
    RequestError
        If a text means nothing.
    """
    return EvaluationOptions(tuple(k), parse_users(users), memory=parse_bytes(memory), **more)


def parse_users(text: str | None) -> slice:
    """Read ``A:B``, users counted from 0, B not included; all users if None.

    Raises
    ------
    RequestError
        If the text has another form.

    >>> parse_users("100:200")
    slice(100, 200, None)
    """
    if text is None:
        return slice(None)
    first, colon, last = text.partition(":")
    if not colon or not all(part.isascii() and part.isdigit() for part in (first, last) if part):
        msg = f"{parameter('users', text)}: not of the form A:B"
        first_users, other_users = parameter("users", "0:1000"), parameter("users", "1000:")
        hint = f"For example {first_users}, or {other_users} for all from user 1000 on."
        raise RequestError(msg, hint=hint)
    return slice(int(first) if first else None, int(last) if last else None)


def evaluate(
    workspace: Workspace,
    subject: str | None,
    request: ExperimentRequest,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Evaluate a model by name, the newest if None, or a ``.npy`` file of predictions.

    Parameters
    ----------
    workspace
        The workspace of the model or of the dataset.
    subject
        A model, or a file of predictions.
    request
        For a file: the experiment that it was predicted for.
    options
        How to evaluate.
    ids
        For a file: a file of the ids of its rows; None: the test items in their order.
    progress
        Reports each block of users, and what may be a mistake.

    Raises
    ------
    RequestError
        If there is no such model, or the request does not fit what is evaluated.
    DataError
        If a file is missing, damaged or out of step.
    """
    if is_file_of_predictions(subject):
        if options.baselines:
            problem = "a file of predictions does not say which settings it was made from"
            msg = f"{parameter('baselines')}: {problem}"
            raise RequestError(msg, hint="Leave it out, or name a model.")
        experiment, path = request.resolve(workspace), Path(str(subject))
        dataset = workspace.dataset(experiment.dataset.name)
        options = replace(options, seed=seed_of(workspace, options.seed))
        return evaluate_file(path, experiment, dataset, options, ids=ids, progress=progress)
    model = find_model(workspace, subject, request, ids)
    return evaluate_model(model, options, progress=progress)


def is_file_of_predictions(subject: str | None) -> bool:
    """Whether a ``.npy`` file is named, not a model."""
    return subject is not None and subject.endswith(".npy")


def find_model(
    workspace: Workspace, subject: str | None, request: ExperimentRequest, ids: Path | None
) -> Model:
    """Return the model to evaluate.

    Raises
    ------
    RequestError
        If there is no such model, or options are given that only a file of predictions has.
    """
    if subject is not None and Path(subject).is_file():
        msg = f"{subject} is no .npy file"
        raise RequestError(msg, hint="Write predictions with numpy.save(path, array).")
    model = Store(workspace).get(subject)
    other_dataset = request.dataset not in (None, model.manifest.dataset)
    if request.experiment or request.overrides or ids is not None or other_dataset:
        msg = f"{model.name} is evaluated with the experiment and the dataset that it learnt"
        names = [parameter(name) for name in ("experiment", "dataset", "overrides", "ids")]
        hint = f"Leave out {', '.join(names[:-1])} and {names[-1]}"
        raise RequestError(msg, hint=f"{hint}: they are for a .npy file of predictions.")
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
    return evaluate_predictions(model, options, other_rows=rows, progress=progress)
