"""Checks that folds are what their document says: that each item is a test item once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.data.artists import read_artists
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.folds import FoldsManifest, find_folds, fold_name
from tartarus_cli.data.provenance import SPLIT_AGAIN
from tartarus_cli.errors import DataError
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import WorkspaceFiles

READ = (Kind.FOLDS, Kind.AUDIO_LIST, Kind.TEXT_LIST)
"""Files that have the name of folds, and are of all of them."""

WHOLE = "folds in which each item is a test item once"


def check_folds(files: WorkspaceFiles, name: str, report: Report) -> list[str]:
    """Check the folds of a name against their document, and against each other.

    Parameters
    ----------
    files
        All files of the workspace.
    name
        What the folds have in common.
    report
        Receives an error for each fold that is missing or has other items than it was made of, and
        where items, classes or artists do not fit together.

    Returns
    -------
    The names of the datasets of the folds that are there.
    """
    path = files.workspace.path_of(Kind.FOLDS, dataset=name)
    _check_other_files(files, name, report)
    known = files.datasets()
    with report.catch_errors():
        folds = find_folds(files.workspace, name)
        if folds is not None:
            _check_manifest(path, name, folds, report)
            _check_files(path, files, folds, report)
            return [fold for fold in folds.datasets if fold in known]
    return [fold for fold in known if files.common_name(fold) == name]


def _check_manifest(path: Path, name: str, folds: FoldsManifest, report: Report) -> None:
    if folds.dataset != name:
        report.error(
            path,
            f"the folds of {folds.dataset!r}",
            expected=f"those of {name!r}",
            hint=f"Rename it to folds_{folds.dataset}.json; folds are not renamed by that.",
        )
    twice = [dataset for dataset, count in Counter(folds.datasets).items() if count > 1]
    if twice or [fold.fold for fold in folds.folds] != [*range(1, len(folds.folds) + 1)]:
        found = f"{twice[0]} twice" if twice else "folds with other numbers than 1, 2, …"
        report.error(path, found, expected="each fold once, in order", hint=SPLIT_AGAIN)


def _check_files(path: Path, files: WorkspaceFiles, folds: FoldsManifest, report: Report) -> None:
    """Check the lists of ids, of classes and of artists of all folds."""
    fold_of_item: dict[str, str] = {}
    fold_of_artist: dict[str, str] = {}
    everything: set[str] = set()
    classes: list[str] | None = None
    for fold in folds.folds:
        dataset = Dataset(files, fold.dataset)
        try:
            if _is_missing(path, dataset, report):
                continue
            ids = {split: dataset.ids(split) for split in dataset.splits}
            names, test = dataset.label_names, ids.get("test", [])
            artists = _artists(dataset, test) if folds.by == "artist" else []
        except DataError:  # it is reported with the other problems of the fold
            continue
        _check_digests(path, dataset, fold.digests, report)
        _check_once(dataset, test, fold_of_item, "items", report)
        _check_once(dataset, artists, fold_of_artist, "artists", report)
        fold_of_item |= dict.fromkeys(test, fold.dataset)
        fold_of_artist |= dict.fromkeys(artists, fold.dataset)
        everything.update(*ids.values())
        _check_classes(dataset, names, classes, report)
        classes = names if classes is None else classes
    never = sorted(everything - {*fold_of_item})
    if never:
        report.error(
            path,
            f"{len(never):,} items that are test items of no fold, such as {never[0]!r}",
            expected=WHOLE,
            hint=SPLIT_AGAIN,
        )


def _is_missing(path: Path, dataset: Dataset, report: Report) -> bool:
    """Report a fold that is not there."""
    missing = dataset.name not in dataset.files.datasets()
    if missing:
        report.error(
            dataset.path(Kind.ITEMS, split="train"),
            "missing",
            expected=f"a fold, as {path.name} lists it",
            hint=SPLIT_AGAIN,
        )
    return missing


def _check_digests(
    path: Path, dataset: Dataset, digests: Mapping[str, str], report: Report
) -> None:
    for split in dict.fromkeys([*digests, *dataset.splits]):
        if split not in dataset.splits or dataset.ids_digest(split) != digests.get(split):
            report.error(
                dataset.path(Kind.ITEMS, split=split),
                f"other {split} items than the fold was made of",
                expected=f"the items that {path.name} records",
                hint=SPLIT_AGAIN,
            )


def _check_classes(
    dataset: Dataset, names: list[str] | None, others: list[str] | None, report: Report
) -> None:
    if others is not None and names is not None and names != others:
        report.error(
            dataset.path(Kind.LABELS),
            "other classes than in another fold, or in another order",
            expected="the same classes in all folds",
            hint=SPLIT_AGAIN,
        )


def _check_once(
    dataset: Dataset, names: list[str], before: dict[str, str], noun: str, report: Report
) -> None:
    """Report test items, or artists of test items, that another fold has too."""
    shared = [name for name in dict.fromkeys(names) if name in before]
    if shared:
        report.error(
            dataset.path(Kind.ITEMS, split="test"),
            f"{len(shared):,} {noun} that {before[shared[0]]} tests too, such as {shared[0]!r}",
            expected=WHOLE,
            hint=SPLIT_AGAIN,
        )


def _artists(dataset: Dataset, ids: list[str]) -> list[str]:
    """Return the artists of items, where they are known."""
    return [artist for artist in read_artists(dataset, ids)[1] if artist]


def _check_other_files(files: WorkspaceFiles, name: str, report: Report) -> None:
    """Report files that have the name of folds, and are of none of them."""
    for file in files.files:
        if file.dataset == name and file.kind not in READ:
            report.warn(
                file.path,
                f"a file of {name}, which is divided into folds",
                expected=f"files of {fold_name(name, 1)} and so on",
                hint="It is not read: move it away.",
            )
