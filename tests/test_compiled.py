"""Caches of compiled loops: whatever state they are in, the loops compute."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching, config

LOOP = """
from tartarus_cli.compiled import compiled

@compiled
def doubled(x):
    return 2 * x
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the cache; the module with the loop does not outlive the test."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loop.py").write_text(LOOP)
    invalidate_caches()
    yield tmp_path / "cache"
    sys.modules.pop("loop", None)


def doubled(number: int) -> Any:
    """Load the loop as a new process would, and call it."""
    sys.modules.pop("loop", None)
    function = import_module("loop").doubled
    return function(number), sum(function.stats.cache_hits.values())


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_cut_cache_is_compiled_and_written_once_more(
    ending: str, length: int, cache: Path
) -> None:
    assert doubled(2) == (4, 0)
    assert doubled(3) == (6, 1)
    for path in cache.rglob(f"*.{ending}"):
        path.write_bytes(path.read_bytes()[:length])
    assert doubled(4) == (8, 0)
    assert doubled(5) == (10, 1)


def test_a_cache_that_cannot_be_written_does_not_stop_the_work(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", fail)
    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_index", fail)
    assert doubled(2) == (4, 0)
    assert doubled(3) == (6, 0)
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("cache")
def test_without_any_folder_for_a_cache_nothing_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_folder(*_arguments: object) -> None:
        raise OSError(os.strerror(13))

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", no_folder)
    assert doubled(2) == (4, 0)
    assert doubled(3) == (6, 0)


def test_functions_of_librosa_are_compiled_without_a_cache_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba import njit

    from tartarus_cli.compiled import load_librosa

    load_librosa()
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    add = njit(cache=True)(lambda x: x + 1)
    assert add(1) == 2
    for path in tmp_path.rglob("*.nb?"):
        path.write_bytes(b"")
    assert njit(cache=True)(lambda x: x + 1)(1) == 2
