"""Metrics of the lists that users would see: how many items, how evenly, and how little known."""

import numpy as np
from numpy.typing import NDArray

LIST_METRICS = ("C", "Gini", "novelty")
"""Names of these metrics, without ``@k``."""


def coverage(shown: NDArray[np.int64]) -> float:
    """Return the share of the items that stand among some user's first (ADiv, C@k).

    Catalogue coverage (Ge, Delgado-Battenfeld and Jannach, RecSys 2010).

    Parameters
    ----------
    shown
        How many users have each item among their first, ``(items,)``.

    Examples
    --------
    >>> coverage(np.array([2, 0, 1, 0]))
    0.5
    """
    return float(np.count_nonzero(shown) / shown.size)


def gini(shown: NDArray[np.int64]) -> float:
    """Return how unevenly the items are shown: 0 if all are shown as often, near 1 if only one is.

    The Gini coefficient of the counts: Σ (2i - n - 1) xᵢ / (n Σ xᵢ), with x in ascending order
    (as in Fleder and Hosanagar, Management Science 55(5), 2009). NaN where no item is shown.

    Parameters
    ----------
    shown
        How many users have each item among their first, ``(items,)``.

    Examples
    --------
    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    ordered = np.sort(shown).astype(np.float64)
    weights = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
    total = ordered.size * ordered.sum()
    return float((weights * ordered).sum() / total) if total else float("nan")


def self_information(popularity: NDArray[np.int64], users: int) -> NDArray[np.float64]:
    """Return -log2 of the share of users who have each item, with one user added to both counts.

    The mean over a list is its novelty (Vargas and Castells, RecSys 2011). A new item has no train
    plays, so that its users are those of the test data.

    Parameters
    ----------
    popularity
        How many users have each item, ``(items,)``.
    users
        How many users there are.

    Examples
    --------
    >>> self_information(np.array([3, 0]), 3)
    array([0., 2.])
    """
    return np.asarray(np.log2(1 + users) - np.log2(1 + popularity), np.float64)
