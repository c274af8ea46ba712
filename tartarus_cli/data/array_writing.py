"""Writing arrays: never through a mapping whose room on the disk is not reserved."""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from tartarus_cli.files import atomic_write, room_for

BLOCK_BYTES = 1 << 20
"""Zeros that are written at a time."""
_NOT_SUPPORTED = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.ENODEV}


def create_dense(path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Make a temporary file of zeros, mapped into memory, that a block after the other is put into.

    A disk that is full is an error here: it would be a crash when the mapping is written to.

    Parameters
    ----------
    path
        The file, in npy format.
    shape, dtype
        Of the array.

    Raises
    ------
    DiskFullError
        If the disk has no room for it.
    """
    with room_for(path):
        if 0 in shape:
            with path.open("wb") as file:
                npy.write_array(file, np.zeros(shape, dtype), allow_pickle=False)
            return np.zeros(shape, dtype)
        with path.open("wb") as file:
            header = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
            npy.write_array_header_1_0(file, header | {"shape": shape})
            start = file.tell()
            size = start + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            file.flush()
            _reserve(file, start, size)
        return npy.open_memmap(path, "r+")


def create_unnamed(folder: Path, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Make an array of zeros that lies in a file without a name, and not in memory.

    The file takes room on the disk as long as the array is used, and is gone with the process.

    Parameters
    ----------
    folder
        The folder whose disk the file is on; where nothing can be written, that of temporary files.
    shape, dtype
        Of the array.

    Raises
    ------
    DiskFullError
        If the disk has no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if not size:
        return np.zeros(shape, dtype)
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 — closed below
    except OSError:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    with file, room_for(folder):
        _reserve(file, 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)


def _reserve(file: BinaryIO, start: int, size: int) -> None:
    """Let a file that ends at ``start`` have ``size`` bytes of zeros that the disk has room for."""
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except (AttributeError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno not in _NOT_SUPPORTED:
            raise
        blocks = range(start, size, BLOCK_BYTES)
        file.writelines(bytes(min(BLOCK_BYTES, size - position)) for position in blocks)


def put_dense(path: Path, array: NDArray[Any]) -> None:
    """Write a dense array into a temporary file."""
    with room_for(path), path.open("wb") as file:
        npy.write_array(file, np.asanyarray(array), allow_pickle=False)


def put_rows(path: Path, shape: tuple[int, int], blocks: Iterable[NDArray[np.float32]]) -> None:
    """Write rows of float32 into a temporary file, in npy format, block by block.

    Unlike one that is mapped into memory, the file counts for no memory of this process.

    Parameters
    ----------
    path
        The file.
    shape
        Of the matrix: rows and columns.
    blocks
        Its rows, in order, each ``(rows, columns)``.
    """
    header = {"descr": npy.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False}
    with room_for(path), path.open("wb") as file:
        npy.write_array_header_1_0(file, header | {"shape": shape})
        file.writelines(np.ascontiguousarray(block, np.float32).tobytes() for block in blocks)


def put_csr(path: Path, matrix: csr_array, *, compressed: bool = True) -> None:
    """Write a sparse matrix into a temporary file, as ``scipy.sparse.save_npz`` does."""
    from scipy.sparse import save_npz

    # An open file: SciPy would add an ending to the name.
    with room_for(path), path.open("wb") as file:
        save_npz(file, matrix, compressed=compressed)


def put_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write named arrays into a temporary npz file; equal arrays give equal bytes.

    An iterator of arrays needs memory for one at a time.
    """
    with room_for(path), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, values, allow_pickle=False)


def save_dense(path: Path, array: NDArray[Any], *, one_of_many: bool = False) -> None:
    """Write a dense array in one step; for ``one_of_many`` see :func:`atomic_write`."""
    with atomic_write(path, one_of_many=one_of_many) as temporary:
        put_dense(temporary, array)


def save_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write named arrays into an npz file in one step, as :func:`put_arrays` does."""
    with atomic_write(path) as temporary:
        put_arrays(temporary, arrays)


def save_csr(path: Path, matrix: csr_array) -> None:
    """Write a sparse matrix in one step, as :func:`put_csr` does."""
    with atomic_write(path) as temporary:
        put_csr(temporary, matrix)
