"""The figures of a recommendation by how active users are, or how popular items are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError, RequestError, call
from tartarus_cli.evaluation.evaluate import evaluate, find_model, is_file_of_predictions
from tartarus_cli.evaluation.evaluator import evaluate_predictions, fingerprint_of
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.evaluation.results import read_results, read_unit_values
from tartarus_cli.evaluation.user_metrics import apply_metrics, json_metrics, mean_of_defined
from tartarus_cli.experiments.request import ExperimentRequest
from tartarus_cli.file_names import Kind
from tartarus_cli.metrics.ranks import RelevantRanks
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import Workspace

SliceBy = Literal["user-activity", "item-popularity"]

QUANTILES = 4
SHOWN = ("MAP@500 (users with relevant items)", "ROC-AUC", "MRR", "nDCG@5", "R@5")


@dataclass(frozen=True)
class Slice:
    """The users, or the items, of one quantile."""

    lowest: int
    highest: int
    size: int
    users: int  # with relevant items, which the figures are means of
    metrics: dict[str, float]


@dataclass(frozen=True)
class Slices:
    """The figures of each quantile."""

    by: SliceBy
    counted: str  # what was counted of each user or item
    slices: list[Slice]


@dataclass(frozen=True)
class _Ranks:
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    ranks: NDArray[np.int32]
    count: int

    @property
    def users(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def fit(self) -> bool:
        """Whether they can be what an evaluation has kept."""
        arrays, count = (self.starts, self.items, self.ranks), self.items.size
        if any(each.ndim != 1 or each.dtype.kind != "i" for each in arrays):
            return False
        ends = (*self.starts[:1], *self.starts[-1:], self.ranks.size)
        if ends != (0, count, count) or (np.diff(self.starts) < 0).any():
            return False
        places = (self.items, self.ranks - 1)
        return all(bool(((each >= 0) & (each < self.count)).all()) for each in places)

    def some(self, chosen: NDArray[np.bool_]) -> RelevantRanks:
        """Take relevant items out of the ranking that were not chosen: they are no wrong answers.

        Without them, each of the others moves up by as many as stood above it.
        """
        order = np.argsort(self.users * (self.count + 1) + self.ranks)  # best first
        left_out = ~chosen[order]
        before: NDArray[np.int64] = np.concatenate([[0], np.cumsum(left_out)])
        above: NDArray[np.int64] = before[:-1] - before[self.starts[:-1]][self.users]
        users = len(self.starts) - 1
        many = np.bincount(self.users[chosen], minlength=users)
        ranks = (self.ranks[order].astype(np.int64) - above)[~left_out]
        starts = np.concatenate([[0], np.cumsum(many)])
        return RelevantRanks(ranks, starts, self.count - (np.diff(self.starts) - many))


def slice_evaluation(dataset: Dataset, name: str, by: SliceBy, items: int) -> Slices:
    """Cut the kept ranks of an evaluation into quantiles, and compute the figures of each.

    Users are cut by the number of train items they have, where the train plays are known, else of
    test items; items by the number of users who have them in the truth. Every figure is a mean
    over the users that have relevant items in the quantile; their relevant items of other
    quantiles are taken out of the ranking.

    Parameters
    ----------
    name
        Of the results.
    dataset
        What was evaluated on.
    by
        What to cut by.
    items
        How many were ranked.

    Raises
    ------
    FileError
        If the ranks are missing or damaged.
    """
    path = dataset.workspace.unit_values(name, "users")
    kept: dict[str, Any] = read_unit_values(path, ("starts", "items", "ranks"))
    ranks = _Ranks(kept["starts"], kept["items"], kept["ranks"], items)
    if not ranks.fit:
        raise FileError(
            path,
            found=f"{ranks.ranks.size:,} ranks of {ranks.items.size:,} items that do not fit",
            expected=f"ranks from 1 to {items:,}, user by user",
            hint=f"Evaluate again: {call('evaluate', name)}",
        )
    if by == "item-popularity":
        counts, counted = (
            np.bincount(ranks.items, minlength=items),
            "how many users have them in the truth",
        )
    else:
        counts, counted = _activity(dataset, ranks)
    found = []
    for lowest, highest in quantiles(counts):
        inside = (counts >= lowest) & (counts <= highest)
        chosen = inside[ranks.items] if by == "item-popularity" else inside[ranks.users]
        found.append(_slice(ranks.some(chosen), lowest, highest, int(inside.sum())))
    return Slices(by, counted, found)


def _slice(ranks: RelevantRanks, lowest: int, highest: int, size: int) -> Slice:
    there = ranks.relevant > 0
    metrics = {
        name: mean_of_defined(each[there])
        for name, each in apply_metrics(ranks).items()
        if name in SHOWN
    }
    in_order = {name: metrics[name] for name in SHOWN}
    return Slice(lowest, highest, size, int(there.sum()), in_order)


def _activity(dataset: Dataset, ranks: _Ranks) -> tuple[NDArray[np.int64], str]:
    users = len(ranks.starts) - 1
    file = dataset.find(Kind.TRAIN_MATRIX)
    if file is not None:
        plays = dataset.plays("train")
        if plays.shape[1] != users:
            raise FileError(
                file.path,
                found=f"{plays.shape[1]:,} columns",
                expected=f"{users:,}, one for each user",
                hint="Write it as (train items, users).",
            )
        counts = np.bincount(plays.indices[plays.data > 0], minlength=users)
        return counts, "how many train items they have"
    return np.diff(ranks.starts), "how many test items they have"


def quantiles(counts: NDArray[np.int64], number: int = QUANTILES) -> list[tuple[int, int]]:
    """Cut counts into ranges that hold about as many each; equal counts stay together.

    >>> quantiles(np.array([0, 0, 0, 1, 2, 3, 4, 9]))
    [(0, 0), (1, 1), (2, 3), (4, 9)]
    """
    ordered = np.sort(counts)
    cuts = ordered[(np.arange(1, number) * len(ordered)) // number - 1]
    edges = [*np.unique(cuts).tolist(), int(ordered[-1])]
    found, lowest = [], int(ordered[0])
    for edge in dict.fromkeys(edges):
        inside = ordered[(ordered >= lowest) & (ordered <= edge)]
        if inside.size:
            found.append((int(inside[0]), int(inside[-1])))
            lowest = int(inside[-1]) + 1
    return found


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
            each["metrics"] = json_metrics(each["metrics"])
        return values


def evaluate_slices(  # noqa: PLR0913 — as evaluate, and what to cut by
    workspace: Workspace,
    subject: str | None,
    request: ExperimentRequest,
    options: EvaluationOptions,
    by: SliceBy,
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
    if is_file_of_predictions(subject):
        experiment = request.resolve(workspace)
        _check_has_users(experiment.dataset.task, str(subject))
        evaluation = evaluate(workspace, subject, request, options, ids=ids, progress=progress)
        name, document = evaluation.name, evaluation.document()
        dataset = workspace.dataset(experiment.dataset.name)
    else:
        model = find_model(workspace, subject, request, ids)
        _check_has_users(model.manifest.task, model.name)
        name, dataset = model.name, model.dataset
        document = _present_results(model) or (
            evaluate_predictions(model, options, progress=progress).document()
        )
    slices = slice_evaluation(dataset, name, by, document["items"])
    return EvaluatedSlices(name, dataset.name, slices)


def _check_whole(options: EvaluationOptions) -> None:
    if options.users != slice(None):
        msg = "`by` cuts all users, and `users` names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.k or options.published or options.baselines or options.merge:
        msg = "`by` prints a few figures of one model, always the same"
        raise RequestError(msg, hint="Leave out `k`, `published`, `baselines` and `merge`.")


def _check_has_users(task: str, name: str) -> None:
    if task != "recommendation":
        msg = f"`by`: {name} is of a {task} task, which has no users"
        raise RequestError(msg, hint="Its table of classes shows where it is good.")


def _present_results(model: Model) -> dict[str, Any] | None:
    """Return the results of a model, if they are those of its predictions and of the truth."""
    workspace, name = model.workspace, model.name
    try:
        document = read_results(workspace, name)
    except RequestError:
        return None
    predictions = model_predictions(model)
    same = document.get("fingerprint") == fingerprint_of(predictions)
    same &= document.get("items") == len(predictions.absent)
    return document if same and workspace.unit_values(name, "users").is_file() else None
