"""Matrix factorization: who has what in, latent factors out.

:func:`~tartarus_cli.factorization.als.als` factorizes play counts,
:func:`~tartarus_cli.factorization.pmi.pmi` labels or plays. Both return the factors of the items
and of the columns, and a method ``fold_in`` that returns the factors of further items.

Examples
--------
>>> import numpy as np
>>> from scipy.sparse import csr_array
>>> from tartarus_cli.factorization.als import AlsOptions, als
>>> plays = csr_array(np.array([[3, 1, 0], [2, 2, 0], [0, 0, 5]]))
>>> options = AlsOptions(dim=2, seed=1)
>>> factors = als(plays, options)
>>> factors.items.shape, factors.users.shape
((3, 2), (3, 2))
>>> scores = factors.fold_in(csr_array(np.array([[4, 0, 0]])), options) @ factors.users.T
>>> bool(scores[0, 1] > scores[0, 2])
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FactorMatrix = NDArray[np.float32]
"""Latent factors, ``(rows, dim)``: a row for each item, user or label."""


def single_blas_thread() -> Any:
    """Limit BLAS to one thread within a ``with`` block, so that results repeat byte for byte."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
