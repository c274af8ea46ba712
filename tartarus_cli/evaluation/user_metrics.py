"""From ranks to figures: values of each user, and their means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tartarus_cli.evaluation.checkpoints import Tally
from tartarus_cli.evaluation.ranking import Ranking
from tartarus_cli.metrics import METRICS, Values, in_order
from tartarus_cli.metrics.lists import coverage, gini
from tartarus_cli.metrics.ranks import RelevantRanks, best_first

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
        ranks = best_first(tally.ranks[starts[0] : starts[-1]], starts - starts[0], ranking.count)
        for name, found in measured(ranks, k=k, published=published).items():
            whole = values.setdefault(name, np.empty(users))
            whole[first : first + len(found)] = found
    return values | {f"novelty@{k}": each for k, each in tally.novelty.items()}


def measured(
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


def figures(values: Mapping[str, Values], tally: Tally) -> dict[str, float]:
    """Return the mean of each metric over the users that have a value, and what lists show."""
    found = {name: mean(each) for name, each in values.items()}
    found |= {f"C@{k}": coverage(shown) for k, shown in tally.shown.items()}
    found |= {f"Gini@{k}": gini(shown) for k, shown in tally.shown.items()}
    return in_order(found)


def plain(found: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures for JSON, which knows no NaN: one that has no value is None."""
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def mean(values: Values) -> float:
    """Return the mean over the users that have a value; NaN if none has.

    >>> mean(np.array([1, np.nan, 0]))
    0.5
    """
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")
