"""Loops that numba compiles; they release Python's lock, so that threads can share the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, and store the result on the disk where possible."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # There is no folder that may be written to.
        return njit(nogil=True)(function)
