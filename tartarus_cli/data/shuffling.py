"""Datasets whose items have each other's features: what is left where content says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.array_writing import create_unnamed
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.patches import Patches


@dataclass(frozen=True, eq=False)
class ShuffledDataset(Dataset):
    """A dataset whose rows of features are permuted among the items of each set.

    All settings of an item, its patches among them, travel together to the same other item of its
    set; ids, plays and targets stay where they are. The files are not changed.
    """

    seed: int = 0
    """Of the permutations, which depend on it and on the name of the set alone."""
    _permuted: dict[Path, Matrix] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, dataset: Dataset, seed: int) -> Self:
        """Return a dataset with shuffled features; what was read of its files is read only once."""
        shuffled = cls(dataset.files, dataset.name, seed)
        vars(shuffled).update(vars(dataset))
        return shuffled

    def order(self, split: str) -> NDArray[np.int64]:
        """Return the number of the item whose features each item of a set has, ``(items,)``."""
        return item_order(self.seed, split, len(self.ids(split)))

    def features(self, setting: str, split: str) -> Matrix:
        """Open the features of the items of a set, each row at another item, ``(items, width)``.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        matrix = super().features(setting, split)
        if matrix.shape[0] != len(self.ids(split)):
            return matrix  # whoever opens it says so
        if matrix.path not in self._permuted:
            self._permuted[matrix.path] = permute_rows(matrix, self.order(split))
        return self._permuted[matrix.path]

    def pooled_patches(self, split: str, **fields: str) -> Matrix:
        """Open the pooled patches of the items of a set, each row at another item."""
        matrix = super().pooled_patches(split, **fields)
        if matrix.path not in self._permuted:
            self._permuted[matrix.path] = permute_rows(matrix, self.order(split))
        return self._permuted[matrix.path]

    def shuffle_patches(self, patches: Patches, split: str) -> Patches:
        """Return the patches of a set, each at the item that its features are at."""
        places = np.argsort(self.order(split))
        return replace(patches, items=places[patches.items])


def item_order(seed: int, split: str, items: int) -> NDArray[np.int64]:
    """Draw which item's features each item of a set gets, ``(items,)``.

    >>> sorted(item_order(0, "test", 5).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.random.default_rng((seed, crc32(split.encode()))).permutation(items)


def permute_rows(matrix: Matrix, order: NDArray[np.int64]) -> Matrix:
    """Return a matrix whose row ``n`` is that of the number ``order[n]``.

    A dense one is written, a block after the other, into a file without a name, and mapped.
    """
    values: NDArray[Any] | csr_array = matrix.values
    if isinstance(values, csr_array):
        return matrix.select(order)
    permuted = create_unnamed(matrix.path.parent, values.shape, values.dtype)
    for block in matrix.blocks():
        permuted[block] = values[order[block]]
    present = None if matrix.present is None else matrix.present[order]
    return replace(matrix, values=permuted, present=present)
