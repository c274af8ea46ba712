"""Lists of recordings and of documents: which file belongs to which item."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.data.ids import read_lines
from tartarus_cli.errors import FileError, RequestError, shown
from tartarus_cli.files import write_text


@dataclass(frozen=True)
class Listed:
    """A recording or a document of an item."""

    id: str
    name: str  # as the list says it: relative to the folder, or absolute
    path: Path


def read_list(path: Path, folder: Path) -> list[Listed]:
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
    listed: list[Listed] = []
    first: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        item, tab, name = line.partition("\t")
        if not (item.strip() and tab and name.strip()) or "\t" in name or "\0" in name:
            _refuse(path, f"line {number}: {line[:80]!r}", "an id, a tab and a path")
        if item in first:
            _refuse(path, f"{item!r} in lines {first[item]} and {number}", "one file for each id")
        first[item] = number
        listed.append(Listed(item, name, folder / name))
    if not listed:
        _refuse(path, "an empty list", "an id, a tab and a path in each line")
    return listed


def list_folder(
    folder: Path, endings: Collection[str], known: Collection[str], base: Path
) -> list[Listed]:
    """List the files of a folder and of those below it, in the order of their paths.

    The id of a file is whatever of its name is the id of an item: the path within the folder or
    the name alone, with or without its ending; if none is, the name without its ending.

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
        If there is no such folder, it holds no such file, or two files get the same id.
    """
    if not folder.is_dir():
        msg = f"there is no folder {folder}"
        raise RequestError(msg, hint="Name the folder that holds the files.")
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in endings and p.is_file()]
    if not files:
        msg = f"{shown(folder)} holds no file that ends in {', '.join(sorted(endings))}"
        raise RequestError(msg, hint="Name another folder, or write the list by hand.")
    wanted, start = {*known}, folder.resolve()
    listed = [_entry(path.resolve(), path.relative_to(folder), wanted, base) for path in files]
    _refuse_doubles(listed, start)
    return listed


def _entry(path: Path, within: Path, known: set[str], base: Path) -> Listed:
    names = (str(within.with_suffix("")), str(within), within.stem, within.name)
    item = next((name for name in names if name in known), within.stem)
    root = base.resolve()
    return Listed(item, str(path.relative_to(root) if path.is_relative_to(root) else path), path)


def _refuse_doubles(listed: Iterable[Listed], folder: Path) -> None:
    first: dict[str, Path] = {}
    for each in listed:
        if each.id in first:
            one, other = first[each.id], each.path
            msg = f"{shown(one)} and {shown(other)} would both be {each.id!r}"
            hint = f"Rename one of them, or write the list of {shown(folder)} by hand."
            raise RequestError(msg, hint=hint)
        if not (each.id.strip() and _is_text(each.id + each.name)):
            msg = f"the name {each.name!r} is blank, no UTF-8, or holds a tab or a line feed"
            raise RequestError(msg, hint="Rename the file.")
        first[each.id] = each.path


def _is_text(name: str) -> bool:
    undecoded = any("\ud800" <= letter <= "\udfff" for letter in name)
    return not (undecoded or "\t" in name or "\n" in name)


def keep_list(path: Path, listed: Iterable[Listed]) -> None:
    """Write a list; another one that is already there is never lost.

    Raises
    ------
    RequestError
        If there is another list.
    """
    text = "".join(f"{each.id}\t{each.name}\n" for each in listed)
    if path.exists() and read_lines(path) != text.split("\n")[:-1]:
        msg = f"{shown(path)} is there already, and says something else than the folder"
        raise RequestError(msg, hint="Leave the option out to use it, or move it away.")
    if not path.exists():
        write_text(path, text)


def _refuse(path: Path, found: str, expected: str) -> None:
    raise FileError(path, found=found, expected=expected, hint="Correct that line.")
