"""Loops that numba compiles, and librosa, which has such loops of its own.

They release Python's lock, so that threads can share the work. What is compiled is stored on the
disk where possible: a cache that is cut, full or read-only only costs the time to compile.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching

LOGGER = logging.getLogger(__name__)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, and store the result on the disk where possible."""
    return njit(nogil=True, cache=True)(function)


def load_librosa() -> Any:
    """Return librosa; whatever it compiles is stored on the disk where possible."""
    import librosa

    return librosa


class _Nowhere:
    """Where the cache of a function lies that no folder can be found for: nothing is stored."""

    def __init__(self, line: int) -> None:
        self._line = line

    @classmethod
    def from_function(cls, function: Any, _path: str) -> _Nowhere:
        """Return such a place for any function."""
        return cls(function.__code__.co_firstlineno)

    def get_cache_path(self) -> str:
        """Return a folder that cannot exist."""
        return str(Path(os.devnull) / "numba")

    def ensure_cache_path(self) -> None:
        """Refuse to store anything."""
        raise NotADirectoryError(self.get_cache_path())

    def get_source_stamp(self) -> str:
        """Return the version of the function's source, which is the same always."""
        return ""

    def get_disambiguator(self) -> str:
        """Return what tells functions of one name apart."""
        return str(self._line)


@contextmanager
def _tolerant(cache: Any) -> Iterator[None]:
    """Compile instead of reading a cache that is damaged, and go on without writing it."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 — a damaged cache makes pickle raise anything
        LOGGER.debug("no compiled code in %s: %r", cache.cache_path, problem)
        with suppress(Exception):
            # An empty index, so that the next process finds what this one stores.
            cache.flush()


def _make_caches_tolerant() -> None:
    """Do so for all functions that numba compiles, also those of other libraries."""
    classes: Any = caching.CacheImpl
    if _Nowhere not in classes._locator_classes:
        classes._locator_classes.append(_Nowhere)
        cache: Any = caching.Cache
        cache._guard_against_spurious_io_errors = _tolerant


_make_caches_tolerant()
