"""Factors of items and of their contexts, labels or users, from pointwise mutual information.

Shifted positive PMI, then truncated SVD with the singular values divided evenly between items and
contexts: Levy and Goldberg, *Neural Word Embedding as Implicit Matrix Factorization*, NIPS 2014.
Items take the place of words; the labels of an item, or the users who played it, are its contexts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, svds

from tartarus_cli.errors import DataError, parameter
from tartarus_cli.factorization import FactorMatrix, single_blas_thread


class PmiOptions(BaseModel):
    """Parameters of the factorization; see :func:`pmi`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Number of factors."""

    shift: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    """k of the shifted PPMI; 1 shifts nothing."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the start of the decomposition."""


@dataclass(frozen=True)
class PmiFactors:
    """Factors with ``items @ contexts.T`` near the shifted PPMI."""

    items: FactorMatrix
    """Factors of the items, ``(items, dim)``."""

    contexts: FactorMatrix
    """Factors of the labels or users, ``(contexts, dim)``."""

    frequency: NDArray[np.float64]
    """Share of each context in the sum of all counts, ``(contexts,)``."""

    singular_values: NDArray[np.float64]
    """``(dim,)``, in falling order."""

    shift: float = 1.0
    """k of the shifted PPMI."""

    def fold_in(self, counts: csr_array) -> FactorMatrix:
        """Return the factors of further items, given the factors of the contexts.

        Parameters
        ----------
        counts
            How often each further item comes with each context, sparse ``(items, contexts)``.
        """
        inverse = np.divide(1, s := self.singular_values, out=np.zeros_like(s), where=s > 0)
        ppmi = _shifted_ppmi(_keep_positive(counts), self.frequency, self.shift)
        return np.asarray(ppmi @ self.contexts * inverse, np.float32)


def pmi(
    counts: csr_array,
    *,
    dim: int,
    seed: int = 0,
    shift: float = 1.0,
    on_product: Callable[[], None] | None = None,
) -> PmiFactors:
    """Factorize how often each item comes with each context.

    Parameters
    ----------
    counts
        Sparse ``(items, contexts)``: 1 where the item has the label, or how often the user played
        it; 0 and less is nothing.
    dim
        Number of factors, below the number of contexts and of items.
    seed
        Seed of the start of the decomposition.
    shift
        k of Levy and Goldberg's shifted PPMI, ``max(0, PMI - log k)``; 1 shifts nothing.
    on_product
        Called after each product with the matrix, as a sign of progress.

    Raises
    ------
    DataError
        If there are too few items or contexts for the number of factors, or all of the shifted
        PPMI is 0.

    Examples
    --------
    >>> labels = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 1]])
    >>> factors = pmi(csr_array(labels), dim=2)
    >>> np.allclose(factors.items @ factors.contexts.T, labels * np.log(2), atol=1e-6)
    True
    """
    if dim >= min(counts.shape):
        msg = f"a matrix of {counts.shape[0]:,} × {counts.shape[1]:,} has no {dim} factors"
        hint = f"Choose a smaller {parameter('dim')}: at most {min(counts.shape) - 1}."
        raise DataError(msg, hint=hint)
    counts = _keep_positive(counts)
    totals = np.asarray(counts.sum(axis=0), np.float64)
    frequency = totals / (totals.sum() or 1)
    ppmi = _shifted_ppmi(counts, frequency, shift)
    if not ppmi.nnz:
        msg = f"no PMI is above log {shift:g}: nothing is left to factorize"
        raise DataError(msg, hint=f"Choose a smaller {parameter('shift')}; 1 shifts nothing.")
    start = np.random.default_rng(seed).standard_normal(min(counts.shape))
    with single_blas_thread():
        u, s, vt = svds(_report_products(ppmi, on_product), k=dim, v0=start, solver="arpack")
    # Beyond the rank of the matrix there is only noise.
    s = np.where(s > 1e-9 * s.max(initial=0), s, 0)
    # The SVD leaves the signs open: the largest entry of each factor becomes positive.
    signs = np.sign(vt[np.arange(dim), np.abs(vt).argmax(axis=1)])
    order = np.argsort(-s, kind="stable")
    items = _scale_columns(u, signs * np.sqrt(s), order)
    contexts = _scale_columns(vt.T, signs * np.sqrt(s), order)
    s = s[order]
    items[np.diff(ppmi.indptr) == 0] = 0
    contexts[np.bincount(ppmi.indices, minlength=ppmi.shape[1]) == 0] = 0
    return PmiFactors(items, contexts, frequency, s, shift)


def _scale_columns(
    vectors: NDArray[np.float64], scales: NDArray[np.float64], order: NDArray[np.int64]
) -> FactorMatrix:
    """Scale columns, in place, and put them in order."""
    vectors *= scales
    return np.ascontiguousarray(vectors.astype(np.float32)[:, order])


def _report_products(matrix: csr_array, on_product: Callable[[], None] | None) -> Any:
    """Make each product with the matrix, or with its transpose, call ``on_product``."""
    if on_product is None:
        return matrix

    def product_with(left: csr_array) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def multiply(vectors: NDArray[Any]) -> NDArray[Any]:
            on_product()
            return np.asarray(left @ vectors)

        return multiply

    forward, backward = product_with(matrix), product_with(matrix.T)
    return LinearOperator(
        matrix.shape,
        forward,
        rmatvec=backward,
        matmat=forward,
        rmatmat=backward,
        dtype=matrix.dtype,
    )


def _keep_positive(counts: csr_array) -> csr_array:
    """Copy the counts that are above 0."""
    positive = counts.astype(np.float64)
    positive.data[positive.data < 0] = 0
    positive.eliminate_zeros()
    return positive


def _shifted_ppmi(counts: csr_array, frequency: NDArray[np.float64], shift: float) -> csr_array:
    """Return ``max(0, log(p(item, context) / (p(item) p(context))) - log shift)``.

    Each item has the same weight whatever its counts add up to, so that its row depends on no other
    item.
    """
    totals = np.asarray(counts.sum(axis=1), np.float64)
    shares = diags_array(1 / np.where(totals > 0, totals, 1)) @ counts
    ppmi = csr_array(shares @ diags_array(1 / np.maximum(frequency, 1e-12)))
    ppmi.data = np.maximum(np.log(ppmi.data) - np.log(shift), 0)
    ppmi.eliminate_zeros()
    return ppmi
