"""The machine that a command runs on: cores, memory, time and library versions."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

_limits: list[int] = []  # of the process: threads that are started have them too


@contextmanager
def limited_cores(count: int) -> Iterator[None]:
    """Let this process compute with so many cores at most during the block."""
    from threadpoolctl import threadpool_limits

    _limits.append(count)
    try:
        with threadpool_limits(count, "blas"):
            yield
    finally:
        _limits.remove(count)


def cores() -> int:
    """Return how many processor cores this process may use."""
    return min([_usable_cores(), *_limits])


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601 writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe_environment(device: str) -> dict[str, Any]:
    """Return machine and library versions, as the manifest of a model records them.

    Parameters
    ----------
    device
        The device that computes; empty if it is not known.
    """
    packages = ("tartarus-cli", "keras", "jax", "numpy", "scipy", "scikit-learn")
    backend = os.environ["KERAS_BACKEND"]
    return {
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }
        | ({"device": device} if device else {}),
        "versions": {package: version(package) for package in packages} | {"backend": backend},
    }


def peak_memory_mib() -> float:
    """Return the most memory that this process ever held, in MiB; 0 if the system does not say.

    It is the peak of the resident set, which counts pages of mapped files as well.
    """
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def factorizer_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute factors, as their manifest records them."""
    return {name: version(name) for name in ("implicit", "numpy", "scipy")}
