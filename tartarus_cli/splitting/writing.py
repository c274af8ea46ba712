"""Write the files of a split together, and see to what was there before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.file_names import PLAYS, DataFile, Kind, parse_path
from tartarus_cli.files import atomic_write, locked, remove_leftovers, same_content
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.backup import back_up_files, restore_files
from tartarus_cli.splitting.interactions import InteractionTable, SetRows, Sets

BLOCK = 4096  # items whose classes are written at once
LINES = 1 << 16  # ids that are
LISTS = (Kind.AUDIO_LIST, Kind.TEXT_LIST, Kind.AUDIO_ERRORS)  # that know items by their ids
OURS = (Kind.ITEMS, Kind.USERS, Kind.LABELS, Kind.SPLIT, *PLAYS.values())


@dataclass(frozen=True)
class SplitFiles:
    """Where everything is written."""

    workspace: WorkspacePaths
    dataset: str

    def place(self, kind: Kind, **fields: str) -> Path:
        """Return the place of one file."""
        return self.workspace.place(kind, dataset=self.dataset, **fields)

    def ids(self, split: str) -> Path:
        """Return the place of the ids of one set."""
        return self.place(Kind.ITEMS, split=split)

    def classes(self, split: str, count: int) -> Path:
        """Return the place of the classes of one set."""
        return self.place(Kind.TARGETS, split=split, fact="class", dim=str(count))

    def all(self, sets: Sequence[str], *, plays: bool, labels: Sequence[str]) -> list[Path]:
        """List what is written: the ids of train items, the manifest, and all others."""
        files = [self.ids("train"), self.place(Kind.SPLIT)]
        files += [self.ids(name) for name in sets if name != "train"]
        if plays:
            files += [self.place(Kind.USERS), *(self.place(PLAYS[name]) for name in sets)]
        if labels:
            files += [self.place(Kind.LABELS)]
            files += [self.classes(name, len(labels)) for name in sets]
        return files


def check_dataset_name(workspace: WorkspacePaths, dataset: str, *, force: bool) -> None:
    """Make sure that a dataset can be written under a name.

    Raises
    ------
    RequestError
        If it cannot be called so, or is there already.
    """
    place = workspace.place(Kind.ITEMS, split="train", dataset=dataset)
    read = parse_path(place, "datasets") if place.parent == workspace.data / "datasets" else None
    fits = dataset.strip() == dataset and dataset.isprintable() and len(dataset.encode()) < 100
    if read is None or read.dataset != dataset or not fits or dataset[0] in ".-":
        msg = f"a dataset cannot be called {dataset!r}"
        hint = "Take a short name without _ and /, that begins with a letter or a number."
        raise RequestError(msg, hint=hint)
    there = _files(workspace, dataset)
    if there and not force and place.is_file():
        raise _is_there_already(there[0].path, dataset)
    inventory = workspace.scan()
    for file in there:
        if _is_ours(file) and not inventory.is_canonical(file):
            path = display_path(file.path)
            msg = f"{path} has an old name or place, and would stay beside the new one"
            raise RequestError(msg, hint="Move it away, or choose another name.")


def write_split(
    files: SplitFiles,
    material: InteractionTable,
    sets: Sets,
    manifest: dict[str, Any],
    *,
    force: bool,
) -> list[Path]:
    """Write everything, then let all files take their places, the ids of train items last.

    Where a set has other items than before, nothing that was there fits any longer: not the factors
    and not the features, whose rows follow the ids. It is set aside, and nothing is deleted.

    Returns
    -------
    Where the files that were set aside are now.
    """
    place = files.place(Kind.SPLIT)
    written = files.all(tuple(sets), plays=material.pairs is not None, labels=material.labels)
    with locked(place.with_name(f".making_{place.name}.lock")), defer_interrupts() as check:
        remove_leftovers(place.parent, {path.name for path in written})
        before = [file.path for file in _files(files.workspace, files.dataset)]
        moved: dict[Path, Path] = {}
        try:
            with ExitStack() as stack:  # the first that is entered takes its place last
                beside = {path: stack.enter_context(atomic_write(path)) for path in written}
                text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
                beside[place].write_text(text, "utf-8", newline="\n")
                for name, rows in sets.items():
                    check()
                    _write_set(files, beside, material, name, rows)
                _write_names(files, beside, material)
                check()
                if force:
                    moved = _make_way(files, beside, tuple(sets))
                else:
                    _require_same(files, beside)
        except OSError:
            for path in written:
                if path in moved or path not in before:
                    path.unlink(missing_ok=True)
            restore_files(moved)
            raise
        return [*moved.values()]


def _write_names(
    files: SplitFiles, beside: Mapping[Path, Path], material: InteractionTable
) -> None:
    if material.pairs is not None:
        _write_lines(beside[files.place(Kind.USERS)], material.users)
    if material.labels:
        _write_lines(beside[files.place(Kind.LABELS)], material.labels)


def _require_same(files: SplitFiles, beside: Mapping[Path, Path]) -> None:
    """Make sure that whatever is there is the same, as a split left it that was killed, or not."""
    train = files.ids("train")
    for file in _files(files.workspace, files.dataset):
        new = beside.get(file.path)
        known = train.is_file() if new is None else same_content(file.path, new)
        if not known and file.kind is not Kind.SPLIT:
            raise _is_there_already(file.path, files.dataset)


def _is_there_already(path: Path, dataset: str) -> RequestError:
    msg = f"there is a dataset {dataset} already: {display_path(path)}"
    return RequestError(msg, hint="Choose another name; or say --force, to make it anew.")


def _make_way(
    files: SplitFiles, beside: Mapping[Path, Path], sets: Sequence[str]
) -> dict[Path, Path]:
    """Set aside what does not fit the new sets; without train ids, no half of it is a dataset."""
    there = _files(files.workspace, files.dataset)
    ids = {files.ids(name): beside[files.ids(name)] for name in sets}
    old = {file.path for file in there if file.kind is Kind.ITEMS}
    if old == {*ids} and all(same_content(path, new) for path, new in ids.items()):
        there = [file for file in there if _is_ours(file) and file.path not in beside]
    train = files.ids("train")
    first = sorted((file.path for file in there), key=lambda each: each != train)
    moved = back_up_files(first, files.dataset)
    train.unlink(missing_ok=True)
    return moved


def _write_set(
    files: SplitFiles,
    beside: Mapping[Path, Path],
    material: InteractionTable,
    name: str,
    rows: SetRows,
) -> None:
    from scipy.sparse import save_npz

    _write_lines(beside[files.ids(name)], material.items[rows.items])
    if rows.plays is not None:
        with beside[files.place(PLAYS[name])].open("wb") as file:  # a name gets another ending
            save_npz(file, rows.plays, compressed=False)
    if material.has is not None and material.labels:
        place = files.classes(name, len(material.labels))
        _write_classes(beside[place], csr_array(material.has[rows.items]))


def _write_classes(path: Path, has: csr_array) -> None:
    """Write 1 where an item has a class, else 0; ``(items, classes)`` float32."""
    rows = open_memmap(path, "w+", np.float32, has.shape)
    for start in range(0, has.shape[0], BLOCK):
        rows[start : start + BLOCK] = has[start : start + BLOCK].toarray()
    rows.flush()


def _write_lines(path: Path, lines: Sequence[str] | NDArray[np.object_]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for start in range(0, len(lines), LINES):
            file.write("\n".join([*lines[start : start + LINES], ""]))


def _files(workspace: WorkspacePaths, dataset: str) -> list[DataFile]:
    found = [file for file in workspace.scan().files if file.dataset == dataset]
    return [file for file in found if file.kind not in LISTS]


def _is_ours(file: DataFile) -> bool:
    return file.kind in OURS or (file.kind is Kind.TARGETS and file.fields["fact"] == "class")
