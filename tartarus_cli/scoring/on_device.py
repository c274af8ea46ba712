"""Ranks on a graphics card: the product of vectors and the counting, in blocks, through JAX.

The ranks are those of :mod:`tartarus_cli.metrics.counting`, from a product of the same float32
numbers: a relevant item's own score is read from the product that it is compared with, and equal
scores keep the order of the items. Two items change places only where their scores differ by less
than float32 can tell, since the terms of a sum are added in another order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.devices import AUTO, accelerator, chosen_device, name_device
from tartarus_cli.errors import TartarusError
from tartarus_cli.metrics.ranks import RankedItems
from tartarus_cli.scoring.blocks import Floats, MemoryBudget
from tartarus_cli.scoring.kernels import kernels
from tartarus_cli.scoring.scorers import ConstantScorer, DenseProduct, FactorScorer, Scorer
from tartarus_cli.scoring.users import UserRows

LOGGER = logging.getLogger(__name__)

Numbers = NDArray[np.integer[Any]]

Engine = Literal["auto", "numba", "jax"]
"""What ranks: the processor, a device of JAX, or whichever is faster."""

COPIES = 6
"""Scores of a block that are on the device at a time: the product, what is sorted, and so on."""

PAIR_BYTES = 1 << 28
"""Memory for the scores that relevant items are compared with at a time."""

MOST_PAIRS = 1024
"""Relevant items that are counted for at a time."""

WORTH_TERMS = 1 << 32
"""Terms of all scores from which on a device is faster than the processor, with its start."""

RANKING_TERMS = 16
"""Terms that the ranking by a score counts for."""


@dataclass
class DeviceRanker:
    """Ranks all items for users, on a device.

    If its memory is short, fewer users are ranked for at a time; if that does not help, or the
    device fails otherwise, ``failed`` is called with the reason, and ``cpu`` goes on instead.
    """

    scorer: Scorer
    budget: MemoryBudget
    device: Any
    """A device of JAX."""
    failed: Callable[[str], None]
    """Told why the device is not used any more."""
    _product: _DeviceProduct | None = None
    _lock: Lock = field(default_factory=Lock)

    def rank(self, users: slice, starts: Numbers, items: Numbers, *, k: int) -> RankedItems | None:
        """Rank the relevant items of the users of a block, and list the top items.

        Parameters and results are those of :func:`tartarus_cli.metrics.ranks.order_by_scores`;
        None if the device cannot do it.
        """
        owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))

        def rank_some(product: _DeviceProduct, part: slice) -> tuple[Any, ...]:
            own = slice(starts[part.start], starts[part.stop])
            scores = product.scores(users.start + part.start, users.start + part.stop)
            counted = product.count(scores, owners[own] - part.start, items[own])
            top, _ = product.top(scores, k)
            return counted, top[: part.stop - part.start]

        parts = self._each(users, rank_some)
        if parts is None:
            return None
        best, worst, before = (
            np.concatenate([counted[n] for counted, _ in parts], dtype=np.int32) for n in range(3)
        )
        ranks, top = best + before, np.concatenate([top for _, top in parts])
        if np.array_equal(best, worst):
            best = worst = ranks
        return RankedItems(ranks, best, worst, top)

    def top(self, users: slice, k: int) -> tuple[NDArray[np.int32], Floats] | None:
        """Return the top items of the users of a block and their scores, ``(users, k)`` each."""

        def list_some(product: _DeviceProduct, part: slice) -> tuple[Any, ...]:
            scores = product.scores(users.start + part.start, users.start + part.stop)
            return tuple(array[: part.stop - part.start] for array in product.top(scores, k))

        parts = self._each(users, list_some)
        if parts is None:
            return None
        items, scores = (np.concatenate([part[n] for part in parts]) for n in range(2))
        return items, scores

    def _each(
        self, users: slice, work: Callable[[_DeviceProduct, slice], tuple[Any, ...]]
    ) -> list[tuple[Any, ...]] | None:
        """Do a piece of work for the users of a block, as many at a time as fit."""
        count = users.stop - users.start
        with self._lock:
            while self.device is not None:
                try:
                    product = self._product = self._product or self._open()
                    return [work(product, part) for part in product.cut(count)]
                except TartarusError:
                    raise
                except Exception as problem:  # noqa: BLE001 — a driver may make JAX raise anything
                    self._recover(problem)
        return None

    def _open(self) -> _DeviceProduct:
        product = product_of(self.scorer)
        if product is None:
            msg = "such scores are no product of vectors"
            raise TypeError(msg)
        return _DeviceProduct(product, self.budget, self.device)

    def _recover(self, problem: Exception) -> None:
        """Let fewer users be ranked for at a time, or give the device up."""
        reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
        product, short = self._product, is_short_of_memory(problem)
        if short and product is not None and product.step > 1:
            product.step //= 2
            LOGGER.debug("%d users at a time: %s", product.step, reason)
            return
        self.failed(f"{name_device(self.device)} cannot rank, the processor does: {reason}")
        self.device = self._product = None


def open_ranker(
    scorer: Scorer,
    budget: MemoryBudget,
    *,
    users: int,
    engine: Engine,
    failed: Callable[[str], None],
) -> DeviceRanker | None:
    """Return what ranks on a device; None if the processor is to do it.

    Parameters
    ----------
    scorer, budget
        What scores, and the memory of the processor's way, whose blocks of users are the same.
    users
        How many are to be ranked for: for few users and items, no device is started.
    engine
        ``auto``: on a card, if there is one and the device that was asked for is not ``cpu``.
    failed
        Told why the device is not used any more.
    """
    product = None if engine == "numba" else product_of(scorer)
    if product is None:
        return None
    terms = users * budget.items * (product.users.shape[1] + RANKING_TERMS)
    if engine == "auto" and chosen_device() == AUTO and terms < WORTH_TERMS:
        return None
    device = accelerator()
    if device is None and engine == "jax":
        import jax

        device = jax.local_devices()[0]
    if device is None:
        return None
    LOGGER.debug("rankings are computed on %s", name_device(device))
    return DeviceRanker(scorer, budget, device, failed)


def product_of(scorer: Scorer) -> DenseProduct | None:
    """Return the product of dense rows that scores are; None if they are not.

    Sums over neighbours, weights of what users played, and blends are not: they stay on the
    processor.
    """
    if isinstance(scorer, ConstantScorer):
        return constant_product(scorer)
    return scorer.product if isinstance(scorer, FactorScorer) else None


def is_short_of_memory(problem: Exception) -> bool:
    """Whether an error says that a device has too little memory."""
    words = ("RESOURCE_EXHAUSTED", "out of memory", "Out of memory", "OOM")
    return isinstance(problem, MemoryError) or any(word in str(problem) for word in words)


def constant_product(scorer: ConstantScorer) -> DenseProduct:
    """Write scores that are the same for all users as the product of ones and the scores."""
    none = np.empty(0, np.int64)
    absent = np.isneginf(scorer.items)
    scores = np.where(absent, np.float32(0), scorer.items)
    return DenseProduct(_Ones(), [scores[None]], (none, none), absent)


class _Ones:
    """A one for every user."""

    shape = (1 << 62, 1)

    def rows(self, users: slice) -> Floats:
        return np.ones((users.stop - users.start, 1), np.float32)

    def unknown(self, users: slice) -> NDArray[np.bool_]:
        return np.zeros(users.stop - users.start, bool)


class _DeviceProduct:
    """The items' vectors on a device, and what is computed with them."""

    def __init__(self, product: DenseProduct, budget: MemoryBudget, device: Any) -> None:
        import jax
        import jax.numpy as jnp

        self._users: UserRows = product.users
        self._device, self._items = device, len(product.absent)
        blocks = [jax.device_put(block, device) for block in product.directions]
        self._directions = jnp.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
        self._later, self._first = (jax.device_put(n, device) for n in product.duplicates)
        self._absent = jax.device_put(product.absent, device)
        self.step = self._fitting_users(budget)
        self._pairs = max(1, min(MOST_PAIRS, PAIR_BYTES // (4 * max(1, self._items))))

    def _fitting_users(self, budget: MemoryBudget) -> int:
        """Return how many users' scores fit into what is free on the device, a power of two."""
        known = self._device.memory_stats() or {}
        if "bytes_limit" not in known:
            return budget.users
        free = known["bytes_limit"] - known.get("bytes_in_use", 0)
        fitting = max(1, free // 2 // (COPIES * 4 * max(1, self._items)))
        return int(min(budget.users, 1 << (int(fitting).bit_length() - 1)))

    def cut(self, count: int) -> Iterator[slice]:
        """Cut so many users into parts that fit."""
        step = self.step
        return (slice(first, min(first + step, count)) for first in range(0, count, step))

    def scores(self, start: int, stop: int) -> Any:
        """Score all items, on the device, ``(step, items)``; rows after the users' are of none."""
        import jax

        rows = self._users.rows(slice(start, stop))
        padded = np.zeros((self.step, rows.shape[1]), np.float32)
        padded[: len(rows)] = rows
        on_device = jax.device_put(padded, self._device)
        return kernels().scores(on_device, self._directions, self._later, self._first, self._absent)

    def count(self, scores: Any, owners: Numbers, items: Numbers) -> tuple[Numbers, ...]:
        """Count for each pair of a row and an item: the best and worst rank, equal ones before."""
        import jax

        size, waiting = self._pairs, []
        for first in range(0, len(items), size):
            pairs = np.zeros((2, size), np.int32)
            pairs[0, : len(owners[first : first + size])] = owners[first : first + size]
            pairs[1, : len(items[first : first + size])] = items[first : first + size]
            waiting.append(kernels().counts(scores, *jax.device_put(pairs, self._device)))
        counted = np.concatenate([np.empty((3, 0), np.int32), *map(np.asarray, waiting)], axis=1)
        above, not_below, before = counted[:, : len(items)]
        return above + 1, not_below, before

    def top(self, scores: Any, k: int) -> tuple[NDArray[np.int32], Floats]:
        """List the top items of each row and their scores, ``(step, k)``."""
        k = min(k, self._items)
        if not k:
            nothing = np.empty((len(scores), 0))
            return nothing.astype(np.int32), nothing.astype(np.float32)
        items, found = kernels().top(scores, k)
        return np.asarray(items, np.int32), np.asarray(found, np.float32)
