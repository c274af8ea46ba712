"""Ranks of the relevant items of each user in the ranking of all items.

Rank 1 is the best; equal scores keep the order of the items. A metric needs the ranks of the
relevant items alone, and a rank is counted: it is one more than the number of scores above that of
the item, which is read from the same product that it is compared with. Nothing is sorted.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, call

Scores = NDArray[np.floating[Any]]
"""Predicted relevance, ``(users, items)``; higher is better."""

Ranks = NDArray[np.integer[Any]]
"""Ranks of the relevant items, user by user, ``(relevant,)``; 1 is the best."""

RankedItems = tuple[NDArray[np.int32], NDArray[np.int32]]
"""The ranks of the relevant items, and the top items ``(users, k)``."""


@dataclass(frozen=True)
class RelevantRanks:
    """The ranks of relevant items, user by user, each user's best first."""

    ranks: NDArray[np.int64]
    """``(relevant,)``; 1 is the best."""

    starts: NDArray[np.int64]
    """``(users + 1,)``: user ``u`` has ``ranks[starts[u]:starts[u + 1]]``."""

    items: int | NDArray[np.int64]
    """Number of items that were ranked; ``(users,)`` where it is not the same for all users."""

    @cached_property
    def relevant(self) -> NDArray[np.int64]:
        """Number of relevant items of each user, ``(users,)``."""
        return np.diff(self.starts)

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """The user of each rank, ``(relevant,)``."""
        return np.repeat(np.arange(len(self.starts) - 1), self.relevant)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """1 for a user's best relevant item, 2 for the next, and so on, ``(relevant,)``."""
        return np.arange(len(self.ranks)) - np.repeat(self.starts[:-1], self.relevant) + 1

    def total(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Add up values of the relevant items, ``(relevant,)``, for each user, ``(users,)``."""
        return np.bincount(self.users, values, len(self.starts) - 1).astype(np.float64)


def sort_ranks(ranks: Ranks, starts: NDArray[np.int64], items: int) -> RelevantRanks:
    """Sort the ranks of each user, the best first.

    Parameters
    ----------
    ranks
        In any order within each user, ``(relevant,)``.
    starts
        User ``u`` has ``ranks[starts[u]:starts[u + 1]]``, ``(users + 1,)``.
    items
        Number of items that were ranked.

    Examples
    --------
    >>> sort_ranks(np.array([3, 1, 2]), np.array([0, 2, 3]), 4).ranks
    array([1, 3, 2])
    """
    offsets = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * (items + 1)
    keys = offsets + ranks
    keys.sort()
    return RelevantRanks(keys - offsets, starts.astype(np.int64), items)


def relevant_ranks(scores: Scores, relevant: csr_array) -> RelevantRanks:
    """Rank the relevant items of each user among all items, by falling score.

    Parameters
    ----------
    scores
        Predicted relevance, ``(users, items)``; a block of users at a time.
    relevant
        The items that each user has, sparse ``(users, items)``; every stored entry counts.

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
        raise DataError(msg, hint=f"Run {call('check')} to find the file that does not fit.")
    truth = relevant if relevant.has_sorted_indices else relevant.sorted_indices()
    starts = truth.indptr.astype(np.int64)
    ranks, _ = order_by_scores(scores, starts, truth.indices, k=0)
    return sort_ranks(ranks, starts, scores.shape[1])


def top_items(scores: Scores, k: int) -> NDArray[np.int32]:
    """Return the best items of each user, best first, ``(users, k)``; all if they are fewer than k.

    >>> top_items(np.array([[0.5, 0.9, 0.5], [0.1, 0.2, 0.3]]), 2)
    array([[1, 0],
           [2, 1]], dtype=int32)
    """
    no_starts = np.zeros(len(scores) + 1, np.int64)
    return order_by_scores(scores, no_starts, np.empty(0, np.int32), k=k)[1]


def order_by_scores(
    scores: Scores, starts: NDArray[np.int64], items: NDArray[np.integer[Any]], *, k: int
) -> RankedItems:
    """Rank the relevant items of each user, and list the top items.

    Parameters
    ----------
    scores
        ``(users, items)``, without NaN.
    starts, items
        User ``u`` has the items ``items[starts[u]:starts[u + 1]]``, in ascending order.
    k
        Number of top items to list.

    Returns
    -------
    The ranks of the relevant items, as long as ``items`` and in the same order, and the top items
    ``(users, min(k, items))``.
    """
    from tartarus_cli.metrics.counting import order_by_scores as order

    ranks = np.empty(len(items), np.int32)
    top = np.empty((len(scores), min(k, scores.shape[1])), np.int32)
    order(scores, starts, items, ranks, top)
    return ranks, top


def random_ranks(
    seed: int,
    users: slice,
    starts: NDArray[np.int64],
    items: NDArray[np.integer[Any]],
    *,
    count: int,
    k: int,
) -> RankedItems:
    """Rank the relevant items of each user in a random order of all items, and list the top items.

    Parameters
    ----------
    seed
        Seed of the orders; that of a user depends on it and on the number of the user alone.
    users
        The numbers of the users, as a range.
    starts, items
        The relevant items, as in :func:`order_by_scores`.
    count
        Number of items that are ranked.
    k
        Number of top items to list.

    Returns
    -------
    The ranks of the relevant items, and the top items ``(users, min(k, count))``.
    """
    from tartarus_cli.metrics.counting import rank_at_random

    base = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    numbers = np.arange(users.start, users.stop, dtype=np.uint64)
    ranks = np.empty(len(items), np.int32)
    top = np.empty((len(numbers), min(k, count)), np.int32)
    rank_at_random(starts, items, ranks, top, base + numbers, count)
    return ranks, top
