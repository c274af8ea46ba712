"""Users cut into blocks, so that the scores of all items take a fixed amount of memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tartarus_cli.machine import cores
from tartarus_cli.options import Shard

Floats = NDArray[np.float32]
T = TypeVar("T")

MAX_BLOCK_USERS = 512
"""Users of a block; more make the product no faster."""


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

    def shard(self, shard: Shard, count: int) -> slice:
        """Return the users of a shard, of so many in all; whole blocks, if there are enough.

        >>> budget = MemoryBudget(items=100, memory=100_000)
        >>> budget.users, [budget.shard(Shard(number, 3), 100) for number in (1, 2, 3)]
        (32, [slice(0, 32, None), slice(32, 64, None), slice(64, 100, None)])
        >>> budget.shard(Shard(2, 3), 10)
        slice(3, 6, None)
        """
        blocks = -(-count // self.users)
        size, units = (self.users, blocks) if blocks >= shard.of else (1, count)
        edges = [units * number // shard.of * size for number in (shard.number - 1, shard.number)]
        return slice(edges[0], min(edges[1], count))

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
