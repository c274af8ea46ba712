"""Lists of recordings and of documents: which file belongs to which item."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import read_lines
from tartarus_cli.errors import DataError, FileError, RequestError, display_path
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_text


@dataclass(frozen=True)
class ListedFile:
    """A recording or a document of an item."""

    id: str
    name: str  # as the list says it: relative to the folder, or absolute
    path: Path


@dataclass(frozen=True)
class FileSource:
    """Where to learn which file each item of a dataset has."""

    kind: Kind  # of the list
    base: Path  # that the relative paths of the list start from
    folder: Path | None  # of files to make the list from; None: there is a list
    endings: Collection[str]  # of the names of such files
    hint: str  # what to do if there is no list


def find_listed(dataset: Dataset, ids: Collection[str], source: FileSource) -> list[ListedFile]:
    """Return all files on the list of a dataset, or in a folder; some are of its items.

    Parameters
    ----------
    dataset
        Whose list is read.
    ids
        The items of the dataset.
    source
        The list, or the folder.

    Raises
    ------
    RequestError
        If the folder cannot be listed.
    DataError
        If there is no list, it is damaged, or not one file is of an item.
    """
    if source.folder is not None:
        place = source.folder.expanduser()
        listed = list_files(place, source.endings, ids, source.base)
    else:
        place = dataset.require(source.kind, hint=source.hint).path
        listed = read_list(place, source.base)
    known = {*ids}
    if not any(each.id in known for each in listed):
        name = dataset.name
        msg = f"{display_path(place)}: none of its ids ({listed[0].id!r}, …) is an item of {name}"
        raise DataError(msg, hint=f"Items of {name} have ids such as {next(iter(ids))!r}.")
    return listed


def read_list(path: Path, folder: Path) -> list[ListedFile]:
    """Read a list, ``id <tab> path`` a line; whether the files exist is not looked at.

    Parameters
    ----------
    path
        The list.
    folder
        What its relative paths start from.

    Raises
    ------
    FileError
        If a line is of another form, or an id comes twice.
    """
    listed: list[ListedFile] = []
    first: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        item, tab, name = line.partition("\t")
        if not (item.strip() and tab and name.strip()) or "\t" in name or "\0" in name:
            _refuse(path, f"line {number}: {line[:80]!r}", "an id, a tab and a path")
        if item in first:
            _refuse(path, f"{item!r} in lines {first[item]} and {number}", "one file for each id")
        first[item] = number
        listed.append(ListedFile(item, name, folder / name))
    if not listed:
        _refuse(path, "an empty list", "an id, a tab and a path in each line")
    return listed


def files_below(folder: Path, endings: Collection[str]) -> dict[str, Path]:
    """Find the files of a folder and of those below it, by their names within the folder.

    Parameters
    ----------
    folder
        Where the files are.
    endings
        Of the names of the files to take, in lower case and with the dot.

    Returns
    -------
    dict
        Path within the folder → path, in alphabetical order.

    Raises
    ------
    RequestError
        If there is no such folder, it holds no such file, or a name cannot stand in a list.
    """
    if not folder.is_dir():
        msg = f"there is no folder {folder}"
        raise RequestError(msg, hint="Name the folder that holds the files.")
    files = (p for p in folder.rglob("*") if p.suffix.lower() in endings and p.is_file())
    named = {str(path.relative_to(folder)): path for path in files}
    if not named:
        msg = f"{display_path(folder)} holds no file that ends in {', '.join(sorted(endings))}"
        raise RequestError(msg, hint="Name another folder.")
    for name in named:
        check_name(name)
    return dict(sorted(named.items()))


def check_name(name: str) -> None:
    """Make sure that the name of a file can stand in a list.

    Raises
    ------
    RequestError
        If it is not UTF-8, or holds a tab or a line feed.
    """
    undecoded = any("\ud800" <= letter <= "\udfff" for letter in name)
    if undecoded or "\t" in name or "\n" in name:
        msg = f"the name {name!r} is no UTF-8, or holds a tab or a line feed"
        raise RequestError(msg, hint="Rename the file.")


def list_files(
    folder: Path, endings: Collection[str], known: Collection[str], base: Path
) -> list[ListedFile]:
    """List the files of a folder and of those below it, in the order of their names.

    The id of a file is whatever of its name is the id of an item: the path within the folder or
    the name alone, without or with its ending; if none is, the path within the folder.

    Parameters
    ----------
    folder
        Where the files are.
    endings
        Of the names of the files to take, in lower case and with the dot.
    known
        Ids of items.
    base
        Files below this folder are named relative to it, others by their absolute path.

    Raises
    ------
    RequestError
        If the files cannot be listed, or two of them are of the same item.
    """
    wanted, start, root = {*known}, folder.resolve(), base.resolve()
    listed = []
    for name in files_below(folder, endings):
        path = start / name  # not resolved: a link stays where it is, wherever it leads
        told = str(path.relative_to(root) if path.is_relative_to(root) else path)
        check_name(told)
        listed.append(ListedFile(_id_of(Path(name), wanted), told, path))
    _refuse_doubles(listed, start)
    return listed


def _id_of(within: Path, known: set[str]) -> str:
    names = (str(within.with_suffix("")), str(within), within.stem, within.name)
    return next((name for name in names if name in known), str(within))


def _refuse_doubles(listed: Iterable[ListedFile], folder: Path) -> None:
    first: dict[str, Path] = {}
    for each in listed:
        if each.id in first:
            one, other = first[each.id], each.path
            msg = f"{display_path(one)} and {display_path(other)} would both be {each.id!r}"
            hint = f"Rename one of them, or write the list of {display_path(folder)} by hand."
            raise RequestError(msg, hint=hint)
        first[each.id] = each.path


def save_list(path: Path, listed: Iterable[ListedFile]) -> None:
    """Write a list; of one that is already there nothing is lost.

    A list that was made from the same folder grows as files and ids join.

    Raises
    ------
    RequestError
        If there is a list that names other files, or gives them ids of its own.
    """
    listed = list(listed)
    if path.exists():
        ids = {each.name: each.id for each in listed}
        old = (line.partition("\t") for line in read_lines(path))
        if any(name not in ids or not _may_become(item, ids[name], name) for item, _, name in old):
            msg = f"{display_path(path)} is there already, and says something else than the folder"
            hint = "Leave the option out to use it; or move it away, to make it anew."
            raise RequestError(msg, hint=hint)
    text = "".join(f"{each.id}\t{each.name}\n" for each in listed)
    if not path.exists() or read_lines(path) != text.split("\n")[:-1]:
        write_text(path, text)


def _may_become(item: str, other: str, name: str) -> bool:
    """Whether an id in a list may give way: if it only repeats the name of the file."""
    return item == other or Path(item).name in (Path(name).name, Path(name).stem)


def _refuse(path: Path, found: str, expected: str) -> None:
    raise FileError(path, found=found, expected=expected, hint="Correct that line.")
