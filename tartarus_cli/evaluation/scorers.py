"""Scores of all test items for a block of users, in a fixed amount of memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from tartarus_cli.data.features import Matrix, require_finite, unit_rows
from tartarus_cli.errors import FileError
from tartarus_cli.machine import cores

Floats = NDArray[np.float32]
T = TypeVar("T")

MAX_BLOCK_USERS = 512
"""Users of a block; more make the product no faster."""

MAX_FACTOR = 1e30
"""Largest factor; products of larger ones may overflow."""


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
class MemoryBudget:
    """How much memory there is for scores and factors.

    The last bits of a product may depend on where a block begins and how long it is. Blocks
    therefore begin at multiples of their size, whichever users are asked for, and their size does
    not depend on the machine.
    """

    items: int
    """Number of all items."""
    memory: int
    """Bytes."""

    @property
    def users(self) -> int:
        """Users of a block, a power of two: the scores of two take a third of the memory."""
        fitting = max(1, self.memory // 6 // self._row)
        return min(MAX_BLOCK_USERS, 1 << (fitting.bit_length() - 1))

    @property
    def workers(self) -> int:
        """Number of blocks that fit at a time, on the cores that there are."""
        return max(1, min(cores(), self.memory // 3 // (self.users * self._row)))

    @property
    def _row(self) -> int:
        return 4 * max(self.items, 1)

    def items_at_once(self, dim: int) -> int:
        """Return how many items' factors take a quarter of the memory."""
        return min(max(self.items, 1), max(1, self.memory // 4 // (4 * dim)))

    def blocks(self, users: slice) -> list[slice]:
        """Cut users into blocks."""
        inner = range((users.start // self.users + 1) * self.users, users.stop, self.users)
        edges = [users.start, *inner, users.stop]
        return [slice(*pair) for pair in pairwise(edges)]

    def block_of(self, users: slice, count: int) -> slice:
        """Return the block that users of one block belong to, of ``count`` users in all."""
        start = users.start // self.users * self.users
        return slice(start, min(start + self.users, count))

    def scores(self, users: int) -> Floats:
        """Return where the scores of a block are written: always the same place in a thread."""
        buffers = self._buffers  # once: threads that come first at the same time may each make one
        if not hasattr(buffers, "scores"):
            buffers.scores = np.empty((self.users, self.items), np.float32)
        return np.asarray(buffers.scores)[:users]

    @cached_property
    def _buffers(self) -> threading.local:
        return threading.local()


@contextmanager
def map_user_blocks(
    budget: MemoryBudget, users: slice, work: Callable[[slice], T]
) -> Iterator[Iterator[tuple[slice, T]]]:
    """Do a piece of work for block after block of users, as many at a time as fit into memory.

    Each product is computed by one thread where there are as many blocks as cores: threads of
    the product that wait for more of it would only be in the way of the counting.

    Parameters
    ----------
    budget
        How much memory there is.
    users
        All users of the work.
    work
        Takes a block of users.

    Yields
    ------
    An iterator of each block, in order, with what the work returned for it.
    """
    blocks = budget.blocks(users)
    with (
        threadpool_limits(max(1, cores() // budget.workers), "blas"),
        ThreadPoolExecutor(budget.workers) as pool,
    ):

        def submit(block: slice) -> Future[T]:
            return pool.submit(work, block)

        def results() -> Iterator[tuple[slice, T]]:
            futures = deque(map(submit, blocks[: 2 * budget.workers]))
            for number, block in enumerate(blocks):
                result = futures.popleft().result()
                futures.extend(map(submit, blocks[number + 2 * budget.workers :][:1]))
                yield block, result

        try:
            yield results()
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class FactorScorer:
    """The product of a user's factors and an item's, these divided by their L2 norm or not."""

    budget: MemoryBudget
    users: Matrix
    """``(users, dim)``."""
    items: NDArray[Any]
    """``(rows, dim)``."""
    unit_users: bool
    """Divide the user's factors by their L2 norm."""
    unit_items: bool
    """Divide the items' factors by their L2 norm."""
    absent: NDArray[np.bool_]
    """``(items,)``: items that rank last."""
    order: NDArray[np.int64]
    """``(items,)``: the row of each item."""

    def __call__(self, users: slice) -> Floats:
        """Score all items for users of one block, ``(users, items)``."""
        block = self.budget.block_of(users, self.users.shape[0])
        factors = self._factors(block)
        scores = self.budget.scores(len(factors))
        for items in self._item_blocks:
            np.matmul(factors, self._directions(items), out=scores[:, items])
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
        for block in self.users.blocks():
            factors = self._factors(block).astype(np.float64)
            estimate.scores[block] = factors @ direction
            estimate.margins[block] = np.linalg.norm(factors, axis=1)
        estimate.margins[:] *= len(direction) * np.finfo(np.float32).eps * np.linalg.norm(direction)
        return estimate

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        """Return which users have factors of zero."""
        return np.asarray(~self.users.rows(users).any(axis=1))

    def precompute(self) -> Self:
        """Compute what all threads share, and return the scorer."""
        if len(self._item_blocks) == 1:
            self._directions(self._item_blocks[0])
        _ = self._duplicates
        return self

    def _factors(self, block: slice) -> Floats:
        factors = self.users.rows(block)
        require_finite(self.users.path, factors, block.start)
        if np.abs(factors).max(initial=0) > MAX_FACTOR:
            raise FileError(
                self.users.path,
                found=f"factors as large as {np.abs(factors).max():g}",
                expected=f"at most {MAX_FACTOR:g}",
                hint="Factorize again: products of such large numbers overflow.",
            )
        return unit_rows(factors) if self.unit_users else factors

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
