"""What a task knows of the worker that does it."""

from __future__ import annotations

import sys


def worker_threads() -> int:
    """Return how many tasks this worker does at once; 1 where there is no worker."""
    if "distributed" not in sys.modules:
        return 1
    from distributed import get_worker

    try:
        return int(get_worker().state.nthreads)
    except (AttributeError, ValueError):
        return 1
