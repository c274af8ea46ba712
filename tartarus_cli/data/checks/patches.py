"""Checks of the files of spectrogram patches."""

from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np

from tartarus_cli.data.arrays import MOST_DEFLATED, read_arrays
from tartarus_cli.data.checks.report import Report
from tartarus_cli.errors import FileError
from tartarus_cli.workspace import DataFile

ROWS = 256  # read at once

_AGAIN = "Make it again with 'tartarus patches'."


def check_patches(
    file: DataFile, ids: Sequence[str] | None, report: Report, seen: Callable[[float], None]
) -> None:
    """Check one HDF5 file: shapes, the ids of its rows, that it is complete, and its values.

    Parameters
    ----------
    file
        ``patches_…hdf5``.
    ids
        Items of its set, if they are known.
    report
        Gets what is wrong.
    seen
        Told what share of the file each block is.
    """
    with report.catching():
        try:
            with h5py.File(file.path, "r") as store:
                _check_store(file, store, ids, report, seen)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
            raise FileError(
                file.path,
                found=f"damaged or no HDF5 file ({str(problem).splitlines()[0][:120]})",
                expected="an HDF5 file with features and index",
                hint=_AGAIN,
            ) from None


def check_scaler(file: DataFile, report: Report) -> None:
    """Check the mean and the scale of each position of a patch."""
    with report.catching():
        mean, scale = read_arrays(file.path, ("mean", "scale"))
        fits = mean.ndim == 1 and mean.shape == scale.shape
        if not fits or not np.isfinite(mean).all() or not (scale > 0).all():
            report.error(
                file.path,
                f"mean {mean.shape}, scale {scale.shape}, or values that cannot scale",
                expected="two vectors of frames × bins, finite, the scale above 0",
                hint=_AGAIN,
            )


def _check_store(
    file: DataFile,
    store: h5py.File,
    ids: Sequence[str] | None,
    report: Report,
    seen: Callable[[float], None],
) -> None:
    features, index = (_dataset(file, store, name) for name in ("features", "index"))
    if features.ndim != 4 or features.shape[1] != 1 or features.dtype.kind != "f":
        report.error(
            file.path,
            f"features {features.shape} of {features.dtype}",
            expected="(rows, 1, frames, bins) of float32",
            hint=_AGAIN,
        )
        return
    stored = file.path.stat().st_size
    if index.size > MOST_DEFLATED * stored:
        report.error(
            file.path,
            f"{index.size:,} rows in {stored:,} bytes",
            expected="rows that were written",
            hint=_AGAIN,
        )
        return
    if index.shape != features.shape[:1]:
        report.error(
            file.path,
            f"index {index.shape}",
            expected=f"({features.shape[0]},), an id for each row of features",
            hint=_AGAIN,
        )
        return
    if not store.attrs.get("complete", True):
        report.error(
            file.path, "a file that was never finished", expected="all its rows", hint=_AGAIN
        )
    if ids is not None:
        _check_rows(file, _texts(index), ids, report)
    _check_values(file, features, report, seen)


def _dataset(file: DataFile, store: h5py.File, name: str) -> Any:
    link = store.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink) or not isinstance(store[name], h5py.Dataset):
        raise FileError(
            file.path,
            found=f"no dataset {name!r} (there are {', '.join(store) or 'none'})",
            expected="features and index, in the file itself",
            hint=_AGAIN,
        )
    return store[name]


def _texts(index: Any) -> list[str]:
    if index.dtype.kind not in "SO" or h5py.check_string_dtype(index.dtype) is None:
        msg = f"index holds {index.dtype}, not text"
        raise TypeError(msg)
    return [each.decode("utf-8", "replace") for each in index[:]]


def _check_rows(file: DataFile, rows: Sequence[str], ids: Sequence[str], report: Report) -> None:
    known = {*ids}
    unknown = sorted({each for each in rows if each and each not in known})
    absent = known - {*rows}
    if unknown:
        report.error(
            file.path,
            f"{len(unknown):,} ids that are not in {file.split} ({', '.join(unknown[:3])}"
            f"{', …' if len(unknown) > 3 else ''})",
            expected="ids of its set",
            hint=_AGAIN,
        )
    if absent:
        report.warn(
            file.path,
            f"{len(absent):,} of {len(known):,} items have no patch",
            expected="patches of each item",
            hint="They are left out of training and rank last in the evaluation.",
        )


def _check_values(
    file: DataFile, features: Any, report: Report, seen: Callable[[float], None]
) -> None:
    bad = 0
    for start in range(0, features.shape[0], ROWS):
        block = features[start : start + ROWS]
        bad += int((~np.isfinite(block).all(axis=(1, 2, 3))).sum())
        seen(len(block) / features.shape[0])
    if bad:
        report.error(
            file.path,
            f"NaN or infinity in {bad:,} rows",
            expected="finite numbers",
            hint=_AGAIN,
        )
