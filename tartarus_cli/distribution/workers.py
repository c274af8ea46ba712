"""What a task knows of the worker that does it."""

from __future__ import annotations

import os
import sys

CORES = "TARTARUS_WORKER_CORES"
"""Variable that says how many cores a worker has that does one task at a time."""


def worker_threads() -> int:
    """Return how many cores this worker has; 1 where there is no worker."""
    if "distributed" not in sys.modules:
        return 1
    given = os.environ.get(CORES, "")
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    from distributed import get_worker

    try:
        return int(get_worker().state.nthreads)
    except (AttributeError, ValueError):
        return 1
