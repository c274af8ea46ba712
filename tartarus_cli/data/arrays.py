"""Arrays from files that nobody vouches for: headers first, nothing unpickled, nothing trusted."""

import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import FileError
from tartarus_cli.files import atomic_write, readable

NUMBERS = "fiub"  # kinds of dtype that count as numbers: float, int, unsigned, bool
CSR_PARTS = ("data", "indices", "indptr", "shape")
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError),
    RuntimeError,  # an encrypted member
)
MOST_COLUMNS = (1 << 31) - 1
MOST_PLAYS = 1e30  # more are no number of plays, and do not fit into single precision
MOST_DEFLATED = 1100  # deflate shrinks zeros about a thousand times and nothing more


@dataclass(frozen=True)
class Header:
    """What an array file says of itself before its content."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the header and of the content it promises."""
        count = 1
        for length in self.shape:
            count *= length
        return self.offset + count * self.dtype.itemsize


def open_dense(path: Path) -> NDArray[Any]:
    """Map a dense array of numbers into memory; nothing of its content is read yet.

    Raises
    ------
    FileError
        If the file is no ``.npy`` file, is cut short, or holds anything but numbers.
    """
    with readable(path), path.open("rb") as file:
        header = read_header(path, file)
    size = path.stat().st_size
    if size < header.size:
        _refuse(
            path,
            found=f"cut short: {size:,} bytes",
            expected=f"{header.size:,} bytes for an array {header.shape} of {header.dtype}",
            hint=_AGAIN,
        )
    if 0 in header.shape:
        return np.zeros(header.shape, header.dtype)
    return np.memmap(
        path,
        dtype=header.dtype,
        mode="r",
        offset=header.offset,
        shape=header.shape,
        order="F" if header.fortran else "C",
    )


def read_header(path: Path, file: IO[bytes], member: str = "") -> Header:
    """Read the header of one array in npy format, and make sure that it is an array of numbers.

    Raises
    ------
    FileError
        If it is not; objects are refused, since reading them would run what they say.
    """
    within = f"{member}: " if member else ""
    try:
        major, _ = npy.read_magic(file)
        read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, fortran, dtype = read(file)
    except Exception as problem:  # noqa: BLE001 — a damaged header makes NumPy raise anything
        found = within + (_pickle_or(path) or f"damaged, or no npy file ({_first_line(problem)})")
        _refuse(path, found=found, expected="an array in npy format", hint=_SAVE_DENSE)
    if dtype.kind not in NUMBERS:
        content = "Python objects (a pickle), which are never loaded" if dtype.hasobject else dtype
        found = f"{within}{content}"
        _refuse(path, found=found, expected="numbers (float or integer)", hint=_SAVE_DENSE)
    if any(length < 0 for length in shape):
        found = f"{within}damaged: shape {shape}"
        _refuse(path, found=found, expected="lengths of 0 and more", hint=_SAVE_DENSE)
    return Header(shape, dtype, fortran, file.tell())


def open_csr(path: Path) -> csr_array:
    """Read a sparse matrix as ``scipy.sparse.save_npz`` or ``np.savez(data, indices, …)`` wrote it.

    Its indices are checked, duplicates added up and explicit zeros dropped.

    Raises
    ------
    FileError
        If the file is damaged, is no CSR matrix, or its indices point outside of it.
    """
    with readable(path), _opened(path, "a sparse matrix in npz format") as archive:
        _check_format(path, archive)
        data, indices, indptr, shape = (_member(path, archive, n, CSR_PARTS) for n in CSR_PARTS)
    _check_csr(path, data, indices, indptr, shape)
    data = data.astype(np.float32 if data.dtype == np.float16 else data.dtype.newbyteorder("="))
    matrix = csr_array((data, indices, indptr), shape=tuple(int(n) for n in shape))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    """Read named arrays of numbers from an npz file.

    Raises
    ------
    FileError
        If the file is damaged, or one of them is missing or holds anything but numbers.
    """
    with readable(path), _opened(path, f"an npz file with {', '.join(names)}") as archive:
        return [_member(path, archive, name, names) for name in names]


def array_names(path: Path) -> list[str]:
    """List what the arrays of an npz file are called.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    with readable(path), _opened(path, "an npz file") as archive:
        members = archive.namelist()
        return [name.removesuffix(".npy") for name in members if name.endswith(".npy")]


@contextmanager
def _opened(path: Path, expected: str) -> Iterator[zipfile.ZipFile]:
    """Open an npz file; whatever is wrong with the archive itself is explained."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except PermissionError:
        raise
    except UNREADABLE as problem:
        found = _pickle_or(path) or f"damaged, or no npz file ({_first_line(problem)})"
        _refuse(path, found=found, expected=expected, hint=_AGAIN)


def _check_format(path: Path, archive: zipfile.ZipFile) -> None:
    if "format.npy" not in archive.namelist():
        return
    with archive.open("format.npy") as file:
        text = file.read(4096).decode("latin-1").replace("\0", "").rstrip()
    if not text.endswith("csr"):
        found = f"a sparse matrix in {text[-3:]!r} format"
        _refuse(path, found=found, expected="CSR format", hint=_SAVE_CSR)


def _member(
    path: Path, archive: zipfile.ZipFile, name: str, wanted: tuple[str, ...]
) -> NDArray[Any]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        found = f"no array {name!r} (there are {', '.join(archive.namelist()) or 'none'})"
        _refuse(path, found=found, expected=f"the arrays {', '.join(wanted)}", hint=_AGAIN)
    with archive.open(info) as file:
        header = read_header(path, file, name)
    if header.size != info.file_size or info.file_size > MOST_DEFLATED * info.compress_size + 1024:
        found = f"{name}: {info.file_size:,} bytes"
        expected = f"{header.size:,} bytes for an array {header.shape} of {header.dtype}"
        _refuse(path, found=found, expected=expected, hint=_AGAIN)
    with archive.open(info) as file:
        try:
            return np.asarray(npy.read_array(file, allow_pickle=False))
        except ValueError as problem:
            found = f"{name}: damaged ({_first_line(problem)})"
            _refuse(path, found=found, expected=f"an array {header.shape}", hint=_AGAIN)


def _check_csr(
    path: Path,
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    shape: NDArray[Any],
) -> None:
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any():
        _refuse(path, found=f"shape {shape}", expected="rows and columns", hint=_SAVE_CSR)
    rows, width = (int(n) for n in shape)
    if width > MOST_COLUMNS:
        _refuse(
            path, found=f"{width:,} columns", expected=f"{MOST_COLUMNS:,} or fewer", hint=_AGAIN
        )
    integers = indices.dtype.kind in "iu" and indptr.dtype.kind in "iu"
    fits = (data.ndim, indices.ndim, indptr.shape) == (1, 1, (rows + 1,))
    if not (integers and fits) or indices.size != data.size:
        found = f"parts that do not fit: data {data.shape}, indices {indices.shape} of "
        found += f"{indices.dtype}, indptr {indptr.shape} of {indptr.dtype}, shape {rows, width}"
        _refuse(path, found=found, expected="a CSR matrix", hint=_SAVE_CSR)
    if indptr[0] != 0 or indptr[-1] != data.size or (np.diff(indptr.astype(np.int64)) < 0).any():
        found = f"indptr from {indptr[0]} to {indptr[-1]}, not rising from 0 to {data.size}"
        _refuse(path, found=found, expected="one start for each row", hint=_SAVE_CSR)
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < width:
        found = f"column indices from {indices.min()} to {indices.max()}"
        _refuse(path, found=found, expected=f"0 to {width - 1}", hint=_SAVE_CSR)


_AGAIN = "Copy or compute the file again."
_SAVE_DENSE = "Write it with numpy.save(path, array, allow_pickle=False), as numbers."
_SAVE_CSR = "Write it with scipy.sparse.save_npz(path, matrix.tocsr())."


def save_dense(path: Path, array: NDArray[Any]) -> None:
    """Write a dense array in one step."""
    with atomic_write(path) as beside:
        np.save(beside, array, allow_pickle=False)


def save_arrays(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write named arrays in one step, each let go before the next; equal ones give equal bytes."""
    with atomic_write(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, values, allow_pickle=False)


def save_csr(path: Path, matrix: csr_array) -> None:
    """Write a sparse matrix in one step, as ``scipy.sparse.save_npz`` does."""
    from scipy.sparse import save_npz

    with atomic_write(path) as beside:
        save_npz(beside, matrix)


def _pickle_or(path: Path) -> str:
    """Tell a pickle from any other damage, by its first bytes alone."""
    with path.open("rb") as file:
        start = file.read(2)
    pickled = len(start) == 2 and start[0] == 0x80 and start[1] in range(2, 6)
    return "a pickle, which is never loaded" if pickled else ""


def _first_line(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).splitlines()[0][:120]


def _refuse(path: Path, *, found: str, expected: str, hint: str) -> NoReturn:
    raise FileError(path, found=found, expected=expected, hint=hint) from None
