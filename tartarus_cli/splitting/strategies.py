"""Ways of dividing items into train, val and test: arrays in, the set of each item out.

A set is a number: 0 train, 1 val, 2 test. Items come in the order of their ids, and all random
draws depend on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

TRAIN, VAL, TEST = 0, 1, 2

SetOfItem = NDArray[np.int8]
"""``(items,)`` the set of each item: ``TRAIN``, ``VAL`` or ``TEST``."""

Seed = int | tuple[int, ...]
"""Of a draw; several numbers are one seed too."""


@dataclass(frozen=True)
class Shares:
    """Requested shares of val and test items; the others are train items."""

    val: float
    test: float

    def sizes(self, items: int) -> tuple[int, int, int]:
        """Return how many of ``items`` items train, val and test get.

        Test and val get at least one each, if their share is above 0.

        >>> Shares(val=0.1, test=0.2).sizes(10)
        (7, 1, 2)
        """
        test = max(round(self.test * items), 1) if self.test else 0
        val = max(round(self.val * items), 1) if self.val else 0
        return items - val - test, val, test

    @property
    def proportions(self) -> NDArray[np.float64]:
        """``(3,)`` shares of train, val and test."""
        return np.array([1 - self.val - self.test, self.val, self.test])


def by_item(items: int, shares: Shares, *, seed: Seed) -> SetOfItem:
    """Draw the items of each set.

    Parameters
    ----------
    items
        Number of items.
    shares, seed
        Requested shares, and the seed of the draw.
    """
    return _assign_in_order(np.random.default_rng(seed).permutation(items), shares)


def by_time(first_played: NDArray[np.float64], shares: Shares, *, seed: Seed) -> SetOfItem:
    """Put the newest items into test, the next newest into val; ties are drawn.

    Parameters
    ----------
    first_played
        ``(items,)`` time of each item's first play, in any unit.
    shares, seed
        Requested shares, and the seed for items of the same time.
    """
    drawn = np.random.default_rng(seed).permutation(len(first_played))
    return _assign_in_order(np.lexsort((drawn, first_played)), shares)


def by_cut(first_played: NDArray[np.float64], start: float, val: float, *, seed: Seed) -> SetOfItem:
    """Put the items first played from a time on into test, the newest of the others into val.

    Parameters
    ----------
    first_played
        ``(items,)`` time of each item's first play.
    start
        The time, in the same unit.
    val
        Share of val items among those first played before it.
    seed
        Of the draw among items of the same time.
    """
    sets = np.full(len(first_played), TEST, np.int8)
    old = np.flatnonzero(first_played < start)
    drawn = np.random.default_rng(seed).permutation(len(old))
    order = old[np.lexsort((drawn, first_played[old]))]
    val_items = min(max(round(val * len(old)), 1), len(old) - 1) if val and len(old) else 0
    sets[order] = VAL
    sets[order[: len(old) - val_items]] = TRAIN
    return sets


def by_group(groups: NDArray[Any], shares: Shares, *, seed: Seed) -> SetOfItem:
    """Put whole groups, such as all songs of an artist, into one set.

    Groups are taken in a random order. Each goes into test if all of it fits in there, else into
    val, else into train: test and val are never larger than requested.

    Parameters
    ----------
    groups
        ``(items,)`` the group of each item.
    shares, seed
        Requested shares of the items, and the seed of the order.
    """
    _, group_of_item = np.unique(groups, return_inverse=True)
    group_sizes = np.bincount(group_of_item)
    _, val, test = shares.sizes(len(group_of_item))
    capacity = {TEST: test, VAL: val}
    set_of_group = np.zeros(len(group_sizes), np.int8)
    for group in np.random.default_rng(seed).permutation(len(group_sizes)):
        size = int(group_sizes[group])
        chosen = next((number for number, free in capacity.items() if size <= free), TRAIN)
        set_of_group[group] = chosen
        if chosen != TRAIN:
            capacity[chosen] -= size
    return set_of_group[group_of_item]


def by_label(
    labels: csr_array, shares: Shares, *, seed: Seed, check: Callable[[], None] = lambda: None
) -> SetOfItem:
    """Spread the items of each label over the sets in proportion: iterative stratification.

    The rarest label goes first; each of its items goes to the set that lacks most items of this
    label, then to the one that lacks most items, then to a random one. Where items have one label,
    each class is within one item of its share.

    Sechidis, Tsoumakas, Vlahavas: *On the Stratification of Multi-label Data*, ECML PKDD 2011,
    algorithm 1.

    Parameters
    ----------
    labels
        Sparse ``(items, labels)``, an entry where the item has the label; every item has at least
        one.
    shares, seed
        Requested shares, and the seed of the draws.
    check
        Called before each label; it may raise an exception to stop the work.
    """
    return stratify(labels, shares.proportions, seed=seed, check=check)


def stratify(
    labels: csr_array,
    proportions: NDArray[np.float64],
    *,
    seed: Seed,
    check: Callable[[], None] = lambda: None,
) -> SetOfItem:
    """Spread the items of each label over any number of sets, as :func:`by_label` does.

    Parameters
    ----------
    labels
        Sparse ``(items, labels)``; every item has at least one.
    proportions
        ``(sets,)`` the share of each set, of a sum of 1; at most 127 sets.
    seed
        Of the draws.
    check
        Called before each label; it may raise an exception to stop the work.

    Returns
    -------
    The number of the set of each item, ``(items,)``.
    """
    state = _Stratification(labels, proportions, np.random.default_rng(seed))
    while (label := state.rarest_label()) is not None:
        check()
        state.assign_items(label)
    return state.set_of_item


class _Stratification:
    """Which items have a set, and how many items of each label each set still lacks."""

    def __init__(
        self, labels: csr_array, proportions: NDArray[np.float64], rng: np.random.Generator
    ) -> None:
        items = labels.shape[0]
        self.by_item, self.by_label, self.rng = labels, labels.tocsc(), rng
        self.set_of_item = np.full(items, -1, np.int8)
        self.unassigned = np.diff(self.by_label.indptr).astype(np.int64)  # items of each label
        self.sets = np.flatnonzero(proportions > 0)
        proportions = proportions[self.sets]
        self.lacking_of_label = proportions[:, None] * self.unassigned  # (sets, labels)
        self.lacking = proportions * items  # (sets,)

    def rarest_label(self) -> int | None:
        labels = np.flatnonzero(self.unassigned)
        return int(labels[self.unassigned[labels].argmin()]) if labels.size else None

    def assign_items(self, label: int) -> None:
        start, end = self.by_label.indptr[label : label + 2]
        items = self.by_label.indices[start:end]
        for item in self.rng.permutation(np.sort(items[self.set_of_item[items] < 0])):
            chosen = self._choose_set(label)
            self.set_of_item[item] = self.sets[chosen]
            start, end = self.by_item.indptr[item : item + 2]
            labels = self.by_item.indices[start:end]
            self.unassigned[labels] -= 1
            self.lacking_of_label[chosen, labels] -= 1
            self.lacking[chosen] -= 1

    def _choose_set(self, label: int) -> int:
        lacking = self.lacking_of_label[:, label]
        best = np.flatnonzero(lacking >= lacking.max() - 1e-9)
        if len(best) > 1:
            lacking = self.lacking[best]
            best = best[lacking >= lacking.max() - 1e-9]
        return int(best[0] if len(best) == 1 else self.rng.choice(best))


def _assign_in_order(order: NDArray[np.int64], shares: Shares) -> SetOfItem:
    """Give the last items of an order to test, those before them to val, the first to train."""
    train, val, _ = shares.sizes(len(order))
    sets = np.full(len(order), TEST, np.int8)
    sets[order[: train + val]] = VAL
    sets[order[:train]] = TRAIN
    return sets
