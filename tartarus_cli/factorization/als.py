"""Implicit-feedback matrix factorization by alternating least squares.

Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, as the
library ``implicit`` computes it; the confidence of n plays is ``1 + alpha · log(1 + n / eps)``
(their equation 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array, csr_matrix

from tartarus_cli.errors import TrainingError, parameter
from tartarus_cli.factorization import FactorMatrix, single_blas_thread

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AlsOptions(BaseModel):
    """Parameters of the factorization."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Number of factors."""

    regularization: Positive = 0.01
    """Weight λ of the squared norms of the factors."""

    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """How fast confidence grows with the logarithm of the plays."""

    eps: Positive = 1.0
    """Number of plays at which the logarithm begins to grow slowly."""

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 15
    """How often all users and all items are solved for."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the first factors."""


@dataclass(frozen=True)
class AlsFactors:
    """Factors with ``items @ users.T`` near the preference for what was played."""

    items: FactorMatrix
    """Factors of the items, ``(items, dim)``."""

    users: FactorMatrix
    """Factors of the users, ``(users, dim)``."""

    model: Any
    """The fitted model of the library ``implicit``, which folds further items in."""

    def fold_in(self, plays: csr_array, options: AlsOptions) -> FactorMatrix:
        """Return the factors of further items, given the factors of the users.

        The factors of an item depend on its plays alone, whichever others are folded in with it.

        Parameters
        ----------
        plays
            Play counts of the further items, ``(items, users)``.
        options
            The parameters of the factorization.

        Raises
        ------
        TrainingError
            If the equations cannot be solved in single precision.
        """
        confidence = csr_matrix(_confidence(plays, options))
        rows = np.arange(plays.shape[0])
        with single_blas_thread():
            try:
                items = np.asarray(self.model.recalculate_item(rows, confidence), np.float32)
            except ValueError:
                # LAPACK raises it for a matrix that is not positive definite.
                raise _divergence_error(options) from None
        _require_finite(options, items)
        return items


def als(
    plays: csr_array,
    options: AlsOptions,
    *,
    threads: int = 1,
    on_iteration: Callable[[], None] | None = None,
) -> AlsFactors:
    """Factorize play counts; the same seed gives the same bytes, on any number of threads.

    Each row is solved by one thread, and products of whole matrices stay on one.

    Parameters
    ----------
    plays
        Play counts, sparse ``(items, users)``; 0 and less is no play.
    options
        Number of factors, and the other parameters.
    threads
        Number of rows that are solved at a time.
    on_iteration
        Called after each iteration.

    Raises
    ------
    TrainingError
        If the factors grow without limit.
    """
    from implicit.als import AlternatingLeastSquares
    from implicit.recommender_base import ModelFitError

    with single_blas_thread():
        model = AlternatingLeastSquares(
            factors=options.dim,
            regularization=options.regularization,
            alpha=1.0,
            iterations=options.iterations,
            num_threads=threads,
            random_state=options.seed,
        )
        confidence = csr_matrix(_confidence(plays, options).T)
        try:
            model.fit(
                confidence, show_progress=False, callback=lambda *_: on_iteration and on_iteration()
            )
        except ModelFitError:
            raise _divergence_error(options) from None
    items, users = (
        np.asarray(factors, np.float32) for factors in (model.item_factors, model.user_factors)
    )
    _require_finite(options, items, users)
    return AlsFactors(items, users, model)


def _require_finite(options: AlsOptions, *factors: FactorMatrix) -> None:
    if not all(np.isfinite(matrix).all() for matrix in factors):
        raise _divergence_error(options)


def _divergence_error(options: AlsOptions) -> TrainingError:
    msg = f"the factors diverged (alpha {options.alpha:g}, eps {options.eps:g}, "
    msg += f"regularization {options.regularization:g})"
    hint = f"Choose a smaller {parameter('alpha')}, or a larger {parameter('regularization')} "
    return TrainingError(msg, hint=f"{hint}or {parameter('eps')}.")


def _confidence(plays: csr_array, options: AlsOptions) -> csr_array:
    confidence = plays.astype(np.float32)
    confidence.data[confidence.data < 0] = 0
    # A stored 0 is no play.
    confidence.eliminate_zeros()
    # What becomes infinite is reported as divergence.
    with np.errstate(over="ignore"):
        confidence.data = 1 + options.alpha * np.log1p(confidence.data / options.eps)
    return confidence
