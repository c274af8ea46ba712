"""Ridge regression with a kernel, solved for any strength, and what it says without an item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines.feature_ridge import factor_regularized
from tartarus_cli.errors import TrainingError


class KernelSystem:
    """The equations ``(K + λI) A = B`` of train items, solved for any strength.

    Parameters
    ----------
    kernel
        ``(train items, train items)``, symmetric.
    """

    def __init__(self, kernel: NDArray[Any]) -> None:
        self._kernel = kernel

    @property
    def scale(self) -> float:
        """Mean of the diagonal; 1 if it is 0."""
        return float(self._kernel.diagonal().mean()) or 1.0

    def weights(self, rows: NDArray[Any], strength: float) -> NDArray[Any]:
        """Return ``rows (K + λI)⁻¹``: how much the plays of each train item count for items.

        Parameters
        ----------
        rows
            How alike the items are to the train items, ``(items, train items)``.
        strength
            λ.

        Raises
        ------
        TrainingError
            If the equations have no certain solution: λ is too small.
        """
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve(self.factor(strength), rows.T, check_finite=False).T)

    def factor(self, strength: float) -> tuple[NDArray[Any], bool]:
        """Return the Cholesky factor of ``K + λI``, as SciPy has it.

        Raises
        ------
        TrainingError
            As :meth:`weights`.
        """
        return factor_regularized(self._kernel, strength)


def leave_one_out(kernel: NDArray[Any], strength: float) -> NDArray[np.float32]:
    """Return the weights by which each train item is predicted from all others.

    With ``C = (K + λI)⁻¹`` they are ``-C_ij / C_ii``, and 0 on the diagonal: exactly what a ridge
    regression fitted without the item would say (Pahikkala, Boberg and Salakoski, SCAI 2006).

    Parameters
    ----------
    kernel
        ``(train items, train items)``.
    strength
        λ.

    Returns
    -------
    ``(train items, train items)``; times the plays, the predictions.
    """
    from scipy.linalg import lapack

    factor, _ = KernelSystem(kernel).factor(strength)
    invert = lapack.get_lapack_funcs("potri", (factor,))
    inverse, info = invert(factor, lower=True, overwrite_c=True)
    if info:
        msg = "ridge on plays has no inverse"
        raise TrainingError(msg, hint="Give larger strengths: network.strengths.")
    weights = np.tril(inverse).astype(np.float32)
    weights += np.tril(weights, -1).T
    weights /= -weights.diagonal()[:, None]
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)
