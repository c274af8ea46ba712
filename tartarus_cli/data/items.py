"""The items of a set with their inputs: features, patches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.patches import Patches, open_patches
from tartarus_cli.errors import FileError, Placeholder, call, display_path
from tartarus_cli.file_names import Kind, patch_fields


@dataclass(frozen=True)
class PatchSource:
    """An input that comes from the dataset's patches."""

    per_item: int
    """Patches of each item."""
    seconds: float
    """Length of a patch."""


InputSource = str | PatchSource
"""What an input is read from: the name of a setting, or patches."""


@dataclass(frozen=True)
class ItemSet:
    """The items of a set and the inputs of a network for them.

    A sample is what a network sees at a time: an item, or one patch of it.
    """

    split: str
    """``train``, ``val`` or ``test``."""
    ids: list[str]
    """Ids of the items, in the order of the rows of their matrices."""
    inputs: tuple[Matrix | Patches, ...]
    """Features ``(items, width)``, or patches ``(samples, frames, bins, 1)``."""
    items: NDArray[np.int64]
    """``(samples,)``: the number of the item that each sample belongs to."""

    @property
    def patches(self) -> Patches | None:
        """The input that is read from a file of patches, if there is one."""
        return next((source for source in self.inputs if isinstance(source, Patches)), None)

    def read(self, samples: slice | NDArray[np.integer]) -> tuple[NDArray[np.float32], ...]:
        """Read samples of each input: one array ``(samples, …)`` an input."""
        rows = self.items[samples]
        return tuple(
            source.rows(samples) if isinstance(source, Patches) else source.rows(rows)
            for source in self.inputs
        )


def open_items(dataset: Dataset, sources: Sequence[InputSource], split: str) -> ItemSet:
    """Open the ids and the inputs of one set.

    Parameters
    ----------
    dataset
        The dataset.
    sources
        What each input is read from, in order.
    split
        ``train``, ``val`` or ``test``.

    Raises
    ------
    DataError
        If a file is missing or damaged, has not one row for each id, or no patch of any of them.
    """
    ids = dataset.ids(split)
    inputs: list[Matrix | Patches] = []
    for source in sources:
        if isinstance(source, PatchSource):
            inputs.append(open_patches(_patch_file(dataset, source, split), ids))
        else:
            inputs.append(require_rows(dataset.features(source, split), len(ids)))
    items = ItemSet(split, ids, tuple(inputs), np.arange(len(ids)))
    if items.patches is None:
        return items
    if not len(items.patches.items):
        raise FileError(
            items.patches.path,
            found="no patch of any item",
            expected=f"patches of the {split} items",
            hint=f"To see why its recordings have none: {call('patches', dataset.name)}",
        )
    return replace(items, items=items.patches.items)


def _patch_file(dataset: Dataset, source: PatchSource, split: str) -> Path:
    fields = patch_fields(source.per_item, source.seconds)
    count, seconds = (Placeholder(fields[name]) for name in ("count", "seconds"))
    command = call("patches", dataset.name, per_item=count, seconds=seconds)
    return dataset.require(Kind.PATCHES, split=split, hint=f"Make it: {command}", **fields).path


def infer_patches(dataset: Dataset, source: PatchSource) -> PatchSource:
    """Return the patches that a dataset has, if they are all of one kind; else ``source``.

    Raises
    ------
    DataError
        If there are no patches of that kind.
    """
    if (source.per_item, source.seconds) not in dataset.patches and len(dataset.patches) == 1:
        return PatchSource(*dataset.patches[0])
    # Raises an error if it is missing.
    _patch_file(dataset, source, "train")
    return source


def require_rows(matrix: Matrix, rows: int) -> Matrix:
    """Make sure that a matrix has a row for each id of its set, and return it.

    Raises
    ------
    FileError
        If it has more or fewer.
    """
    if matrix.shape[0] != rows:
        raise FileError(
            matrix.path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{rows:,} rows, one for each id",
            hint=f"Compare {display_path(matrix.path)} with the list of ids of its set.",
        )
    return matrix
