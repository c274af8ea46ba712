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
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array, csr_matrix

from tartarus_cli.errors import TrainingError
from tartarus_cli.factorization import single_blas_thread

Factors = NDArray[np.float32]  # (rows, dim)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AlsOptions(BaseModel):
    """How to factorize."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: Annotated[int, Field(ge=1, le=10_000)] = 200
    regularization: Positive = 0.01
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    eps: Positive = 1.0
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 15
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class AlsFactors:
    """What plays ≈ items · usersᵀ gives."""

    items: Factors  # (items, dim)
    users: Factors  # (users, dim)
    model: Any  # keeps what is needed to fold in

    def fold_in(self, plays: csr_array, options: AlsOptions) -> Factors:
        """Return the factors of further items on these users' factors.

        An item's factors depend on its own plays alone, whichever others are folded in with it.

        Parameters
        ----------
        plays
            Play counts of the further items, ``(items, users)``.
        options
            Those of the factorization.

        Raises
        ------
        TrainingError
            If the equations cannot be solved in single precision.
        """
        confidence = csr_matrix(_confidence(plays, options))
        rows = np.arange(plays.shape[0])
        with single_blas_thread():
            try:
                found = np.asarray(self.model.recalculate_item(rows, confidence), np.float32)
            except ValueError:  # LAPACK's, of a matrix that is not positive definite
                raise _divergence_error(options) from None
        _require_finite(options, found)
        return found


def als(
    plays: csr_array,
    options: AlsOptions,
    *,
    threads: int = 1,
    after: Callable[[], None] | None = None,
) -> AlsFactors:
    """Factorize play counts; the same seed gives the same bytes, on any number of threads.

    Each row is solved by one thread, and products of whole matrices stay on one.

    Parameters
    ----------
    plays
        Play counts, sparse ``(items, users)``; 0 and less is no play.
    options
        How to.
    threads
        How many rows are solved at a time.
    after
        Called after each iteration.

    Raises
    ------
    TrainingError
        If the factors grow beyond all bounds.
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
            model.fit(confidence, show_progress=False, callback=lambda *_: after and after())
        except ModelFitError:
            raise _divergence_error(options) from None
    items, users = (
        np.asarray(each, np.float32) for each in (model.item_factors, model.user_factors)
    )
    _require_finite(options, items, users)
    return AlsFactors(items, users, model)


def _require_finite(options: AlsOptions, *factors: Factors) -> None:
    if not all(np.isfinite(each).all() for each in factors):
        raise _divergence_error(options)


def _divergence_error(options: AlsOptions) -> TrainingError:
    msg = f"the factors diverged (alpha {options.alpha:g}, eps {options.eps:g}, "
    msg += f"regularization {options.regularization:g})"
    return TrainingError(msg, hint="Take a smaller --alpha, or a larger --regularization or --eps.")


def _confidence(plays: csr_array, options: AlsOptions) -> csr_array:
    confidence = plays.astype(np.float32)
    confidence.data[confidence.data < 0] = 0
    confidence.eliminate_zeros()  # no play is no confidence, stored or not
    with np.errstate(over="ignore"):  # what becomes infinite is told of as diverging
        confidence.data = 1 + options.alpha * np.log1p(confidence.data / options.eps)
    return confidence
