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
from tartarus_cli.evaluation.results import put_unit_values
from tartarus_cli.metrics import METRICS, Values, sort_metrics
from tartarus_cli.metrics.lists import coverage, gini
from tartarus_cli.metrics.ranks import RelevantRanks, sort_ranks
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress

USERS_AT_ONCE = 1 << 16
"""Users whose values are computed together."""


def user_values(
    ranking: Ranking, system: str, *, k: Sequence[int] = (), published: bool = False
) -> dict[str, Values]:
    """Return every metric for each user: name → ``(users,)``, NaN where it says nothing.

    Parameters
    ----------
    ranking
        The ranks of the relevant items.
    system
        ``model``, ``random`` or ``oracle``.
    k
        Cut-offs in addition to the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    """
    summary, users = ranking.summaries[system], len(ranking.starts) - 1
    values: dict[str, Values] = {}
    for first in range(0, users, USERS_AT_ONCE):
        starts = ranking.starts[first : min(first + USERS_AT_ONCE, users) + 1]
        block_of = slice(starts[0], starts[-1])
        ranks = sort_ranks(
            summary.ranks[block_of],
            starts - starts[0],
            ranking.count,
            best=summary.best[block_of] if summary.tied else None,
            worst=summary.worst[block_of] if summary.tied else None,
        )
        for name, block in apply_metrics(ranks, k=k, published=published).items():
            column = values.setdefault(name, np.empty(users))
            column[first : first + len(block)] = block
    return values | {f"novelty@{k}": means for k, means in summary.novelty.items()}


def apply_metrics(
    ranks: RelevantRanks, *, k: Sequence[int] = (), published: bool = False
) -> dict[str, Values]:
    """Apply all metrics to the ranks of users: name → ``(users,)``."""
    values = {}
    for name in METRICS.names():
        metric = METRICS.get(name)
        if published or not metric.published:
            for label, cut in metric.names(name, tuple(k)).items():
                values[label] = metric.measure(ranks, cut)
    return values


def mean_metrics(values: Mapping[str, Values], summary: RankSummary) -> dict[str, float]:
    """Return the mean of each metric over the users that have a value, and coverage and Gini.

    Parameters
    ----------
    values
        What :func:`user_values` returns for a system.
    summary
        How the system ranks.
    """
    metrics = {name: mean_of_defined(column) for name, column in values.items()}
    metrics |= {f"C@{k}": coverage(shown) for k, shown in summary.shown.items()}
    metrics |= {f"Gini@{k}": gini(shown) for k, shown in summary.shown.items()}
    return sort_metrics(metrics)


def json_metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures for JSON, which knows no NaN: one that has no value is None."""
    return {name: None if math.isnan(value) else value for name, value in metrics.items()}


def mean_of_defined(values: Values) -> float:
    """Return the mean over the users that have a value; NaN if none has.

    >>> mean_of_defined(np.array([1, np.nan, 0]))
    0.5
    """
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


@dataclass(frozen=True)
class RankingResult:
    """The figures of a ranking of all test items."""

    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]
    """The figures of random and oracle."""
    users: slice
    """The users ranked for."""
    users_without_relevant: int
    tied: float
    """Share of the relevant items whose score another item has too."""
    shard: Path | None
    """The file of the ranks, if these are not all users."""
    checkpoints: CheckpointStore
    """To be deleted once the results are written."""


def evaluate_ranking(
    predictions: Predictions,
    options: RankingOptions,
    *,
    published: bool = False,
    stored: Path | None = None,
    progress: Progress,
) -> RankingResult:
    """Compute the figures of predicted factors, or of whatever else orders items for users.

    The figures of each user are stored with the results, with the ranks of the relevant items, so
    that other metrics and slices need no second ranking. Those of a part of the users are stored
    as a shard, to be merged with others.

    Parameters
    ----------
    predictions
        What to evaluate.
    options
        The users, and how to rank.
    published
        Add the figures that exist only to compare with the papers.
    stored
        The temporary file that the figures of each user are written to; None: no file.
    progress
        Reports each block of users.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    ranking = rank_items(predictions, options, progress)
    shard = None
    if options.partial:
        shard = ranking.checkpoints.replace(RankingShard(ranking.users, ranking.summaries))
    rows: dict[str, dict[str, float]] = {}
    for system, summary in ranking.summaries.items():
        values = user_values(ranking, system, k=options.k, published=published)
        rows[system] = mean_metrics(values, summary)
        if system == "model" and stored is not None:
            ids = _user_ids(predictions.dataset, len(ranking.starts) - 1)
            put_unit_values(stored, _named_arrays(values, ranking, ids))
        del values  # before those of the next system take as much memory
    model = rows.pop("model")
    without = ranking.users_without_relevant
    return RankingResult(
        model, rows, ranking.users, without, ranking.tied, shard, ranking.checkpoints
    )


def _user_ids(dataset: Dataset, users: int) -> Sequence[str] | None:
    ids = dataset.user_ids or []
    return ids if len(ids) == users else None


def _named_arrays(
    values: dict[str, Values], ranking: Ranking, ids: Sequence[str] | None
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield what is stored of each user, by name."""
    if ids is not None:
        yield "ids", np.array(ids)
    yield from values.items()
    yield "starts", ranking.starts
    yield "items", ranking.items
    yield from ranking.summaries["model"].rank_arrays.items()
