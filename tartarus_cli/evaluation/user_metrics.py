"""From ranks to figures: values of each user, and their means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.evaluation.checkpoints import CheckpointStore, RankingShard, RankSummary
from tartarus_cli.evaluation.ranking import Ranking, RankingOptions, rank_items
from tartarus_cli.evaluation.results import write_unit_values
from tartarus_cli.metrics import METRICS, Values, sort_metrics
from tartarus_cli.metrics.lists import coverage, gini
from tartarus_cli.metrics.ranks import RelevantRanks, sort_ranks
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress

USERS_AT_ONCE = 1 << 16


def user_values(
    ranking: Ranking, system: str, *, k: Sequence[int] = (), published: bool = False
) -> dict[str, Values]:
    """Return every metric for each user, NaN where it says nothing of one.

    Parameters
    ----------
    ranking
        The ranks of the relevant items.
    system
        Whose.
    k
        Cut-offs beside the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    """
    tally, users = ranking.tallies[system], len(ranking.starts) - 1
    values: dict[str, Values] = {}
    for first in range(0, users, USERS_AT_ONCE):
        starts = ranking.starts[first : min(first + USERS_AT_ONCE, users) + 1]
        ranks = sort_ranks(tally.ranks[starts[0] : starts[-1]], starts - starts[0], ranking.count)
        for name, found in apply_metrics(ranks, k=k, published=published).items():
            whole = values.setdefault(name, np.empty(users))
            whole[first : first + len(found)] = found
    return values | {f"novelty@{k}": each for k, each in tally.novelty.items()}


def apply_metrics(
    ranks: RelevantRanks, *, k: Sequence[int] = (), published: bool = False
) -> dict[str, Values]:
    """Apply all metrics to the ranks of some users."""
    found = {}
    for name in METRICS.names():
        metric = METRICS.get(name)
        if published or not metric.published:
            for label, cut in metric.names(name, tuple(k)).items():
                found[label] = metric.measure(ranks, cut)
    return found


def mean_metrics(values: Mapping[str, Values], tally: RankSummary) -> dict[str, float]:
    """Return the mean of each metric over the users that have a value, and what lists show."""
    found = {name: mean_of_defined(each) for name, each in values.items()}
    found |= {f"C@{k}": coverage(shown) for k, shown in tally.shown.items()}
    found |= {f"Gini@{k}": gini(shown) for k, shown in tally.shown.items()}
    return sort_metrics(found)


def json_metrics(found: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures for JSON, which knows no NaN: one that has no value is None."""
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def mean_of_defined(values: Values) -> float:
    """Return the mean over the users that have a value; NaN if none has.

    >>> mean_of_defined(np.array([1, np.nan, 0]))
    0.5
    """
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


@dataclass(frozen=True)
class RankingResult:
    """What came of ranking all test items for some users."""

    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]  # random, oracle
    users: slice
    users_without_relevant: int
    part: Path | None  # where the ranks are kept, if these are not all users
    shelf: CheckpointStore  # of the parts, to be forgotten once the results are written


def evaluate_ranking(
    predictions: Predictions,
    options: RankingOptions,
    *,
    published: bool = False,
    progress: Progress,
) -> RankingResult:
    """Compute the figures of predicted factors, or of whatever else orders items for users.

    The figures of each user are kept beside the results, with the ranks of the relevant items, so
    that other metrics and slices need no second ranking. Those of some users only are kept as a
    part, to be merged with others.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    ranking = rank_items(predictions, options, progress)
    part = None
    if options.users != slice(None):
        part = ranking.shelf.replace(RankingShard(ranking.users, ranking.tallies))
    found: dict[str, dict[str, float]] = {}
    for system, tally in ranking.tallies.items():
        values = user_values(ranking, system, k=options.k, published=published)
        found[system] = mean_metrics(values, tally)
        if system == "model" and part is None:
            path = predictions.dataset.workspace.unit_values(predictions.name, "users")
            ids = _user_ids(predictions.dataset, len(ranking.starts) - 1)
            write_unit_values(path, _kept(values, ranking, ids))
        del values
    model = found.pop("model")
    return RankingResult(
        model, found, ranking.users, ranking.users_without_relevant, part, ranking.shelf
    )


def _user_ids(dataset: Dataset, users: int) -> Sequence[str] | None:
    ids = dataset.user_ids or []
    return ids if len(ids) == users else None


def _kept(
    values: dict[str, Values], ranking: Ranking, ids: Sequence[str] | None
) -> Iterator[tuple[str, NDArray[Any]]]:
    if ids is not None:
        yield "ids", np.array(ids)
    yield from values.items()
    yield "starts", ranking.starts
    yield "items", ranking.items
    yield "ranks", ranking.tallies["model"].ranks
