"""Leaving out what is rare: pairs, items and users with few plays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.numbering import Codes

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Pairs:
    """Each pair of a user and an item once, sorted by item, then by user."""

    user: Codes
    item: Codes
    count: NDArray[Any]
    users: int  # how many there may be
    items: int

    def where(self, keep: NDArray[np.bool_]) -> Pairs:
        """Return some of the pairs."""
        if keep.all():
            return self
        return replace(self, user=self.user[keep], item=self.item[keep], count=self.count[keep])

    def matrix(self, items: NDArray[np.int64]) -> csr_array:
        """Return the plays of some items, ``(items, users)``."""
        from scipy.sparse import csr_array

        starts = np.concatenate([[0], np.cumsum(self.per_item)])
        everything = csr_array((self.count, self.user, starts), shape=(self.items, self.users))
        return csr_array(everything[items])

    @cached_property
    def per_item(self) -> NDArray[np.int64]:
        """Users of each item."""
        return np.bincount(self.item, minlength=self.items)

    @cached_property
    def per_user(self) -> NDArray[np.int64]:
        """Items of each user."""
        return np.bincount(self.user, minlength=self.users)


@dataclass(frozen=True)
class Size:
    """How much there is."""

    users: int
    items: int
    pairs: int
    plays: float

    @classmethod
    def of(cls, pairs: Pairs) -> Size:
        """Count the users and items that have a pair."""
        plays = pairs.count.sum(dtype=np.float64).item()
        return cls(
            users=int(np.count_nonzero(pairs.per_user)),
            items=int(np.count_nonzero(pairs.per_item)),
            pairs=len(pairs.count),
            plays=int(plays) if plays.is_integer() else plays,
        )


def least_plays(pairs: Pairs, plays: int) -> Pairs:
    """Leave out pairs with fewer plays."""
    return pairs.where(pairs.count >= plays)


def least_users(pairs: Pairs, users: int) -> Pairs:
    """Leave out items with fewer users."""
    return pairs.where((pairs.per_item >= users)[pairs.item])


def least_items(pairs: Pairs, items: int) -> Pairs:
    """Leave out users with fewer items."""
    return pairs.where((pairs.per_user >= items)[pairs.user])


def core(pairs: Pairs, k: int) -> Pairs:
    """Return the k-core: every item has k users and every user k items, of those that are left.

    Seidman: *Network structure and minimum degree*, Social Networks 5, 1983.
    """
    before = -1
    while len(pairs.count) != before:
        before = len(pairs.count)
        pairs = least_items(least_users(pairs, k), k)
    return pairs
