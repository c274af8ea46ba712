"""Calibration: of all predictions with a probability of 0.8, four in five should be right.

Expected calibration error: Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
Networks*, ICML 2017, equation 3, with 15 bins of equal width. A bin holds its upper edge, not its
lower one (but 0 lies in the first).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Bins of equal width, from 0 to 1."""

ROUNDING = 1e-5
"""How far sums and means of float32 may lie outside of 0 and 1."""


@dataclass(frozen=True)
class Reliability:
    """How often predictions of similar confidence were right: a reliability diagram in numbers."""

    shares: NDArray[np.float64]
    """Share of all predictions that lies in each bin, ``(bins,)``."""

    confidence: NDArray[np.float64]
    """Mean confidence in each bin, ``(bins,)``; NaN in an empty one."""

    accuracy: NDArray[np.float64]
    """Share of right predictions in each bin, ``(bins,)``; NaN in an empty one."""

    @property
    def error(self) -> float:
        """The expected calibration error.

        It is the mean distance of confidence and accuracy over the bins, weighted by their shares.
        """
        return float(np.nansum(self.shares * np.abs(self.accuracy - self.confidence)))


def reliability(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Compare the confidence of predictions with how often they are right.

    Parameters
    ----------
    confidence
        Predicted probabilities, ``(n,)``, at least one.
    correct
        Whether each prediction is right, ``(n,)``.
    bins
        Number of bins of equal width.

    Examples
    --------
    >>> curve = reliability(np.array([0.75, 0.75, 0.75, 0.5]), np.array([1, 1, 0, 1]) > 0, bins=2)
    >>> curve.shares.tolist(), curve.accuracy.round(2).tolist(), round(curve.error, 4)
    ([0.25, 0.75], [1.0, 0.67], 0.1875)
    """
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    bin_of = np.searchsorted(edges, confidence)
    counts = np.bincount(bin_of, minlength=bins)
    sums = np.bincount(bin_of, confidence, bins), np.bincount(bin_of, correct, bins)
    means = [np.where(counts > 0, total / np.maximum(counts, 1), np.nan) for total in sums]
    return Reliability(counts / len(confidence), *means)


def are_probabilities(scores: NDArray[np.floating[Any]]) -> bool:
    """Whether there are any scores, and all of them lie within 0 and 1, but for rounding.

    >>> are_probabilities(np.array([[0.0, 1.0]])), are_probabilities(np.array([[-0.2, 1.0]]))
    (True, False)
    """
    valid = (scores >= -ROUNDING) & (scores <= 1 + ROUNDING)
    return bool(scores.size and valid.all())
