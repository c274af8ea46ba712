"""The store of spectrogram patches: HDF5 files read in contiguous runs, never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.arrays import MOST_DEFLATED, read_arrays
from tartarus_cli.errors import FileError

AGAIN = "Make it again with 'tartarus patches'."
FEATURES, INDEX = "features", "index"
COMPLETE, FINGERPRINT, SCALER_PATCHES = "complete", "fingerprint", "scaler_patches"  # attributes


@dataclass(frozen=True)
class Patches:
    """The rows of a file of patches that belong to items; sample i is the i-th of them."""

    path: Path
    store: Any  # h5py's dataset (rows, 1, frames, bins)
    used: NDArray[np.int64]  # (samples,) rows of the file
    items: NDArray[np.int64]  # (samples,) number of the item that each belongs to
    attributes: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Samples, frames, bins, 1: the channel comes last."""
        _, _, frames, bins = self.store.shape
        return len(self.used), int(frames), int(bins), 1

    @property
    def fingerprint(self) -> str:
        """What two files share that were made and scaled together; empty if they do not tell."""
        return str(self.attributes.get(FINGERPRINT, ""))

    def rows(self, samples: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Read some samples, ``(samples, frames, bins, 1)``; neighbours are read in one go."""
        rows = self.used[samples]
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        _, frames, bins, channels = self.shape
        read = np.empty((len(rows), channels, frames, bins), np.float32)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        starts = [0, *breaks.tolist(), len(wanted)]
        with _explained(self.path):
            for start, stop in pairwise(starts):
                if stop > start:
                    run = slice(int(wanted[start]), int(wanted[stop - 1]) + 1)
                    self.store.read_direct(read, np.s_[run], np.s_[start:stop])
        if (order[1:] < order[:-1]).any():
            back = np.empty_like(order)
            back[order] = np.arange(len(order))
            read = read[back]
        return read.reshape(-1, frames, bins, channels)


def open_patches(path: Path, ids: Sequence[str]) -> Patches:
    """Open a file of patches, and match its rows to items by id; rows with an empty id are skipped.

    Parameters
    ----------
    path
        ``patches_…hdf5``.
    ids
        Of the items of its set, in order.

    Raises
    ------
    FileError
        If the file is damaged or unfinished, or names an item that is not in the set.
    """
    store = _opened(path)
    with _explained(path):
        features, index = checked_parts(path, store)
        if not store.attrs.get(COMPLETE, True):
            raise FileError(
                path, found="a file that was never finished", expected="all its rows", hint=AGAIN
            )
        named = row_ids(path, index)
        attributes = dict(store.attrs)
    number = {item: n for n, item in enumerate(ids)}
    strangers = sorted({each for each in named if each} - number.keys())
    if strangers:
        raise FileError(
            path,
            found=f"{len(strangers):,} ids that are not in its set ({', '.join(strangers[:3])})",
            expected="ids of its set",
            hint=AGAIN,
        )
    used = np.array([row for row, item in enumerate(named) if item], np.int64)
    items = np.array([number[item] for item in named if item], np.int64)
    return Patches(path, features, used, items, attributes)


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Open a file of patches for the time of the block; whatever is wrong with it is explained."""
    with _opened(path) as store, _explained(path):
        yield store


def _opened(path: Path) -> h5py.File:
    with _explained(path):
        return h5py.File(path, "r", locking=False)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        raise FileError(
            path,
            found=f"damaged or no HDF5 file ({(str(problem) or '?').splitlines()[0][:120]})",
            expected="an HDF5 file with features and index",
            hint=AGAIN,
        ) from None


def checked_parts(path: Path, store: h5py.File) -> tuple[Any, Any]:
    """Return the datasets of features and of ids; what they promise is compared with the file.

    Raises
    ------
    FileError
        If one is missing, lies in another file, or is not of the right shape.
    """
    features, index = (_dataset(path, store, name) for name in (FEATURES, INDEX))
    stored = path.stat().st_size
    found, expected = "", ""
    if features.ndim != 4 or features.shape[1] != 1 or features.dtype.kind != "f":
        found = f"features {features.shape} of {features.dtype}"
        expected = "(rows, 1, frames, bins) of float32"
    elif 0 in features.shape[2:]:
        found, expected = f"patches {features.shape[2:]}", "frames and bins"
    elif max(features.nbytes, index.nbytes) > MOST_DEFLATED * stored:
        found = f"{features.shape[0]:,} patches {features.shape[2:]} in {stored:,} bytes"
        expected = "patches that were written"
    elif index.shape != features.shape[:1]:
        found = f"index {index.shape}"
        expected = f"({features.shape[0]},), an id for each row of features"
    if found:
        raise FileError(path, found=found, expected=expected, hint=AGAIN)
    return features, index


def _dataset(path: Path, store: h5py.File, name: str) -> Any:
    link = store.get(name, getlink=True)
    part = store[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(part, h5py.Dataset) or part.is_virtual or part.external:
        raise FileError(
            path,
            found=f"no dataset {name!r} (there are {', '.join(store) or 'none'})",
            expected="features and index, in the file itself",
            hint=AGAIN,
        )
    return part


def row_ids(path: Path, index: Any) -> list[str]:
    """Return the id of each row, empty for an unused one.

    Raises
    ------
    FileError
        If they are no text.
    """
    if index.dtype.kind not in "SO" or h5py.check_string_dtype(index.dtype) is None:
        found = f"index holds {index.dtype}, not text"
        raise FileError(path, found=found, expected="the id of each row", hint=AGAIN)
    return [each.decode("utf-8", "replace") for each in index[:]]


def write_patches(
    path: Path,
    ids: Sequence[str],
    blocks: Iterable[NDArray[np.float32]],
    patch: tuple[int, int],
    attributes: Mapping[str, Any],
) -> None:
    """Write a file of patches; the same content gives the same bytes.

    Parameters
    ----------
    path
        The file, which should be moved to its place afterwards.
    ids
        Id of the item of each row.
    blocks
        Patches in the order of the ids, ``(some, frames, bins)`` each.
    patch
        Frames and bins of each.
    attributes
        What the file says of how it was made.
    """
    named = [each.encode() for each in ids]
    text = h5py.string_dtype("utf-8", max(map(len, named), default=1))
    with h5py.File(path, "w", locking=False) as store:
        store.attrs[COMPLETE] = False
        for name, value in attributes.items():
            store.attrs[name] = value
        store.create_dataset(INDEX, data=np.array(named, text))
        features = store.create_dataset(FEATURES, (len(ids), 1, *patch), np.float32)
        row = 0
        for block in blocks:
            features[row : row + len(block), 0] = block
            row += len(block)
        store.attrs[COMPLETE] = True


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
            hint=AGAIN,
        )
    return mean.astype(np.float32), scale.astype(np.float32)


def write_scaler(path: Path, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> None:
    """Write mean and scale of each position; the file should be moved to its place afterwards."""
    with path.open("wb") as file:
        np.savez(file, mean=mean, scale=scale)
