"""The figures of a recommendation by how active users are, or how popular items are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError, RequestError, TartarusError, call
from tartarus_cli.evaluation.checkpoints import read_ranks
from tartarus_cli.evaluation.evaluate import PredictionFile, evaluate
from tartarus_cli.evaluation.evaluator import evaluate_predictions, fingerprint_of
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.evaluation.results import read_results, read_unit_values
from tartarus_cli.evaluation.user_metrics import apply_metrics, json_metrics, mean_of_defined
from tartarus_cli.file_names import Kind
from tartarus_cli.html_table import html_table
from tartarus_cli.metrics.ranks import RelevantRanks
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    import polars as pl

SliceBy = Literal["user-activity", "item-popularity"]
"""Cut users by how many train items they have, or items by how many users have them."""

QUANTILES = 4
"""Number of slices; fewer where many counts are equal."""

SHOWN = ("MAP@500 (users with relevant items)", "ROC-AUC", "MRR", "nDCG@5", "R@5")
"""The metrics of each slice."""


@dataclass(frozen=True)
class Slice:
    """The users, or the items, of one quantile."""

    lowest: int
    """Lowest count in the quantile."""
    highest: int
    """Highest count in the quantile."""
    size: int
    """Users, or items, in the quantile."""
    users: int
    """Users with relevant items in the quantile, which the figures are means of."""
    metrics: dict[str, float]
    """Metric → value; NaN where it has none."""


@dataclass(frozen=True)
class Slices:
    """The figures of each quantile."""

    by: SliceBy
    counted: str
    """What was counted of each user or item, in words."""
    slices: list[Slice]

    @property
    def unit(self) -> str:
        """What was cut."""
        return "users" if self.by == "user-activity" else "items"


@dataclass(frozen=True)
class EvaluatedSlices:
    """The figures of a model, or of a file of predictions, by quantiles."""

    name: str
    """What the results are called: as the model, or as the file of predictions."""
    dataset: str
    slices: Slices

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; a figure without a value is None."""
        slices = asdict(self.slices)
        for quantile in slices["slices"]:
            quantile["metrics"] = json_metrics(quantile["metrics"])
        return {"name": self.name, "dataset": self.dataset, "found": slices}

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each quantile and metric.

        Returns
        -------
        The columns ``name``, ``lowest``, ``highest``, ``size``, ``users``, ``metric`` and ``value``
        (null where there is none).
        """
        import polars as pl

        cells = [
            (self.name, part.lowest, part.highest, part.size, part.users, metric, value)
            for part in self.slices.slices
            for metric, value in part.metrics.items()
        ]
        counts = dict.fromkeys(("lowest", "highest", "size", "users"), pl.Int64)
        types = {"name": pl.String} | counts | {"metric": pl.String, "value": pl.Float64}
        frame = pl.DataFrame(cells, schema=types, orient="row")
        return frame.with_columns(pl.col("value").fill_nan(None))

    def _repr_html_(self) -> str:
        slices = self.slices
        return html_table(
            f"{self.name} · {self.dataset} · {slices.unit} by {slices.counted}",
            ["lowest", "highest", slices.unit, "evaluated users", *SHOWN],
            (
                [part.lowest, part.highest, part.size, part.users, *part.metrics.values()]
                for part in slices.slices
            ),
        )


@dataclass(frozen=True)
class _StoredRanks:
    """The ranks of all relevant items, user by user, as an evaluation stored them."""

    starts: NDArray[np.int64]  # (users + 1,)
    items: NDArray[np.int32]  # (relevant,)
    ranks: NDArray[np.int32]  # (relevant,), from 1 on
    best: NDArray[np.int32]  # (relevant,), the best rank of the same score
    worst: NDArray[np.int32]  # (relevant,), the worst one
    count: int  # of all items

    @property
    def users(self) -> NDArray[np.int64]:
        """The user of each relevant item, ``(relevant,)``."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def fit(self) -> bool:
        """Whether an evaluation can have stored them."""
        ranks = (self.ranks, self.best, self.worst)
        arrays, relevant = (self.starts, self.items, *ranks), self.items.size
        if any(array.ndim != 1 or array.dtype.kind != "i" for array in arrays):
            return False
        ends = (*self.starts[:1], *self.starts[-1:], *(array.size for array in ranks))
        if ends != (0, *[relevant] * 4) or (np.diff(self.starts) < 0).any():
            return False
        numbers = (self.items, *(array - 1 for array in ranks))
        return all(bool(((n >= 0) & (n < self.count)).all()) for n in numbers)

    def only(self, chosen: NDArray[np.bool_]) -> RelevantRanks:
        """Take the relevant items that were not chosen out of the ranking: they are not wrong.

        Without them, each of the others moves up by as many as stood above it.
        """
        offsets = self.users * (self.count + 1)
        order = np.argsort(offsets + self.ranks)  # best first
        in_order, left_out = (offsets + self.ranks)[order], ~chosen[order]
        before: NDArray[np.int64] = np.concatenate([[0], np.cumsum(left_out)])
        before_user = before[self.starts[:-1]][self.users]

        def without(ranks: NDArray[np.int32], side: Literal["left", "right"]) -> NDArray[np.int64]:
            sorted_ranks = ranks[order].astype(np.int64)
            ends = np.searchsorted(in_order, offsets + sorted_ranks, side)
            return np.asarray((sorted_ranks - (before[ends] - before_user))[~left_out])

        counts = np.bincount(self.users[chosen], minlength=len(self.starts) - 1)
        tied = without(self.best, "left"), without(self.worst, "right")
        return RelevantRanks(
            without(self.ranks, "left"),
            np.concatenate([[0], np.cumsum(counts)]),
            self.count - (np.diff(self.starts) - counts),
            None if self.best is self.ranks else tied,
        )


def slice_evaluation(dataset: Dataset, name: str, by: SliceBy, items: int) -> Slices:
    """Cut the stored ranks of an evaluation into quantiles, and compute the figures of each.

    Users are cut by the number of train items they have, where the train plays are known, else of
    test items; items by the number of users who have them in the truth. Every figure is a mean
    over the users that have relevant items in the quantile; their relevant items of other
    quantiles are taken out of the ranking.

    Parameters
    ----------
    dataset
        The dataset of the evaluation.
    name
        The name of the results.
    by
        What to cut by.
    items
        How many items were ranked.

    Raises
    ------
    FileError
        If the ranks are missing or damaged.
    """
    ranks = _read_ranks(dataset, name, items)
    if by == "item-popularity":
        counts = np.bincount(ranks.items, minlength=items)
        counted = "how many users have them in the truth"
    else:
        counts, counted = _activity(dataset, ranks)
    slices = []
    for lowest, highest in quantiles(counts):
        inside = (counts >= lowest) & (counts <= highest)
        chosen = inside[ranks.items] if by == "item-popularity" else inside[ranks.users]
        slices.append(_slice(ranks.only(chosen), lowest, highest, int(inside.sum())))
    return Slices(by, counted, slices)


def _read_ranks(dataset: Dataset, name: str, items: int) -> _StoredRanks:
    path = dataset.workspace.unit_values(name, "users")
    arrays: dict[str, Any] = read_unit_values(path, ("starts", "items"))
    ranks = _StoredRanks(arrays["starts"], arrays["items"], *read_ranks(path), items)
    if not ranks.fit:
        raise FileError(
            path,
            found=f"{ranks.ranks.size:,} ranks of {ranks.items.size:,} items that do not fit",
            expected=f"ranks from 1 to {items:,}, user by user",
            hint=f"Evaluate again: {call('evaluate', name)}",
        )
    return ranks


def _slice(ranks: RelevantRanks, lowest: int, highest: int, size: int) -> Slice:
    with_relevant = ranks.relevant > 0
    metrics = {
        name: mean_of_defined(values[with_relevant])
        for name, values in apply_metrics(ranks).items()
        if name in SHOWN
    }
    in_order = {name: metrics[name] for name in SHOWN}
    return Slice(lowest, highest, size, int(with_relevant.sum()), in_order)


def _activity(dataset: Dataset, ranks: _StoredRanks) -> tuple[NDArray[np.int64], str]:
    """Count the items that each user has, ``(users,)``, and say which items these are."""
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
    ranges, lowest = [], int(ordered[0])
    for edge in dict.fromkeys(edges):
        inside = ordered[(ordered >= lowest) & (ordered <= edge)]
        if inside.size:
            ranges.append((int(inside[0]), int(inside[-1])))
            lowest = int(inside[-1]) + 1
    return ranges


def evaluate_slices(
    subject: Model | PredictionFile,
    options: EvaluationOptions,
    by: SliceBy,
    *,
    progress: Progress = UNWATCHED,
) -> EvaluatedSlices:
    """Cut an evaluation into quantiles; stored ranks are used again while they hold.

    Parameters
    ----------
    subject
        A model that has predicted its test items, or a file of predictions.
    options
        How to evaluate where nothing is stored.
    by
        What to cut by.
    progress
        Reports each block of users, and what may be a mistake.

    Raises
    ------
    RequestError
        If it recommends nothing, or only some users are asked for.
    DataError
        If a file is missing, damaged or out of step.
    """
    _check_options(options)
    if isinstance(subject, PredictionFile):
        _check_has_users(subject.experiment.dataset.task, str(subject.path))
        evaluation = evaluate(subject, options, progress=progress)
        name, items = evaluation.name, evaluation.items
    else:
        _check_has_users(subject.manifest.task, subject.name)
        name = subject.name
        stored = _stored_items(subject, options)
        if stored is not None:
            subject.count_evaluation(None)
        items = stored or evaluate_predictions(subject, options, progress=progress).items
    slices = slice_evaluation(subject.dataset, name, by, items)
    return EvaluatedSlices(name, subject.dataset.name, slices)


def _check_options(options: EvaluationOptions) -> None:
    if options.users != slice(None):
        msg = "`by` cuts all users, and `users` names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.k or options.published or options.baselines or options.merge:
        msg = "`by` prints a few figures of one model, always the same"
        raise RequestError(msg, hint="Leave out `k`, `published`, `baselines` and `merge`.")


def _check_has_users(task: str, name: str) -> None:
    if task != "recommendation":
        msg = f"`by`: {name} is of a {task} task, which has no users"
        hint = "Leave it out: the figures of each class show where it is good."
        raise RequestError(msg, hint=hint)


def _stored_items(model: Model, options: EvaluationOptions) -> int | None:
    """Return how many items were ranked, if the results are those of the files as they are.

    None if they are not, or if there are none.
    """
    workspace, name = model.workspace, model.name
    try:
        results = read_results(workspace, name)
    except TartarusError:  # none, or damaged: evaluated again
        return None
    predictions = model_predictions(model)
    same = results.fingerprint == fingerprint_of(predictions, options)
    same &= results.items == len(predictions.absent)
    return results.items if same and workspace.unit_values(name, "users").is_file() else None
