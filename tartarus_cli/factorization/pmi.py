"""Factors of labels and of the items that have them, from pointwise mutual information.

Positive PMI of items and labels, then truncated SVD with the singular values shared out evenly:
Levy and Goldberg, *Neural Word Embedding as Implicit Matrix Factorization*, NIPS 2014.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from tartarus_cli.errors import DataError
from tartarus_cli.factorization import one_thread

Factors = NDArray[np.float32]  # (rows, dim)


@dataclass(frozen=True)
class PmiFactors:
    """What PPMI ≈ items · labelsᵀ gives."""

    items: Factors  # (items, dim)
    labels: Factors  # (labels, dim)
    frequency: NDArray[np.float64]  # (labels,): share of each label among all assignments
    singular_values: NDArray[np.float64]  # (dim,)

    def fold_in(self, assigned: csr_array) -> Factors:
        """Return the factors of further items, ``(items, labels)``, on these labels' factors."""
        inverse = np.divide(1, s := self.singular_values, out=np.zeros_like(s), where=s > 0)
        return np.asarray(_ppmi(assigned, self.frequency) @ self.labels * inverse, np.float32)


def pmi(assigned: csr_array, *, dim: int, seed: int = 0) -> PmiFactors:
    """Factorize which item has which label.

    Parameters
    ----------
    assigned
        1 where the item has the label, sparse ``(items, labels)``.
    dim
        Number of factors, below the number of labels and of items.
    seed
        Of the start of the decomposition.

    Raises
    ------
    DataError
        If there are too few items or labels for so many factors.
    """
    if dim >= min(assigned.shape):
        msg = f"{assigned.shape[0]} items × {assigned.shape[1]} labels have no {dim} factors"
        raise DataError(msg, hint=f"Ask for at most {min(assigned.shape) - 1}.")
    counts = np.asarray(assigned.sum(axis=0), np.float64)
    frequency = counts / max(counts.sum(), 1)
    start = np.random.default_rng(seed).standard_normal(min(assigned.shape))
    with one_thread():
        u, s, vt = svds(_ppmi(assigned, frequency), k=dim, v0=start, solver="arpack")
    order = np.argsort(-s)
    u, s, vt = u[:, order], s[order], vt[order]
    s = np.where(s > 1e-9 * s.max(initial=0), s, 0)  # beyond the rank there is only noise
    turn = np.sign(vt[np.arange(dim), np.abs(vt).argmax(axis=1)])  # fix what SVD leaves open
    items, labels = u * (turn * np.sqrt(s)), vt.T * (turn * np.sqrt(s))
    return PmiFactors(items.astype(np.float32), labels.astype(np.float32), frequency, s)


def _ppmi(assigned: csr_array, frequency: NDArray[np.float64]) -> csr_array:
    """``max(0, log(p(item, label) / (p(item) p(label))))``; an item's labels weigh the same."""
    each = np.asarray(assigned.sum(axis=1), np.float64)
    shares = diags_array(1 / np.maximum(each, 1)) @ assigned.astype(np.float64)
    ppmi = csr_array(shares @ diags_array(1 / np.maximum(frequency, 1e-12)))
    ppmi.data = np.maximum(np.log(ppmi.data), 0)
    ppmi.eliminate_zeros()
    return ppmi
