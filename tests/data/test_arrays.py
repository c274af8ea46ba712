"""Arrays and matrices from files, and what one pass over them finds."""

import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.lib import format as npy
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, csr_matrix, load_npz, save_npz

from tartarus_cli.data.array_writing import save_csr, save_dense
from tartarus_cli.data.arrays import open_csr, open_dense, read_arrays
from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.scan import MatrixStatistics, scan_matrix
from tartarus_cli.errors import FileError

QUICK = settings(max_examples=50)
NUMBERS = np.array([[0, 1, 2], [0, 0, 0], [5, 0, 7], [1, 1, 0]])
FLOATS = ["float16", "float32", "float64", "longdouble", ">f4", ">f8"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", ">i4"]


def _parts(matrix: csr_array) -> dict[str, Any]:
    """Return the arrays of a matrix as a plain npz file holds them."""
    return {
        "data": matrix.data,
        "indices": matrix.indices,
        "indptr": matrix.indptr,
        "shape": np.array(matrix.shape),
    }


# ------------------------------------------------------------------------------------ dense files


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
def test_a_dense_matrix_of_any_kind_of_number_is_read(
    dtype: str, order: Any, tmp_path: Path
) -> None:
    path, values = tmp_path / "a.npy", NUMBERS.astype(dtype)
    np.save(path, np.asarray(values, order=order))
    matrix = open_matrix(path)
    assert (matrix.shape, matrix.sparse, matrix.density) == ((4, 3), False, 1.0)
    assert matrix.rows(slice(0, 4)).dtype == np.float32
    np.testing.assert_array_equal(matrix.rows(slice(0, 4)), values.astype(np.float32))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_npy_format_is_read(version: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        npy.write_array(file, NUMBERS, version=version)
    np.testing.assert_array_equal(open_dense(path), NUMBERS)


def test_an_array_that_python_2_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, NUMBERS)
    path.write_bytes(path.read_bytes().replace(b"(4, 3), }  ", b"(4L, 3L), }"))
    np.testing.assert_array_equal(open_dense(path), NUMBERS)


def test_a_dense_matrix_is_mapped_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:  # 8 TB of which nothing is written
        npy.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 2 * 10**6)}
        )
        file.truncate(file.tell() + 8 * 10**12)
    matrix = open_matrix(path)
    assert matrix.shape == (10**6, 2 * 10**6)
    np.testing.assert_array_equal(matrix.rows(slice(5, 7))[:, -2:], np.zeros((2, 2)))


def test_a_matrix_without_rows_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", NUMBERS[:0])
    save_npz(tmp_path / "a.npz", csr_array(NUMBERS[:0]))
    for name in ("a.npy", "a.npz"):
        statistics = scan_matrix(open_matrix(tmp_path / name))
        assert (statistics.rows, statistics.width) == (0, 3)
        assert not statistics.constant_columns.any()


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (NUMBERS.astype(object), "Python objects"),
        (NUMBERS.astype(str), "<U21"),
        (NUMBERS + 1j, "complex128"),
        (NUMBERS.astype("M8[s]"), "datetime64"),
        (np.zeros(3, [("a", "f4"), ("b", "O")]), "Python objects"),
        (np.zeros(3, [("a", "f4")]), "'a'"),
        (NUMBERS[0], r"an array of shape \(3,\)"),
        (NUMBERS[None], r"an array of shape \(1, 4, 3\)"),
        (np.float32(1), r"an array of shape \(\)"),
        (NUMBERS[:, :0], r"an array of shape \(4, 0\)"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(
    array: NDArray[Any], found: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FileError, match=rf"a\.npy: .*{found}") as caught:
        open_matrix(tmp_path / "a.npy")
    assert caught.value.hint


def test_a_dense_file_says_how_many_bytes_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, NUMBERS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileError, match=r"cut short: 223 bytes; expected 224 bytes .*\(4, 3\)"):
        open_dense(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"a,b\n", b"PK\x03\x04", b"\x89HDF\r\n"])
def test_what_is_no_npy_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FileError, match=r"a\.npy: damaged, or no npy file"):
        open_dense(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_told_from_other_damage(name: str, protocol: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bytes([0x80, protocol]) + b"].")
    with pytest.raises(FileError, match=r"a pickle, which is never loaded"):
        open_matrix(tmp_path / name)


# ----------------------------------------------------------------------------------- sparse files


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8", "bool"])
@pytest.mark.parametrize("compressed", [True, False])
def test_what_scipy_saved_is_read(
    kind: Callable[..., Any],
    dtype: str,
    compressed: bool,  # noqa: FBT001 — two cases
    tmp_path: Path,
) -> None:
    save_npz(tmp_path / "a.npz", kind(NUMBERS.astype(dtype)), compressed=compressed)
    matrix = open_matrix(tmp_path / "a.npz")
    assert (matrix.shape, matrix.sparse) == ((4, 3), True)
    np.testing.assert_array_equal(matrix.rows(slice(0, 4)), NUMBERS.astype(dtype).astype("f4"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
def test_plain_parts_of_any_kind_of_number_are_read(
    save: Callable[..., None], dtype: str, tmp_path: Path
) -> None:
    values = NUMBERS.astype(dtype)
    parts = _parts(csr_array(NUMBERS))
    save(tmp_path / "a.npz", **parts | {"data": parts["data"].astype(dtype)})
    matrix = open_matrix(tmp_path / "a.npz")
    np.testing.assert_array_equal(matrix.rows(slice(0, 4)), values.astype(np.float32))
    assert scan_matrix(matrix).rows == 4


@pytest.mark.parametrize("part", ["indices", "indptr", "shape"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_plain_parts_are_read_whatever_integers_count_them(
    part: str, dtype: str, tmp_path: Path
) -> None:
    parts = _parts(csr_array(NUMBERS))
    np.savez(tmp_path / "a.npz", **parts | {part: parts[part].astype(dtype)})
    np.testing.assert_array_equal(open_csr(tmp_path / "a.npz").toarray(), NUMBERS)


@pytest.mark.parametrize("kept", ["csr", b"csr"])
def test_plain_parts_may_name_their_format(kept: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", format=kept, **_parts(csr_array(NUMBERS)))
    np.testing.assert_array_equal(open_csr(tmp_path / "a.npz").toarray(), NUMBERS)


def test_explicit_zeros_are_dropped_and_duplicates_added_up(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        data=np.array([1.0, 0.0, 4.0, 2.0, -0.0]),
        indices=np.array([2, 1, 0, 2, 1]),
        indptr=np.array([0, 0, 5]),
        shape=np.array([2, 3]),
    )
    matrix = open_csr(tmp_path / "a.npz")
    assert matrix.toarray().tolist() == [[0, 0, 0], [4, 0, 3]]
    assert matrix.nnz == 2
    assert open_matrix(tmp_path / "a.npz").density == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("i1", 100),
        ("u1", 128),
        ("i2", 30_000),
        ("u4", 3 << 30),
        ("i4", 2_000_000_000),
        ("u8", 1 << 62),
        ("f2", 60_000),
        ("f4", 16_777_217),
        ("?", 1),
    ],
)
def test_duplicates_add_up_to_more_than_their_own_type_holds(
    dtype: str, value: int, tmp_path: Path
) -> None:
    values = np.full(3, value).astype(dtype)
    np.savez(tmp_path / "x.npz", data=values, indices=[1, 1, 1], indptr=[0, 3], shape=[1, 2])
    total = float(sum(values.astype(object)))
    assert open_csr(tmp_path / "x.npz").toarray()[0].tolist() == pytest.approx([0, total], rel=1e-6)


@pytest.mark.parametrize("kind", [csc_array, lambda a: csr_array(a).tocoo()])
def test_other_sparse_formats_are_refused_by_name(kind: Callable[..., Any], tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", kind(NUMBERS))
    with pytest.raises(FileError, match=r"in '(csc|coo)' format; expected CSR") as caught:
        open_csr(tmp_path / "a.npz")
    assert "tocsr" in caught.value.hint


BAD_PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "column too large": ({"indices": [0, 3, 0, 2, 0, 1]}, "column indices from 0 to 3"),
    "column below zero": ({"indices": [0, -1, 0, 2, 0, 1]}, "column indices from -1"),
    "an index too few": ({"indices": [0, 1, 2, 0, 1]}, "do not fit"),
    "fractions": ({"indices": [0.0, 1, 0, 2, 0, 1]}, "do not fit"),
    "falling starts": ({"indptr": [0, 4, 2, 4, 6]}, "not rising"),
    "starts beyond 1": ({"indptr": [1, 2, 2, 4, 6]}, "not rising"),
    "an early end": ({"indptr": [0, 2, 2, 4, 5]}, "not rising"),
    "starts that overflow": ({"indptr": np.array([0, 2, 2**64 - 1, 4, 6], "u8")}, "not rising"),
    "a start too few": ({"indptr": [0, 2, 4, 6]}, "do not fit"),
    "flat": ({"shape": [12]}, "shape"),
    "fractional shape": ({"shape": [4.0, 3.0]}, "shape"),
    "negative shape": ({"shape": [4, -3]}, "shape"),
    "no width": ({"shape": [4, 0]}, "column indices"),
    "too many rows": ({"shape": [5, 3]}, "do not fit"),
    "more rows than can be": ({"shape": np.array([2**64 - 1, 3], "u8")}, "do not fit"),
    "more columns than can be": ({"shape": np.array([4, 2**64 - 1], "u8")}, ""),
    "more columns than any memory holds": ({"shape": [4, 2**45]}, ""),
    "values in two dimensions": ({"data": np.ones((6, 1))}, "do not fit"),
    "no number": ({"data": np.ones(6, object)}, "data: Python objects"),
    "text": ({"indices": ["0"] * 6}, "indices: <U1"),
    "objects as shape": ({"shape": np.array([4, 3], object)}, "shape: Python objects"),
}


@pytest.mark.parametrize(("changed", "found"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_parts_that_make_no_matrix_are_refused(
    changed: dict[str, Any], found: str, tmp_path: Path
) -> None:
    parts = _parts(csr_array(NUMBERS))
    np.savez(tmp_path / "a.npz", **parts | changed)
    with pytest.raises(FileError, match=rf"a\.npz: .*{found}") as caught:
        scan_matrix(open_matrix(tmp_path / "a.npz"))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["data", "indices", "indptr", "shape"])
def test_a_part_that_is_missing_is_named_with_those_that_are_there(
    name: str, tmp_path: Path
) -> None:
    parts = _parts(csr_array(NUMBERS))
    left = {part: array for part, array in parts.items() if part != name}
    np.savez(tmp_path / "a.npz", **left)
    with pytest.raises(FileError, match=rf"no array '{name}' \(there are .*{next(iter(left))}"):
        open_csr(tmp_path / "a.npz")


def test_an_array_that_promises_more_than_is_there_takes_no_memory(tmp_path: Path) -> None:
    parts = _parts(csr_array(NUMBERS))
    np.savez(tmp_path / "whole.npz", **parts)
    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (10**13,)})
    with (
        zipfile.ZipFile(tmp_path / "whole.npz") as whole,
        zipfile.ZipFile(tmp_path / "a.npz", "w") as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, header.getvalue() if name == "data.npy" else whole.read(name))
    with pytest.raises(FileError, match=r"data: 128 bytes; expected 80,000,000,000,128 bytes"):
        open_csr(tmp_path / "a.npz")


def _outcome(path: Path) -> NDArray[np.float32] | FileError:
    """Read a damaged file; anything but a FileError is a bug."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of odd headers
        try:
            return open_matrix(path).rows(slice(0, 4))
        except FileError as problem:
            return problem


def _damaged(content: bytes, mask: int, step: int = 1) -> Iterator[bytes]:
    for place in range(0, len(content), step):
        changed = bytearray(content)
        changed[place] ^= mask
        yield bytes(changed)


@pytest.mark.parametrize(
    ("save", "mask", "step"), [(np.savez, 0xFF, 5), (np.savez_compressed, 0x01, 1)]
)
def test_a_flipped_byte_in_an_npz_is_either_harmless_or_reported(
    save: Callable[..., None], mask: int, step: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    save(path, **_parts(csr_array(NUMBERS)))
    reported = 0
    for content in _damaged(path.read_bytes(), mask, step):
        path.write_bytes(content)
        match _outcome(path):
            case FileError():
                reported += 1
            case values:
                np.testing.assert_array_equal(values, NUMBERS)
    assert reported > 100


@pytest.mark.parametrize("mask", [0x01, 0x04, 0x10, 0x80])
def test_a_flipped_byte_in_the_header_of_an_npy_is_no_traceback(mask: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, NUMBERS.astype(np.float32))
    reported = 0
    for content in _damaged(path.read_bytes(), mask):
        path.write_bytes(content)
        reported += isinstance(_outcome(path), FileError)
    assert reported > 20


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_file_cut_short_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    np.save(path, NUMBERS) if name == "a.npy" else save_npz(path, csr_array(NUMBERS))
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 7), len(whole) - 1):
        path.write_bytes(whole[:length])
        assert isinstance(_outcome(path), FileError), length


# ---------------------------------------------------------------------------- writing, other files


def test_what_is_saved_can_be_read_by_numpy_and_scipy_and_leaves_nothing_beside(
    tmp_path: Path,
) -> None:
    save_dense(tmp_path / "a.npy", NUMBERS.astype(np.float32))
    save_csr(tmp_path / "a.npz", csr_array(NUMBERS))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), NUMBERS)
    np.testing.assert_array_equal(load_npz(tmp_path / "a.npz").toarray(), NUMBERS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.npz"]


def test_objects_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_dense(tmp_path / "a.npy", np.array([{}]))
    assert not list(tmp_path.iterdir())


def test_named_arrays_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mean=NUMBERS, scale=NUMBERS + 1)
    scale, mean = read_arrays(tmp_path / "a.npz", ("scale", "mean"))
    np.testing.assert_array_equal(scale - 1, mean)


def test_named_arrays_that_are_missing_or_hold_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mean=NUMBERS.astype(object))
    with pytest.raises(FileError, match="mean: Python objects"):
        read_arrays(tmp_path / "a.npz", ("mean",))
    with pytest.raises(FileError, match=r"no array 'scale' \(there are mean\.npy\)") as caught:
        read_arrays(tmp_path / "a.npz", ("scale",))
    assert "scale" in caught.value.expected
    (tmp_path / "a.npz").write_bytes(b"?")
    with pytest.raises(FileError, match="expected an npz file with mean, scale"):
        read_arrays(tmp_path / "a.npz", ("mean", "scale"))


# ------------------------------------------------------------------------------- rows and blocks


def _both(values: NDArray[Any]) -> list[Matrix]:
    return [Matrix(Path("x.npy"), values), Matrix(Path("x.npz"), csr_array(values))]


@QUICK
@given(values=arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 4))), data=st.data())
def test_rows_come_in_the_order_asked_for(values: NDArray[np.float64], data: st.DataObject) -> None:
    selection = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), max_size=9)), np.int64)
    values = np.nan_to_num(np.clip(values, -1e9, 1e9))
    for matrix in _both(values):
        rows = matrix.rows(selection)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, values[selection].astype(np.float32))


@QUICK
@given(rows=st.integers(0, 40), width=st.integers(1, 9), size=st.integers(1, 400))
def test_blocks_cover_each_row_once_within_their_size(rows: int, width: int, size: int) -> None:
    for matrix in _both(np.ones((rows, width))):
        blocks = list(matrix.blocks(size))
        assert [row for block in blocks for row in range(rows)[block]] == list(range(rows))
        assert all(b.stop - b.start == 1 or (b.stop - b.start) * width * 4 <= size for b in blocks)


# ------------------------------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Cut(Matrix):
    """A matrix that is scanned a few bytes at a time."""

    block_size: int = 1

    def blocks(self, block_bytes: int = 0) -> Iterator[slice]:
        """Cut the rows into small slices."""
        return super().blocks(block_bytes or self.block_size)


def _assert_right(statistics: MatrixStatistics, values: NDArray[Any]) -> None:
    """Compare with what NumPy says of the whole."""
    with np.errstate(all="ignore"):
        values = np.asarray(values, np.float32) + np.float32(0)
    nonzero = values[(values != 0).any(axis=1)]
    distinct = len({row.tobytes() for row in nonzero})
    assert (statistics.rows, statistics.width) == values.shape
    assert statistics.bad_rows.tolist() == np.flatnonzero(~np.isfinite(values).all(1)).tolist()
    assert statistics.zero_rows.tolist() == (values == 0).all(axis=1).tolist()
    assert statistics.identical_rows == len(nonzero) - distinct
    assert statistics.constant_columns.tolist() == (values == values[:1]).all(axis=0).tolist()
    assert statistics.empty_columns.tolist() == (values == 0).all(axis=0).tolist()
    binary = bool(((values == 0) | (values == 1)).all())
    assert statistics.binary == binary
    assert statistics.one_hot == (binary and bool((values.sum(axis=1) == 1).all()))


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 4))
FEW = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, -0.0, 2.5, -1.0])
ODD = st.sampled_from([0.0, 0.0, 1.0, np.nan, np.inf, -np.inf, 1e300, -1e300, 65504.0])
BINARY = st.sampled_from([0.0, 1.0])


@pytest.mark.parametrize("cells", [FEW, ODD, BINARY], ids=["few values", "odd values", "binary"])
@settings(max_examples=150)
@given(data=st.data(), size=st.integers(1, 60))
def test_a_scan_across_blocks_finds_what_numpy_finds_in_the_whole(
    cells: st.SearchStrategy[float], data: st.DataObject, size: int
) -> None:
    values = data.draw(arrays(np.float64, SHAPES, elements=cells))
    for matrix in _both(values):
        _assert_right(scan_matrix(Cut(matrix.path, matrix.values, block_size=size)), values)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
@settings(max_examples=15)
@given(values=arrays(np.int8, SHAPES, elements=st.integers(0, 3)), size=st.integers(1, 60))
def test_a_scan_does_not_depend_on_the_kind_of_number(
    dtype: str, values: NDArray[np.int8], size: int
) -> None:
    dense = values.astype(dtype)
    _assert_right(scan_matrix(Cut(Path("x.npy"), dense, block_size=size)), dense)
    _assert_right(scan_matrix(Cut(Path("x.npy"), np.asfortranarray(dense), block_size=size)), dense)
    if dtype in ("bool", "int8", "uint8", "int64", "float32", "float64"):
        _assert_right(scan_matrix(Cut(Path("x.npz"), csr_array(dense), block_size=size)), dense)


def test_values_that_vanish_in_32_bits_count_as_zero() -> None:
    values = np.array([[1e-300, 0], [1, 0], [1, 1e-300]])
    for matrix in _both(values):
        _assert_right(scan_matrix(matrix), values)


def test_each_place_of_a_value_makes_another_row() -> None:
    values = np.vstack([np.eye(50), 2 * np.eye(50), np.eye(50)[::-1]])
    for matrix in _both(values):
        assert scan_matrix(matrix).identical_rows == 50


def test_fifty_thousand_different_rows_are_all_told_apart() -> None:
    rng = np.random.default_rng(0)
    values = np.unique(rng.integers(0, 2, (50_000, 40)).astype(np.float32), axis=0)
    for matrix in _both(values):
        assert scan_matrix(Cut(matrix.path, matrix.values, block_size=1 << 20)).identical_rows == 0


def test_a_scan_tells_which_share_of_the_rows_it_has_seen() -> None:
    for matrix in _both(np.ones((7, 3))):
        shares: list[float] = []
        scan_matrix(Cut(matrix.path, matrix.values, block_size=24), shares.append)
        assert shares == pytest.approx([2 / 7, 2 / 7, 2 / 7, 1 / 7])
