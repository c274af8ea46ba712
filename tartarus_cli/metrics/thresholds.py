"""Thresholds: the score from which on a class is predicted.

The threshold of a class is the score at which predicting it has the greatest F1 on validation
items. Test items never choose: a threshold that was fitted to them flatters the model.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]

# With fewer items the choice is mostly chance.
MIN_ITEMS = 5
"""Items that a class must have to get a threshold of its own."""


def choose_thresholds(
    scores: Scores, truth: NDArray[np.bool_], *, min_items: int = MIN_ITEMS
) -> NDArray[np.float64]:
    """Return the threshold of each class, ``(classes,)``: that of the greatest F1 of the class.

    Classes with too few items share one threshold: that with which all classes together would have
    the greatest F1 (the micro average).

    Parameters
    ----------
    scores
        Scores of the validation items, ``(items, classes)``.
    truth
        Whether an item has a class, ``(items, classes)``; at least one item has one.
    min_items
        Number of items, at least 1, that a class must have to get a threshold of its own.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.2], [0.6, 0.1], [0.3, 0.8]])
    >>> choose_thresholds(scores, np.array([[1, 0], [1, 0], [0, 0]]) > 0, min_items=1)
    array([0.6, 0.6])
    """
    frequent = truth.sum(axis=0) >= min_items
    shared = np.nan if frequent.all() else best_threshold(scores.ravel(), truth.ravel())
    thresholds = np.full(truth.shape[1], shared)
    for column in np.flatnonzero(frequent):
        thresholds[column] = best_threshold(scores[:, column], truth[:, column])
    return thresholds


def best_threshold(scores: Scores, truth: NDArray[np.bool_]) -> float:
    """Return the score from which on predicting has the greatest F1; of several, the highest.

    Parameters
    ----------
    scores
        ``(n,)``, at least one.
    truth
        Whether to predict, ``(n,)``; at least one is true.

    Examples
    --------
    >>> best_threshold(np.array([0.9, 0.6, 0.6, 0.1]), np.array([1, 1, 0, 0]) > 0)
    0.6
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))  # of equal scores
    true_positives = np.cumsum(truth[order])[last]
    f1 = 2 * true_positives / (last + 1 + truth.sum())
    return float(falling[last][f1.argmax()])
