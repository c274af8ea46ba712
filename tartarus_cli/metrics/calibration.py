"""Whether probabilities keep their word: of what is said with 0.8, four in five should be so.

Expected calibration error: Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
Networks*, ICML 2017, equation 3, with 15 bins of equal width. A bin holds its upper edge, not its
lower one (but 0 lies in the first).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
ROUNDING = 1e-5  # what sums and means of float32 may lie outside of 0 and 1


@dataclass(frozen=True)
class Reliability:
    """How often what was said with some confidence was right, bin by bin of the confidence."""

    shares: NDArray[np.float64]  # (bins,) of all that was said
    confidence: NDArray[np.float64]  # (bins,) mean; NaN in an empty bin
    accuracy: NDArray[np.float64]  # (bins,) share that was right; NaN in an empty bin

    @property
    def error(self) -> float:
        """The mean distance of confidence and accuracy, each bin weighed by its share."""
        return float(np.nansum(self.shares * np.abs(self.accuracy - self.confidence)))


def reliability(
    confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Compare confidence with what came true.

    Parameters
    ----------
    confidence
        Probabilities, ``(n,)``, at least one.
    right
        Whether each came true, ``(n,)``.
    bins
        Number of bins of equal width.

    Examples
    --------
    >>> said = reliability(np.array([0.75, 0.75, 0.75, 0.5]), np.array([1, 1, 0, 1]) > 0, bins=2)
    >>> said.shares.tolist(), said.accuracy.round(2).tolist(), round(said.error, 4)
    ([0.25, 0.75], [1.0, 0.67], 0.1875)
    """
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    bin_of = np.searchsorted(edges, confidence)
    counts = np.bincount(bin_of, minlength=bins)
    sums = np.bincount(bin_of, confidence, bins), np.bincount(bin_of, right, bins)
    means = [np.where(counts > 0, each / np.maximum(counts, 1), np.nan) for each in sums]
    return Reliability(counts / len(confidence), *means)


def are_probabilities(scores: NDArray[np.floating[Any]]) -> bool:
    """Whether there are any scores, and all of them lie within 0 and 1.

    >>> are_probabilities(np.array([[0.0, 1.0]])), are_probabilities(np.array([[-0.2, 1.0]]))
    (True, False)
    """
    within = (scores >= -ROUNDING) & (scores <= 1 + ROUNDING)
    return bool(scores.size and within.all())
