"""Files of patches: what is read is what is in them, and damage is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tartarus_cli.data.patches import (
    open_patches,
    read_scaler,
    write_patches,
    write_scaler,
)
from tartarus_cli.errors import FileError

IDS = ["a", "b", "é/../\u2028", "d" * 300]
ROWS = [2, 0, None, 1, 2, 3, 0]  # number of the item of each row; None: unused
FEATURES = np.random.default_rng(0).standard_normal((len(ROWS), 1, 3, 2)).astype(np.float32)
NAMES = ["" if n is None else IDS[n] for n in ROWS]
USED = [row for row, n in enumerate(ROWS) if n is not None]


def published(path: Path, index: Any, features: Any = FEATURES, **how: Any) -> Path:
    with h5py.File(path, "w") as store:
        store.create_dataset("features", data=features, **how)
        store.create_dataset("index", data=index)
    return path


def as_bytes() -> NDArray[np.bytes_]:
    return np.array([name.encode() for name in NAMES])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return published(tmp_path / "patches_train_x_1_15.hdf5", as_bytes())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("index", ["fixed", "bytes", "text"])
def test_published_files_of_any_float_and_any_kind_of_text_are_read(
    dtype: Any, index: str, tmp_path: Path
) -> None:
    ids = {
        "fixed": as_bytes(),
        "bytes": np.array([name.encode() for name in NAMES], h5py.string_dtype("ascii")),
        "text": np.array(NAMES, h5py.string_dtype("utf-8")),
    }[index]
    path = published(
        tmp_path / "patches_train_x_1x15.hdf5",
        ids,
        FEATURES.astype(dtype),
        chunks=(2, 1, 3, 2),
        compression="gzip",
    )
    patches = open_patches(path, IDS)
    assert patches.shape == (6, 3, 2, 1)
    assert patches.items.tolist() == [2, 0, 1, 2, 3, 0]
    values = patches.rows(slice(None))
    assert values.dtype == np.float32
    expected = FEATURES.astype(dtype).astype(np.float32)[USED].reshape(-1, 3, 2, 1)
    np.testing.assert_array_equal(values, expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.integers(0, len(USED) - 1), max_size=12))
def test_any_samples_in_any_order_are_those_of_the_file(file: Path, samples: list[int]) -> None:
    patches = open_patches(file, IDS)
    values = patches.rows(np.array(samples, np.int64))
    expected = FEATURES[[USED[s] for s in samples]].reshape(-1, 3, 2, 1)
    np.testing.assert_array_equal(values, expected)


def test_what_is_written_is_read_with_its_ids_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "made.hdf5"
    ids = [IDS[n] for n in (0, 0, 1, 1, 2, 2, 3)]
    blocks = [FEATURES[:3, 0], FEATURES[3:, 0]]
    write_patches(path, ids, blocks, (3, 2), {"transform": "cqt", "seed": 7, "seconds": 0.5})
    patches = open_patches(path, IDS)
    assert patches.items.tolist() == [0, 0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(patches.rows(slice(None))[..., 0], FEATURES[:, 0])
    assert dict(patches.attributes) == {
        "complete": True,
        "transform": "cqt",
        "seed": 7,
        "seconds": 0.5,
    }
    with h5py.File(path, locking=False) as store:
        assert store["features"].dtype == np.float32
        assert store["features"].shape == (7, 1, 3, 2)


def test_a_set_without_patches_is_a_file_without_rows(tmp_path: Path) -> None:
    write_patches(tmp_path / "none.hdf5", [], [], (3, 2), {})
    patches = open_patches(tmp_path / "none.hdf5", IDS)
    assert patches.shape == (0, 3, 2, 1)
    assert patches.rows(slice(None)).shape == (0, 3, 2, 1)


def test_a_writer_that_stops_halfway_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    def blocks() -> Iterator[NDArray[np.float32]]:
        yield FEATURES[:2, 0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_patches(tmp_path / "half.hdf5", NAMES, blocks(), (3, 2), {})
    with pytest.raises(FileError, match="never finished"):
        open_patches(tmp_path / "half.hdf5", IDS)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_cut_file_is_reported(share: float, file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileError, match="damaged or no HDF5 file"):
        open_patches(file, IDS)


def test_another_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "text.hdf5").write_text("patches")
    with pytest.raises(FileError, match="damaged or no HDF5 file"):
        open_patches(tmp_path / "text.hdf5", IDS)
    with pytest.raises(FileError, match="damaged or no HDF5 file"):
        open_patches(tmp_path / "none.hdf5", IDS)


def test_a_damaged_chunk_is_reported_when_it_is_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal((7, 1, 50, 40)).astype(np.float32)
    path = published(tmp_path / "x.hdf5", as_bytes(), noise, chunks=(1, 1, 50, 40), compression=4)
    with h5py.File(path) as store:
        chunk = store["features"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    patches = open_patches(path, IDS)
    np.testing.assert_array_equal(patches.rows(slice(0, 2))[..., 0], noise[:2, 0])
    with pytest.raises(FileError, match=r"x\.hdf5: damaged"):
        patches.rows(slice(None))


def test_a_missing_part_is_reported(tmp_path: Path) -> None:
    for name, other in (("features", "index"), ("index", "features")):
        path = tmp_path / f"{name}.hdf5"
        with h5py.File(path, "w") as store:
            store[name] = FEATURES if name == "features" else as_bytes()
        with pytest.raises(FileError, match=rf"no dataset '{other}' \(there are {name}\)"):
            open_patches(path, IDS)


def test_data_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    other = published(tmp_path / "other.hdf5", as_bytes())
    raw = tmp_path / "raw"
    raw.write_bytes(FEATURES.tobytes())
    virtual = h5py.VirtualLayout(FEATURES.shape, np.float32)
    virtual[:] = h5py.VirtualSource(str(other), "features", FEATURES.shape)
    for number in range(4):
        path = tmp_path / f"{number}.hdf5"
        with h5py.File(path, "w") as store:
            store["index"] = as_bytes()
            if number == 0:
                store["features"] = h5py.ExternalLink(str(other), "features")
            elif number == 1:
                store["there"] = FEATURES
                store["features"] = h5py.SoftLink("/there")
            elif number == 2:
                store.create_virtual_dataset("features", virtual)
            else:
                external = [(str(raw), 0, FEATURES.nbytes)]
                store.create_dataset("features", FEATURES.shape, np.float32, external=external)
        with pytest.raises(FileError, match="no dataset 'features'"):
            open_patches(path, IDS)


@pytest.mark.parametrize(
    ("features", "index", "found"),
    [
        (FEATURES[:5], as_bytes(), r"index \(7,\)"),
        (FEATURES, as_bytes()[:, None], r"index \(7, 1\)"),
        (FEATURES[:, 0], as_bytes(), r"features \(7, 3, 2\)"),
        (FEATURES[:, [0, 0]], as_bytes(), r"features \(7, 2, 3, 2\)"),
        (FEATURES.astype(int), as_bytes(), "of int64"),
        (FEATURES, np.arange(7), "index holds int64, not text"),
        (FEATURES[:, :, :0], as_bytes(), r"patches \(0, 2\)"),
    ],
)
def test_parts_of_another_shape_or_kind_are_reported(
    features: NDArray[Any], index: NDArray[Any], found: str, tmp_path: Path
) -> None:
    path = published(tmp_path / "x.hdf5", index, features)
    with pytest.raises(FileError, match=found):
        open_patches(path, IDS)


@pytest.mark.parametrize(("rows", "kind"), [(10**12, "S5"), (4, "S2000000000")])
def test_an_index_that_promises_more_than_the_file_holds_is_not_read(
    rows: int, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as store:
        store.create_dataset("features", (rows, 1, 3, 2), np.float32)
        store.create_dataset("index", (rows,), kind)
    with pytest.raises(FileError, match="patches that were written"):
        open_patches(path, IDS)


def test_items_of_no_set_are_reported(file: Path) -> None:
    with pytest.raises(FileError, match=r"2 ids that are not in its set \(b, d+\)"):
        open_patches(file, ["a", "é/../\u2028", "z"])


@pytest.mark.parametrize("value", [np.zeros(3, bool), "no", 0])
def test_a_strange_mark_of_completeness_is_no_crash(value: Any, file: Path) -> None:
    with h5py.File(file, "a") as store:
        store.attrs["complete"] = value
    if isinstance(value, str):
        assert open_patches(file, IDS).shape == (6, 3, 2, 1)
    else:
        with pytest.raises(FileError, match=r"never finished|damaged"):
            open_patches(file, IDS)


def test_a_scaler_is_read_as_it_was_written(tmp_path: Path) -> None:
    mean, scale = np.array([[1, -2.5], [1, 0.1]], np.float32)
    write_scaler(tmp_path / "scaler.npz", mean, scale)
    scaler = read_scaler(tmp_path / "scaler.npz")
    np.testing.assert_array_equal(scaler, [mean, scale])


@pytest.mark.parametrize(
    ("mean", "scale"),
    [([0], [0]), ([0], [-1]), ([0], [np.nan]), ([np.inf], [1]), ([0, 0], [1]), ([[0]], [[1]])],
)
def test_a_scaler_that_cannot_scale_is_reported(mean: Any, scale: Any, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "scaler.npz", mean=np.array(mean, np.float32), scale=np.array(scale, np.float32)
    )
    with pytest.raises(FileError, match="cannot scale"):
        read_scaler(tmp_path / "scaler.npz")
