"""Scores of all test items for a block of users, in a fixed amount of memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import unit_rows
from tartarus_cli.scoring.blocks import Floats, MemoryBudget
from tartarus_cli.scoring.users import PlayedRows, UserRows, user_slices

SMALLEST_SPREAD = 1e-6
"""Scores of a user that differ by less, relative to their size, count as equal."""


class Scorer(Protocol):
    """Scores items for users."""

    def __call__(self, users: slice) -> Floats:
        """Score all items for users of one block, ``(users, items)``.

        The next call in the same thread overwrites the scores.
        """

    def item_scores(self, item: int, users: int) -> ItemScores:
        """Score one item for all users, of whom there are so many, up to a margin."""

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return of which users nothing is known, ``(users,)``: all items score the same."""


@dataclass(frozen=True)
class ItemScores:
    """Scores of one item for all users, and how far those of a block may be from them."""

    scores: NDArray[np.float64]
    """``(users,)``."""
    margins: NDArray[np.float64]
    """``(users,)``: the most that the score of a block may differ."""


@dataclass(frozen=True)
class DenseProduct:
    """Users' rows and items' columns, whose product are the scores."""

    users: UserRows
    """``(users, dim)``, dense."""
    directions: Iterable[Floats]
    """``(dim, items)`` of each block of items, to be gone through once."""
    duplicates: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Items that have the scores of an earlier one, and that one."""
    absent: NDArray[np.bool_]
    """``(items,)``: items that rank last."""


@dataclass(frozen=True)
class FactorScorer:
    """The product of a user's row and an item's, the latter divided by its L2 norm or not."""

    budget: MemoryBudget
    users: UserRows
    """``(users, dim)``."""
    items: NDArray[Any]
    """``(rows, dim)``."""
    unit_items: bool
    """Divide the items' rows by their L2 norm."""
    absent: NDArray[np.bool_]
    """``(items,)``: items that rank last."""
    order: NDArray[np.int64]
    """``(items,)``: the row of each item."""

    def __call__(self, users: slice) -> Floats:
        """Score all items for users of one block, ``(users, items)``."""
        block = self.budget.block_of(users, self.users.shape[0])
        rows = self.users.rows(block)
        scores = self.budget.scores(rows.shape[0])
        for items in self._item_blocks:
            if isinstance(rows, np.ndarray):
                np.matmul(rows, self._directions(items), out=scores[:, items])
            else:
                scores[:, items] = rows @ self._directions(items)
        later, first = self._duplicates
        for row in scores if later.size else ():
            row[later] = row[first]
        if self.absent.any():
            scores[:, self.absent] = -np.inf
        return scores[users.start - block.start : users.stop - block.start]

    def item_scores(self, item: int, users: int) -> ItemScores:
        """Score one item for all users, without the product with all the others.

        The last bits of a float32 product of n terms depend on the order of the sums; it is never
        further from the true one than n·ε times the norms of both (Higham, Accuracy and Stability
        of Numerical Algorithms, 2002, equation 3.5).
        """
        direction = self._directions(slice(item, item + 1))[:, 0].astype(np.float64)
        estimate = ItemScores(np.empty(users), np.empty(users))
        for block in user_slices(users):
            rows = self.users.rows(block).astype(np.float64)
            estimate.scores[block] = rows @ direction
            estimate.margins[block] = np.sqrt((rows * rows).sum(axis=1))
        estimate.margins[:] *= len(direction) * np.finfo(np.float32).eps * np.linalg.norm(direction)
        return estimate

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return of which users nothing is known."""
        return self.users.unknown(users)

    @property
    def product(self) -> DenseProduct | None:
        """What is multiplied, for whoever does it elsewhere; None if the users' rows are sparse."""
        if isinstance(self.users, PlayedRows) and not self.users.vectors:
            return None
        blocks = (self._directions(items) for items in self._item_blocks)
        return DenseProduct(self.users, blocks, self._duplicates, self.absent)

    def precompute(self) -> Self:
        """Compute what all threads share, and return the scorer."""
        if len(self._item_blocks) == 1:
            self._directions(self._item_blocks[0])
        _ = self._duplicates
        return self

    @cached_property
    def _item_blocks(self) -> list[slice]:
        count, dim = self.items.shape
        step = self.budget.items_at_once(dim)
        return [slice(first, min(first + step, count)) for first in range(0, count, step)]

    @cached_property
    def _duplicates(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return duplicate_rows(self._directions(items).T for items in self._item_blocks)

    def _directions(self, items: slice) -> Floats:
        """Return the factors of items as they are multiplied, ``(dim, items)``."""
        if len(self._item_blocks) == 1:
            return self._all_directions[:, items]
        return self._scored_rows(items).T

    def _scored_rows(self, items: slice) -> Floats:
        rows = self.items[self.order[items]]
        return unit_rows(rows) if self.unit_items else np.asarray(rows, np.float32)

    @cached_property
    def _all_directions(self) -> Floats:
        # In the order of memory that the product likes best.
        return np.ascontiguousarray(self._scored_rows(slice(None)).T)


@dataclass(frozen=True)
class NeighbourScorer:
    """The summed similarity of an item to those of its neighbours that the user has."""

    budget: MemoryBudget
    plays: csr_array
    """``(users, train items)``, 1 where the user has the item."""
    similar: csr_array
    """``(items, train items)``."""
    absent: NDArray[np.bool_]
    """``(items,)``: items that rank last."""

    def precompute(self) -> Self:
        """Compute what all threads share, and return the scorer."""
        _ = self._similar
        return self

    def __call__(self, users: slice) -> Floats:
        """Score all items for users of one block, ``(users, items)``."""
        scores = np.asarray((self.plays[users] @ self._similar).toarray(), np.float32)
        if self.absent.any():
            scores[:, self.absent] = -np.inf
        return scores

    def item_scores(self, item: int, users: int) -> ItemScores:
        """Score one item for all users; a sparse product has no other last bits than in blocks."""
        scores = self.plays @ self.similar[[item]].T.tocsr()
        return ItemScores(scores.toarray()[:, 0].astype(np.float64), np.zeros(users))

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return which users have no train item."""
        return np.asarray(np.diff(self.plays.indptr[users.start : users.stop + 1]) == 0)

    @cached_property
    def _similar(self) -> csr_array:
        return self.similar.T.tocsr()  # once, and not for every block


@dataclass(frozen=True)
class ConstantScorer:
    """The same scores for every user."""

    budget: MemoryBudget
    items: Floats
    """``(items,)``."""

    def __call__(self, users: slice) -> Floats:
        """Score all items for users, ``(users, items)``."""
        scores = self.budget.scores(users.stop - users.start)
        scores[:] = self.items
        return scores

    def item_scores(self, item: int, users: int) -> ItemScores:
        """Score one item for all users."""
        return ItemScores(np.full(users, self.items[item], np.float64), np.zeros(users))

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return that no user is unknown: the scores depend on none of them."""
        return np.zeros(users.stop - users.start, bool)


@dataclass(frozen=True)
class BlendPart:
    """What a model adds to the scores of a blend."""

    weight: float
    scorer: Scorer
    unknown: NDArray[np.bool_] | None = None
    """``(items,)``: items of which it knows nothing, in the order of its scores; None: of all it
    knows something."""
    only: NDArray[np.bool_] | None = None
    """``(items,)``: the items whose scores it adds to; None: all."""


@dataclass(frozen=True)
class BlendScorer:
    """The weighted sum of the scores of several scorers, as they are or standardised for a user.

    A part that knows nothing of an item adds nothing to its score: of standardised scores, 0 is
    the user's mean.
    """

    budget: MemoryBudget
    parts: tuple[BlendPart, ...]
    standardize: bool
    """Of each part, subtract the user's mean over all items and divide by the deviation."""
    absent: NDArray[np.bool_]
    """``(items,)``: items that rank last."""

    def __call__(self, users: slice) -> Floats:
        """Score all items for users of one block, ``(users, items)``."""
        total = np.zeros((users.stop - users.start, len(self.absent)), np.float32)
        for part in self.parts:
            scores = part.scorer(users)
            if self.standardize:
                scores = standardize(scores, part.unknown)
            if part.only is not None:
                scores = np.where(part.only, scores, np.float32(0))
            total += np.float32(part.weight) * scores
        if self.absent.any():
            total[:, self.absent] = -np.inf
        return total

    def item_scores(self, item: int, users: int) -> ItemScores:
        """Score one item for all users; what is standardised depends on all items."""
        blocks = self.budget.blocks(slice(0, users))
        scores = [self(block)[:, item].astype(np.float64) for block in blocks]
        return ItemScores(np.concatenate(scores), np.zeros(users))

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return of which users no part knows anything."""
        unknown = [part.scorer.unknown(users) for part in self.parts]
        return np.asarray(np.logical_and.reduce(unknown))


def standardize(scores: Floats, unknown: NDArray[np.bool_] | None = None) -> Floats:
    """Subtract from each row its mean, and divide by its deviation; equal scores become 0.

    Parameters
    ----------
    scores
        ``(users, items)``.
    unknown
        ``(items,)``: items that have no score; they become 0, the mean.

    Examples
    --------
    >>> standardize(np.array([[1, 3], [2, 2]], np.float32)).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    >>> standardize(np.array([[1, 9, 3]], np.float32), np.array([False, True, False])).tolist()
    [[-1.0, 0.0, 1.0]]
    """
    if unknown is not None and unknown.any():
        standardized = np.zeros_like(scores)
        if not unknown.all():
            standardized[:, ~unknown] = standardize(scores[:, ~unknown])
        return standardized
    mean = scores.mean(axis=1, dtype=np.float64, keepdims=True)
    centred = scores - mean.astype(np.float32)
    spread = np.sqrt(np.square(centred).mean(axis=1, dtype=np.float64, keepdims=True))
    largest = np.abs(scores).max(axis=1, keepdims=True)
    equal = spread <= SMALLEST_SPREAD * largest
    return np.where(equal, 0, centred / np.where(equal, 1, spread).astype(np.float32))


def duplicate_rows(blocks: Iterable[Floats]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that equal an earlier one, and the first such row of each.

    A product may give equal rows scores that differ in the last bit, and so an order of its own.

    >>> duplicate_rows([np.array([[1, 2], [0, 1]]), np.array([[1, 2]])])
    (array([2]), array([0]))
    """
    first_rows: dict[bytes, int] = {}
    rows = (row for block in blocks for row in np.add(block, 0, order="C"))  # -0 is 0
    first = [
        first_rows.setdefault(blake2b(row.tobytes(), digest_size=16).digest(), number)
        for number, row in enumerate(rows)
    ]
    firsts = np.array(first, np.int64)
    later = np.flatnonzero(firsts != np.arange(len(firsts)))
    return later, firsts[later]
