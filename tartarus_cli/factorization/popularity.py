"""How the length of factors and popularity go together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


def spearman(one: Numbers, other: Numbers) -> float:
    """Return the rank correlation of two series, equal values sharing their mean rank.

    Spearman, *The Proof and Measurement of Association between Two Things*, 1904. NaN where one
    of them is constant.

    >>> spearman(np.array([1, 2, 3, 4]), np.array([1, 4, 9, 10]))
    1.0
    """
    ranks = [_mean_ranks(each) for each in (one, other)]
    a, b = (each - each.mean() if each.size else each for each in ranks)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return round(float(a @ b) / scale, 12) if scale else float("nan")


def _mean_ranks(values: Numbers) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], np.float64)
