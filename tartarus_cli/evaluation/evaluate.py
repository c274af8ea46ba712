"""Evaluate a model, or predictions made elsewhere, as the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.errors import RequestError
from tartarus_cli.evaluation.baseline_rows import baseline_rows
from tartarus_cli.evaluation.evaluator import (
    Evaluation,
    EvaluationOptions,
    fingerprint_of,
    judge_file,
    judge_model,
)
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.evaluation.slices import By, Slices, slice_up
from tartarus_cli.evaluation.user_metrics import plain
from tartarus_cli.experiments.request import Asked
from tartarus_cli.models.staleness import require_as_trained
from tartarus_cli.models.store import Model, Store
from tartarus_cli.options import parse_bytes
from tartarus_cli.prediction.aligned import of_model
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
    if _is_file(subject):
        if options.baselines:
            msg = "--baselines: a file of predictions does not tell which settings it was made from"
            raise RequestError(msg, hint="Leave it out, or name a model.")
        experiment = asked.resolve(workspace)
        path = Path(str(subject))
        return judge_file(workspace, path, experiment, options, ids=ids, progress=progress)
    model = _model(workspace, subject, asked, ids)
    return evaluate_model(workspace, model.name, options, progress=progress)


def _is_file(subject: str | None) -> bool:
    return subject is not None and subject.endswith(".npy")


def _model(workspace: Workspace, subject: str | None, asked: Asked, ids: Path | None) -> Model:
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
    require_as_trained(workspace.scan(), model)  # before baselines are trained for nothing
    rows = baseline_rows(workspace, model, options, progress)
    return judge_model(workspace, model.name, options, others=rows, progress=progress)


@dataclass(frozen=True)
class EvaluatedSlices:
    """The figures of a model, or of a file, by quantiles."""

    name: str
    dataset: str
    found: Slices

    def document(self) -> dict[str, Any]:
        """Everything as plain values for JSON; a figure that has no value is null."""
        values = asdict(self)
        for each in values["found"]["slices"]:
            each["metrics"] = plain(each["metrics"])
        return values


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
    _check_whole(options)
    if _is_file(subject):
        task = asked.resolve(workspace).dataset.task
        _check_has_users(task, str(subject))
        found = evaluate(workspace, subject, asked, options, ids=ids, progress=progress)
        name, document = found.name, found.document()
    else:
        model = _model(workspace, subject, asked, ids)
        _check_has_users(model.manifest.task, model.name)
        name = model.name
        document = _kept_results(workspace, name) or (
            judge_model(workspace, name, options, progress=progress).document()
        )
    dataset, items = document["dataset"], document["items"]
    return EvaluatedSlices(name, dataset, slice_up(workspace.scan(), name, dataset, by, items))


def _check_whole(options: EvaluationOptions) -> None:
    if options.users != slice(None):
        msg = "--by cuts all users, and --users names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.k or options.published or options.baselines or options.merge:
        msg = "--by prints a few figures of one model, always the same"
        raise RequestError(msg, hint="Leave out --k, --published, --baselines and --merge.")


def _check_has_users(task: str, name: str) -> None:
    if task != "recommendation":
        msg = f"--by: {name} is of a {task} task, which has no users"
        raise RequestError(msg, hint="Its table of classes shows where it is good.")


def _kept_results(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Return the results of a model, if they are those of its predictions and of the truth."""
    try:
        document = read_results(workspace, name)
    except RequestError:
        return None
    inventory = workspace.scan()
    predictions = of_model(workspace, name, inventory)
    same = document.get("fingerprint") == fingerprint_of(inventory, predictions)
    same &= document.get("items") == len(predictions.absent)
    return document if same and workspace.unit_values(name, "users").is_file() else None
