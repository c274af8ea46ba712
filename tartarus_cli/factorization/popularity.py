"""How the length of factors and popularity go together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


def spearman(one: Numbers, other: Numbers) -> float:
    """Return the rank correlation of two series, equal values sharing their mean rank.

    Spearman, *The Proof and Measurement of Association between Two Things*, 1904. NaN where one
    of them is constant, or holds NaN.

    >>> spearman(np.array([1, 2, 3, 4]), np.array([1, 4, 9, 10]))
    1.0
    """
    if any(len(np.unique(series)) < 2 for series in (one, other)):
        return float("nan")
    from scipy.stats import spearmanr

    # Rounding makes a perfect correlation 1, and not 0.9999999999999999.
    return round(float(spearmanr(one, other).statistic), 12)
