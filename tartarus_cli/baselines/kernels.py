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
from tartarus_cli.baselines.similarity import count_features

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


def join_products(
    settings: Sequence[Products], weights: Sequence[float], *, cosine: bool
) -> Products:
    """Return the products of joined settings, each of which counts for its weight.

    A cosine is that of the joined rows: each row is divided by its L2 norm, multiplied by the root
    of its setting's weight, and those of an item together are divided by their L2 norm, so that an
    item that lacks a setting is compared by the others.

    Parameters
    ----------
    settings
        The products of each setting alone.
    weights
        Weight of each setting, not all 0; a setting of weight 0 is left out.
    cosine
        Whether products are cosines.
    """
    used = [(s, np.float64(w)) for s, w in zip(settings, weights, strict=True) if w > 0]
    first, weight = used[0]
    if len(used) == 1 and (cosine or weight == 1):
        return first
    values = np.zeros_like(first.values)
    for setting, weight in used:
        values += setting.values.dtype.type(weight) * setting.values
    if cosine:
        sums = sum(weight * (setting.counts > 0) for setting, weight in used)
        train_sums = sum(weight * (setting.train_counts > 0) for setting, weight in used)
        for total, axis in ((sums, 1), (train_sums, 0)):
            norms = np.sqrt(np.where(total > 0, total, 1)).astype(values.dtype)
            values /= np.expand_dims(norms, axis)
    return Products(
        values,
        np.sum([setting.counts for setting, _ in used], axis=0),
        np.sum([setting.train_counts for setting, _ in used], axis=0),
    )


class TrainFeatures:
    """The features of train items, to multiply those of other items with.

    For cosines, dense settings are standardised by the train items first.

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

    def among_train(
        self, dtype: type[np.floating[Any]], weights: Sequence[float] | None = None
    ) -> Products:
        """Return the products of the train items with each other, as :meth:`products`."""
        return self.products(self._inputs, dtype, weights)

    def products(
        self,
        inputs: Sequence[Features],
        dtype: type[np.floating[Any]],
        weights: Sequence[float] | None = None,
    ) -> Products:
        """Return the products of items with the train items, ``(items, train items)``.

        Parameters
        ----------
        inputs
            The rows of each setting, ``(items, width)``.
        dtype
            float32 or float64: the precision.
        weights
            How much each setting counts; None: all the same.
        """
        weights = [1.0] * len(inputs) if weights is None else weights
        numbers = [number for number, weight in enumerate(weights) if weight > 0]
        used = [weights[number] for number in numbers]
        found = _empty(inputs, self._inputs, dtype)
        for block, settings in self._blocks(inputs, dtype, numbers):
            joined = join_products(settings, used, cosine=self.cosine)
            found.values[block], found.counts[block] = joined.values, joined.counts
            found.train_counts[:] = joined.train_counts
        return found

    def each_setting(
        self, inputs: Sequence[Features], dtype: type[np.floating[Any]]
    ) -> list[Products]:
        """Return the products by each setting alone, to be joined with any weights."""
        settings = range(len(inputs))
        return [
            self.products(inputs, dtype, [float(n == setting) for n in settings])
            for setting in settings
        ]

    @property
    def cosine(self) -> bool:
        """Whether products are cosines."""
        return self._kernel == "cosine"

    def _blocks(
        self, inputs: Sequence[Features], dtype: type[np.floating[Any]], numbers: Sequence[int]
    ) -> Iterator[tuple[slice, list[Products]]]:
        """Yield a block of items after another, with their products by some of the settings."""
        train = self._train(dtype)
        for first in range(0, int(inputs[0].shape[0]), ROWS_AT_ONCE):
            block = slice(first, first + ROWS_AT_ONCE)
            rows = [setting[block] for setting in inputs]
            left = self._prepare(rows, dtype)
            yield (
                block,
                [
                    Products(_dense(left[n] @ train[n].T), _count(rows[n]), self._counts[n])
                    for n in numbers
                ],
            )

    @cached_property
    def _counts(self) -> list[NDArray[np.float64]]:
        return [_count(rows) for rows in self._inputs]

    def _train(self, dtype: type[np.floating[Any]]) -> list[Any]:
        if self._prepared is None or self._prepared[0].dtype != dtype:
            self._prepared = self._prepare(self._inputs, dtype)
        return self._prepared

    _prepared: list[Any] | None = None

    def _prepare(self, inputs: Sequence[Features], dtype: type[np.floating[Any]]) -> list[Any]:
        """Return the rows of each setting as they are multiplied."""
        if self._kernel == "linear":
            return [_as(rows, dtype) for rows in inputs]
        scaled = (
            scale(_as(rows, np.float64)) if scale is not None else _as(rows, np.float64)
            for rows, scale in zip(inputs, self._scales, strict=True)
        )
        return [_as(_divide(rows, _norms(rows)), dtype) for rows in scaled]


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


def _dense(product: Any) -> NDArray[Any]:
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray())


def _count(rows: Features) -> NDArray[np.float64]:
    return count_features(rows).astype(np.float64)


def _empty(
    inputs: Sequence[Features], train: Sequence[Features], dtype: type[np.floating[Any]]
) -> Products:
    items, columns = int(inputs[0].shape[0]), int(train[0].shape[0])
    return Products(np.zeros((items, columns), dtype), np.zeros(items), np.zeros(columns))
