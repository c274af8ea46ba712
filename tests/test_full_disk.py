"""A disk without room: the file is named, and nothing that is hidden or half stays behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.test_killed_everywhere import (
    EVALUATED,
    FACTORIZE,
    NETWORK,
    PREDICTED,
    TEXT,
    TRAINED,
    write_world,
)

EXPORT = ("export", "model_1", "--what", "predictions", "--to")
COMMANDS: dict[str, tuple[Sequence[Sequence[str]], Sequence[str], str]] = {
    "predict": ([TRAINED], PREDICTED, "factors_model_1.npy"),
    "export to Parquet": ([TRAINED, PREDICTED], (*EXPORT, "ROOT/x.parquet"), "x.parquet"),
    "export to CSV": ([TRAINED, PREDICTED], (*EXPORT, "ROOT/x.csv"), "x.csv"),
    "factorize": ([], FACTORIZE, "_als_3_rec.npy"),
    "evaluate": ([TRAINED, PREDICTED], EVALUATED, "model_1"),
    "text": ([(*TEXT, "--set", "terms=5")], (*TEXT, "--set", "terms=4"), "bow_rec"),
    "train": ([], TRAINED, "model_1"),
    "train a network": ([], NETWORK, "model_1"),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system in memory."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if sys.platform != "linux" or os.geteuid() or not mount or not umount:
        pytest.skip("only root mounts a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    words = [mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:  # noqa: S603 — of the system
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run([umount, "-l", str(folder)], check=True)  # noqa: S603 — of the system


def fill(disk: Path) -> None:
    """Leave no room."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            return


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_told_with_the_file_and_leaves_nothing(
    name: str, disk: Path, tartarus: Command
) -> None:
    before, words, file = COMMANDS[name]
    root = disk / "workspace"
    write_world(root)

    def placed(command: Sequence[str]) -> list[str]:
        return [*(word.replace("ROOT", str(root)) for word in command), "-w", str(root)]

    for each in before:
        assert tartarus(*placed(each)).status == 0
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    fill(disk)
    done = tartarus(*placed(words))
    assert done.status == 1
    told = " ".join(done.err.split())
    assert "No space left on device" in told
    assert file in told
    assert ".tartarus-" not in told
    assert "Make room" in told
    left = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert {path: left.get(path) for path in files} == files
    new = [path for path in left if path not in files]
    assert [
        path for path in new if path.name.startswith(".tartarus-") or path.suffix == ".npy"
    ] == []
