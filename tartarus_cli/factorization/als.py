"""Implicit-feedback matrix factorization by alternating least squares.

Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, as the
library ``implicit`` computes it; the confidence of n plays is ``1 + alpha · log(1 + n / eps)``
(their equation 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from tartarus_cli.factorization import one_thread

Factors = NDArray[np.float32]  # (rows, dim)


@dataclass(frozen=True)
class AlsOptions:
    """How to factorize."""

    dim: int = 200
    regularization: float = 0.01
    alpha: float = 1.0
    eps: float = 1.0
    iterations: int = 15
    seed: int = 0


@dataclass(frozen=True)
class AlsFactors:
    """What plays ≈ items · usersᵀ gives."""

    items: Factors  # (items, dim)
    users: Factors  # (users, dim)
    model: Any  # keeps what is needed to fold in

    def fold_in(self, plays: csr_array, options: AlsOptions) -> Factors:
        """Return the factors of further items on these users' factors.

        Parameters
        ----------
        plays
            Play counts of the further items, ``(items, users)``.
        options
            Those of the factorization.
        """
        confidence = csr_matrix(_confidence(plays, options))
        with one_thread():
            rows = np.arange(plays.shape[0])
            return np.asarray(self.model.recalculate_item(rows, confidence), np.float32)


def als(plays: csr_array, options: AlsOptions) -> AlsFactors:
    """Factorize play counts, on one thread, so that the same seed gives the same bytes.

    Parameters
    ----------
    plays
        Play counts, sparse ``(items, users)``.
    options
        How to.
    """
    from implicit.als import AlternatingLeastSquares

    with one_thread():
        model = AlternatingLeastSquares(
            factors=options.dim,
            regularization=options.regularization,
            alpha=1.0,
            iterations=options.iterations,
            num_threads=1,
            random_state=options.seed,
        )
        model.fit(csr_matrix(_confidence(plays, options).T), show_progress=False)
    items, users = (
        np.asarray(each, np.float32) for each in (model.item_factors, model.user_factors)
    )
    return AlsFactors(items, users, model)


def _confidence(plays: csr_array, options: AlsOptions) -> csr_array:
    confidence = plays.astype(np.float32)
    confidence.data[confidence.data < 0] = 0
    confidence.eliminate_zeros()  # no play is no confidence, stored or not
    confidence.data = 1 + options.alpha * np.log1p(confidence.data / options.eps)
    return confidence
