"""Filters that drop rare pairs, items and users: pairs in, pairs out."""

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
    """``(pairs,)`` number of the user of each pair."""
    item: Codes
    """``(pairs,)`` number of the item of each pair."""
    count: NDArray[Any]
    """``(pairs,)`` plays of each pair."""
    user_count: int
    """How many users there are, with and without pairs."""
    item_count: int
    """How many items there are, with and without pairs."""

    def select(self, mask: NDArray[np.bool_]) -> Pairs:
        """Return the pairs where the mask is true; users and items keep their numbers."""
        if mask.all():
            return self
        return replace(self, user=self.user[mask], item=self.item[mask], count=self.count[mask])

    def matrix(self, items: NDArray[np.int64]) -> csr_array:
        """Return the plays of these items, in this order: sparse ``(items, users)``."""
        from scipy.sparse import csr_array

        starts = np.concatenate([[0], np.cumsum(self.users_per_item)])
        shape = (self.item_count, self.user_count)
        return csr_array(csr_array((self.count, self.user, starts), shape=shape)[items])

    @cached_property
    def users_per_item(self) -> NDArray[np.int64]:
        """``(items,)`` users of each item."""
        return np.bincount(self.item, minlength=self.item_count)

    @cached_property
    def items_per_user(self) -> NDArray[np.int64]:
        """``(users,)`` items of each user."""
        return np.bincount(self.user, minlength=self.user_count)


@dataclass(frozen=True)
class PairTotals:
    """Sums over all pairs."""

    users: int
    """Users that have a pair."""
    items: int
    """Items that have a pair."""
    pairs: int
    plays: int | float
    """A whole number of plays is an int."""

    @classmethod
    def of(cls, pairs: Pairs) -> PairTotals:
        """Count the users and items that have a pair, the pairs, and their plays."""
        plays = pairs.count.sum(dtype=np.float64).item()
        return cls(
            users=int(np.count_nonzero(pairs.items_per_user)),
            items=int(np.count_nonzero(pairs.users_per_item)),
            pairs=len(pairs.count),
            plays=whole(plays),
        )


def whole(number: float) -> int | float:
    """Return a whole number as an int.

    >>> whole(3.0), whole(0.5)
    (3, 0.5)
    """
    return int(number) if float(number).is_integer() else number


def drop_rare_pairs(pairs: Pairs, min_plays: int) -> Pairs:
    """Drop pairs with fewer plays."""
    return pairs.select(pairs.count >= min_plays)


def drop_rare_items(pairs: Pairs, min_users: int) -> Pairs:
    """Drop the pairs of items with fewer users."""
    return pairs.select((pairs.users_per_item >= min_users)[pairs.item])


def drop_rare_users(pairs: Pairs, min_items: int) -> Pairs:
    """Drop the pairs of users with fewer items."""
    return pairs.select((pairs.items_per_user >= min_items)[pairs.user])


def k_core(pairs: Pairs, k: int) -> Pairs:
    """Return the largest part in which every item has k users and every user k items.

    Seidman: *Network structure and minimum degree*, Social Networks 5, 1983.
    """
    size = -1
    while len(pairs.count) != size:
        size = len(pairs.count)
        pairs = drop_rare_users(drop_rare_items(pairs, k), k)
    return pairs
