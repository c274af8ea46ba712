"""The documents of a dataset: the file of each item, and their texts, one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.lists import FileSource, find_listed, save_list
from tartarus_cli.errors import DataError, FileError, Placeholder, display_path, parameter
from tartarus_cli.file_names import Kind
from tartarus_cli.files import read_text
from tartarus_cli.progress import ProgressTask

DOCUMENT_EXTENSIONS = (".txt", ".md")

MAX_BYTES = 64 << 20
"""Size of the largest document that is read."""


def find_corpus(dataset: Dataset, ids: Collection[str], folder: Path | None) -> dict[str, Path]:
    """Return the document of each item that has one.

    Parameters
    ----------
    dataset
        The dataset whose list of documents is read.
    ids
        Ids of all items of the dataset.
    folder
        Folder of documents from which the list is made and written; None: there is a list.

    Raises
    ------
    RequestError
        If the folder cannot be listed, or there is another list already.
    DataError
        If there is no list, it is damaged, lists no item, or lists files that are missing or huge.
    """
    workspace, path = dataset.workspace, dataset.path(Kind.TEXT_LIST)
    text = parameter("text", Placeholder("FOLDER"))
    hint = f"List the documents in it (id, tab, path), or name their folder: {text}. "
    hint += f"Paths start from {display_path(workspace.text)}."
    source = FileSource(Kind.TEXT_LIST, workspace.text, folder, DOCUMENT_EXTENSIONS, hint)
    files = find_listed(dataset, ids, source)
    known = {*ids}
    documents = {file.id: file.path for file in files if file.id in known}
    _check_files(documents, folder or path, workspace.text)
    if folder is not None:
        save_list(path, files)
    return documents


def _check_files(documents: Mapping[str, Path], source: Path, base: Path) -> None:
    hint = f"Paths in the list start from {display_path(base)}; correct them."
    missing = []
    for item, path in documents.items():
        try:
            missing += [] if _is_file(path) else [path]
        except OSError as problem:
            msg = (
                f"{display_path(source)}: the path of {item!r} cannot be used ({problem.strerror})"
            )
            raise DataError(msg, hint=hint) from None
    if missing:
        more = f", as are {len(missing) - 1:,} more" if len(missing) > 1 else ""
        msg = f"{display_path(missing[0])} is missing{more}, though {display_path(source)} lists it"
        raise DataError(msg, hint=hint)
    for path in documents.values():
        _check_size(path)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; unlike pathlib, raise errors other than that it is missing."""
    try:
        return S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FileError(
            path,
            found=f"{size / (1 << 20):,.0f} MiB",
            expected=f"a document of at most {MAX_BYTES >> 20} MiB",
            hint="Shorten it, or remove it from the list.",
        )


def read_document(path: Path) -> str:
    """Read one document.

    Raises
    ------
    FileError
        If it is not UTF-8, or huge.
    """
    _check_size(path)
    return read_text(path)


@dataclass(frozen=True)
class Corpus:
    """Documents of the items of a set; they are read whenever it is iterated over."""

    ids: Sequence[str]
    """Ids of all items of the set."""
    paths: Mapping[str, Path]
    """Id of an item that has a document → its file."""
    task: ProgressTask
    """Advances with each document."""

    def __iter__(self) -> Iterator[str]:
        """Read the documents; items without one are passed over."""
        for item in self.ids:
            if item in self.paths:
                yield self._text(item)

    def blocks(self, size: int) -> Iterator[list[str]]:
        """Read the documents of ``size`` items at a time; an item without one has an empty text."""
        for start in range(0, len(self.ids), size):
            items = self.ids[start : start + size]
            yield [self._text(item) if item in self.paths else "" for item in items]

    def wordless(self, known: NDArray[np.float64]) -> list[str]:
        """Return the items whose document contains no word.

        Parameters
        ----------
        known
            Share of known words in the document of each item, ``(items,)``; NaN if it has no word.
        """
        shares = zip(self.ids, known, strict=True)
        return [item for item, share in shares if np.isnan(share) and item in self.paths]

    def _text(self, item: str) -> str:
        self.task.advance()
        return read_text(self.paths[item])
