"""Files of spectrogram patches: HDF5, read in contiguous runs, never as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.array_writing import put_arrays
from tartarus_cli.data.arrays import (
    LARGE_BYTES,
    MAX_COMPRESSION,
    USUAL_COMPRESSION,
    read_arrays,
)
from tartarus_cli.errors import FileError, Placeholder, call
from tartarus_cli.files import require_regular, room_for

RECREATE_PATCHES = f"Recreate it: {call('patches', Placeholder('DATASET'))}"
"""What to do about a damaged file of patches."""
FEATURES, INDEX, LENGTHS = "features", "index", "lengths"
"""Names of the datasets of a file: patches, the id of the item of each, and its frames before the
silence at its end."""
COMPLETE, FINGERPRINT, SCALER_PATCHES = "complete", "fingerprint", "scaler_patches"
"""Attributes of a file."""
MAX_CHUNK_BYTES = 256 << 20
"""The largest patch, and the largest piece of a file that is read as a whole."""
MAX_ATTRIBUTE_BYTES = 1 << 16
"""The largest attribute."""


@dataclass(frozen=True)
class Patches:
    """The samples of a file of patches: the rows of the file that belong to items."""

    path: Path
    features: Any
    """h5py's dataset, ``(rows, 1, frames, bins)``."""
    row_of_sample: NDArray[np.int64]
    """``(samples,)`` row of the file."""
    items: NDArray[np.int64]
    """``(samples,)`` number of the item that each sample belongs to."""
    attributes: Mapping[str, Any]
    """How the file was made."""
    lengths: NDArray[np.int64] | None = None
    """``(samples,)`` frames of each before the silence at its end; None if the file does not say,
    as those that are scaled by position."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Samples, frames, bins, 1: the channel comes last."""
        _, _, frames, bins = self.features.shape
        return len(self.row_of_sample), int(frames), int(bins), 1

    @property
    def fingerprint(self) -> str:
        """Hash that files made and scaled together share; empty if the file has none."""
        return str(self.attributes.get(FINGERPRINT, ""))

    def rows(self, samples: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Read these samples, ``(samples, frames, bins, 1)``; neighbours are read together."""
        rows = self.row_of_sample[samples]
        order = np.argsort(rows, kind="stable")
        sorted_rows = rows[order]
        _, frames, bins, channels = self.shape
        patches = np.empty((len(rows), channels, frames, bins), np.float32)
        breaks = np.flatnonzero(np.diff(sorted_rows) != 1) + 1
        starts = [0, *breaks.tolist(), len(sorted_rows)]
        with _explain_damage(self.path):
            for start, stop in pairwise(starts):
                if stop > start:
                    run = slice(int(sorted_rows[start]), int(sorted_rows[stop - 1]) + 1)
                    self.features.read_direct(patches, np.s_[run], np.s_[start:stop])
        if (order[1:] < order[:-1]).any():
            inverse = np.empty_like(order)
            inverse[order] = np.arange(len(order))
            patches = patches[inverse]
        return patches.reshape(-1, frames, bins, channels)


def open_patches(path: Path, ids: Sequence[str]) -> Patches:
    """Open a file of patches, and match its rows to items by id; rows with an empty id are skipped.

    Parameters
    ----------
    path
        The file ``patches_…hdf5``.
    ids
        Ids of the items of its set, in order.

    Raises
    ------
    FileError
        If the file is damaged or unfinished, or names an item that is not in the set.
    """
    file = _open_file(path)
    with _explain_damage(path):
        features, index = find_datasets(path, file)
        if not file.attrs.get(COMPLETE, True):
            raise FileError(
                path,
                found="a file that was never finished",
                expected="all its rows",
                hint=RECREATE_PATCHES,
            )
        ids_of_rows = read_row_ids(path, index)
        lengths = read_lengths(path, file)
        attributes = _read_attributes(path, file)
    number = {item: n for n, item in enumerate(ids)}
    unknown = sorted({item for item in ids_of_rows if item} - number.keys())
    if unknown:
        raise FileError(
            path,
            found=f"{len(unknown):,} ids that are not in its set ({', '.join(unknown[:3])})",
            expected="ids of its set",
            hint=RECREATE_PATCHES,
        )
    rows = np.array([row for row, item in enumerate(ids_of_rows) if item], np.int64)
    items = np.array([number[item] for item in ids_of_rows if item], np.int64)
    used = lengths if lengths is None else lengths[rows]
    return Patches(path, features, rows, items, attributes, used)


@contextmanager
def open_patch_file(path: Path) -> Iterator[h5py.File]:
    """Open a file of patches, and close it after the block; explain a damaged one."""
    with _open_file(path) as file, _explain_damage(path):
        yield file


def read_fingerprint(path: Path) -> str:
    """Return the hash that files made and scaled together share; empty if the file has none.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    with open_patch_file(path) as file:
        return str(file.attrs.get(FINGERPRINT, ""))


def _open_file(path: Path) -> h5py.File:
    with _explain_damage(path):
        require_regular(path)
        return h5py.File(path, "r", locking=False)


@contextmanager
def _explain_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as problem:
        raise FileError(
            path,
            found=f"damaged or no HDF5 file ({(str(problem) or '?').splitlines()[0][:120]})",
            expected="an HDF5 file with features and index",
            hint=RECREATE_PATCHES,
        ) from None


def _read_attributes(path: Path, file: h5py.File) -> dict[str, Any]:
    """Read the attributes of a file, which say how it was made: a few words each."""
    attributes = file.attrs
    for name in attributes:
        size = attributes.get_id(name).get_storage_size()
        if size > MAX_ATTRIBUTE_BYTES:
            found, expected = f"attribute {name!r} of {size:,} bytes", "a few words"
            raise FileError(path, found=found, expected=expected, hint=RECREATE_PATCHES)
    return dict(attributes)


def find_datasets(path: Path, file: h5py.File) -> tuple[Any, Any]:
    """Return the datasets of features and of ids, whose sizes are compared with that of the file.

    Raises
    ------
    FileError
        If one is missing, lies in another file, or has a wrong shape.
    """
    features, index = (_find_dataset(path, file, name) for name in (FEATURES, INDEX))
    file_size = path.stat().st_size
    found, expected = "", ""
    if features.ndim != 4 or features.shape[1] != 1 or features.dtype.kind != "f":
        found = f"features {features.shape} of {features.dtype}"
        expected = "(rows, 1, frames, bins) of float32"
    elif 0 in features.shape[2:]:
        found, expected = f"patches {features.shape[2:]}", "frames and bins"
    elif max(features.nbytes, index.nbytes) > MAX_COMPRESSION * file_size:
        found = f"{features.shape[0]:,} patches {features.shape[2:]} in {file_size:,} bytes"
        expected = "patches that were written"
    elif index.shape != features.shape[:1]:
        found = f"index {index.shape}"
        expected = f"({features.shape[0]},), an id for each row of features"
    if not found:
        found, expected = _find_excess(features, index)
    if found:
        raise FileError(path, found=found, expected=expected, hint=RECREATE_PATCHES)
    return features, index


def _find_excess(features: Any, index: Any) -> tuple[str, str]:
    """Return what of two datasets would fill the memory when a little of it is read."""
    patch = features.dtype.itemsize * features.shape[2] * features.shape[3]
    most = f"{MAX_CHUNK_BYTES:,} bytes at most"
    for dataset in (features, index):
        size = dataset.dtype.itemsize * math.prod(dataset.chunks or ())
        if dataset.chunks and size > MAX_CHUNK_BYTES:
            return f"pieces (chunks) of {size:,} bytes in {dataset.name}", most
    if patch > MAX_CHUNK_BYTES:
        return f"patches {features.shape[2:]} of {patch:,} bytes", most
    if index.nbytes > max(LARGE_BYTES, USUAL_COMPRESSION * index.id.get_storage_size()):
        return f"an index of {index.nbytes:,} bytes", "the id of each row"
    return "", ""


def _find_dataset(path: Path, file: h5py.File, name: str) -> Any:
    link = file.get(name, getlink=True)
    dataset = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise FileError(
            path,
            found=f"no dataset {name!r} (there are {', '.join(file) or 'none'})",
            expected="features and index, in the file itself",
            hint=RECREATE_PATCHES,
        )
    return dataset


def read_row_ids(path: Path, index: Any) -> list[str]:
    """Return the id of each row, empty for an unused one.

    Raises
    ------
    FileError
        If they are not text.
    """
    if index.dtype.kind not in "SO" or h5py.check_string_dtype(index.dtype) is None:
        found = f"index holds {index.dtype}, not text"
        raise FileError(path, found=found, expected="the id of each row", hint=RECREATE_PATCHES)
    return [item.decode("utf-8", "replace") for item in index[:]]


def read_lengths(path: Path, file: h5py.File) -> NDArray[np.int64] | None:
    """Return the frames of each row before the silence at its end; None if the file has none.

    Raises
    ------
    FileError
        If they are not numbers from 1 to the frames of a patch, one a row.
    """
    if LENGTHS not in file:
        return None
    lengths, features = _find_dataset(path, file, LENGTHS), file[FEATURES]
    rows, frames = features.shape[0], features.shape[2]
    fits = lengths.shape == (rows,) and lengths.dtype.kind in "iu"
    values = lengths[:].astype(np.int64) if fits else np.zeros(1, np.int64)
    if values.size and not (values.min() >= 1 and values.max() <= frames):
        found = f"lengths {lengths.shape} of {lengths.dtype}"
        found += f", {values.min()} to {values.max()}" if fits else ""
        expected = f"{rows:,} numbers of frames, 1 to {frames}"
        raise FileError(path, found=found, expected=expected, hint=RECREATE_PATCHES)
    return values


def write_patches(
    path: Path,
    ids: Sequence[str],
    blocks: Iterable[NDArray[np.float32]],
    patch: tuple[int, int],
    attributes: Mapping[str, Any],
    *,
    lengths: Sequence[int] | None = None,
) -> None:
    """Write a file of patches; the same content gives the same bytes.

    Parameters
    ----------
    path
        The file: a temporary one, to be renamed afterwards.
    ids
        Id of the item of each row.
    blocks
        Blocks of patches in the order of the ids, ``(rows, frames, bins)`` each.
    patch
        Frames and bins of a patch.
    attributes
        How the file was made.
    lengths
        Frames of each row before the silence at its end; None: they are not recorded.
    """
    encoded = [item.encode() for item in ids]
    text = h5py.string_dtype("utf-8", max(map(len, encoded), default=1))
    with room_for(path), h5py.File(path, "w", locking=False) as file:
        file.attrs[COMPLETE] = False
        for name, value in attributes.items():
            file.attrs[name] = value
        file.create_dataset(INDEX, data=np.array(encoded, text))
        if lengths is not None:
            file.create_dataset(LENGTHS, data=np.array(lengths, np.int32))
        features = file.create_dataset(FEATURES, (len(ids), 1, *patch), np.float32)
        row = 0
        for block in blocks:
            features[row : row + len(block), 0] = block
            row += len(block)
        file.attrs[COMPLETE] = True


def read_scaler(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read mean and scale of each position of a patch, ``(frames × bins,)``.

    Raises
    ------
    FileError
        If the file is damaged, or holds values that cannot scale.
    """
    mean, scale = read_arrays(path, ("mean", "scale"))
    fits = mean.ndim == 1 and mean.shape == scale.shape
    if not fits or not np.isfinite(mean).all() or not (scale > 0).all():
        raise FileError(
            path,
            found=f"mean {mean.shape}, scale {scale.shape}, or values that cannot scale",
            expected="two vectors of frames × bins, finite, the scale above 0",
            hint=RECREATE_PATCHES,
        )
    return mean.astype(np.float32), scale.astype(np.float32)


def write_scaler(path: Path, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> None:
    """Write mean and scale of each position, ``(frames × bins,)``, to a temporary file."""
    put_arrays(path, [("mean", mean), ("scale", scale)])
