"""Feature matrices, dense or sparse, read a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.arrays import open_csr, open_dense
from tartarus_cli.errors import FileError

if TYPE_CHECKING:
    from tartarus_cli.data.pooled_patches import PooledOrigin

BLOCK_BYTES = 16 << 20
"""Bytes of a block, as dense float32."""
MAX_COLUMNS = 1 << 22
"""The most columns of a matrix, of which a few rows are dense in memory at a time."""

RowSelection = slice | NDArray[np.integer]


@dataclass(frozen=True)
class Matrix:
    """A matrix in a file: dense and mapped into memory, or sparse."""

    path: Path
    values: NDArray[Any] | csr_array
    present: NDArray[np.bool_] | None = None
    """Of features: which items have this setting, ``(items,)``; the rows of others are zeros. None:
    all have it."""
    pooled: PooledOrigin | None = None
    """Of pooled patches: what they are made of."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, width = self.values.shape
        return int(rows), int(width)

    @property
    def sparse(self) -> bool:
        """Whether zeros are not stored."""
        return isinstance(self.values, csr_array)

    @property
    def density(self) -> float:
        """Share of values that are stored (1 for a dense matrix)."""
        cells = self.shape[0] * self.shape[1]
        return self.values.nnz / max(cells, 1) if isinstance(self.values, csr_array) else 1.0

    def rows(self, selection: RowSelection) -> NDArray[np.float32]:
        """Read the selected rows as a dense ``(rows, width)`` array."""
        block = self.values[selection]
        with np.errstate(over="ignore"):  # too large a number becomes infinite, and is reported
            if isinstance(block, csr_array):
                return np.asarray(block.astype(np.float32, copy=False).toarray())
            return np.asarray(block, np.float32)

    def select(self, selection: RowSelection) -> Matrix:
        """Return the selected rows as a matrix of their own."""
        present = None if self.present is None else self.present[selection]
        return replace(self, values=self.values[selection], present=present)

    def rows_with_values(self) -> NDArray[np.bool_]:
        """Return which rows hold anything but zeros, ``(rows,)``."""
        if isinstance(self.values, csr_array):
            before = np.concatenate([[0], np.cumsum(self.values.data != 0)])  # a 0 may be stored
            return np.asarray(np.diff(before[self.values.indptr]) > 0)
        found = [self.values[block].any(axis=1) for block in self.blocks()]
        return np.concatenate(found) if found else np.zeros(0, bool)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
        """Cut the rows into slices whose dense float32 form takes about ``block_bytes``."""
        rows, width = self.shape
        step = max(1, block_bytes // (4 * max(width, 1)))
        return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def open_matrix(path: Path, digests: dict[Path, str] | None = None) -> Matrix:
    """Open a matrix: ``.npy`` is dense, ``.npz`` is sparse (CSR).

    ``digests`` gets the hash of a sparse one, as of :func:`open_csr`.

    Raises
    ------
    FileError
        If the file is damaged, is no matrix, or holds anything but numbers.
    """
    values = open_csr(path, digests) if path.suffix == ".npz" else open_dense(path)
    if values.ndim != 2 or not 0 < values.shape[1] <= MAX_COLUMNS:
        raise FileError(
            path,
            found=f"an array of shape {values.shape}",
            expected=f"a matrix (rows, columns) of 1 to {MAX_COLUMNS:,} columns",
            hint="Write one row for each id, and one column for each feature, or for each class: 1 "
            "where the item has it, else 0.",
        )
    return Matrix(path, values)


def require_finite(path: Path, rows: NDArray[np.float32], first: int = 0) -> None:
    """Make sure that rows read from a file hold no NaN and no infinity.

    Parameters
    ----------
    path
        The file.
    rows
        ``(rows, width)``.
    first
        Number of the first of these rows in the file, counted from 0.

    Raises
    ------
    FileError
        If a number is not finite; the message names the rows.
    """
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1)) + first
    if bad.size:
        numbers = ", ".join(map(str, bad[:5])) + (", …" if bad.size > 5 else "")
        raise FileError(
            path,
            found=f"NaN or infinity in {bad.size:,} rows ({numbers}, counted from 0)",
            expected="finite numbers",
            hint="Compute these rows again; or leave their items out of predictions with `ids`.",
        )


def unit_rows(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Divide each row by its L2 norm; zero rows stay zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))[:, None]
    units = np.empty(vectors.shape, np.float32)
    np.divide(vectors, np.where(norms > 0, norms, 1), out=units, casting="same_kind")
    return units
