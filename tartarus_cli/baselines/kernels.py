"""How alike items are, as a kernel: products of their features, or powers of their cosines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import Features, Presence, row_blocks

KernelName = Literal["cosine", "linear"]
"""``cosine``: powers of cosines; ``linear``: the products of the features as they are."""

ROWS_AT_ONCE = 1024
"""Rows of a kernel that are computed at a time."""


@dataclass(frozen=True)
class Products:
    """Products of the features of items with those of the train items."""

    values: NDArray[Any]
    """``(items, train items)``: cosines, or products of the features as they are."""
    counts: NDArray[np.float64]
    """``(items,)``: non-zero features of each item."""
    train_counts: NDArray[np.float64]
    """``(train items,)``: those of each train item."""

    def kernel(self, power: float, count_exponent: float) -> NDArray[Any]:
        """Return ``sign(c)|c|^p (n_i n_j)^b``, c being a product and n a number of features.

        Parameters
        ----------
        power
            p; 1 leaves products as they are.
        count_exponent
            b; 0 lets the number of features not count.
        """
        kernel = self.values.copy()
        if power != 1:
            np.copysign(np.abs(kernel) ** self.values.dtype.type(power), kernel, out=kernel)
        if count_exponent:
            scale = [np.maximum(n, 1) ** count_exponent for n in (self.counts, self.train_counts)]
            kernel *= scale[0].astype(kernel.dtype)[:, None]
            kernel *= scale[1].astype(kernel.dtype)
        return kernel


class TrainFeatures:
    """The features of train items, to multiply those of other items with.

    For cosines, dense settings are standardised by the train items first, and the rows of each
    setting are divided by their L2 norm and joined.

    Parameters
    ----------
    inputs
        The rows of each setting, ``(train items, width)``, dense or sparse.
    kernel
        What products are computed.
    present
        Which train items have each setting: these are what it is standardised by.
    """

    def __init__(
        self, inputs: Sequence[Features], kernel: KernelName, present: Presence = ()
    ) -> None:
        self._kernel = kernel
        masks = present or (None,) * len(inputs)
        self._scales = [
            _Scale.of(rows, mask) if kernel == "cosine" else None
            for rows, mask in zip(inputs, masks, strict=True)
        ]
        self._inputs = inputs

    def among_train(self, dtype: type[np.floating[Any]]) -> Products:
        """Return the products of the train items with each other."""
        return self.products(self._inputs, dtype)

    def products(self, inputs: Sequence[Features], dtype: type[np.floating[Any]]) -> Products:
        """Return the products of items with the train items, ``(items, train items)``.

        Parameters
        ----------
        inputs
            The rows of each setting, ``(items, width)``.
        dtype
            float32 or float64: the precision.
        """
        items, train = int(inputs[0].shape[0]), int(self._inputs[0].shape[0])
        values = np.zeros((items, train), dtype)
        for first in range(0, items, ROWS_AT_ONCE):
            block = slice(first, first + ROWS_AT_ONCE)
            left = self._prepare([rows[block] for rows in inputs], dtype)
            for setting, right in zip(left, self._train(dtype), strict=True):
                product = setting @ right.T
                values[block] += product if isinstance(product, np.ndarray) else product.toarray()
        return Products(values, _count(inputs), self._counts)

    @cached_property
    def _counts(self) -> NDArray[np.float64]:
        return _count(self._inputs)

    def _train(self, dtype: type[np.floating[Any]]) -> list[Any]:
        if self._prepared is None or self._prepared[0].dtype != dtype:
            self._prepared = self._prepare(self._inputs, dtype)
        return self._prepared

    _prepared: list[Any] | None = None

    def _prepare(self, inputs: Sequence[Features], dtype: type[np.floating[Any]]) -> list[Any]:
        """Return the rows of each setting as they are multiplied."""
        if self._kernel == "linear":
            return [_as(rows, dtype) for rows in inputs]
        scaled = [
            scale(_as(rows, np.float64)) if scale is not None else _as(rows, np.float64)
            for rows, scale in zip(inputs, self._scales, strict=True)
        ]
        norms = [_norms(rows) for rows in scaled]
        # The norm of a joined row is the square root of the number of its rows that are not zero.
        joined = np.sqrt(np.maximum(np.sum([norm > 0 for norm in norms], axis=0), 1))
        return [
            _as(_divide(rows, norm * joined), dtype)
            for rows, norm in zip(scaled, norms, strict=True)
        ]


@dataclass(frozen=True)
class _Scale:
    """Zero mean and unit deviation of each column of a dense setting, by items that have it."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Features, present: NDArray[np.bool_] | None) -> _Scale | None:
        if not isinstance(rows, np.ndarray):
            return None

        def blocks() -> Iterator[NDArray[np.float64]]:
            for block in row_blocks(*rows.shape):
                values = _as(rows[block], np.float64)
                yield values if present is None else values[present[block]]

        count = max(len(rows) if present is None else int(present.sum()), 1)
        mean = sum(values.sum(axis=0) for values in blocks()) / count
        squares = sum(np.square(values - mean).sum(axis=0) for values in blocks())
        deviation = np.sqrt(squares / count)
        return cls(mean, np.where(deviation > 0, deviation, 1))

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        present = rows.any(axis=1, keepdims=True)  # an item without features stays without
        return np.where(present, (rows - self.mean) / self.deviation, 0)


def _as(rows: Any, dtype: type[np.floating[Any]]) -> Any:
    return np.asarray(rows, dtype) if isinstance(rows, np.ndarray) else rows.astype(dtype)


def _norms(rows: Any) -> NDArray[np.float64]:
    if isinstance(rows, np.ndarray):
        return np.asarray(np.linalg.norm(rows, axis=1))
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return np.asarray(np.sqrt(squares))


def _divide(rows: Any, by: NDArray[np.float64]) -> Any:
    factor = 1 / np.where(by > 0, by, 1)
    if isinstance(rows, np.ndarray):
        return rows * factor[:, None]
    data = rows.data * np.repeat(factor, np.diff(rows.indptr))
    return csr_array((data, rows.indices, rows.indptr), shape=rows.shape)


def _count(inputs: Sequence[Features]) -> NDArray[np.float64]:
    """Count the non-zero features of items, in all settings together, ``(items,)``."""
    counts = np.zeros(int(inputs[0].shape[0]))
    for rows in inputs:
        if isinstance(rows, np.ndarray):
            for block in row_blocks(*rows.shape):
                counts[block] += np.count_nonzero(rows[block], axis=1)
        else:
            before = np.concatenate([[0], np.cumsum(rows.data != 0)])  # a zero may be stored
            counts += np.diff(before[rows.indptr])
    return counts
