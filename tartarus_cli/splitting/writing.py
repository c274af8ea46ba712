"""Write the files of a split together, and back up the files that they replace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.array_writing import create_dense, put_csr
from tartarus_cli.data.provenance import SplitManifest
from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.file_names import PLAYS, DataFile, Kind, parse_path
from tartarus_cli.files import (
    DiskFullError,
    locked,
    put_text,
    remove_leftovers,
    room_for,
    same_content,
    write_together,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.backup import back_up_files, restore_files
from tartarus_cli.splitting.interactions import InteractionTable, SetRows, SplitSets

BLOCK_ITEMS = 4096
"""Items whose classes are written at once."""
BLOCK_LINES = 1 << 16
"""Lines that are written at once."""
LIST_KINDS = (Kind.AUDIO_LIST, Kind.TEXT_LIST, Kind.AUDIO_ERRORS, Kind.TEXT_ERRORS)
"""Files that name items by their ids, and so fit any split."""
SPLIT_KINDS = (Kind.ITEMS, Kind.USERS, Kind.LABELS, Kind.ARTISTS, Kind.SPLIT, *PLAYS.values())
"""Files that a split writes, beside the classes."""


@dataclass(frozen=True)
class SplitFiles:
    """The paths of all files of a split."""

    workspace: WorkspacePaths
    dataset: str

    def path(self, kind: Kind, **fields: str) -> Path:
        """Return the path of a file of this kind."""
        return self.workspace.path_of(kind, dataset=self.dataset, **fields)

    def ids(self, split: str) -> Path:
        """Return the path of the ids of one set."""
        return self.path(Kind.ITEMS, split=split)

    def classes(self, split: str, count: int) -> Path:
        """Return the path of the classes of one set."""
        return self.path(Kind.TARGETS, split=split, fact="class", dim=str(count))

    def paths(self, sets: Iterable[str], interactions: InteractionTable) -> list[Path]:
        """List all files: the ids of train items, the manifest, and all others.

        Parameters
        ----------
        sets
            Which sets there are.
        interactions
            All items: whether there are plays, labels and artists.
        """
        names, labels = [*sets], interactions.label_names
        files = [self.ids("train"), self.path(Kind.SPLIT)]
        files += [self.ids(name) for name in names if name != "train"]
        if interactions.pairs is not None:
            files += [self.path(Kind.USERS), *(self.path(PLAYS[name]) for name in names)]
        if labels:
            files += [self.path(Kind.LABELS)]
            files += [self.classes(name, len(labels)) for name in names]
        if _has_artists(interactions):
            files += [self.path(Kind.ARTISTS)]
        return files


def check_dataset_name(
    workspace: WorkspacePaths, dataset: str, *, force: bool, folded: bool = False
) -> None:
    """Make sure that a dataset can be written under a name.

    Parameters
    ----------
    workspace
        Where it is written.
    dataset
        Its name, or that which its folds have in common.
    force
        Whether a dataset of this name is replaced.
    folded
        Whether it is divided into folds.

    Raises
    ------
    RequestError
        If no file can have such a name, or the dataset exists already and ``force`` is false, or
        folds have the name.
    """
    path = workspace.path_of(Kind.ITEMS, split="train", dataset=dataset)
    parsed = parse_path(path, "datasets") if path.parent == workspace.data / "datasets" else None
    fits = dataset.strip() == dataset and dataset.isprintable() and len(dataset.encode()) < 100
    if parsed is None or parsed.dataset != dataset or not fits or dataset[0] in ".-":
        msg = f"a dataset cannot be called {dataset!r}"
        hint = "Use a short name without _ and /, that begins with a letter or a number."
        raise RequestError(msg, hint=hint)
    folds = workspace.path_of(Kind.FOLDS, dataset=dataset)
    if folds.is_file() and not folded:
        msg = f"{dataset} is divided into folds already: {display_path(folds)}"
        raise RequestError(msg, hint="Use another name for what is divided once.")
    present = list_dataset_files(workspace, dataset)
    if present and not force and path.is_file():
        raise _exists_error(present[0].path, dataset)
    inventory = workspace.scan()
    for file in present:
        if _is_written_by_split(file) and not inventory.is_canonical(file):
            msg = f"{display_path(file.path)} has an old name or place, and would stay beside the "
            msg += "new file"
            raise RequestError(msg, hint="Move it to another folder, or use another name.")


def write_split(
    files: SplitFiles,
    interactions: InteractionTable,
    sets: SplitSets,
    manifest: SplitManifest,
    *,
    force: bool,
) -> list[Path]:
    """Write all files under temporary names, then rename them, the ids of train items last.

    Where a set has other items than before, no older file of the dataset fits any longer: neither
    factors nor features, whose rows follow the ids. These are backed up; nothing is deleted.

    Returns
    -------
    Paths of the backups.

    Raises
    ------
    RequestError
        If another dataset of this name exists, and ``force`` is false.
    """
    manifest_path, paths = files.path(Kind.SPLIT), files.paths(sets, interactions)
    lock = manifest_path.with_name(f".making_{manifest_path.name}.lock")
    with locked(lock), defer_interrupts() as check:
        remove_leftovers(manifest_path.parent, {path.name for path in paths})
        present = [file.path for file in list_dataset_files(files.workspace, files.dataset)]
        backups: dict[Path, Path] = {}
        try:
            with write_together([*reversed(paths)], delete_first=False) as temporary:
                put_text(temporary[manifest_path], manifest.to_json())
                _write_names(files, temporary, interactions)
                _write_artists(files, temporary, interactions, sets)
                for name, rows in sets.items():
                    check()
                    _write_set(files, temporary, interactions, name, rows)
                check()
                if force:
                    backups = _back_up_outdated(files, temporary, sets)
                else:
                    _require_same(files, temporary)
        except (OSError, DiskFullError):
            for path in paths:
                if path in backups or path not in present:
                    path.unlink(missing_ok=True)
            restore_files(backups)
            raise
        return [*backups.values()]


def _write_names(
    files: SplitFiles, temporary: Mapping[Path, Path], interactions: InteractionTable
) -> None:
    if interactions.pairs is not None:
        _write_lines(temporary[files.path(Kind.USERS)], interactions.users)
    if interactions.label_names:
        _write_lines(temporary[files.path(Kind.LABELS)], interactions.label_names)


def _has_artists(interactions: InteractionTable) -> bool:
    return interactions.artists is not None and any(interactions.artists)


def _write_artists(
    files: SplitFiles,
    temporary: Mapping[Path, Path],
    interactions: InteractionTable,
    sets: SplitSets,
) -> None:
    """Write the artist of each item, where it is known."""
    if interactions.artists is None or not _has_artists(interactions):
        return
    rows = np.concatenate([rows.items for rows in sets.values()])
    pairs = zip(interactions.items[rows], interactions.artists[rows], strict=True)
    lines = [f"{item}\t{artist}" for item, artist in pairs if artist]
    _write_lines(temporary[files.path(Kind.ARTISTS)], lines)


def _require_same(files: SplitFiles, temporary: Mapping[Path, Path]) -> None:
    """Make sure that all present files are the same, as after a split that was interrupted."""
    train = files.ids("train")
    for file in list_dataset_files(files.workspace, files.dataset):
        new = temporary.get(file.path)
        same = train.is_file() if new is None else same_content(file.path, new)
        if not same and file.kind is not Kind.SPLIT:
            raise _exists_error(file.path, files.dataset)


def _exists_error(path: Path, dataset: str) -> RequestError:
    msg = f"there is a dataset {dataset} already: {display_path(path)}"
    return RequestError(msg, hint="Use another name; or recreate the dataset with `force=True`.")


def _back_up_outdated(
    files: SplitFiles, temporary: Mapping[Path, Path], sets: Iterable[str]
) -> dict[Path, Path]:
    """Back up the files that do not fit the new sets.

    The ids of train items go first: without them, files are no dataset, whole or in part.
    """
    present = list_dataset_files(files.workspace, files.dataset)
    new_ids = {files.ids(name): temporary[files.ids(name)] for name in sets}
    old_ids = {file.path for file in present if file.kind is Kind.ITEMS}
    if old_ids == {*new_ids} and all(same_content(path, new) for path, new in new_ids.items()):
        present = [f for f in present if _is_written_by_split(f) and f.path not in temporary]
    train = files.ids("train")
    train_first = sorted((file.path for file in present), key=lambda path: path != train)
    backups = back_up_files(train_first, files.dataset)
    train.unlink(missing_ok=True)
    return backups


def _write_set(
    files: SplitFiles,
    temporary: Mapping[Path, Path],
    interactions: InteractionTable,
    name: str,
    rows: SetRows,
) -> None:
    _write_lines(temporary[files.ids(name)], interactions.items[rows.items])
    if rows.plays is not None:
        # To compress many plays would take longer than to read them.
        put_csr(temporary[files.path(PLAYS[name])], rows.plays, compressed=False)
    if interactions.labels is not None and interactions.label_names:
        path = files.classes(name, len(interactions.label_names))
        _write_classes(temporary[path], csr_array(interactions.labels[rows.items]))


def _write_classes(path: Path, labels: csr_array) -> None:
    """Write 1 where an item has a class, else 0: ``(items, classes)`` float32."""
    classes = create_dense(path, labels.shape)
    for start in range(0, labels.shape[0], BLOCK_ITEMS):
        block = slice(start, start + BLOCK_ITEMS)
        classes[block] = labels[block].toarray()


def _write_lines(path: Path, lines: Sequence[str] | NDArray[np.object_]) -> None:
    with room_for(path), path.open("w", encoding="utf-8", newline="\n") as file:
        for start in range(0, len(lines), BLOCK_LINES):
            file.write("\n".join([*lines[start : start + BLOCK_LINES], ""]))


def list_dataset_files(workspace: WorkspacePaths, dataset: str) -> list[DataFile]:
    """Return the files of a dataset whose rows follow its ids."""
    files = [file for file in workspace.scan().files if file.dataset == dataset]
    return [file for file in files if file.kind not in LIST_KINDS]


def _is_written_by_split(file: DataFile) -> bool:
    is_classes = file.kind is Kind.TARGETS and file.fields["fact"] == "class"
    return file.kind in SPLIT_KINDS or is_classes
