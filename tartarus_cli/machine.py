"""The machine that a command runs on: cores, memory, time and library versions."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def now() -> str:
    """Return the time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def surroundings() -> dict[str, Any]:
    """Describe machine and library versions, for the manifest."""
    packages = ("tartarus-cli", "keras", "jax", "numpy", "scipy", "scikit-learn")
    backend = os.environ["KERAS_BACKEND"]
    return {
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in packages} | {"backend": backend},
    }


def peak_memory_mib() -> float:
    """Most memory that this process ever had resident, in MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def versions() -> dict[str, str]:
    """Return the versions of what computes factors."""
    from importlib.metadata import version

    return {name: version(name) for name in ("implicit", "numpy", "scipy")}
