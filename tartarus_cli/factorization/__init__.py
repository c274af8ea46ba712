"""Matrix factorization: who has what in, latent factors out."""

from typing import Any


def single_blas_thread() -> Any:
    """Keep BLAS on one thread for the time of a block, so that results repeat byte for byte."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
