"""What it takes to start a command: to load the libraries that it computes with."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache


@cache
def start_seconds(*modules: str) -> float:
    """Return the seconds that a new process takes to start and to import some modules."""
    begun = time.perf_counter()
    words = [sys.executable, "-c", f"import {', '.join(modules)}"]
    subprocess.run(words, check=False, capture_output=True)  # noqa: S603 — our own Python
    return time.perf_counter() - begun
