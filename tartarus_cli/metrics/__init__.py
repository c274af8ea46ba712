"""Metrics by name: each turns the ranks of users' relevant items into one value for each user.

:func:`~tartarus_cli.metrics.ranks.relevant_ranks` ranks the relevant items of each user by scores,
and ``METRICS.get(name).measure(ranks, k)`` is a value for each user; ``METRICS.names()`` lists the
metrics of a ranking. For classes,
:func:`~tartarus_cli.metrics.classification.multilabel_metrics` and
:func:`~tartarus_cli.metrics.classification.multiclass_metrics` return all metrics at once, and
:func:`~tartarus_cli.metrics.significance.bootstrap_interval` says how sure a difference is.

Examples
--------
>>> from scipy.sparse import csr_array
>>> from tartarus_cli.metrics.ranks import relevant_ranks
>>> scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.1]])
>>> ranks = relevant_ranks(scores, csr_array(np.array([[1, 0, 1], [1, 0, 0]])))
>>> METRICS.get("P").measure(ranks, 1).tolist(), METRICS.get("MRR").measure(ranks, 0).tolist()
([1.0, 0.0], [1.0, 0.5])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.registry import Registry

if TYPE_CHECKING:
    from tartarus_cli.metrics.ranks import RelevantRanks

Values = NDArray[np.float64]
"""A value for each user, ``(users,)``; NaN where the metric is not defined for a user."""

MetricFunction = Callable[["RelevantRanks", int], Values]
"""From the ranks of the relevant items, and k, to a value for each user."""


@dataclass(frozen=True)
class Metric:
    """A metric of a ranking: a value for each user; callers average over those that have one."""

    measure: MetricFunction

    at: tuple[int, ...]
    """The values of k for which it is shown by default; empty for a metric without a k."""

    published: bool = False
    """Whether it is shown only to compare with the papers."""

    def names(self, name: str, extra: tuple[int, ...] = ()) -> dict[str, int]:
        """Return its names in tables, each with its k; ``extra`` are further values of k.

        >>> Metric(lambda ranks, k: ranks.relevant, at=(1, 3)).names("MAP (all)", (10,))
        {'MAP@1 (all)': 1, 'MAP@3 (all)': 3, 'MAP@10 (all)': 10}
        """
        if not self.at:
            return {name: 0}
        stem, space, qualifier = name.partition(" ")
        return {f"{stem}@{k}{space}{qualifier}": k for k in sorted({*self.at, *extra})}


ORDER = (
    *("MAP", "accuracy", "ROC-AUC", "PR-AUC", "MRR"),
    *("P", "nDCG", "R", "HR", "C", "Gini", "novelty"),
)
"""Families of metrics in the order in which tables show them; others follow."""

RESERVED_NAMES = (
    *("C", "Gini", "novelty", "accuracy", "LRAP", "coverage_error", "calibration_error"),
    *(f"{name}_{mean}" for name in ("precision", "recall", "f1") for mean in ("macro", "micro")),
)
"""Names of metrics that are not computed from the ranks of one user."""

METRICS: Registry[Metric] = Registry(
    "metric", package=__name__, group="tartarus.metrics", reserved=RESERVED_NAMES
)


def metric(
    name: str, *, at: tuple[int, ...] = (), published: bool = False
) -> Callable[[MetricFunction], MetricFunction]:
    """Register a function from ranks (and k) to one value for each user.

    Parameters
    ----------
    name
        Its name in tables; there ``@k`` is added after the first word.
    at
        The values of k that it is shown at by default; empty for a metric of the whole ranking.
    published
        Show it only to compare with the papers.

    Raises
    ------
    ValueError
        If the name holds an ``@``.
    """
    if "@" in name:
        msg = f"the name of a metric must not hold '@', as {name!r} does; give k as 'at'"
        raise ValueError(msg)

    def keep(measure: MetricFunction) -> MetricFunction:
        METRICS.register(name)(Metric(measure, at, published))
        return measure

    return keep


def family(name: str) -> str:
    """Return the part of a metric's name that is the same for all k and averages.

    >>> family("nDCG@5"), family("f1_macro")
    ('nDCG', 'f1')
    """
    return name.partition("@")[0].partition("_")[0]


def sort_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """Put values by name into the order of the tables: the most informative metrics first.

    >>> sort_metrics({"P@5": 0.1, "nDCG@5": 0.3, "MAP@500": 0.2})
    {'MAP@500': 0.2, 'P@5': 0.1, 'nDCG@5': 0.3}
    """
    positions = {name: position for position, name in enumerate(ORDER)}
    names = sorted(values, key=lambda name: positions.get(family(name), len(positions)))
    return {name: values[name] for name in names}
