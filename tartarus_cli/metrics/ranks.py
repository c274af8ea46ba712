"""Where the relevant items of each user come up in the ranking of all items.

Rank 1 is the best; equal scores keep the order of the items. A relevant item's own score is read
from the same product that it is compared with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError

Scores = NDArray[np.floating[Any]]  # (users, items)


@dataclass(frozen=True)
class RelevantRanks:
    """The ranks of relevant items, user by user, each user's best first."""

    ranks: NDArray[np.int64]  # (relevant,)
    starts: NDArray[np.int64]  # (users + 1,): user u has ranks[starts[u]:starts[u + 1]]
    items: int  # that were ranked

    @property
    def relevant(self) -> NDArray[np.int64]:
        """How many relevant items each user has."""
        return np.diff(self.starts)

    @property
    def users(self) -> NDArray[np.int64]:
        """The user of each rank."""
        return np.repeat(np.arange(len(self.starts) - 1), self.relevant)

    @property
    def positions(self) -> NDArray[np.int64]:
        """1 for a user's best relevant item, 2 for the next, and so on."""
        return np.arange(len(self.ranks)) - np.repeat(self.starts[:-1], self.relevant) + 1

    def total(self, each: NDArray[Any]) -> NDArray[np.float64]:
        """Add up a value of each relevant item, user by user."""
        return np.bincount(self.users, each, len(self.starts) - 1).astype(np.float64)


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
    ranks = np.empty(relevant.nnz, np.int64)
    starts = relevant.indptr.astype(np.int64)
    ordered = np.sort(scores, axis=1)
    for user in np.flatnonzero(np.diff(starts)):
        owned = slice(starts[user], starts[user + 1])
        ranks[owned] = _ranks(scores[user], ordered[user], relevant.indices[owned])
    return RelevantRanks(ranks, starts, scores.shape[1])


def _ranks(scores: Scores, ordered: Scores, items: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    own = scores[items]
    up_to = np.searchsorted(ordered, own, side="right")
    ranks = len(scores) - up_to + 1
    tied = up_to - np.searchsorted(ordered, own, side="left") > 1
    for each in np.flatnonzero(tied):
        ranks[each] += np.count_nonzero(scores[: items[each]] == own[each])
    return np.sort(ranks)


def first_items(scores: Scores, k: int) -> NDArray[np.int64]:
    """Return which items stand among the first ``k`` of any user; ties in the order of the items.

    >>> first_items(np.array([[0.5, 0.9, 0.5], [0.1, 0.2, 0.3]]), 2)
    array([0, 1, 2])
    >>> first_items(np.array([[0.5, 0.9, 0.5]]), 2)
    array([0, 1])
    """
    items = scores.shape[1]
    if k >= items:
        return np.arange(items)
    border = np.partition(scores, items - k, axis=1)[:, items - k, None]
    first = scores >= border
    for user in np.flatnonzero(first.sum(axis=1) > k):
        tied = np.flatnonzero(scores[user] == border[user])
        first[user, tied[k - np.count_nonzero(scores[user] > border[user]) :]] = False
    return np.flatnonzero(first.any(axis=0))
