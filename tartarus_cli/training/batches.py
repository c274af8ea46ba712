"""Batches of aligned samples, made dense one batch at a time, in a seeded random order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.training.augmentation import Augmentation

Arrays = tuple[NDArray[np.float32], ...]
"""One array for each input, ``(samples, …)``."""
Batch = tuple[Arrays, NDArray[np.float32]]
"""Inputs, and targets ``(samples, dim)``."""

WINDOW_BYTES = 96 << 20
"""Size of the patches that are in memory and shuffled; as many again are being read."""
BLOCK_BYTES = 4 << 20
"""Size of the patches that lie next to each other in the file and are read at once."""


class Batches:
    """The samples of a subset, batch by batch; each epoch has a new order.

    Patches are read in blocks of neighbours: the order of the blocks is drawn, then the order of
    the samples within each window of several blocks. While one window is used, the next is read.

    Parameters
    ----------
    subset
        The samples, with their inputs and targets.
    size
        Samples of a batch; the last one of an epoch may have fewer.
    prepare
        What is done to the targets ``(samples, dim)`` of a batch.
    rng
        Draws the order of each epoch; file order if None.
    augmentation
        How samples are changed, anew in each epoch; only with ``rng``.
    """

    def __init__(
        self,
        subset: TrainingSubset,
        *,
        size: int,
        prepare: Callable[[NDArray[np.float32]], NDArray[Any]] = np.asarray,
        rng: np.random.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        self._subset, self._size, self._prepare, self._rng = subset, size, prepare, rng
        self._augmentation, self._key = augmentation, 0
        self._order = subset.samples
        self._drawn_from: dict[str, Any] = {}
        has_patches = subset.set.patches is not None
        self._reader = (
            _WindowReader(subset.set, _window_size(subset, size)) if has_patches else None
        )
        if self._reader is not None and rng is None:
            self._reader.start(self._order)
        self.reshuffle()

    def __len__(self) -> int:
        return (len(self._subset) + self._size - 1) // self._size

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of a sample of each input, patches being whole."""
        return [matrix.shape[1:] for matrix in self._subset.set.inputs]

    def lengths(self, index: int) -> NDArray[np.int64] | None:
        """Return the frames of patches of a batch before the silence at their ends, if known."""
        first = index * self._size
        return self._subset.set.lengths(self._order[first : first + self._size])

    def __getitem__(self, index: int) -> Batch:
        first = index * self._size
        samples = self._order[first : first + self._size]
        targets = self._subset.targets.rows(self._subset.set.items[samples])
        if self._reader is None:
            inputs = self._subset.set.read(samples)
        else:
            inputs = self._reader.read(first, len(samples))
        if self._augmentation is not None:
            # Of its own, so that a batch is the same wherever its epoch goes on.
            rng = np.random.default_rng([self._key, index])
            inputs = self._augmentation.apply(inputs, rng, self.lengths(index))
            inputs, targets = self._augmentation.mix(inputs, targets, rng)
        return inputs, np.asarray(self._prepare(targets), np.float32)

    def reshuffle(self) -> None:
        """Draw the order of the next epoch."""
        self._reshuffle(0)

    @property
    def state(self) -> dict[str, Any]:
        """What the order of this epoch was drawn from, to be written as JSON."""
        return self._drawn_from

    def restore(self, state: dict[str, Any], first: int) -> None:
        """Begin again with the epoch of a state, at the batch ``first``.

        Raises
        ------
        ValueError
            If it is not the state of such an order.
        """
        if self._rng is None:
            return
        try:
            self._rng.bit_generator.state = state
        except (TypeError, KeyError, OverflowError) as problem:
            raise ValueError(str(problem)) from None
        self._reshuffle(first)

    def _reshuffle(self, first: int) -> None:
        if self._rng is None:
            return
        self._drawn_from = dict(self._rng.bit_generator.state)
        if self._reader is None:
            self._order = self._rng.permutation(self._subset.samples)
        else:
            block, window = _samples_in(self._subset, BLOCK_BYTES), self._reader.window
            self._order = shuffled_batches(self._subset.samples, block, window, self._rng)
            self._reader.start(self._order, first * self._size)
        if self._augmentation is not None:
            self._key = int(self._rng.integers(1 << 62))


def shuffled_batches(
    samples: NDArray[np.int64], block: int, window: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Put blocks of neighbours into a random order, and then the samples within each window.

    Parameters
    ----------
    samples
        Numbers of the samples, in file order.
    block, window
        How many samples a block and a window have.
    rng
        Draws both orders.

    Returns
    -------
    The same numbers in another order, ``(samples,)``.

    >>> order = shuffled_batches(np.arange(12), 2, 6, np.random.default_rng(0))
    >>> sorted(order.tolist()) == list(range(12))
    True
    """
    blocks = np.split(samples, range(block, len(samples), block))
    order = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    windows = np.split(order, range(window, len(order), window))
    return np.concatenate([rng.permutation(part) for part in windows])


def _samples_in(subset: TrainingSubset, size: int) -> int:
    """Return how many samples, of float32 inputs, fit into so many bytes."""
    sample_bytes = sum(4 * int(np.prod(matrix.shape[1:])) for matrix in subset.set.inputs)
    return max(1, size // sample_bytes)


def _window_size(subset: TrainingSubset, batch: int) -> int:
    """Return the number of samples of a window: whole batches."""
    return max(1, _samples_in(subset, WINDOW_BYTES) // batch) * batch


@dataclass(frozen=True)
class _Window:
    """A window of samples in memory, in the order of the file."""

    number: int
    """Counted from 0, in the order in which windows are used."""
    samples: NDArray[np.int64]
    """Numbers of its samples, ascending."""
    inputs: Arrays
    """Their inputs, one row each."""


class _WindowReader:
    """Reads the windows of an order one after the other: a thread reads the next in advance."""

    def __init__(self, items: ItemSet, window: int) -> None:
        self.window = window
        self._items = items
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patches")
        self._order = np.empty(0, np.int64)
        self._current: _Window | None = None
        self._next: Future[_Window] | None = None

    def start(self, order: NDArray[np.int64], first: int = 0) -> None:
        """Begin to read in a new order, at the window of its sample ``first``."""
        self._order, self._current = order, None
        self._next = self._begin(first // self.window)

    def read(self, first: int, count: int) -> Arrays:
        """Return the samples at ``order[first:first + count]``, all of them in one window."""
        window = self._window(first // self.window)
        rows = np.searchsorted(window.samples, self._order[first : first + count])
        return tuple(matrix[rows] for matrix in window.inputs)

    def _window(self, number: int) -> _Window:
        if self._current is not None and self._current.number == number:
            return self._current
        # Its memory is free before one more is read.
        self._current = None
        window = self._next.result() if self._next is not None else None
        if window is None or window.number != number:
            window = self._begin(number).result()
        self._current, self._next = window, None
        if (number + 1) * self.window < len(self._order):
            self._next = self._begin(number + 1)
        return window

    def _begin(self, number: int) -> Future[_Window]:
        samples = self._order[number * self.window : (number + 1) * self.window]
        return self._thread.submit(self._load, number, np.sort(samples))

    def _load(self, number: int, samples: NDArray[np.int64]) -> _Window:
        return _Window(number, samples, self._items.read(samples))
