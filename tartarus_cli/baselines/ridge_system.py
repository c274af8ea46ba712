"""The equations of a ridge regression from several settings, any of which an item may lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import Features, Presence, presence_matrix, row_blocks
from tartarus_cli.baselines.row_products import (
    CentredRows,
    FloatArray,
    SettingRows,
    gram,
    multiply,
    multiply_transposed,
    outer_gram,
    with_columns,
)
from tartarus_cli.errors import SizeError, TrainingError

# The matrix takes 3 GiB, and its factor as much again.
MAX_UNKNOWNS = 20_000
"""Rows that the matrix of the equations may have."""


@dataclass(frozen=True)
class LinearMap:
    """A linear map: ``rows @ coefficients + intercept``."""

    coefficients: FloatArray
    """``(width, dim)``."""

    intercept: FloatArray
    """``(dim,)``."""

    absent: FloatArray
    """What the mean row of each setting is mapped to, which stands for that of an item that lacks
    it, ``(settings, dim)``."""

    def __call__(self, inputs: Sequence[Features], present: Presence = ()) -> FloatArray:
        """Map the joined rows of all settings, ``(items, dim)``."""
        rows = multiply(inputs, self.coefficients) + self.intercept
        has = presence_matrix(present, len(rows))
        return rows if has is None else rows + ~has @ self.absent

    def columns(self, columns: slice) -> LinearMap:
        """Return the map to some of the columns."""
        parts = (self.coefficients, self.intercept, self.absent)
        return LinearMap(*(part[..., columns] for part in parts))


class _Means:
    """The mean row of each setting, subtracted by algebra from the rows of items that have it.

    ``X`` being the joined rows, in which absent ones are zeros, ``P`` (items, groups) which items
    have the settings of a group, and ``M`` (groups, width) the means, the centred rows are
    ``X - PM``. There is one group where all items have all settings.
    """

    def __init__(self, inputs: Sequence[SettingRows], present: NDArray[np.bool_] | None) -> None:
        items = int(inputs[0].shape[0])
        columns = [where for _, where in with_columns(inputs)]
        groups = [slice(columns[0].start, columns[-1].stop)] if present is None else columns
        self._inputs = inputs
        self._present = np.ones((items, 1)) if present is None else present.astype(np.float64)
        self._sums = multiply_transposed(inputs, self._present).T  # PᵀX
        counts = np.maximum(self._present.sum(axis=0), 1)
        self._means = np.zeros_like(self._sums)
        for number, group in enumerate(groups):
            self._means[number, group] = self._sums[number, group] / counts[number]

    def multiply_transposed(self, values: FloatArray) -> FloatArray:
        """Multiply the transpose of the centred rows by a matrix ``(items, n)``."""
        product = multiply_transposed(self._inputs, values)
        product -= self._means.T @ (self._present.T @ values)
        return product

    def gram(self) -> FloatArray:
        """Return the products of all centred columns, ``(width, width)``."""
        both = self._means.T @ (self._present.T @ self._present)
        return self._subtract(gram(self._inputs), self._means.T, self._sums.T, both)

    def outer_gram(self) -> FloatArray:
        """Return the products of all centred rows, ``(items, items)``."""
        with_means = multiply(self._inputs, self._means.T)
        both = self._present @ (self._means @ self._means.T)
        return self._subtract(outer_gram(self._inputs), self._present, with_means, both)

    @staticmethod
    def _subtract(
        matrix: FloatArray, left: FloatArray, right: FloatArray, both: FloatArray
    ) -> FloatArray:
        """Return ``matrix - left rightᵀ - right leftᵀ + both leftᵀ``, a few rows at a time."""
        for block in row_blocks(*matrix.shape):
            matrix[block] -= left[block] @ right.T
            matrix[block] -= (right[block] - both[block]) @ left.T
        return matrix


class RidgeSystem:
    """The normal equations of a ridge regression, set up once and solved for any strength.

    Of two forms the smaller one is taken: ``(XᵀX + λI) W = XᵀY``, with as many rows as there are
    features, or ``W = Xᵀ (XXᵀ + λI)⁻¹ Y``, with as many rows as there are items.

    Parameters
    ----------
    inputs
        The rows of each setting, ``(items, width)``, dense or sparse; they are joined.
    targets
        ``(items, dim)``.
    present
        Which items have each setting; the means are those of these, and the rows of others are
        zeros once they are centred: they say nothing.
    weights
        How much each setting counts: its features are multiplied by the root; None: all the same.

    Raises
    ------
    TrainingError
        If the matrix of the smaller form would take too much memory.

    Examples
    --------
    >>> system = RidgeSystem([np.array([[0.0], [1.0], [2.0]])], np.array([[1.0], [3.0], [5.0]]))
    >>> system.solve(0.0)([np.array([[10.0]])]).round(6).tolist()
    [[21.0]]
    """

    def __init__(
        self,
        inputs: Sequence[Features],
        targets: FloatArray,
        present: Presence = (),
        weights: Sequence[float] | None = None,
    ) -> None:
        items, width = len(targets), sum(int(rows.shape[1]) for rows in inputs)
        roots = np.sqrt([1.0] * len(inputs) if weights is None else weights)
        has = presence_matrix(present, items)
        counts = [items] * len(inputs) if has is None else has.sum(axis=0).tolist()
        self._columns = [columns for _, columns in with_columns(inputs)]
        self._shift = multiply_transposed(inputs, np.ones((items, 1)))[:, 0]  # the mean rows
        for columns, count in zip(self._columns, counts, strict=True):
            self._shift[columns] /= max(count, 1)
        centred = [
            CentredRows(
                rows,
                self._shift[columns],
                None if has is None else has[:, number],
                float(roots[number]),
            )
            if isinstance(rows, np.ndarray)
            else _times(rows, roots[number])
            for number, (rows, columns) in enumerate(with_columns(inputs))
        ]
        self._roots = np.repeat(roots, [c.stop - c.start for c in self._columns])
        self._mean_target = targets.mean(axis=0)
        self._primal = width <= items
        if min(items, width) > MAX_UNKNOWNS:
            msg = f"ridge would solve for {min(items, width):,} unknowns ({items:,} items, "
            msg += f"{width:,} features), but {MAX_UNKNOWNS:,} are the most"
            raise SizeError(msg, hint="Use settings with fewer columns, or the baseline knn.")
        self._means = _Means(centred, has)  # of what was not shifted
        self._centred = targets - self._mean_target
        self._matrix = self._means.gram() if self._primal else self._means.outer_gram()
        # A setting that no item has takes no part.
        used = [bool(count and root) for count, root in zip(counts, roots, strict=True)]
        unused = sum(c.stop - c.start for c, u in zip(self._columns, used, strict=True) if not u)
        self._unknowns = width - unused if self._primal else items
        if self._primal:
            self._right = self._means.multiply_transposed(self._centred)

    @property
    def scale(self) -> float:
        """Mean of the diagonal of the matrix; 1 if the features are constant."""
        return float(self._matrix.trace()) / max(self._unknowns, 1) or 1.0

    def solve(self, strength: float) -> LinearMap:
        """Return the map for a strength λ of the regularization.

        Raises
        ------
        TrainingError
            If the features vary so little that rounding leaves nothing of it.
        """
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        matrix = self._matrix.copy()
        matrix.flat[:: len(matrix) + 1] += strength
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            msg = "the features vary too little, compared with their size, for ridge"
            raise TrainingError(msg, hint="Subtract the mean of each column first.") from None
        if self._primal:
            coefficients = cho_solve(factor, self._right, check_finite=False)
        else:
            coefficients = self._means.multiply_transposed(
                cho_solve(factor, self._centred, check_finite=False)
            )
        coefficients *= self._roots[:, None]  # of the features as they are
        absent = np.stack([self._shift[c] @ coefficients[c] for c in self._columns])
        intercept = self._mean_target - self._shift @ coefficients
        return LinearMap(coefficients, intercept, absent)


def _times(rows: csr_array, factor: float) -> csr_array:
    if factor == 1:
        return rows
    return csr_array((rows.data * factor, rows.indices, rows.indptr), shape=rows.shape)
