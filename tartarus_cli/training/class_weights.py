"""Weights of classes in the loss, so that all of them count as much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.training_data import TrainingSubset

BLOCK = 4096
"""Items whose targets are read at a time."""


def balanced_weights(subset: TrainingSubset, loss: str) -> NDArray[np.float32]:
    """Return the weights of classes that a loss takes, by the items that a network is fitted to.

    Of one class an item: ``n / (k n_c)`` for n items, k classes that there are, n_c items of the
    class. Of several: ``n / (2 n_c)`` for items that have the class, and ``n / (2 (n - n_c))`` for
    those that do not. A class that no item has, or every one, weighs 1 (scikit-learn's
    "balanced").

    Parameters
    ----------
    subset
        The samples to fit; an item counts once, however many patches it has.
    loss
        ``categorical_crossentropy`` or ``binary_crossentropy``.

    Returns
    -------
    ``(2, classes)``: of items with the class, and of those without.
    """
    items = np.unique(subset.set.items[subset.samples])
    counts = np.zeros(subset.targets.shape[1])
    for first in range(0, len(items), BLOCK):
        counts += (subset.targets.rows(items[first : first + BLOCK]) > 0).sum(axis=0)
    return weights_of_counts(counts, len(items), one_each=loss == "categorical_crossentropy")


def weights_of_counts(
    counts: NDArray[np.float64], items: int, *, one_each: bool
) -> NDArray[np.float32]:
    """Return the weights of classes that so many of the items have, ``(2, classes)``.

    >>> weights_of_counts(np.array([6.0, 2.0, 0.0]), 8, one_each=True)[0].tolist()
    [0.6666666865348816, 2.0, 1.0]
    >>> weights_of_counts(np.array([4.0, 1.0]), 8, one_each=False)[0].tolist()
    [1.0, 4.0]
    """
    weights = np.ones((2, len(counts)), np.float32)
    used = counts > 0
    if one_each:
        weights[0, used] = items / (used.sum() * counts[used])
        return weights
    used &= counts < items
    weights[:, used] = items / (2 * np.array([counts[used], items - counts[used]]))
    return weights
