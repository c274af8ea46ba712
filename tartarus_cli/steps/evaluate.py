"""Evaluate a model, or predictions made elsewhere, as the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.errors import RequestError
from tartarus_cli.files import digest
from tartarus_cli.models import Store
from tartarus_cli.options import parse_bytes
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.steps.baselines import baseline_rows
from tartarus_cli.steps.experiments import Asked
from tartarus_cli.steps.judge import Evaluation, EvaluationOptions, judge_file, judge_model
from tartarus_cli.steps.predictions import of_model
from tartarus_cli.steps.protocol import basis
from tartarus_cli.steps.results import read_results
from tartarus_cli.steps.slices import By, Slices, slice_up
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
    asked: Asked,
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
    if subject is not None and subject.endswith(".npy"):
        if options.baselines:
            msg = "--baselines: a file of predictions does not tell which settings it was made from"
            raise RequestError(msg, hint="Leave it out, or name a model.")
        experiment = asked.resolve(workspace)
        path = Path(subject)
        return judge_file(workspace, path, experiment, options, ids=ids, progress=progress)
    model = Store(workspace).get(subject)
    own = (None, model.manifest.dataset)
    if asked.experiment or asked.overrides or ids is not None or asked.dataset not in own:
        msg = f"{model.name} is evaluated with the experiment and the dataset that it learnt"
        hint = "--experiment, --dataset, --set and --ids are for a .npy file of predictions."
        raise RequestError(msg, hint=hint)
    return evaluate_model(workspace, model.name, options, progress=progress)


def evaluate_model(
    workspace: Workspace,
    name: str | None,
    options: EvaluationOptions,
    *,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Evaluate what a model predicted for the test items, with its baselines if asked for.

    Raises
    ------
    RequestError
        If there is no such model.
    DataError
        If it has not predicted yet, or a file is missing, damaged or out of step.
    """
    if not options.baselines:
        return judge_model(workspace, name, options, progress=progress)
    model = Store(workspace).get(name)
    rows = baseline_rows(workspace, model, options, progress)
    return judge_model(workspace, model.name, options, others=rows, progress=progress)


@dataclass(frozen=True)
class EvaluatedSlices:
    """The figures of a model, or of a file, by quantiles."""

    name: str
    dataset: str
    found: Slices


def evaluate_slices(  # noqa: PLR0913 — as evaluate, and what to cut by
    workspace: Workspace,
    subject: str | None,
    asked: Asked,
    options: EvaluationOptions,
    by: By,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> EvaluatedSlices:
    """Cut an evaluation into quantiles; the ranks that were kept are used, if they still hold.

    Raises
    ------
    RequestError
        If there is no such model, or it recommends nothing, or only some users are asked for.
    DataError
        If a file is missing, damaged or out of step.
    """
    if options.users != slice(None):
        msg = "--by cuts all users, and --users names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    file = subject is not None and subject.endswith(".npy")
    known = None if file else _kept_results(workspace, Store(workspace).get(subject).name)
    if known is None:
        found = evaluate(workspace, subject, asked, options, ids=ids, progress=progress)
        known = (found.results.stem if found.results else ""), found.document()
    name, document = known
    if document["task"] != "recommendation":
        msg = f"--by: {name} is of a {document['task']} task, which has no users"
        raise RequestError(msg, hint="Its table of classes shows where it is good.")
    dataset, items = document["dataset"], document["items"]
    return EvaluatedSlices(name, dataset, slice_up(workspace.scan(), name, dataset, by, items))


def _kept_results(workspace: Workspace, name: str) -> tuple[str, dict[str, Any]] | None:
    """Return the results of a model, if they are those of its predictions and of the truth."""
    inventory = workspace.scan()
    try:
        document = read_results(workspace, name)
    except RequestError:
        return None
    predictions = of_model(workspace, name, inventory)
    same = document.get("predictions") == digest(predictions.path)
    now = basis(inventory, predictions, None, ())
    then = document.get("basis", {})
    same = same and all(then.get(key) == now[key] for key in now if key != "k")
    kept = workspace.unit_values(name, "users").is_file() or document["task"] != "recommendation"
    return (name, document) if same and kept else None
