"""Loops that numba compiles; they let go of Python's lock, so that threads may share the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, and keep what was compiled where that can be."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # there is no folder that may be written to
        return njit(nogil=True)(function)
