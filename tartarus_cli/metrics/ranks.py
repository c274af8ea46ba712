"""Ranks of the relevant items of each user in the ranking of all items.

Rank 1 is the best; equal scores keep the order of the items. A metric needs the ranks of the
relevant items alone, and a rank is counted: it is one more than the number of scores above that of
the item, which is read from the same product that it is compared with. Nothing is sorted. Beside
its rank, an item has the best and the worst rank of the items of the same score.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, call

Scores = NDArray[np.floating[Any]]
"""Predicted relevance, ``(users, items)``; higher is better."""

Ranks = NDArray[np.integer[Any]]
"""Ranks of the relevant items, user by user, ``(relevant,)``; 1 is the best."""


class RankedItems(NamedTuple):
    """How items are ranked for users: the ranks of the relevant items, and the top items."""

    ranks: NDArray[np.int32]
    """``(relevant,)``."""
    best: NDArray[np.int32]
    """``(relevant,)``: the best rank of the items of the same score."""
    worst: NDArray[np.int32]
    """``(relevant,)``: the worst rank of the items of the same score."""
    top: NDArray[np.int32]
    """``(users, k)``: the top items, the best first."""


@dataclass(frozen=True)
class RelevantRanks:
    """The ranks of relevant items, user by user, each user's best first."""

    ranks: NDArray[np.int64]
    """``(relevant,)``; 1 is the best."""

    starts: NDArray[np.int64]
    """``(users + 1,)``: user ``u`` has ``ranks[starts[u]:starts[u + 1]]``."""

    items: int | NDArray[np.int64]
    """Number of items that were ranked; ``(users,)`` where it is not the same for all users."""

    tied: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """The best and the worst rank of the items of the same score, each ``(relevant,)``; None where
    no scores are equal."""

    @property
    def best(self) -> NDArray[np.int64]:
        """The best rank of the items of the same score, ``(relevant,)``."""
        return self.tied[0] if self.tied else self.ranks

    @property
    def worst(self) -> NDArray[np.int64]:
        """The worst rank of the items of the same score, ``(relevant,)``."""
        return self.tied[1] if self.tied else self.ranks

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

    @cached_property
    def last_positions(self) -> NDArray[np.int64]:
        """The position of the last relevant item of the same score, ``(relevant,)``."""
        if self.tied is None or not self.ranks.size:
            return self.positions
        # The last of a user, and where the next relevant item ranks below all of the same score.
        ends = np.append(np.diff(self.users) > 0, True)
        ends[:-1] |= self.ranks[1:] > self.worst[:-1]
        group = np.cumsum(ends) - ends
        return np.asarray(self.positions[ends][group])

    def total(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Add up values of the relevant items, ``(relevant,)``, for each user, ``(users,)``."""
        return np.bincount(self.users, values, len(self.starts) - 1).astype(np.float64)


def sort_ranks(
    ranks: Ranks,
    starts: NDArray[np.int64],
    items: int,
    *,
    best: Ranks | None = None,
    worst: Ranks | None = None,
) -> RelevantRanks:
    """Sort the ranks of each user, the best first.

    Parameters
    ----------
    ranks
        In any order within each user, ``(relevant,)``.
    starts
        User ``u`` has ``ranks[starts[u]:starts[u + 1]]``, ``(users + 1,)``.
    items
        Number of items that were ranked.
    best, worst
        The best and the worst rank of the items of the same score, ``(relevant,)``; the ranks
        themselves, or None, where no scores are equal.

    Examples
    --------
    >>> sort_ranks(np.array([3, 1, 2]), np.array([0, 2, 3]), 4).ranks
    array([1, 3, 2])
    """
    offsets = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * (items + 1)

    def sort(values: Ranks) -> NDArray[np.int64]:
        keys = offsets + values
        keys.sort()
        return np.asarray(keys - offsets)

    tied = None
    if best is not None and worst is not None and best is not ranks:
        tied = sort(best), sort(worst)  # in the same order as the ranks, which lie between them
    return RelevantRanks(sort(ranks), starts.astype(np.int64), items, tied)


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
    ranked = order_by_scores(scores, starts, truth.indices, k=0)
    return sort_ranks(ranked.ranks, starts, scores.shape[1], best=ranked.best, worst=ranked.worst)


def top_items(scores: Scores, k: int) -> NDArray[np.int32]:
    """Return the best items of each user, best first, ``(users, k)``; all if they are fewer than k.

    >>> top_items(np.array([[0.5, 0.9, 0.5], [0.1, 0.2, 0.3]]), 2)
    array([[1, 0],
           [2, 1]], dtype=int32)
    """
    no_starts = np.zeros(len(scores) + 1, np.int64)
    return order_by_scores(scores, no_starts, np.empty(0, np.int32), k=k).top


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
    ``(users, min(k, items))``. Where no scores are equal, best and worst ranks are the ranks.
    """
    from tartarus_cli.metrics.counting import order_by_scores as order

    ranked = np.empty((3, len(items)), np.int32)
    top = np.empty((len(scores), min(k, scores.shape[1])), np.int32)
    order(scores, starts, items, ranked, top)
    ranks, best, worst = ranked
    if np.array_equal(best, worst):
        best = worst = ranks = ranks.copy()
    return RankedItems(ranks, best, worst, top)


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
    The ranks of the relevant items, none of which is tied, and the top items
    ``(users, min(k, count))``.
    """
    from tartarus_cli.metrics.counting import rank_at_random

    base = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    numbers = np.arange(users.start, users.stop, dtype=np.uint64)
    ranks = np.empty(len(items), np.int32)
    top = np.empty((len(numbers), min(k, count)), np.int32)
    rank_at_random(starts, items, ranks, top, base + numbers, count)
    return RankedItems(ranks, ranks, ranks, top)
