"""Batches of aligned rows, made dense one batch at a time, in a seeded random order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Part
from tartarus_cli.data.features import unit_rows

Batch = tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]  # inputs, targets


class Batches:
    """The rows of a part, batch by batch; each epoch has an order of its own.

    Parameters
    ----------
    part
        What to read.
    size
        Rows of a batch; the last one of an epoch may have fewer.
    normalize
        Divide each target by its L2 norm (a zero target stays zero).
    rng
        Where the order of each epoch comes from; file order if None.
    """

    def __init__(
        self,
        part: Part,
        *,
        size: int,
        normalize: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._part, self._size, self._normalize, self._rng = part, size, normalize, rng
        self._order = part.rows
        self.reshuffle()

    def __len__(self) -> int:
        return (len(self._part) + self._size - 1) // self._size

    def __getitem__(self, index: int) -> Batch:
        rows = self._order[index * self._size : (index + 1) * self._size]
        targets = self._part.targets.rows(rows)
        if self._normalize:
            targets = unit_rows(targets)
        return tuple(each.rows(rows) for each in self._part.inputs), targets

    def reshuffle(self) -> None:
        """Draw the order of the next epoch."""
        if self._rng is not None:
            self._order = self._rng.permutation(self._part.rows)
