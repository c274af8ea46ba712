"""Checks of the files of spectrogram patches."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.checking.report import Report
from tartarus_cli.data.patches import (
    COMPLETE,
    FINGERPRINT,
    RECREATE_PATCHES,
    find_datasets,
    open_patch_file,
    read_row_ids,
    read_scaler,
)
from tartarus_cli.file_names import DataFile

BLOCK_BYTES = 32 << 20
"""Size of the blocks in which patches are read."""


@dataclass(frozen=True)
class PatchKind:
    """Shape and origin of the patches of a file."""

    frames: int
    bins: int
    attributes: Mapping[str, Any]
    """Attributes of the HDF5 file: how the patches were made."""

    @property
    def signature(self) -> tuple[int, int, str]:
        """Frames, bins and fingerprint: equal for files that were made and scaled together."""
        return self.frames, self.bins, str(self.attributes.get(FINGERPRINT, ""))

    @property
    def transform(self) -> str:
        """Name of the transform; empty if the file does not say."""
        return str(self.attributes.get("transform", ""))


def check_patches(
    file: DataFile, ids: Sequence[str] | None, report: Report, advance: Callable[[float], None]
) -> PatchKind | None:
    """Check one HDF5 file: shapes, the ids of its rows, that it is complete, and its values.

    Parameters
    ----------
    file
        ``patches_…hdf5``.
    ids
        Items of its set, if they are known.
    report
        Receives the problems.
    advance
        Called with the share of the file that each block is.

    Returns
    -------
    Shape and origin of its patches; None if it cannot be read.
    """
    with report.catch_errors(), open_patch_file(file.path) as store:
        features, index = find_datasets(file.path, store)
        if not store.attrs.get(COMPLETE, True):
            report.error(
                file.path,
                "a file that was never finished",
                expected="all its rows",
                hint=RECREATE_PATCHES,
            )
        item_ids = read_row_ids(file.path, index)
        if ids is not None:
            _check_rows(file, item_ids, ids, report)
        in_use = np.array([bool(item) for item in item_ids], bool)
        _check_values(file, features, in_use, report, advance)
        frames, bins = features.shape[2:]
        return PatchKind(int(frames), int(bins), dict(store.attrs))
    return None


def check_scaler(file: DataFile, report: Report) -> None:
    """Check the mean and the scale of each position of a patch."""
    with report.catch_errors():
        read_scaler(file.path)


def _check_rows(
    file: DataFile, row_items: Sequence[str], ids: Sequence[str], report: Report
) -> None:
    known = {*ids}
    unknown = sorted({item for item in row_items if item and item not in known})
    absent = known - {*row_items}
    if unknown:
        report.error(
            file.path,
            f"{len(unknown):,} ids that are not in {file.split} ({', '.join(unknown[:3])}"
            f"{', …' if len(unknown) > 3 else ''})",
            expected="ids of its set",
            hint=RECREATE_PATCHES,
        )
    if absent:
        report.warn(
            file.path,
            f"{len(absent):,} of {len(known):,} items have no patch",
            expected="patches of each item",
            hint="They are left out of training and rank last in the evaluation.",
        )


def _check_values(
    file: DataFile,
    features: Any,
    in_use: NDArray[np.bool_],
    report: Report,
    advance: Callable[[float], None],
) -> None:
    bad_rows = 0
    rows = max(1, BLOCK_BYTES // (4 * math.prod(features.shape[1:])))
    for start in range(0, features.shape[0], rows):
        block = features[start : start + rows]
        finite = np.isfinite(block).all(axis=(1, 2, 3))
        bad_rows += int((in_use[start : start + rows] & ~finite).sum())
        advance(len(block) / features.shape[0])
    if bad_rows:
        report.error(
            file.path,
            f"NaN or infinity in {bad_rows:,} rows",
            expected="finite numbers",
            hint=RECREATE_PATCHES,
        )
