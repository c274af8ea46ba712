"""Which new recordings and documents there are, and which of them are of one item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tartarus_cli.audio.decoding import RECORDING_EXTENSIONS
from tartarus_cli.data.folders import FolderScan, scan_folder
from tartarus_cli.data.lists import check_file_name
from tartarus_cli.errors import RequestError
from tartarus_cli.extraction.corpus import DOCUMENT_EXTENSIONS
from tartarus_cli.models.preprocessing import FileNoun
from tartarus_cli.prediction.new_inputs import NewItem


@dataclass
class NewItems:
    """The items to predict for, and what lies beside their files."""

    items: list[NewItem] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """File that may be meant → why it is not taken."""
    remarks: list[str] = field(default_factory=list)
    """What to say of other files."""


def find_items(paths: Mapping[FileNoun, Path]) -> NewItems:
    """Find new files; a recording and a document of one name are of one item.

    An item is called like its recording, if it has one, else like its document, by the path within
    the folder. Two single files are of one item, whatever they are called.

    Parameters
    ----------
    paths
        For each kind of files: a file, or a folder of files.

    Raises
    ------
    RequestError
        If there is no such file or folder, a name cannot be listed, or two documents have the name
        of one recording.
    """
    scans = {noun: _scan(path, noun) for noun, path in paths.items()}
    found = NewItems()
    for scan in scans.values():
        found.refused |= scan.refused
        found.remarks += scan.other_remarks
    files = {noun: scan.files for noun, scan in scans.items()}
    single = all(path.is_file() for path in paths.values())
    if len(files) == 1 or single:
        (noun, first), *others = files.items()
        rest = {other: next(iter(more.values())) for other, more in others}
        found.items = [NewItem(name, {noun: path} | rest) for name, path in first.items()]
        return found
    documents = _by_stem(files["documents"])
    for name, path in files["recordings"].items():
        document = documents.get(_stem(name))
        of_item: dict[FileNoun, Path] = {"recordings": path}
        if document is not None:
            of_item["documents"] = files["documents"][document]
        found.items.append(NewItem(name, of_item))
    stems = {*map(_stem, files["recordings"])}
    found.items += [
        NewItem(name, {"documents": files["documents"][name]})
        for stem, name in documents.items()
        if stem not in stems
    ]
    return found


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))


def _by_stem(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the names of documents without their ending → with it."""
    names = dict[str, str]()
    for name in files:
        other = names.setdefault(_stem(name), name)
        if other != name:
            msg = f"{other} and {name} would both be the document of {_stem(name)}"
            raise RequestError(msg, hint="Rename one of them, or move it away.")
    return names


def _scan(path: Path, noun: FileNoun) -> FolderScan:
    """Return the files to predict for, by their names within the folder."""
    if path.is_file():
        check_file_name(path.name)
        return FolderScan(path.parent, {path.name: path}, {})
    if not path.exists():
        msg = f"there is no file or folder {path}"
        raise RequestError(msg, hint="Name a recording or a document, or a folder of them.")
    endings = RECORDING_EXTENSIONS if noun == "recordings" else DOCUMENT_EXTENSIONS
    scan = scan_folder(path, endings)
    for name in scan.files:
        check_file_name(name)
    return scan
