"""Ways of dividing items into folds: arrays in, the fold of each item out.

A fold is a number from 0 on. Each item is in one fold, whose test item it is. Items come in the
order of their ids, and all random draws depend on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.splitting.strategies import Seed, stratify

FoldOfItem = NDArray[np.int8]
"""``(items,)`` the fold of each item, from 0 on."""


def folds_by_item(items: int, folds: int, *, seed: Seed) -> FoldOfItem:
    """Draw the items of each fold; the sizes of two folds differ by one item at most.

    Parameters
    ----------
    items, folds
        Number of items, and of folds.
    seed
        Of the draw.
    """
    fold_of_item = np.empty(items, np.int8)
    fold_of_item[np.random.default_rng(seed).permutation(items)] = np.arange(items) % folds
    return fold_of_item


def folds_by_label(
    labels: csr_array, folds: int, *, seed: Seed, check: Callable[[], None] = lambda: None
) -> FoldOfItem:
    """Spread the items of each label evenly over folds: iterative stratification.

    Where items have one label, two folds differ by one item of it at most. An item without a label
    is drawn.

    Parameters
    ----------
    labels
        Sparse ``(items, labels)``, an entry where the item has the label.
    folds
        Number of folds.
    seed
        Of the draws.
    check
        Called before each label; it may raise an exception to stop the work.
    """
    chosen = stratify(labels, np.full(folds, 1 / folds), seed=seed, check=check)
    (unlabelled,) = np.nonzero(chosen < 0)
    if unlabelled.size:
        drawn = np.random.default_rng(seed).permutation(unlabelled)
        chosen[drawn] = np.arange(len(drawn)) % folds
    return chosen


def folds_by_group(
    groups: NDArray[Any], folds: int, *, seed: Seed, labels: csr_array | None = None
) -> FoldOfItem:
    """Put whole groups, such as all songs of an artist, into one fold each.

    The largest group goes first, each to the fold that has fewest items of its labels (and, of
    several, fewest items): folds are about equally large, and labels spread as evenly as whole
    groups allow.

    Parameters
    ----------
    groups
        ``(items,)`` the group of each item; there are at least as many as folds.
    folds
        Number of folds.
    seed
        Of the order of groups of one size.
    labels
        Sparse ``(items, labels)``, an entry where the item has the label; None: only sizes count.
    """
    _, group_of_item = np.unique(groups, return_inverse=True)
    shares = _shares_of_groups(group_of_item, labels)
    sizes = np.bincount(group_of_item)
    drawn = np.random.default_rng(seed).permutation(len(sizes))
    order = drawn[np.argsort(-sizes[drawn], kind="stable")]
    held = np.zeros((folds, shares.shape[1]))  # of each column, the share that each fold has
    fold_of_group = np.empty(len(sizes), np.int8)
    for group in order:
        row = slice(*shares.indptr[group : group + 2])
        columns, values = shares.indices[row], shares.data[row]
        fold = int((held[:, columns] @ values).argmin())
        held[fold, columns] += values
        fold_of_group[group] = fold
    return fold_of_group[group_of_item]


def _shares_of_groups(group_of_item: NDArray[np.int64], labels: csr_array | None) -> csr_array:
    """Return which share of the items of each label, and of all, each group has.

    Returns
    -------
    Sparse ``(groups, labels + 1)``.
    """
    from scipy.sparse import hstack

    items = len(group_of_item)
    ones = csr_array(np.ones((items, 1)))
    columns = ones if labels is None else hstack([labels.astype(np.float64), ones], format="csr")
    members = csr_array((np.ones(items), (group_of_item, np.arange(items))))
    counts = csr_array(members @ columns)
    totals = np.bincount(counts.indices, weights=counts.data, minlength=counts.shape[1])
    counts.data /= totals[counts.indices]
    return counts
