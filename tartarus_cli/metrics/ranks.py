"""Where the relevant items of each user come up in the ranking of all items.

Rank 1 is the best; equal scores keep the order of the items. A metric needs the ranks of the
relevant items alone, and a rank is counted: one more than the scores above the item's own, which
is read from the same product that it is compared with. Nothing is sorted.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError

Scores = NDArray[np.floating[Any]]  # (users, items)
Ranks = NDArray[np.integer[Any]]
RankedItems = tuple[
    NDArray[np.int32], NDArray[np.int32]
]  # ranks of the relevant items; first items


@dataclass(frozen=True)
class RelevantRanks:
    """The ranks of relevant items, user by user, each user's best first."""

    ranks: NDArray[np.int64]  # (relevant,)
    starts: NDArray[np.int64]  # (users + 1,): user u has ranks[starts[u]:starts[u + 1]]
    items: int | NDArray[np.int64]  # that were ranked; for each user, if not the same

    @cached_property
    def relevant(self) -> NDArray[np.int64]:
        """How many relevant items each user has."""
        return np.diff(self.starts)

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """The user of each rank."""
        return np.repeat(np.arange(len(self.starts) - 1), self.relevant)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """1 for a user's best relevant item, 2 for the next, and so on."""
        return np.arange(len(self.ranks)) - np.repeat(self.starts[:-1], self.relevant) + 1

    def total(self, each: NDArray[Any]) -> NDArray[np.float64]:
        """Add up a value of each relevant item, user by user."""
        return np.bincount(self.users, each, len(self.starts) - 1).astype(np.float64)


def best_first(ranks: Ranks, starts: NDArray[np.int64], items: int) -> RelevantRanks:
    """Sort ranks that stand in any order within each user.

    >>> best_first(np.array([3, 1, 2]), np.array([0, 2, 3]), 4).ranks
    array([1, 3, 2])
    """
    before = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * (items + 1)
    keys = before + ranks
    keys.sort()
    return RelevantRanks(keys - before, starts.astype(np.int64), items)


def relevant_ranks(scores: Scores, relevant: csr_array) -> RelevantRanks:
    """Rank the relevant items of each user among all items.

    Parameters
    ----------
    scores
        Predicted relevance, ``(users, items)``; a block of users at a time.
    relevant
        The items each of these users has, sparse ``(users, items)``; every entry counts.

    Raises
    ------
    DataError
        If the two shapes differ.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.1, 0.5]])
    >>> relevant_ranks(scores, csr_array(np.array([[1, 1, 0]]))).ranks
    array([1, 3])
    """
    if scores.shape != relevant.shape:
        msg = f"scores are {scores.shape} but the truth is {relevant.shape} (users, items)"
        raise DataError(msg, hint="Run 'tartarus check-data' to find the file that is out of step.")
    in_order = relevant if relevant.has_sorted_indices else relevant.sorted_indices()
    starts = in_order.indptr.astype(np.int64)
    ranks, _ = order_by_scores(scores, starts, in_order.indices, k=0)
    return best_first(ranks, starts, scores.shape[1])


def first_items(scores: Scores, k: int) -> NDArray[np.int32]:
    """Return the items of the ranks from 1 to ``k``, ``(users, k)``, or all if they are fewer.

    >>> first_items(np.array([[0.5, 0.9, 0.5], [0.1, 0.2, 0.3]]), 2)
    array([[1, 0],
           [2, 1]], dtype=int32)
    """
    nothing = np.zeros(len(scores) + 1, np.int64)
    return order_by_scores(scores, nothing, np.empty(0, np.int32), k=k)[1]


def order_by_scores(
    scores: Scores, starts: NDArray[np.int64], items: NDArray[np.integer[Any]], *, k: int
) -> RankedItems:
    """Rank all items for each user by their scores, as far as anybody looks at it.

    Parameters
    ----------
    scores
        ``(users, items)``, without NaN.
    starts, items
        User u has the items ``items[starts[u]:starts[u + 1]]``, in ascending order.
    k
        How many of the first items are wanted.

    Returns
    -------
    The ranks of the relevant items, as long as ``items`` and in the same order, and the first
    items ``(users, min(k, items))``.
    """
    from tartarus_cli.metrics.counting import order_by_scores as order

    ranks = np.empty(len(items), np.int32)
    first = np.empty((len(scores), min(k, scores.shape[1])), np.int32)
    order(scores, starts, items, ranks, first)
    return ranks, first


def random_ranks(
    seed: int,
    users: slice,
    starts: NDArray[np.int64],
    items: NDArray[np.integer[Any]],
    *,
    count: int,
    k: int,
) -> RankedItems:
    """Rank all items in a random order for each user.

    Parameters
    ----------
    seed
        A user's order depends on it and on the user's number alone.
    users
        The numbers of the users.
    starts, items
        As of :func:`order_by_scores`.
    count
        Number of items that are ranked.
    k
        How many of the first items are wanted.

    Returns
    -------
    The ranks of the relevant items, and the first items ``(users, min(k, count))``.
    """
    from tartarus_cli.metrics.counting import rank_at_random

    base = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    numbers = np.arange(users.start, users.stop, dtype=np.uint64)
    ranks = np.empty(len(items), np.int32)
    first = np.empty((len(numbers), min(k, count)), np.int32)
    rank_at_random(starts, items, ranks, first, base + numbers, count)
    return ranks, first
