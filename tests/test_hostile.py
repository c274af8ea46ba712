"""Files that are made to take memory, to take time, or to wait for ever."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.lib import format as npy
from scipy.sparse import csr_array, save_npz

from tartarus_cli.data.arrays import LARGE_BYTES, open_csr, open_dense
from tartarus_cli.data.patches import open_patches
from tartarus_cli.errors import FileError, TartarusError
from tartarus_cli.files import TomlError, parse_toml, read_text
from tests.conftest import Command
from tests.worlds import World

MOST_MIB = 1024

READER = """
import resource, sys
from pathlib import Path
from tartarus_cli.data.arrays import open_csr
from tartarus_cli.data.patches import open_patches
from tartarus_cli.errors import FileError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    path = Path(sys.argv[1])
    open_csr(path) if path.suffix == ".npz" else open_patches(path, ["a"]).rows(slice(0, 1))
except FileError as problem:
    print(problem)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def write_csr(path: Path, **arrays: Any) -> None:
    """Write the arrays of a sparse matrix, compressed, a block of zeros at a time."""
    usual = {
        "data": ((0,), "<f4"),
        "indices": ((0,), "<i4"),
        "indptr": ((5,), "<i8"),
        "shape": (None, np.array([4, 3])),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (shape, content) in (usual | arrays).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                if shape is None:
                    npy.write_array(file, content)
                    continue
                dtype = np.dtype(content)
                header = {"descr": content, "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, header)
                size, block = shape[0] * dtype.itemsize, bytes(1 << 20)
                for start in range(0, size, len(block)):
                    file.write(block[: size - start])


def many_rows(path: Path) -> None:
    write_csr(path, indptr=((200_000_001,), "<i8"), shape=(None, np.array([200_000_000, 4])))


def many_values(path: Path) -> None:
    write_csr(path, data=((150_000_000,), "<f8"), indices=((150_000_000,), "<i4"))


def unlike_lengths(path: Path) -> None:
    write_csr(path, data=((150_000_000,), "<f8"))


def long_header(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("data", "indices", "indptr", "shape"):
            length = 3 << 29 if name == "data" else 0
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                file.write(b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little"))
                for _ in range(length >> 20):
                    file.write(b" " * (1 << 20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (many_rows, "compressed to"),
        (many_values, "compressed to"),
        (unlike_lengths, "arrays that do not fit"),
        (long_header, "a header of"),
    ],
)
def test_a_small_file_takes_no_gigabytes(
    make: Callable[[Path], None], found: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    make(path)
    assert path.stat().st_size < 10 << 20
    ran = subprocess.run(  # noqa: S603 — the interpreter under test
        [sys.executable, "-c", READER, path], capture_output=True, text=True, check=True
    )
    assert found in ran.stdout
    assert int(ran.stdout.split()[-1]) < MOST_MIB << 10


@pytest.mark.slow
def test_a_large_matrix_of_zeros_and_ones_may_be_compressed(tmp_path: Path) -> None:
    # Its values shrink a thousandfold; they are larger than what may always be compressed.
    rng, rows, each = np.random.default_rng(0), 90_000, 200
    indices = np.sort(rng.integers(0, 500, (rows, each), np.int32) + np.arange(each) * 500)
    ones = np.ones(rows * each, np.float32)
    matrix = csr_array((ones, indices.ravel(), np.arange(rows + 1) * each), shape=(rows, 10**5))
    save_npz(tmp_path / "x.npz", matrix)
    assert ones.nbytes > LARGE_BYTES
    assert open_csr(tmp_path / "x.npz").nnz == matrix.nnz


def test_arrays_of_a_matrix_that_are_of_unlike_lengths_are_refused(tmp_path: Path) -> None:
    write_csr(tmp_path / "x.npz", data=((100,), "<f4"))
    with pytest.raises(FileError, match="arrays that do not fit"):
        open_csr(tmp_path / "x.npz")


def test_a_matrix_with_long_rows_that_repeat_may_be_compressed(tmp_path: Path) -> None:
    write_csr(
        tmp_path / "x.npz",
        data=((4_000,), "<f4"),
        indices=((4_000,), "<i4"),
        indptr=(None, np.array([0, 1_000, 2_000, 3_000, 4_000])),
    )
    assert open_csr(tmp_path / "x.npz").shape == (4, 3)


def test_a_file_of_patches_is_not_read_by_pieces_that_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        shape = (300, 1, 512, 512)
        file.create_dataset("features", shape, "<f4", chunks=shape, compression="gzip")
        file.create_dataset("index", data=np.array([b"a"] * shape[0]))
    with path.open("ab") as file:
        file.write(bytes(1 << 20))
    with pytest.raises(FileError, match="pieces"):
        open_patches(path, ["a"])


def test_a_header_says_no_more_than_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + b"{}")
    with pytest.raises(FileError, match="a header of"):
        open_dense(path)


DEEP = "a = " + "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DEEP, "nested"),
        ("a = " + "[" * 40 + "]" * 40, "nested"),
        (".".join("a" * 2_000) + " = 1", "nested"),
        ("[" + ".".join("a" * 2_000) + "]", "nested"),
        ("a = " + "9" * 5_000, "64 bits"),
        ("a = 0x" + "f" * 5_000, "64 bits"),
        ("a = 1 b", "line 1"),
    ],
)
def test_toml_that_nobody_writes_is_an_error_of_its_own(text: str, found: str) -> None:
    with pytest.raises(TomlError, match=found):
        parse_toml(text)


@pytest.mark.parametrize("place", ["tartarus.toml", "experiments/x.toml"])
@pytest.mark.parametrize("text", [DEEP, "a = " + "9" * 5_000, "seed = 0x" + "f" * 5_000])
def test_a_hostile_toml_file_is_told_and_no_command_ends_in_a_traceback(
    place: str, text: str, world: World, tartarus: Command
) -> None:
    (world.root / place).parent.mkdir(exist_ok=True)
    (world.root / place).write_text(text)
    for words in (("check-data", "rec"), ("experiments",), ("train", "x", "text")):
        done = tartarus(*words, "-w", world.root)
        assert done.status in (0, 1, 2)
    assert place.rpartition("/")[2] in done.err


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [pipe, Path.mkdir])
def test_what_is_no_file_is_not_waited_for(make: Callable[[Path], object], tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz", "x.hdf5", "x.txt"):
        make(tmp_path / name)
    readers: dict[str, Callable[[Path], object]] = {
        "x.npy": open_dense,
        "x.npz": open_csr,
        "x.hdf5": lambda path: open_patches(path, ["a"]),
        "x.txt": read_text,
    }
    for name, read in readers.items():
        with pytest.raises(TartarusError, match=r"a pipe|a folder"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "place",
    [
        "experiments/x.toml",
        "data/models/model_1/manifest.json",
        "data/results/model_1.json",
        "data/datasets/items_index_train_rec.tsv",
        "data/datasets/train_data/X_train_text_rec.npy",
        "data/datasets/matrix_test_rec.npz",
        "data/datasets/audio_files_rec.tsv",
    ],
)
def test_a_pipe_in_the_place_of_a_file_stops_no_command_for_ever(
    place: str, world: World, tartarus: Command
) -> None:
    path = world.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    for words in (
        ("check-data", "rec"),
        ("models",),
        ("train", "ridge", "text", "--dataset", "rec"),
    ):
        assert tartarus(*words, "-w", world.root).status in (0, 1, 2)
