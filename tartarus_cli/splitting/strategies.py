"""Ways of dividing items into train, val and test: arrays in, the set of each item out.

A set is a number: 0 train, 1 val, 2 test. Items come in the order of their ids, and what is drawn
depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

TRAIN, VAL, TEST = 0, 1, 2

Sets = NDArray[np.int8]  # of each item


@dataclass(frozen=True)
class Shares:
    """Which share of the items is to be in val and in test."""

    val: float
    test: float

    def sizes(self, items: int) -> tuple[int, int, int]:
        """Return how many items each set gets; a share above 0 is an item at least.

        >>> Shares(val=0.1, test=0.2).sizes(10)
        (7, 1, 2)
        """
        test = max(round(self.test * items), 1)
        val = max(round(self.val * items), 1) if self.val else 0
        return items - val - test, val, test

    @property
    def wanted(self) -> NDArray[np.float64]:
        """Shares of train, val and test."""
        return np.array([1 - self.val - self.test, self.val, self.test])


def by_item(items: int, shares: Shares, *, seed: int) -> Sets:
    """Draw the items of each set."""
    return _cut(np.random.default_rng(seed).permutation(items), shares)


def by_time(first: NDArray[np.float64], shares: Shares, *, seed: int) -> Sets:
    """Put the newest items into test, the next ones into val; equally new ones are drawn.

    Parameters
    ----------
    first
        When each item was first played.
    shares, seed
        How many, and what ties are drawn with.
    """
    drawn = np.random.default_rng(seed).permutation(len(first))
    return _cut(np.lexsort((drawn, first)), shares)


def by_group(groups: NDArray[Any], shares: Shares, *, seed: int) -> Sets:
    """Put whole groups, such as all songs of an artist, into one set.

    Groups are taken in a drawn order. Each goes into test if there is room for all of it, else into
    val, else into train: no set but train is larger than asked for.

    Parameters
    ----------
    groups
        The group of each item.
    shares, seed
        How many items, and what is drawn with.
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    _, val, test = shares.sizes(len(group))
    room = {TEST: test, VAL: val}
    sets = np.zeros(len(sizes), np.int8)
    for each in np.random.default_rng(seed).permutation(len(sizes)):
        fitting = next((s for s, free in room.items() if sizes[each] <= free), TRAIN)
        sets[each] = fitting
        if fitting != TRAIN:
            room[fitting] -= int(sizes[each])
    return sets[group]


def by_label(
    labels: csr_array, shares: Shares, *, seed: int, check: Callable[[], None] = lambda: None
) -> Sets:
    """Spread the items of each label over the sets in proportion: iterative stratification.

    The rarest label goes first; each of its items goes to the set that lacks most of this label,
    then to the one that lacks most items, then to a drawn one. Where items have one label, each
    class is within one item of its share.

    Sechidis, Tsoumakas, Vlahavas: *On the Stratification of Multi-label Data*, ECML PKDD 2011,
    algorithm 1.

    Parameters
    ----------
    labels
        ``(items, labels)``, an entry where the item has the label; each item has one at least.
    shares, seed
        How many, and what is drawn with.
    check
        Called for each label: may stop the work.
    """
    state = _Stratifying(labels, shares, np.random.default_rng(seed))
    while (label := state.rarest()) is not None:
        check()
        state.place(label)
    return state.sets


class _Stratifying:
    """What is still to be placed, and what each set still wants."""

    def __init__(self, labels: csr_array, shares: Shares, rng: np.random.Generator) -> None:
        items = labels.shape[0]
        self.rows, self.columns, self.rng = labels, labels.tocsc(), rng
        self.sets = np.full(items, -1, np.int8)
        self.left = np.diff(self.columns.indptr).astype(np.int64)  # items of each label
        self.open = [s for s in (TRAIN, VAL, TEST) if shares.wanted[s] > 0]
        wanted = shares.wanted[self.open]
        self.label_wants = wanted[:, None] * self.left  # (sets, labels)
        self.item_wants = wanted * items

    def rarest(self) -> int | None:
        waiting = np.flatnonzero(self.left)
        return int(waiting[self.left[waiting].argmin()]) if waiting.size else None

    def place(self, label: int) -> None:
        start, end = self.columns.indptr[label : label + 2]
        having = self.columns.indices[start:end]
        for item in self.rng.permutation(np.sort(having[self.sets[having] < 0])):
            chosen = self._neediest(label)
            self.sets[item] = self.open[chosen]
            mine = self.rows.indices[self.rows.indptr[item] : self.rows.indptr[item + 1]]
            self.left[mine] -= 1
            self.label_wants[chosen, mine] -= 1
            self.item_wants[chosen] -= 1

    def _neediest(self, label: int) -> int:
        wants = self.label_wants[:, label]
        most = np.flatnonzero(wants >= wants.max() - 1e-9)
        if len(most) > 1:
            items = self.item_wants[most]
            most = most[items >= items.max() - 1e-9]
        return int(most[0] if len(most) == 1 else self.rng.choice(most))


def _cut(order: NDArray[np.int64], shares: Shares) -> Sets:
    """Give the last of an order to test, those before them to val."""
    train, val, _ = shares.sizes(len(order))
    sets = np.full(len(order), TEST, np.int8)
    sets[order[: train + val]] = VAL
    sets[order[:train]] = TRAIN
    return sets
