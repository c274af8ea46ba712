"""From which score on a class is predicted.

The threshold of a class is the score at which predicting it has the greatest F1 on items that were
kept for such choices. Items that a model is judged by never choose: a threshold that has seen
them flatters.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]


FEWEST = 5  # items of a class; with fewer, the choice of a threshold is more luck than not


def choose_thresholds(
    scores: Scores, truth: NDArray[np.bool_], *, fewest: int = FEWEST
) -> NDArray[np.float64]:
    """Return the threshold of each class: that of the greatest F1 of the class.

    A class that too few of the items have takes the one threshold that would give all classes
    together the greatest F1 (the micro average).

    Parameters
    ----------
    scores, truth
        Of the items that choose, ``(items, classes)``; at least one item has a class.
    fewest
        How many items a class must have to choose for itself; at least 1.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.2], [0.6, 0.1], [0.3, 0.8]])
    >>> choose_thresholds(scores, np.array([[1, 0], [1, 0], [0, 0]]) > 0, fewest=1)
    array([0.6, 0.6])
    """
    own = truth.sum(axis=0) >= fewest
    shared = np.nan if own.all() else best_threshold(scores.ravel(), truth.ravel())
    chosen = np.full(truth.shape[1], shared)
    for column in np.flatnonzero(own):
        chosen[column] = best_threshold(scores[:, column], truth[:, column])
    return chosen


def best_threshold(scores: Scores, truth: NDArray[np.bool_]) -> float:
    """Return the score from which on choosing has the greatest F1; of several, the highest.

    Parameters
    ----------
    scores, truth
        ``(n,)``; at least one is true.

    Examples
    --------
    >>> best_threshold(np.array([0.9, 0.6, 0.6, 0.1]), np.array([1, 1, 0, 0]) > 0)
    0.6
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # of equal scores
    found = np.cumsum(truth[order])[last]
    f1 = 2 * found / (last + 1 + truth.sum())
    return float(falling[last][f1.argmax()])
