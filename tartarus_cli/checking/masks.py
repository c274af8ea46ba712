"""Checks of masks: which items have a setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.masks import read_mask
from tartarus_cli.errors import Placeholder, call, count_noun
from tartarus_cli.file_names import DataFile, Kind

Masks = Mapping[tuple[str, str], NDArray[np.bool_]]
"""Setting and set → which items of the set have the setting, ``(items,)``."""


def check_masks(
    dataset: Dataset, files: Iterable[DataFile], items: Mapping[str, int], report: Report
) -> Masks:
    """Check the masks of a dataset, and return those that could be read.

    Parameters
    ----------
    dataset
        The dataset.
    files
        Its files; those that are no masks are passed over.
    items
        Split → number of its items.
    report
        Receives an error for a damaged mask and for one without features, and a warning for a
        setting that all items of a set lack.
    """
    masks = dict[tuple[str, str], NDArray[np.bool_]]()
    for file in files:
        if file.kind is not Kind.MASK:
            continue
        setting, split = file.fields["setting"], file.split
        if not dataset.select(Kind.FEATURES, setting=setting, split=split):
            report.error(
                file.path,
                "the mask of features that are not there",
                expected=f"the {split} rows of {setting} beside it",
                hint=f"Delete it, or recreate the setting: {recreate_with_mask(file)}",
            )
        elif split in items:
            with report.catch_errors():
                masks[setting, split] = read_mask(file.path, items[split])
    for (setting, split), present in masks.items():
        if not present.any() and present.size:
            report.warn(
                dataset.path(Kind.MASK, setting=setting, split=split),
                f"all {count_noun(present.size, f'{split} item')} lack {setting}",
                expected="items that have it",
                hint="Nothing can be learnt from it."
                if split == "train"
                else "What was learnt from it is of no use to them.",
            )
    return masks


def recreate_with_mask(file: DataFile) -> str:
    """Return the call that recreates the setting of a file, with its masks."""
    setting, source = file.fields["setting"], Placeholder("FILE")
    return call("features", file.dataset, setting, source=source, missing="absent", force=True)


def check_absent_rows(
    file: DataFile, zero_rows: NDArray[np.bool_], present: NDArray[np.bool_], report: Report
) -> None:
    """Check that rows of items that lack a setting are zeros.

    Parameters
    ----------
    file
        The features.
    zero_rows, present
        Which rows are all zero, and which items have the setting, ``(items,)``.
    report
        Receives an error.
    """
    wrong = np.flatnonzero(~present & ~zero_rows)
    if wrong.size:
        numbers = ", ".join(map(str, wrong[:3])) + (", …" if wrong.size > 3 else "")
        report.error(
            file.path,
            f"values in {count_noun(wrong.size, 'row')} of items that lack the setting by its mask "
            f"({numbers}, counted from 0)",
            expected="zeros",
            hint=f"Recreate the setting: {recreate_with_mask(file)}",
        )
