"""Ridge on plays in the space of the features, for many train items: the primal of its dual form.

``X_new (XᵀX + λI)⁻¹ Xᵀ R`` are the scores of ``X_new Xᵀ (XXᵀ + λI)⁻¹ R``, with as many unknowns as
there are features. The row of an item is ``(XᵀX + λI)⁻¹ x``; that of a user is the sum of the
features of what was played, which nobody stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import Features
from tartarus_cli.baselines.ridge_system import MAX_UNKNOWNS
from tartarus_cli.baselines.row_products import gram
from tartarus_cli.errors import SizeError, TrainingError


class FeatureSystem:
    """The equations ``(XᵀX + λI) A = B`` of features, solved for any strength.

    Parameters
    ----------
    inputs
        The rows of each setting, ``(train items, width)``, dense or sparse; they are joined.

    Raises
    ------
    SizeError
        If there are too many features.
    """

    def __init__(self, inputs: Sequence[Features]) -> None:
        items, width = int(inputs[0].shape[0]), total_width(inputs)
        if width > MAX_UNKNOWNS:
            msg = (
                f"ridge on plays would solve for {min(items, width):,} unknowns ({items:,} items, "
            )
            msg += f"{width:,} features), but {MAX_UNKNOWNS:,} are the most"
            raise SizeError(msg, hint="Use settings with fewer columns, or two_tower.")
        self._matrix, self._items = gram(inputs), items
        self._widths = [int(rows.shape[1]) for rows in inputs]

    def scale(self, weights: Sequence[float]) -> float:
        """Return the mean of the diagonal of ``XXᵀ``; 1 if it is 0.

        Parameters
        ----------
        weights
            How much each setting counts: its features are multiplied by the root.
        """
        columns = np.repeat(weights, self._widths)  # XᵀX has the same trace
        return float(self._matrix.diagonal() @ columns) / max(self._items, 1) or 1.0

    def factor(self, strength: float, weights: Sequence[float]) -> tuple[NDArray[Any], bool]:
        """Return the Cholesky factor of ``XᵀX + λI``, as SciPy has it.

        Parameters
        ----------
        strength
            λ.
        weights
            As for :meth:`scale`.

        Raises
        ------
        TrainingError
            If the equations have no certain solution: λ is too small.
        """
        matrix = self._matrix
        if any(weight != 1 for weight in weights):
            roots = np.repeat(np.sqrt(weights), self._widths)
            matrix = matrix * roots[:, None] * roots
        return factor_regularized(matrix, strength)


def factor_regularized(matrix: NDArray[Any], strength: float) -> tuple[NDArray[Any], bool]:
    """Return the Cholesky factor of ``matrix + λI``, as SciPy has it.

    Raises
    ------
    TrainingError
        If it has none: λ is too small.
    """
    from scipy.linalg import LinAlgError, cho_factor

    matrix = matrix.copy()
    matrix.flat[:: len(matrix) + 1] += strength
    try:
        factor, lower = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        msg = f"ridge on plays cannot be solved with a strength of {strength:g}"
        hint = "Give larger strengths: network.strengths."
        raise TrainingError(msg, hint=hint) from None
    return factor, bool(lower)


def item_rows(
    factor: tuple[NDArray[Any], bool], inputs: Sequence[Features], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return ``(XᵀX + λI)⁻¹ x`` of items and, in a last column, a bias of 0.

    They are to be multiplied by sums of features as they are, whatever the weights.

    Parameters
    ----------
    factor
        As :meth:`FeatureSystem.factor` returns it.
    inputs
        A block of items in each setting, ``(items, width)``.
    weights
        How much each setting counts, as in the factor.

    Returns
    -------
    ``(items, width + 1)``.
    """
    from scipy.linalg import cho_solve

    dense = [rows if isinstance(rows, np.ndarray) else rows.toarray() for rows in inputs]
    roots = np.repeat(np.sqrt(weights), [rows.shape[1] for rows in dense])
    rows = np.hstack(dense).astype(np.float64) * roots
    solved = cho_solve(factor, rows.T, check_finite=False).T * roots
    return np.column_stack([solved, np.zeros(len(solved))]).astype(np.float32)


def total_width(inputs: Sequence[Features]) -> int:
    """Return the number of columns of all settings together."""
    return sum(int(rows.shape[1]) for rows in inputs)
