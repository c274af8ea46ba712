"""How much the length of factors has to do with popularity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NumberArray = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


def spearman(x: NumberArray, y: NumberArray) -> float:
    """Return the rank correlation of two series; equal values share their mean rank.

    Spearman, *The Proof and Measurement of Association between Two Things*, 1904. NaN if one of
    the series is constant, or holds NaN.

    Parameters
    ----------
    x, y
        The series, ``(n,)``.

    Examples
    --------
    >>> spearman(np.array([1, 2, 3, 4]), np.array([1, 4, 9, 10]))
    1.0
    """
    if any(len(np.unique(series)) < 2 for series in (x, y)):
        return float("nan")
    from scipy.stats import spearmanr

    # Rounding makes a perfect correlation 1, and not 0.9999999999999999.
    return round(float(spearmanr(x, y).statistic), 12)
