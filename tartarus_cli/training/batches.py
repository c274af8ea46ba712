"""Batches of aligned samples, made dense one batch at a time, in a seeded random order."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import unit_rows
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset

Arrays = tuple[NDArray[np.float32], ...]
Batch = tuple[Arrays, NDArray[np.float32]]  # inputs, targets

WINDOW_BYTES = 96 << 20  # of patches that are in memory and mixed; the next ones are on their way
BLOCK_BYTES = 4 << 20  # of patches that lie side by side in the file and are read in one go


class Batches:
    """The samples of a part, batch by batch; each epoch has an order of its own.

    Patches are read in blocks of neighbours: the order of the blocks is drawn, then the order of
    the samples within each window of several blocks. While one window is used, the next is read.

    Parameters
    ----------
    part
        What to read.
    size
        Samples of a batch; the last one of an epoch may have fewer.
    normalize
        Divide each target by its L2 norm (a zero target stays zero).
    rng
        Where the order of each epoch comes from; file order if None.
    """

    def __init__(
        self,
        part: TrainingSubset,
        *,
        size: int,
        normalize: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._part, self._size, self._normalize, self._rng = part, size, normalize, rng
        self._order = part.samples
        self._ahead = _Ahead(part.set, _window_of(part, size)) if part.set.patches else None
        if self._ahead is not None and rng is None:
            self._ahead.start(self._order)
        self.reshuffle()

    def __len__(self) -> int:
        return (len(self._part) + self._size - 1) // self._size

    def __getitem__(self, index: int) -> Batch:
        first = index * self._size
        samples = self._order[first : first + self._size]
        targets = self._part.targets.rows(self._part.set.items[samples])
        if self._normalize:
            targets = unit_rows(targets)
        if self._ahead is None:
            return self._part.set.read(samples), targets
        return self._ahead.read(first, len(samples)), targets

    def reshuffle(self) -> None:
        """Draw the order of the next epoch."""
        if self._rng is None:
            return
        if self._ahead is None:
            self._order = self._rng.permutation(self._part.samples)
            return
        block = _samples_in(self._part, BLOCK_BYTES)
        self._order = shuffled_batches(self._part.samples, block, self._ahead.window, self._rng)
        self._ahead.start(self._order)


def shuffled_batches(
    samples: NDArray[np.int64], block: int, window: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Put blocks of neighbours into a random order, and then the samples within each window.

    >>> order = shuffled_batches(np.arange(12), 2, 6, np.random.default_rng(0))
    >>> sorted(order.tolist()) == list(range(12))
    True
    """
    blocks = np.split(samples, range(block, len(samples), block))
    order = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    windows = np.split(order, range(window, len(order), window))
    return np.concatenate([rng.permutation(each) for each in windows])


def _samples_in(part: TrainingSubset, size: int) -> int:
    """Return how many samples take so many bytes."""
    bytes_each = sum(4 * int(np.prod(each.shape[1:])) for each in part.set.inputs)
    return max(1, size // bytes_each)


def _window_of(part: TrainingSubset, batch: int) -> int:
    """Return the samples of a window: whole batches."""
    return max(1, _samples_in(part, WINDOW_BYTES) // batch) * batch


@dataclass(frozen=True)
class _Window:
    """Some samples in memory, in the order of the file."""

    number: int
    samples: NDArray[np.int64]  # sorted
    inputs: Arrays


class _Ahead:
    """Reads windows of an order one after the other, in a thread of its own and one ahead."""

    def __init__(self, items: ItemSet, window: int) -> None:
        self.window = window
        self._items = items
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patches")
        self._order = np.empty(0, np.int64)
        self._current: _Window | None = None
        self._next: Future[_Window] | None = None

    def start(self, order: NDArray[np.int64]) -> None:
        """Begin to read in a new order."""
        self._order, self._current = order, None
        self._next = self._begin(0)

    def read(self, first: int, count: int) -> Arrays:
        """Return the samples at ``order[first:first + count]``, all of them in one window."""
        window = self._window(first // self.window)
        places = np.searchsorted(window.samples, self._order[first : first + count])
        return tuple(each[places] for each in window.inputs)

    def _window(self, number: int) -> _Window:
        if self._current is not None and self._current.number == number:
            return self._current
        self._current = None  # frees it before yet another one is read
        found = self._next.result() if self._next is not None else None
        if found is None or found.number != number:
            found = self._begin(number).result()
        self._current, self._next = found, None
        if (number + 1) * self.window < len(self._order):
            self._next = self._begin(number + 1)
        return found

    def _begin(self, number: int) -> Future[_Window]:
        wanted = self._order[number * self.window : (number + 1) * self.window]
        return self._thread.submit(self._load, number, np.sort(wanted))

    def _load(self, number: int, samples: NDArray[np.int64]) -> _Window:
        return _Window(number, samples, self._items.read(samples))
