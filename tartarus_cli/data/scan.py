"""Statistics of a matrix, computed in one pass, block by block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix

# 2⁶⁴ divided by the golden ratio: the multiplier of Fibonacci hashing.
_MIX = 0x9E3779B97F4A7C15
WIDE, WIDE_ROWS = 1 << 10, 1 << 12
"""Columns of a wide matrix, and its rows that are looked at together if it is sparse."""


@dataclass(frozen=True)
class MatrixStatistics:
    """Statistics of the values of a matrix."""

    rows: int
    width: int
    bad_rows: NDArray[np.int64]
    """Numbers of the rows with NaN or infinity (as float32)."""
    zero_rows: NDArray[np.bool_]
    """``(rows,)`` whether a row holds only zeros."""
    identical_rows: int
    """Rows that repeat an earlier one; rows of zeros do not count."""
    constant_columns: NDArray[np.bool_]
    """``(width,)`` whether a column holds a single value."""
    empty_columns: NDArray[np.bool_]
    """``(width,)`` whether a column holds only zeros."""
    binary: bool
    """Whether all values are 0 or 1."""
    one_hot: bool
    """Whether each row holds a single 1."""


def scan_matrix(
    matrix: Matrix, report_share: Callable[[float], None] = lambda _share: None
) -> MatrixStatistics:
    """Read a matrix once, block by block, and compute its statistics.

    Rows are compared by a 64-bit hash of their float32 values: two different rows of a million
    count as identical with a probability below one in ten million.

    Parameters
    ----------
    matrix
        Dense or sparse, ``(rows, width)``.
    report_share
        Called after each block with its share of the rows.
    """
    collector = _StatisticsCollector(matrix.shape[1])
    for block in _blocks(matrix):
        values = matrix.values[block]
        with np.errstate(over="ignore", invalid="ignore"):  # bad values are counted
            values = values.astype(np.float32)
            if isinstance(values, csr_array):
                values.eliminate_zeros()
                collector.add_sparse(values)
            else:
                collector.add_dense(np.ascontiguousarray(values))
        report_share((block.stop - block.start) / matrix.shape[0])
    return collector.statistics(matrix.shape[0])


def _blocks(matrix: Matrix) -> Iterator[slice]:
    """Cut the rows into slices; those of a sparse matrix have few values, however wide it is."""
    rows, width = matrix.shape
    if not matrix.sparse or width < WIDE:
        return matrix.blocks()
    return (slice(n, min(n + WIDE_ROWS, rows)) for n in range(0, rows, WIDE_ROWS))


@dataclass
class _StatisticsCollector:
    width: int
    rows: int = 0
    binary: bool = True
    one_hot: bool = True
    bad: list[NDArray[np.int64]] = field(default_factory=list)
    zero: list[NDArray[np.bool_]] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        draws = np.random.default_rng(_MIX).integers(0, 2**64, self.width, np.uint64)
        self.weights = draws | np.uint64(1)
        self.low = np.full(self.width, np.inf, np.float32)
        self.high = np.full(self.width, -np.inf, np.float32)
        self.filled = np.zeros(self.width, np.int64)

    def add_dense(self, values: NDArray[np.float32]) -> None:
        bits = (values + np.float32(0)).view(np.uint32)  # adding 0 makes -0.0 the same as 0.0
        self._add(
            np.asarray(np.isfinite(values).all(axis=1)),
            (values != 0).sum(axis=1),
            _scramble(bits) @ self.weights,
            values.sum(axis=1, dtype=np.float64),
        )
        np.minimum(self.low, values.min(axis=0), out=self.low)
        np.maximum(self.high, values.max(axis=0), out=self.high)
        self.filled += len(values)
        self.binary = self.binary and bool(np.isin(values, (0, 1)).all())

    def add_sparse(self, values: csr_array) -> None:
        rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
        products = _scramble(values.data.view(np.uint32)) * self.weights[values.indices]
        hashes = np.zeros(values.shape[0], np.uint64)
        np.add.at(hashes, rows, products)
        finite = np.ones(values.shape[0], bool)
        finite[rows[~np.isfinite(values.data)]] = False
        filled = np.diff(values.indptr)
        sums = np.bincount(rows, values.data, values.shape[0]).astype(np.float64)
        self._add(finite, filled, hashes, sums)
        np.minimum.at(self.low, values.indices, values.data)
        np.maximum.at(self.high, values.indices, values.data)
        np.add.at(self.filled, values.indices, 1)
        self.binary = self.binary and bool(np.isin(values.data, (0, 1)).all())

    def _add(
        self,
        finite: NDArray[np.bool_],
        filled: NDArray[np.integer],
        hashes: NDArray[np.uint64],
        sums: NDArray[np.float64],
    ) -> None:
        self.bad.append(np.flatnonzero(~finite) + self.rows)
        self.zero.append(filled == 0)
        self.hashes.append(hashes)
        self.one_hot = self.one_hot and bool(((filled == 1) & (sums == 1)).all())
        self.rows += len(finite)

    def statistics(self, rows: int) -> MatrixStatistics:
        zero = np.concatenate([*self.zero, np.empty(0, bool)])
        gaps = self.filled < rows  # columns of sparse rows that hold a zero somewhere
        self.low[gaps], self.high[gaps] = (
            np.minimum(self.low[gaps], 0),
            np.maximum(self.high[gaps], 0),
        )
        hashes = np.concatenate([*self.hashes, np.empty(0, np.uint64)])[~zero]
        return MatrixStatistics(
            rows=rows,
            width=self.width,
            bad_rows=np.concatenate([*self.bad, np.empty(0, np.int64)]),
            zero_rows=zero,
            identical_rows=len(hashes) - len(np.unique(hashes)),
            constant_columns=self.low == self.high,
            empty_columns=(self.low == 0) & (self.high == 0),
            binary=self.binary,
            one_hot=self.one_hot and self.binary,
        )


def _scramble(bits: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Spread the bits of each value over 64; 0 stays 0, so that sparse rows need no zeros."""
    mixed = bits.astype(np.uint64) * np.uint64(_MIX)
    return mixed ^ (mixed >> np.uint64(29))
