"""Arrays from untrusted files: headers are checked first, and nothing is unpickled."""

import os
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import FileError, display_path, python_command
from tartarus_cli.files import digest_open, open_regular, readable

NUMBER_KINDS = "fiub"
"""Kinds of dtype that count as numbers: float, int, unsigned, bool."""
BLOCK_BYTES = 1 << 20
"""Bytes that are hashed at a time."""
CSR_ARRAYS = ("data", "indices", "indptr", "shape")
"""Arrays of a sparse matrix in an npz file."""
READ_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError),
    RuntimeError,  # an encrypted member
)
"""Whatever zipfile raises at a damaged file."""
MAX_COLUMNS = (1 << 31) - 1
MAX_PLAYS = 1e30
"""The largest number of plays; more is damage, and more than 3e38 does not fit into float32."""
MAX_COMPRESSION = 1100
"""The most that deflate can shrink data: zeros, about a thousand times."""
USUAL_COMPRESSION = 30
"""The most that deflate shrinks what is large and says something."""
LARGE_BYTES = 64 << 20
"""What is smaller may be compressed as much as it can be."""
MAX_HEADER_BYTES = 1 << 16
"""The longest header of an array."""


@dataclass(frozen=True)
class ArrayHeader:
    """The header of an array in npy format."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    """Whether the first index changes fastest."""
    offset: int
    """Bytes of the header."""

    @property
    def size(self) -> int:
        """Bytes of the header and of the content that it declares."""
        count = 1
        for length in self.shape:
            count *= length
        return self.offset + count * self.dtype.itemsize


def open_dense(path: Path) -> NDArray[Any]:
    """Map a dense array of numbers into memory; its content is not read yet.

    Raises
    ------
    FileError
        If the file is not in npy format, is cut short, or holds anything but numbers.
    """
    with readable(path), open_regular(path) as file:
        header = read_header(path, file)
        size = os.fstat(file.fileno()).st_size
        if size < header.size:
            _refuse(
                path,
                found=f"cut short: {size:,} bytes",
                expected=f"{header.size:,} bytes for an array {header.shape} of {header.dtype}",
                hint=_RECREATE,
            )
        content = np.memmap(file, np.uint8, mode="r")
    if 0 in header.shape:
        return np.zeros(header.shape, header.dtype)
    values = content[header.offset : header.size].view(header.dtype)
    return values.reshape(header.shape, order="F" if header.fortran else "C")


def digest_mapped(values: NDArray[Any]) -> str | None:
    """BLAKE2b hash of the file that an array is mapped from; None if it is not mapped."""
    content: Any = values
    while isinstance(content.base, np.ndarray):
        content = content.base
    if not isinstance(content, np.memmap):
        return None
    hashed = blake2b(digest_size=16)
    for start in range(0, content.size, BLOCK_BYTES):
        hashed.update(content[start : start + BLOCK_BYTES].data)
    return hashed.hexdigest()


def read_header(path: Path, file: IO[bytes], member: str = "") -> ArrayHeader:
    """Read the header of one array in npy format, and make sure that it is an array of numbers.

    Parameters
    ----------
    path
        The file that error messages name.
    file
        The open file, at the beginning of the header.
    member
        Name of the array in an npz file.

    Raises
    ------
    FileError
        If it is not; Python objects are refused, since reading them would run code from the file.
    """
    prefix = f"{member}: " if member else ""
    try:
        major, _ = npy.read_magic(file)
        read_remainder = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        header = _header_bytes(file, 2 if major == 1 else 4)
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, fortran, dtype = read_remainder(header)
    except Exception as problem:  # noqa: BLE001 — a damaged header makes NumPy raise anything
        found = prefix + (
            _describe_pickle(path) or f"damaged, or no npy file ({_first_line(problem)})"
        )
        _refuse(path, found=found, expected="an array in npy format", hint=_SAVE_DENSE)
    if dtype.kind not in NUMBER_KINDS:
        content = "Python objects (a pickle), which are never loaded" if dtype.hasobject else dtype
        found = f"{prefix}{content}"
        _refuse(path, found=found, expected="numbers (float or integer)", hint=_SAVE_DENSE)
    if any(length < 0 for length in shape):
        found = f"{prefix}damaged: shape {shape}"
        _refuse(path, found=found, expected="lengths of 0 and more", hint=_SAVE_DENSE)
    return ArrayHeader(shape, dtype, fortran, file.tell())


def _header_bytes(file: IO[bytes], width: int) -> BytesIO:
    """Read the length of a header, a number of ``width`` bytes, and so many bytes if not too many.

    NumPy reads a header of any length before it looks at it.
    """
    length = file.read(width)
    size = int.from_bytes(length, "little")
    if size > MAX_HEADER_BYTES:
        msg = f"a header of {size:,} bytes"
        raise ValueError(msg)
    return BytesIO(length + file.read(size))


def open_csr(path: Path, digests: dict[Path, str] | None = None) -> csr_array:
    """Read a sparse matrix as ``scipy.sparse.save_npz`` or ``np.savez(data, indices, …)`` wrote it.

    Indices are checked, duplicates are added up, and explicit zeros are dropped.

    Parameters
    ----------
    path
        The file.
    digests
        Gets the BLAKE2b hash of the file under its path, so that it need not be opened again.

    Raises
    ------
    FileError
        If the file is damaged, is no CSR matrix, or its indices point outside of it.
    """
    expected = "a sparse matrix in npz format"
    with readable(path), open_regular(path) as file, _open_archive(path, expected, file) as archive:
        _check_format(path, archive)
        _refuse_dense(path, archive)
        headers = {name: _member_header(path, archive, name, CSR_ARRAYS) for name in CSR_ARRAYS}
        _check_csr_headers(path, headers)
        shape = _read_member(path, archive, "shape", headers["shape"])
        _check_csr_sizes(path, shape, headers)
        _check_compression(path, archive, CSR_ARRAYS)
        data, indices, indptr = (
            _read_member(path, archive, name, headers[name]) for name in CSR_ARRAYS[:3]
        )
        if digests is not None:
            digests[path] = digest_open(file)
    _check_csr(path, data, indices, indptr, shape)
    data = data.astype(np.float32 if data.dtype == np.float16 else data.dtype.newbyteorder("="))
    matrix = csr_array((data, indices, indptr), shape=tuple(int(n) for n in shape))
    if not matrix.has_canonical_format:
        matrix = _add_up(matrix)
    matrix.eliminate_zeros()
    return matrix


def _add_up(matrix: csr_array) -> csr_array:
    """Add up duplicate entries in a type that is wide enough for their sums: 128 + 128 is 256."""
    kind = matrix.dtype.kind
    sums = matrix.astype(np.float64 if kind == "f" or matrix.dtype == np.uint64 else np.int64)
    sums.sum_duplicates()
    return sums.astype(matrix.dtype) if kind == "f" else sums


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    """Read named arrays of numbers from an npz file.

    Raises
    ------
    FileError
        If the file is damaged, or one of them is missing or holds anything but numbers.
    """
    return [*read_named_arrays(path, names).values()]


def read_named_arrays(
    path: Path, names: Sequence[str], optional: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read named arrays of numbers from an npz file, those that are optional only if they exist.

    Raises
    ------
    FileError
        As :func:`read_arrays`.
    """
    expected = f"an npz file with {', '.join(names)}"
    with readable(path), open_regular(path) as file, _open_archive(path, expected, file) as archive:
        present = {*archive.namelist()}
        names = tuple(n for n in names if n not in optional or f"{n}.npy" in present)
        headers = {name: _member_header(path, archive, name, names) for name in names}
        _check_compression(path, archive, names)
        return {name: _read_member(path, archive, name, headers[name]) for name in names}


def array_names(path: Path) -> list[str]:
    """List the names of the arrays of an npz file.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    expected = "an npz file"
    with readable(path), open_regular(path) as file, _open_archive(path, expected, file) as archive:
        members = archive.namelist()
        return [name.removesuffix(".npy") for name in members if name.endswith(".npy")]


@contextmanager
def _open_archive(path: Path, expected: str, file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open an npz file; explain what is wrong with a damaged one."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except PermissionError:
        raise
    except READ_ERRORS as problem:
        found = _describe_pickle(path) or f"damaged, or no npz file ({_first_line(problem)})"
        _refuse(path, found=found, expected=expected, hint=_RECREATE)


def _check_format(path: Path, archive: zipfile.ZipFile) -> None:
    if "format.npy" not in archive.namelist():
        return
    with archive.open("format.npy") as file:
        text = file.read(4096).decode("latin-1").replace("\0", "").rstrip()
    if not text.endswith("csr"):
        found = f"a sparse matrix in {text[-3:]!r} format"
        _refuse(path, found=found, expected="CSR format", hint=_SAVE_CSR)


def _refuse_dense(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse arrays that are no sparse matrix, such as one dense one; say how to write it."""
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if not names or {*names} & {*CSR_ARRAYS}:
        return
    files = display_path(path), display_path(path.with_suffix(".npy"))
    code = f"import numpy; numpy.save({files[1]!r}, numpy.load({files[0]!r})[{names[0]!r}])"
    more = ", …" * (len(names) > 3)
    _refuse(
        path,
        found=f"no sparse matrix, but the arrays {', '.join(names[:3])}{more}",
        expected="the arrays data, indices, indptr and shape of a CSR matrix; a dense one is .npy",
        hint=f"If {names[0]} is the matrix, write it dense: {python_command(code)}",
    )


def _member_header(
    path: Path, archive: zipfile.ZipFile, name: str, expected_names: tuple[str, ...]
) -> ArrayHeader:
    """Read the header of an array, and make sure that its size is possible."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        found = f"no array {name!r} (there are {', '.join(archive.namelist()) or 'none'})"
        expected = f"the arrays {', '.join(expected_names)}"
        _refuse(path, found=found, expected=expected, hint=_RECREATE)
    with archive.open(info) as file:
        header = read_header(path, file, name)
    if (
        header.size != info.file_size
        or info.file_size > MAX_COMPRESSION * info.compress_size + 1024
    ):
        found = f"{name}: {info.file_size:,} bytes"
        expected = f"{header.size:,} bytes for an array {header.shape} of {header.dtype}"
        _refuse(path, found=found, expected=expected, hint=_RECREATE)
    return header


def _check_compression(path: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> None:
    """Make sure that the arrays are not much larger, together, than what they say.

    One of them may be: the values of a matrix of zeros and ones shrink a thousandfold, but its
    indices do not.
    """
    members = [archive.getinfo(f"{name}.npy") for name in names]
    size = sum(info.file_size for info in members)
    compressed = sum(info.compress_size for info in members)
    if size > max(LARGE_BYTES, USUAL_COMPRESSION * compressed):
        found = f"{size:,} bytes of arrays, compressed to {compressed:,}"
        expected = f"at most {USUAL_COMPRESSION} times as many: data that says so little for its "
        _refuse(path, found=found, expected=f"{expected}size is damage", hint=_UNCOMPRESSED)


def _read_member(
    path: Path, archive: zipfile.ZipFile, name: str, header: ArrayHeader
) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        try:
            return np.asarray(npy.read_array(file, allow_pickle=False))
        except ValueError as problem:
            found = f"{name}: damaged ({_first_line(problem)})"
            _refuse(path, found=found, expected=f"an array {header.shape}", hint=_RECREATE)


def _check_csr_headers(path: Path, headers: Mapping[str, ArrayHeader]) -> None:
    """Make sure that the shape of a matrix can be read: two integers."""
    header = headers["shape"]
    if header.shape != (2,) or header.dtype.kind not in "iu":
        found = f"shape {header.shape} of {header.dtype}"
        _refuse(path, found=found, expected="rows and columns", hint=_SAVE_CSR)


def _check_csr_sizes(path: Path, shape: NDArray[Any], headers: Mapping[str, ArrayHeader]) -> None:
    """Make sure, by their headers alone, that the arrays of a matrix fit together."""
    if (shape < 0).any():
        _refuse(path, found=f"shape {shape}", expected="rows and columns", hint=_SAVE_CSR)
    rows, width = (int(n) for n in shape)
    if width > MAX_COLUMNS:
        _refuse(
            path, found=f"{width:,} columns", expected=f"{MAX_COLUMNS:,} or fewer", hint=_RECREATE
        )
    data, indices, indptr = (headers[name] for name in CSR_ARRAYS[:3])
    integers = indices.dtype.kind in "iu" and indptr.dtype.kind in "iu"
    fits = (len(data.shape), len(indices.shape), indptr.shape) == (1, 1, (rows + 1,))
    if not (integers and fits) or indices.shape != data.shape:
        found = f"arrays that do not fit: data {data.shape}, indices {indices.shape} of "
        found += f"{indices.dtype}, indptr {indptr.shape} of {indptr.dtype}, shape {rows, width}"
        _refuse(path, found=found, expected="a CSR matrix", hint=_SAVE_CSR)


def _check_csr(
    path: Path,
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    shape: NDArray[Any],
) -> None:
    width = int(shape[1])
    if indptr[0] != 0 or indptr[-1] != data.size or (np.diff(indptr.astype(np.int64)) < 0).any():
        found = f"indptr from {indptr[0]} to {indptr[-1]}, not rising from 0 to {data.size}"
        _refuse(path, found=found, expected="one offset for each row", hint=_SAVE_CSR)
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < width:
        found = f"column indices from {indices.min()} to {indices.max()}"
        _refuse(path, found=found, expected=f"0 to {width - 1}", hint=_SAVE_CSR)


_RECREATE = "Copy or compute the file again."
_SAVE_DENSE = "Write it with numpy.save(path, array, allow_pickle=False), as numbers."
_UNCOMPRESSED = (
    "If it is right, write it with scipy.sparse.save_npz(path, matrix, compressed=False)."
)
_SAVE_CSR = "Write it with scipy.sparse.save_npz(path, matrix.tocsr())."


def _describe_pickle(path: Path) -> str:
    """Return what is wrong with a pickle, recognized by its first bytes; "" for another file."""
    with open_regular(path) as file:
        start = file.read(2)
    is_pickle = len(start) == 2 and start[0] == 0x80 and start[1] in range(2, 6)
    return "a pickle, which is never loaded" if is_pickle else ""


def _first_line(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).splitlines()[0][:120]


def _refuse(path: Path, *, found: str, expected: str, hint: str) -> NoReturn:
    raise FileError(path, found=found, expected=expected, hint=hint) from None
