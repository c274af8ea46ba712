"""Factors of items and of their contexts, labels or users, from pointwise mutual information.

Shifted positive PMI, then truncated SVD with the singular values shared out evenly: Levy and
Goldberg, *Neural Word Embedding as Implicit Matrix Factorization*, NIPS 2014. Items stand where
they have words; the labels that an item has, or the users who played it, are its contexts.
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

from tartarus_cli.errors import DataError
from tartarus_cli.factorization import single_blas_thread

Factors = NDArray[np.float32]  # (rows, dim)


class PmiOptions(BaseModel):
    """How to factorize."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: Annotated[int, Field(ge=1, le=10_000)] = 200
    shift: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class PmiFactors:
    """What PPMI ≈ items · contextsᵀ gives."""

    items: Factors  # (items, dim)
    contexts: Factors  # (contexts, dim), of labels or of users
    frequency: NDArray[np.float64]  # (contexts,): share of each context in all counts
    singular_values: NDArray[np.float64]  # (dim,)
    shift: float = 1.0

    def fold_in(self, counts: csr_array) -> Factors:
        """Return the factors of further items on these contexts' factors.

        Parameters
        ----------
        counts
            As of the factorization, ``(items, contexts)``.
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
    after: Callable[[], None] | None = None,
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
        Of the start of the decomposition.
    shift
        k of Levy and Goldberg's shifted PPMI, ``max(0, PMI - log k)``; 1 shifts nothing.
    after
        Called after each product with the matrix.

    Raises
    ------
    DataError
        If there are too few items or contexts for so many factors, or nothing is left of the PMI.
    """
    if dim >= min(counts.shape):
        msg = f"a matrix of {counts.shape[0]:,} × {counts.shape[1]:,} has no {dim} factors"
        raise DataError(msg, hint=f"Ask for at most {min(counts.shape) - 1}: --dim.")
    counts = _keep_positive(counts)
    totals = np.asarray(counts.sum(axis=0), np.float64)
    frequency = totals / (totals.sum() or 1)
    ppmi = _shifted_ppmi(counts, frequency, shift)
    if not ppmi.nnz:
        msg = f"no PMI is above log {shift:g}: nothing is left to factorize"
        raise DataError(msg, hint="Take a smaller --shift; 1 shifts nothing.")
    start = np.random.default_rng(seed).standard_normal(min(counts.shape))
    with single_blas_thread():
        u, s, vt = svds(_count_products(ppmi, after), k=dim, v0=start, solver="arpack")
    s = np.where(s > 1e-9 * s.max(initial=0), s, 0)  # beyond the rank there is only noise
    turn = np.sign(vt[np.arange(dim), np.abs(vt).argmax(axis=1)])  # fix what SVD leaves open
    order = np.argsort(-s, kind="stable")
    items = _scale_columns(u, turn * np.sqrt(s), order)
    contexts = _scale_columns(vt.T, turn * np.sqrt(s), order)
    s = s[order]
    items[np.diff(ppmi.indptr) == 0] = 0
    contexts[np.bincount(ppmi.indices, minlength=ppmi.shape[1]) == 0] = 0
    return PmiFactors(items, contexts, frequency, s, shift)


def _scale_columns(
    vectors: NDArray[np.float64], by: NDArray[np.float64], order: NDArray[np.int64]
) -> Factors:
    """Scale columns, in place, and put them in order."""
    vectors *= by
    return np.ascontiguousarray(vectors.astype(np.float32)[:, order])


def _count_products(matrix: csr_array, after: Callable[[], None] | None) -> Any:
    """Call somebody after each product with a matrix."""
    if after is None:
        return matrix
    turned = matrix.T

    def product(by: csr_array) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def multiply(vectors: NDArray[Any]) -> NDArray[Any]:
            after()
            return np.asarray(by @ vectors)

        return multiply

    ahead, back = product(matrix), product(turned)
    return LinearOperator(
        matrix.shape, ahead, rmatvec=back, matmat=ahead, rmatmat=back, dtype=matrix.dtype
    )


def _keep_positive(counts: csr_array) -> csr_array:
    """Copy counts without what is 0 or less."""
    kept = counts.astype(np.float64)
    kept.data[kept.data < 0] = 0
    kept.eliminate_zeros()
    return kept


def _shifted_ppmi(counts: csr_array, frequency: NDArray[np.float64], shift: float) -> csr_array:
    """``max(0, log(p(item, context) / (p(item) p(context))) - log shift)``.

    An item weighs the same however much it has, so that it needs no other items.
    """
    each = np.asarray(counts.sum(axis=1), np.float64)
    shares = diags_array(1 / np.where(each > 0, each, 1)) @ counts
    ppmi = csr_array(shares @ diags_array(1 / np.maximum(frequency, 1e-12)))
    ppmi.data = np.maximum(np.log(ppmi.data) - np.log(shift), 0)
    ppmi.eliminate_zeros()
    return ppmi
