"""Checks of the files of spectrogram patches."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    read_lengths,
    read_row_ids,
    read_scaler,
)
from tartarus_cli.errors import FileError, call, count_noun
from tartarus_cli.file_names import DataFile, Kind, patch_fields
from tartarus_cli.models.preprocessing import check_scaler_fits, read_patch_recipe

_NOT_COMPARED = (COMPLETE, FINGERPRINT)
"""Attributes that say nothing of how patches were made."""

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
    def parameters(self) -> dict[str, Any]:
        """Sizes of its patches, and what the file says of how they were made."""
        sizes: dict[str, Any] = {"frames": self.frames, "bins": self.bins}
        others = {k: v for k, v in self.attributes.items() if k not in _NOT_COMPARED}
        return sizes | {name: str(value) for name, value in others.items()}

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
        if not any(item_ids):
            found = f"{len(item_ids):,} rows, and none of an item" if item_ids else "no rows"
            hint = f"To see why recordings have no patch: {call('patches', file.dataset)}"
            report.error(file.path, found, expected="patches of items", hint=hint)
        else:
            _check_counts(file, item_ids, report)
            if ids is not None:
                _check_rows(file, item_ids, ids, report)
        read_lengths(file.path, store)
        in_use = np.array([bool(item) for item in item_ids], bool)
        _check_values(file, features, in_use, report, advance)
        frames, bins = (int(size) for size in features.shape[2:])
        kind = PatchKind(frames, bins, dict(store.attrs))
        _check_recipe(file, kind, report)
        return kind
    return None


def _check_counts(file: DataFile, row_items: Sequence[str], report: Report) -> None:
    """Check how many patches each item has: as many as the file's name says."""
    expected = int(file.fields["count"])
    counts = Counter(item for item in row_items if item)
    more = [(item, count) for item, count in counts.most_common() if count > expected]
    fewer = [(item, count) for item, count in counts.items() if count < expected]
    for others, severity in ((more, report.error), (fewer, report.warn)):
        if others:
            item, count = others[0]
            adverb = "more" if count > expected else "fewer"
            found = f"{count_noun(len(others), 'item')} with {adverb} than {expected} patches "
            found += f"({item!r} has {count:,})"
            name = f"{expected} of each item, as its name says"
            severity(file.path, found, expected=name, hint=RECREATE_PATCHES)


def _check_recipe(file: DataFile, kind: PatchKind, report: Report) -> None:
    """Check that the shape of patches and the file's name are those of the attributes."""
    recipe = read_patch_recipe(kind.attributes)
    if recipe is None:
        if kind.transform:
            report.warn(
                file.path,
                f"attributes that say how it was made, but are damaged ({_write_recipe(kind)})",
                expected="a transform with all of its parameters",
                hint=f"It can be learnt from, but not predicted from. {RECREATE_PATCHES}",
            )
        return
    fields = patch_fields(recipe.per_item, recipe.seconds)
    differing = [name for name in ("count", "seconds") if file.fields[name] != fields[name]]
    if differing:
        found = f"{recipe.per_item} × {recipe.seconds:g} s by its attributes"
        name = f"{file.fields['count']} × {file.fields['seconds']} s, as its name says"
        report.error(file.path, found, expected=name, hint="Rename it.")
    if (kind.frames, kind.bins) != (recipe.frames, recipe.bins):
        shape = f"{recipe.frames} × {recipe.bins}"
        report.error(
            file.path,
            f"patches of {kind.frames} frames × {kind.bins} bins",
            expected=f"{shape}, as its attributes say ({recipe.description})",
            hint=RECREATE_PATCHES,
        )


def _write_recipe(kind: PatchKind, most: int = 120) -> str:
    text = ", ".join(f"{name} = {value}" for name, value in sorted(kind.attributes.items()))
    return text if len(text) <= most else f"{text[:most]}…"


def check_patch_kinds(
    files: Iterable[DataFile], kinds: Mapping[Path, tuple[DataFile, PatchKind]], report: Report
) -> None:
    """Check that patches of one kind were made together, and with the scaler in the workspace.

    Parameters
    ----------
    files
        Files of a dataset, scalers among them.
    kinds
        Path of a file of patches → the file, and shape and origin of its patches.
    report
        Receives the problems.
    """
    first_files = dict[frozenset[tuple[str, str]], tuple[DataFile, PatchKind]]()
    for file, kind in kinds.values():
        first_file, first_kind = first_files.setdefault(_name_of(file), (file, kind))
        differences = _find_differences(kind, first_kind)
        if differences or kind.signature != first_kind.signature:
            found = f"patches that were not made together with {first_file.path.name}"
            found += f": {', '.join(differences)}" if differences else ""
            expected = "the same transform, scaler and seed"
            report.error(file.path, found, expected=expected, hint=RECREATE_PATCHES)
    for file in files:
        if file.kind is Kind.SCALER and _name_of(file) in first_files:
            with report.catch_errors():
                _check_scaler_of(file, *first_files[_name_of(file)])


def _name_of(file: DataFile) -> frozenset[tuple[str, str]]:
    """Return the fields that patches of all sets and their scaler share."""
    return frozenset(item for item in file.fields.items() if item[0] != "split")


def _find_differences(kind: PatchKind, other: PatchKind) -> list[str]:
    """List in what two files of patches differ, such as ``hop_length 256, not 1024``."""
    one, two = kind.parameters, other.parameters
    names = [name for name in {**two, **one} if one.get(name) != two.get(name)]
    return [f"{name} {one.get(name, 'missing')}, not {two.get(name, 'missing')}" for name in names]


def _check_scaler_of(scaler: DataFile, file: DataFile, kind: PatchKind) -> None:
    """Make sure that a scaler fits patches.

    Raises
    ------
    FileError
        If it is damaged, or another one.
    """
    mean, _ = read_scaler(scaler.path)
    if len(mean) != kind.frames * kind.bins:
        positions = f"{kind.frames * kind.bins:,} ({kind.frames} frames × {kind.bins} bins"
        raise FileError(
            scaler.path,
            found=f"{len(mean):,} positions",
            expected=f"{positions}, as in {file.path.name})",
            hint=RECREATE_PATCHES,
        )
    recipe = read_patch_recipe(kind.attributes)
    if recipe:
        check_scaler_fits(scaler.path, recipe, kind.attributes)


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
