"""Who played the items of a set: from the file of its plays, or rebuilt from factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix, require_finite
from tartarus_cli.data.targets import reference_factors
from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.file_names import PLAYS, Kind

LIKELY = 0.6
"""Product of a user's and an item's factors over which a play is assumed where none are known."""

BLOCK_BYTES = 64 << 20
"""Size of the products that are computed at a time."""


@dataclass(frozen=True)
class Plays:
    """Which users have the items of a set."""

    matrix: csr_array
    """``(items, users)``, float32, 1 where the user has the item."""
    files: tuple[Path, ...]
    """What they were read from."""
    rebuilt: bool = False
    """Whether they were rebuilt from factors."""


def read_plays(dataset: Dataset, split: str) -> Plays:
    """Read who played the items of a set.

    Where the dataset has no file of these plays, but factors of users and of these items, an item
    counts as played by a user if the product of their factors is over 0.6.

    Raises
    ------
    DataError
        If there is neither, or a file is damaged, or of another number of items.
    """
    file = dataset.find(PLAYS[split])
    items = len(dataset.ids(split))
    if file is None:
        return _rebuild(dataset, split, items)
    plays = dataset.plays(split)
    if plays.shape[0] != items:
        raise FileError(
            file.path,
            found=f"{plays.shape[0]:,} rows",
            expected=f"{items:,}, one for each {split} item",
            hint="Write it as (items, users).",
        )
    if not np.isfinite(plays.data).all():
        raise FileError(
            file.path,
            found=f"NaN or infinity in {int((~np.isfinite(plays.data)).sum()):,} entries",
            expected="finite numbers, over 0 where the user has the item",
            hint="Write it again without them.",
        )
    return Plays(binary(plays).astype(np.float32), (file.path,))


def has_plays(dataset: Dataset, split: str) -> bool:
    """Whether the plays of a set are known, or can be rebuilt from factors."""
    if split not in dataset.splits:
        return False
    if dataset.find(PLAYS[split]) is not None:
        return True
    spec = reference_factors(dataset)
    return spec is not None and bool(dataset.select(Kind.TARGETS, split=split, **spec.fields))


def count_users(dataset: Dataset) -> int:
    """Return the number of users, by the plays of train or test items, or by their factors.

    Raises
    ------
    DataError
        If there is none of these, or a file is damaged.
    """
    for split in ("train", "test"):
        if dataset.find(PLAYS[split]) is not None:
            return int(dataset.plays(split).shape[1])
    spec = reference_factors(dataset)
    if spec is None:
        raise _no_plays(dataset, "train")
    return dataset.user_factors(spec.kind, spec.dim).shape[0]


def _rebuild(dataset: Dataset, split: str, items: int) -> Plays:
    spec = reference_factors(dataset)
    if spec is None or not dataset.select(Kind.TARGETS, split=split, **spec.fields):
        raise _no_plays(dataset, split)
    users = dataset.user_factors(spec.kind, spec.dim)
    factors = dataset.targets(spec.kind, spec.dim, split)
    if factors.shape[0] != items:
        raise FileError(
            factors.path,
            found=f"{factors.shape[0]:,} rows",
            expected=f"{items:,}, one for each {split} item",
            hint=f"See which file is out of step: {call('check', dataset.name)}",
        )
    blocks = [rebuild_plays(rows, users) for rows in _finite_blocks(factors)]
    return Plays(vstack(blocks, format="csr"), (users.path, factors.path), rebuilt=True)


def _finite_blocks(matrix: Matrix) -> Iterator[NDArray[np.float32]]:
    for block in matrix.blocks():
        rows = matrix.rows(block)
        require_finite(matrix.path, rows, block.start)
        yield rows


def rebuild_plays(items: NDArray[np.float32], users: Matrix) -> csr_array:
    """Assume a play where the product of a user's and an item's factors is over 0.6.

    Parameters
    ----------
    items
        ``(items, dim)``.
    users
        ``(users, dim)``, read in blocks.

    Returns
    -------
    ``(items, users)``, float32, 1 where a play is assumed.
    """
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    step = max(1, BLOCK_BYTES // (4 * max(len(items), 1)))
    for first in range(0, users.shape[0], step):
        block = users.rows(slice(first, first + step))
        require_finite(users.path, block, first)
        item, user = np.nonzero(items @ block.T > LIKELY)
        rows.append(item)
        columns.append(user + first)
    places = (np.concatenate(rows), np.concatenate(columns))
    shape = (len(items), users.shape[0])
    return csr_array((np.ones(len(places[0]), np.float32), places), shape)


def _no_plays(dataset: Dataset, split: str) -> DataError:
    path = dataset.path(PLAYS[split])
    msg = f"{dataset.name} has no plays of its {split} items, and no factors to rebuild them from"
    hint = f"Write them into {display_path(path)} as a sparse matrix (items, users), or divide a "
    hint += f"table of plays into sets: {call('split', dataset.name, plays='plays.csv')}"
    return DataError(msg, hint=hint)


def binary(plays: csr_array) -> csr_array:
    """Keep the entries over 0, as 1.

    >>> binary(csr_array([[2, 0, -1]])).toarray().tolist()
    [[1, 0, 0]]
    """
    entries = (plays.data > 0).astype(np.int8)
    ones = csr_array((entries, plays.indices.copy(), plays.indptr.copy()), shape=plays.shape)
    ones.eliminate_zeros()
    ones.sort_indices()
    return ones
