"""Metrics by name: each turns the ranks of users' relevant items into one value for each user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.registry import Registry

if TYPE_CHECKING:
    from tartarus_cli.metrics.ranks import RelevantRanks

Values = NDArray[np.float64]  # (users,); NaN for a user of whom the metric says nothing
Measure = Callable[["RelevantRanks", int], Values]  # ranks, k


@dataclass(frozen=True)
class Metric:
    """A figure for each user; the caller averages over those that have one."""

    measure: Measure
    at: tuple[int, ...]  # the k it is shown at unless others are asked for; none: it has no k
    published: bool = False  # only shown to compare with the papers

    def names(self, name: str, extra: tuple[int, ...] = ()) -> dict[str, int]:
        """Return what its figures are called, each with its k."""
        if not self.at:
            return {name: 0}
        stem, space, rest = name.partition(" ")
        return {f"{stem}@{k}{space}{rest}": k for k in sorted({*self.at, *extra})}


ORDER = (
    *("MAP", "accuracy", "ROC-AUC", "PR-AUC", "MRR"),
    *("P", "nDCG", "R", "HR", "C", "Gini", "novelty"),
)

# Figures that are computed otherwise than from the ranks of one user.
COMPUTED = (
    *("C", "Gini", "novelty", "accuracy", "LRAP", "coverage_error", "calibration_error"),
    *(f"{name}_{mean}" for name in ("precision", "recall", "f1") for mean in ("macro", "micro")),
)

METRICS: Registry[Metric] = Registry(
    "metric", package=__name__, group="tartarus.metrics", reserved=COMPUTED
)


def metric(
    name: str, *, at: tuple[int, ...] = (), published: bool = False
) -> Callable[[Measure], Measure]:
    """Register a function from ranks (and k) to one value for each user.

    Parameters
    ----------
    name
        As in the tables; ``@k`` is added after its first word.
    at
        The k it is shown at by default; empty for a metric of the whole ranking.
    published
        Show it only to compare with the papers.

    Raises
    ------
    ValueError
        If the name holds an ``@``.
    """
    if "@" in name:
        msg = f"the name {name!r} holds a k; that is what 'at' is for"
        raise ValueError(msg)

    def keep(measure: Measure) -> Measure:
        METRICS.register(name)(Metric(measure, at, published))
        return measure

    return keep


def family(name: str) -> str:
    """Return what the figures of one metric at several k have in common.

    >>> family("nDCG@5"), family("f1_macro")
    ('nDCG', 'f1')
    """
    return name.partition("@")[0].partition("_")[0]


def in_order(figures: Mapping[str, float]) -> dict[str, float]:
    """Put figures into the order in which they are always shown: the most telling first."""
    places = {name: place for place, name in enumerate(ORDER)}
    names = sorted(figures, key=lambda name: places.get(family(name), len(places)))
    return {name: figures[name] for name in names}
