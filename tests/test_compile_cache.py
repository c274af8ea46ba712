"""What JAX has compiled lies in a folder of the user, for the next process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tartarus_cli import compile_cache
from tartarus_cli.compile_cache import cache_folder, is_private, processor, remove_old
from tartarus_cli.diagnosis.system import find_places

SCRIPT = """
from tartarus_cli import compile_cache
compile_cache.MIN_COMPILE_S = 0.0
compile_cache.use_cache()
import jax
print(jax.jit(lambda x: 3 * x + 1)(2.0), jax.config.jax_compilation_cache_dir)
"""


def test_the_folder_is_named_by_a_variable_or_lies_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TARTARUS_COMPILE_CACHE", raising=False)
    monkeypatch.setenv("TARTARUS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "compiled" / processor()
    monkeypatch.setenv("TARTARUS_COMPILE_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / processor()
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    places = {place.purpose: place.path for place in find_places()}
    assert places["compiled networks (JAX)"] == str(cache_folder())
    monkeypatch.setenv("TARTARUS_COMPILE_CACHE", "off")
    assert cache_folder() is None
    assert "compiled networks (JAX)" not in {place.purpose for place in find_places()}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no modes of folders")
def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert is_private(tmp_path)
    tmp_path.chmod(0o770)
    assert not is_private(tmp_path)


def test_what_is_older_than_four_weeks_is_removed(tmp_path: Path) -> None:
    names = ("old-cache", "old-atime", "new-cache", "new-atime")
    for name in names:
        (tmp_path / name).touch()
    before = time.time() - compile_cache.WEEKS_S - 60
    os.utime(tmp_path / "old-cache", (before, before))
    remove_old(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"new-cache", "new-atime"}


@pytest.mark.slow
def test_what_is_damaged_or_switched_off_changes_no_result(tmp_path: Path) -> None:
    folder = tmp_path / "compiled" / processor()

    def run(**more: str) -> str:
        names = ("JAX_COMPILATION_CACHE_DIR", "TARTARUS_COMPILE_CACHE")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(names)}
        environment |= {"TARTARUS_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"} | more
        done = subprocess.run(  # noqa: S603 — Python itself
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr
        return done.stdout

    assert run(TARTARUS_COMPILE_CACHE="off") == "7.0 None\n"
    assert not folder.exists()
    assert run() == f"7.0 {folder}\n"
    stored = list(folder.glob("*-cache"))
    assert stored
    for path in stored:
        path.write_bytes(path.read_bytes()[:20])
    assert run() == f"7.0 {folder}\n"
