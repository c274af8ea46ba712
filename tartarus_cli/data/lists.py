"""Lists of recordings and of documents: which file belongs to which item."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.folders import FolderScan, scan_folder
from tartarus_cli.data.ids import read_lines
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, expand_home
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.files import write_text
from tartarus_cli.progress import warn


@dataclass(frozen=True)
class ListedFile:
    """A recording or a document of an item."""

    id: str
    name: str
    """Path as the list gives it: relative to the folder, or absolute."""
    path: Path


@dataclass(frozen=True)
class FileSource:
    """Where to read which file each item of a dataset has: a list, or a folder."""

    kind: Kind
    """Kind of the list."""
    base: Path
    """Folder from which the relative paths of the list start."""
    folder: Path | None
    """Folder of the files from which the list is made; None: there is a list."""
    endings: Collection[str]
    """Endings of the files' names, in lower case and with the dot."""
    hint: str
    """What to do if there is no list."""


def find_listed(
    dataset: Dataset, ids: Collection[str], source: FileSource, scan: FolderScan | None = None
) -> list[ListedFile]:
    """Return all files on the list of a dataset, or in a folder; at least one is of its items.

    Parameters
    ----------
    dataset
        Whose list is read.
    ids
        Ids of the dataset's items.
    source
        The list, or the folder.
    scan
        What lies in the folder; None: it is looked at now.

    Raises
    ------
    RequestError
        If the folder cannot be listed.
    DataError
        If there is no list, it is damaged, or not one file is of an item.
    """
    if source.folder is not None:
        path = expand_home(source.folder)
        files = list_scanned(scan or scan_folder(path, source.endings), ids, source.base)
    else:
        path = _find_list(dataset, source).path
        files = read_list(path, source.base)
    known = {*ids}
    files = _with_known_ids(files, known, path)
    if not any(file.id in known for file in files):
        name = dataset.name
        msg = f"{display_path(path)}: none of its ids ({files[0].id!r}, …) is an item of {name}"
        raise DataError(msg, hint=f"Items of {name} have ids such as {next(iter(ids))!r}.")
    return files


def _find_list(dataset: Dataset, source: FileSource) -> DataFile:
    """Return the list of a dataset; for a fold without one, that of all folds."""
    file, common = dataset.find(source.kind), dataset.files.common_name(dataset.name)
    if file is None and common is not None:
        file = dataset.files.find(source.kind, dataset=common)
    return file or dataset.require(source.kind, hint=source.hint)


def _with_known_ids(files: list[ListedFile], known: set[str], path: Path) -> list[ListedFile]:
    """Return the files with the ids of items that are written in another Unicode form there."""
    listed = {file.id for file in files}
    forms = UnicodeForms(known)
    found = [replace(file, id=forms.find(file.id)) for file in files]
    if not forms.replaced or any(item in listed for item in forms.replaced.values()):
        return files
    warn(forms.describe(display_path(path)))
    return found


def read_list(path: Path, folder: Path) -> list[ListedFile]:
    """Read a list, ``id <tab> path`` a line; whether the files exist is not checked.

    Parameters
    ----------
    path
        The list.
    folder
        Folder from which its relative paths start.

    Raises
    ------
    FileError
        If a line is of another form, or an id comes twice.
    """
    files: list[ListedFile] = []
    line_of_id: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        item, tab, name = line.partition("\t")
        if not (item.strip() and tab and name.strip()) or "\t" in name or "\0" in name:
            _refuse(path, f"line {number}: {line[:80]!r}", "an id, a tab and a path")
        if item in line_of_id:
            found = f"{item!r} in lines {line_of_id[item]} and {number}"
            _refuse(path, found, "one file for each id")
        line_of_id[item] = number
        files.append(ListedFile(item, name, locate_file(folder, name)))
    if not files:
        _refuse(path, "an empty list", "an id, a tab and a path in each line")
    return files


def locate_file(folder: Path, name: str) -> Path:
    """Return the path that a list names, if need be with other separators or Unicode forms."""
    path = folder / name
    if (name.isascii() and "\\" not in name) or _exists(path):
        return path
    names = [name, name.replace("\\", "/")] if os.sep == "/" else [name]
    paths = (_in_another_form(folder, Path(candidate)) for candidate in names)
    return next((other for other in paths if other is not None), path)


def _in_another_form(folder: Path, name: Path) -> Path | None:
    """Return the path of a file whose name may be written in another Unicode form on the disk."""
    path = folder
    for part in name.parts:
        forms = (part, normalize("NFC", part), normalize("NFD", part))
        found = next((path / form for form in forms if _exists(path / form)), None)
        if found is None:
            return None
        path = found
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def missing_hint(file: ListedFile, base: Path) -> str:
    """Say what may be wrong with the path of a listed file that does not exist."""
    hint = f"Paths in the list start from {display_path(base)}; correct them."
    if "\\" in file.name:
        hint += " A backslash \\ separates no folders here: write /."
    return hint


def find_files(folder: Path, endings: Collection[str]) -> dict[str, Path]:
    """Find the files in a folder and in the folders below it.

    Parameters
    ----------
    folder
        The folder.
    endings
        Endings of the names of files to find, in lower case and with the dot.

    Returns
    -------
    dict
        Path relative to the folder → path, in alphabetical order.

    Raises
    ------
    RequestError
        If there is no such folder, it holds no such file, or a name cannot stand in a list.
    """
    files = scan_folder(folder, endings).files
    for name in files:
        check_file_name(name)
    return files


def check_file_name(name: str) -> None:
    """Make sure that the name of a file can stand in a list.

    Raises
    ------
    RequestError
        If it is not UTF-8, or holds a tab or a line feed.
    """
    undecoded = any("\ud800" <= character <= "\udfff" for character in name)
    if undecoded or "\t" in name or "\n" in name:
        msg = f"the name {name!r} is not UTF-8, or holds a tab or a line feed"
        raise RequestError(msg, hint="Rename the file.")


def list_files(
    folder: Path, endings: Collection[str], known: Collection[str], base: Path
) -> list[ListedFile]:
    """List the files in a folder and in the folders below it, in the order of their names.

    The id of a file is the first of these that is the id of an item: its path relative to the
    folder without and with its ending, its name without and with its ending. If none is, the file
    gets its path relative to the folder.

    Parameters
    ----------
    folder
        The folder.
    endings
        Endings of the names of files to list, in lower case and with the dot.
    known
        Ids of items.
    base
        Files below this folder are listed relative to it, others by their absolute path.

    Raises
    ------
    RequestError
        If the files cannot be listed, or two of them belong to the same item.
    """
    return list_scanned(scan_folder(folder, endings), known, base)


def list_scanned(scan: FolderScan, known: Collection[str], base: Path) -> list[ListedFile]:
    """List the files of a folder that was looked at, as :func:`list_files` does."""
    known_ids, start, root = {*known}, scan.folder.resolve(), base.resolve()
    forms = UnicodeForms(known_ids)
    files = []
    for relative in scan.files:
        check_file_name(relative)
        path = start / relative  # not resolved: a link is listed where it is, wherever it leads
        name = str(path.relative_to(root) if path.is_relative_to(root) else path)
        check_file_name(name)
        item = _choose_id(Path(relative), known_ids, forms)
        if item not in known_ids:
            _refuse_rivals(path, Path(relative), forms)
        files.append(ListedFile(item, name, path))
    _refuse_duplicates(files, start)
    return files


def _choose_id(relative: Path, known: set[str], forms: UnicodeForms) -> str:
    names = (str(relative.with_suffix("")), str(relative), relative.stem, relative.name)
    # macOS decomposes the names of files.
    ids = (*names, *(forms.find(name) for name in names))
    return next((name for name in ids if name in known), str(relative))


def _refuse_rivals(path: Path, relative: Path, forms: UnicodeForms) -> None:
    """Refuse a file that may be of several items whose ids differ by their Unicode form alone."""
    for name in (str(relative.with_suffix("")), str(relative), relative.stem, relative.name):
        if rivals := forms.rivals(name):
            items = " or ".join(map(ascii, rivals))
            msg = f"{display_path(path)} may be of item {items}: they differ by Unicode form alone"
            hint = f"Give it the name of one of them, letter by letter; it is {name!a} now."
            raise RequestError(msg, hint=hint)


def _refuse_duplicates(files: Iterable[ListedFile], folder: Path) -> None:
    path_of_id: dict[str, Path] = {}
    for file in files:
        if file.id in path_of_id:
            first, second = display_path(path_of_id[file.id]), display_path(file.path)
            if normalize("NFC", first) == normalize("NFC", second):
                # They look the same.
                first, second = ascii(first), ascii(second)
            msg = f"{first} and {second} would both be {file.id!r}"
            hint = f"Rename one of them, or write the list of {display_path(folder)} by hand."
            raise RequestError(msg, hint=hint)
        path_of_id[file.id] = file.path


def save_list(path: Path, files: Iterable[ListedFile]) -> None:
    """Write a list; an existing one may only grow, and loses nothing that was written by hand.

    A list that was made from the same folder grows as files and ids are added.

    Raises
    ------
    RequestError
        If there is a list of other files, or one with other ids that were written by hand.
    """
    files = list(files)
    if path.exists():
        ids = {file.name: file.id for file in files}
        old = [line.partition("\t") for line in read_lines(path)]
        # What a Mac writes beside files was once taken for files.
        old = [line for line in old if not Path(line[2]).name.startswith("._") or line[2] in ids]
        if any(name not in ids or not _may_replace(item, ids[name], name) for item, _, name in old):
            msg = f"{display_path(path)} is there already, and differs from the folder"
            hint = "To use the list, do not give the folder; to recreate the list, move it away."
            raise RequestError(msg, hint=hint)
    text = "".join(f"{file.id}\t{file.name}\n" for file in files)
    if not path.exists() or read_lines(path) != text.split("\n")[:-1]:
        write_text(path, text)


def _may_replace(old_id: str, new_id: str, name: str) -> bool:
    """Whether an id in a list may be replaced: if it only repeats the name of the file."""
    return old_id == new_id or Path(old_id).name in (Path(name).name, Path(name).stem)


def _refuse(path: Path, found: str, expected: str) -> None:
    raise FileError(path, found=found, expected=expected, hint="Correct that line.")
