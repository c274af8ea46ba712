"""Patches pooled: one row an item, of how each bin is on average, and how it changes.

The classical features of a recording, for models that read vectors: mean and standard deviation of
each bin over the frames of all patches of an item, and those of the differences between one frame
and the next. Columns are standardised by the train items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.array_writing import create_unnamed
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.patches import RECREATE_PATCHES, Patches, open_patches
from tartarus_cli.errors import FileError
from tartarus_cli.file_names import Kind

if TYPE_CHECKING:
    from tartarus_cli.data.dataset import Dataset

STATISTICS = ("mean", "deviation", "mean difference", "deviation of differences")
"""What is computed of each bin, in the order of the columns: first that of all bins, and so on."""
BLOCK_BYTES = 32 << 20
"""Bytes of patches that are read at a time; an item's are read together in any case."""
MEMORY_BYTES = 256 << 20
"""Bytes of rows up to which they are held in memory; more lie in a file without a name."""


@dataclass(frozen=True)
class PooledScaling:
    """What standardises pooled columns: fitted to the train items that have patches."""

    mean: NDArray[np.float32]
    """``(width,)``."""
    scale: NDArray[np.float32]
    """The deviation, ``(width,)``; 1 where a column is constant."""

    @classmethod
    def fit(cls, rows: NDArray[np.float32]) -> PooledScaling:
        """Fit it to pooled rows, ``(items, width)``."""
        mean = np.mean(rows, axis=0, dtype=np.float64)
        deviation = np.std(rows, axis=0, dtype=np.float64)
        constant = deviation <= 1e-6 * np.abs(mean)  # what is left of it is rounding
        scale = np.where(constant, 1, deviation)
        return cls(np.asarray(mean, np.float32), np.asarray(scale, np.float32))

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise pooled rows, ``(items, width)``."""
        return (rows - self.mean) / self.scale


@dataclass(frozen=True)
class PooledOrigin:
    """What pooled rows were made of."""

    patches: Patches
    scaling: PooledScaling


def pool_frames(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the row of an item.

    Parameters
    ----------
    patches
        All its patches, ``(patches, frames, bins)``; differences are those within a patch, and 0
        where a patch has one frame.

    Returns
    -------
    The :data:`STATISTICS` of all bins, ``(4 × bins,)``.

    Examples
    --------
    >>> pool_frames(np.array([[[0.0], [2.0], [4.0]]], np.float32)).round(3).tolist()
    [2.0, 1.6330000162124634, 2.0, 0.0]
    """
    steps = np.diff(patches, axis=1)
    if not steps.size:
        steps = np.zeros_like(patches)
    parts = [
        function(values, axis=(0, 1), dtype=np.float64)
        for values in (patches, steps)
        for function in (np.mean, np.std)
    ]
    return np.concatenate(parts).astype(np.float32)


@dataclass(frozen=True)
class PooledPatches:
    """The pooled patches of a dataset, each file of which is read once, a few items at a time."""

    _rows: dict[Path, Matrix] = field(default_factory=dict, repr=False)

    def open(self, dataset: Dataset, split: str, **fields: str) -> Matrix:
        """Return the standardised rows of the items of a set, ``(items, 4 × bins)``.

        Items without a patch lack them: their rows are zeros.

        Parameters
        ----------
        dataset
            The dataset.
        split
            ``train``, ``val`` or ``test``.
        fields
            Those of the names of the files of patches.

        Raises
        ------
        DataError
            If a file is missing or damaged, or there is no patch of any train item.
        """
        path = dataset.require(Kind.PATCHES, split=split, **fields).path
        if path not in self._rows:
            ids = dataset.ids(split)
            patches = open_patches(path, ids)
            scaling = None
            if split != "train":
                train = self.open(dataset, "train", **fields)
                _require_alike(patches, train)
                scaling = train.pooled.scaling if train.pooled else None
            self._rows[path] = _standardize(_pool(patches, ids), patches, scaling)
        return self._rows[path]


def _require_alike(patches: Patches, train: Matrix) -> None:
    """Make sure that patches are as wide as those of the train items."""
    bins, expected = patches.shape[2], train.shape[1] // len(STATISTICS)
    if bins != expected:
        raise FileError(
            patches.path,
            found=f"{bins:,} bins",
            expected=f"{expected:,}, as the patches of the train items",
            hint=RECREATE_PATCHES,
        )


def _pool(patches: Patches, ids: list[str]) -> Matrix:
    """Pool the patches of each item; nothing is standardised yet."""
    width = len(STATISTICS) * patches.shape[2]
    present = np.zeros(len(ids), bool)
    rows: NDArray[Any] = np.zeros((0, width), np.float32)
    if 4 * len(ids) * width > MEMORY_BYTES:
        rows = create_unnamed(patches.path.parent, (len(ids), width), np.float32)
    else:
        rows = np.zeros((len(ids), width), np.float32)
    for items, samples, starts in _runs(patches):
        values = patches.rows(samples)[..., 0]
        for number, own in zip(items, np.split(values, starts[1:]), strict=True):
            rows[number] = pool_frames(own)
            if not np.isfinite(rows[number]).all():
                raise FileError(
                    patches.path,
                    found=f"NaN or infinity in a patch of item {ids[number]!r}",
                    expected="finite numbers",
                    hint=RECREATE_PATCHES,
                )
        present[items] = True
    return Matrix(patches.path, rows, None if present.all() else present)


def _runs(
    patches: Patches,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the numbers of some items, their samples, and where those of each begin."""
    order = np.argsort(patches.items, kind="stable")
    items, starts = np.unique(patches.items[order], return_index=True)
    _, frames, bins, _ = patches.shape
    most = max(1, BLOCK_BYTES // (4 * frames * bins))
    first = 0
    ends = np.append(starts[1:], len(order))
    while first < len(items):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + most, "right")))
        samples = order[starts[first] : ends[last - 1]]
        yield items[first:last], samples, starts[first:last] - starts[first]
        first = last


def _standardize(matrix: Matrix, patches: Patches, scaling: PooledScaling | None) -> Matrix:
    rows, present = matrix.values, matrix.present
    known = rows if present is None else rows[present]
    if scaling is None:
        scaling = PooledScaling.fit(np.asarray(known))
    for block in matrix.blocks():
        rows[block] = scaling(rows[block])
        if present is not None:
            rows[block][~present[block]] = 0
    return replace(matrix, pooled=PooledOrigin(patches, scaling))
