"""Products of joined settings, dense or sparse, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import Features, row_blocks

PRODUCT_ROWS = 1024
"""Rows of a product of sparse matrices that are made dense at a time."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CentredRows:
    """Dense rows less their mean, which would drown small differences in rounding errors.

    Rows of items that lack the setting stay zero.
    """

    values: NDArray[Any]
    """The rows as they are, ``(items, width)``."""

    mean: FloatArray
    """Subtracted from each of them, ``(width,)``."""

    present: NDArray[np.bool_] | None = None
    """Which items have the setting, ``(items,)``; None: all."""

    factor: float = 1
    """What the centred rows are multiplied by."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows and of columns."""
        return tuple(self.values.shape)

    def __getitem__(self, rows: slice) -> FloatArray:
        centred = np.asarray(self.values[rows], np.float64) - self.mean
        if self.present is not None:
            centred[~self.present[rows]] = 0
        if self.factor != 1:
            centred *= self.factor
        return centred


SettingRows: TypeAlias = Features | CentredRows
RowsT = TypeVar("RowsT", Features, SettingRows)


def multiply(inputs: Sequence[SettingRows], right: FloatArray) -> FloatArray:
    """Multiply joined rows by a matrix ``(width, n)``; dense rows are read in blocks."""
    items = int(inputs[0].shape[0])
    product = np.zeros((items, right.shape[1]))
    for rows, columns in with_columns(inputs):
        for block in _row_slices(rows):
            product[block] += _as_float64(rows[block]) @ right[columns]
    return product


def multiply_transposed(inputs: Sequence[SettingRows], right: FloatArray) -> FloatArray:
    """Multiply the transpose of joined rows by a matrix ``(items, n)``."""
    width = sum(int(rows.shape[1]) for rows in inputs)
    product = np.zeros((width, right.shape[1]))
    for rows, columns in with_columns(inputs):
        for block in _row_slices(rows):
            product[columns] += _as_float64(rows[block]).T @ right[block]
    return product


def gram(inputs: Sequence[SettingRows]) -> FloatArray:
    """Return the products of all columns of the joined settings, ``(width, width)``."""
    settings = with_columns(inputs)
    width = settings[-1][1].stop
    products = np.zeros((width, width))
    for block in row_blocks(int(inputs[0].shape[0]), _dense_width(inputs)):
        parts = [(_as_float64(rows[block]), columns) for rows, columns in settings]
        for number, (left, down) in enumerate(parts):
            for right, across in parts[: number + 1]:
                _add_product(products[down, across], left.T, right)
    for number, (_, down) in enumerate(settings):
        for _, across in settings[:number]:
            products[across, down] = products[down, across].T
    return products


def outer_gram(inputs: Sequence[SettingRows]) -> FloatArray:
    """Return the products of all joined rows, ``(items, items)``."""
    items = int(inputs[0].shape[0])
    products = np.zeros((items, items))
    blocks = row_blocks(items, _dense_width(inputs))
    for rows in inputs:
        for down in blocks:
            left = _as_float64(rows[down])
            for across in blocks:
                _add_product(products[down, across], left, _as_float64(rows[across]).T)
    return products


def _add_product(total: FloatArray, left: Any, right: Any) -> None:
    """Add ``left @ right`` to the total, in place."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        total += left @ right
        return
    left, right = left.tocsr(), right.tocsr()
    for first in range(0, left.shape[0], PRODUCT_ROWS):
        block = slice(first, first + PRODUCT_ROWS)
        total[block] += (left[block] @ right).toarray()


def with_columns(inputs: Sequence[RowsT]) -> list[tuple[RowsT, slice]]:
    """Return each setting with its columns among those of all."""
    widths = [int(rows.shape[1]) for rows in inputs]
    ends = np.cumsum(widths).tolist()
    return [
        (rows, slice(end - width, end))
        for rows, width, end in zip(inputs, widths, ends, strict=True)
    ]


def _row_slices(rows: SettingRows) -> list[slice]:
    """Cut rows so that each slice can be read at once; sparse ones are in memory already."""
    return [slice(None)] if isinstance(rows, csr_array) else row_blocks(*rows.shape)


def _dense_width(inputs: Sequence[SettingRows]) -> int:
    return sum(int(rows.shape[1]) for rows in inputs if not isinstance(rows, csr_array))


def _as_float64(rows: Features) -> Any:
    return np.asarray(rows, np.float64) if isinstance(rows, np.ndarray) else rows.astype(np.float64)
