"""The documents of a dataset: the file of each item, and their texts, one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.lists import FileSource, ListedFile, find_listed, save_list
from tartarus_cli.encodings import decode, read_content
from tartarus_cli.errors import FileError, Placeholder, display_path, parameter
from tartarus_cli.file_names import Kind
from tartarus_cli.files import format_bytes, readable
from tartarus_cli.progress import ProgressTask
from tartarus_cli.text import DocumentRows, Tokens, Vocabulary

if TYPE_CHECKING:
    from tartarus_cli.extraction.held_tokens import HeldTokens
    from tartarus_cli.extraction.prepared_documents import PreparedDocuments
    from tartarus_cli.text.numbered import NumberedTokens

DOCUMENT_EXTENSIONS = (".txt", ".md")

MAX_BYTES = 64 << 20
"""Size of the largest document that is read."""


def find_corpus(dataset: Dataset, ids: Collection[str], folder: Path | None) -> list[ListedFile]:
    """Return the documents of the items of a dataset; whether they can be read is not checked.

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
        If there is no list, it is damaged, or lists no item.
    """
    workspace, path = dataset.workspace, dataset.path(Kind.TEXT_LIST)
    text = parameter("text", Placeholder("FOLDER"))
    hint = f"List the documents in it (id, tab, path), or name their folder: {text}. "
    hint += f"Paths start from {display_path(workspace.text)}."
    source = FileSource(Kind.TEXT_LIST, workspace.text, folder, DOCUMENT_EXTENSIONS, hint)
    files = find_listed(dataset, ids, source)
    if folder is not None:
        save_list(path, files)
    known = {*ids}
    return [file for file in files if file.id in known]


MISSING = "it is missing"
"""Why a document is not read that does not exist."""


def read_document(path: Path, encoding: str | None = None) -> str:
    """Read one document.

    Parameters
    ----------
    path
        The document.
    encoding
        Its encoding, if it has no byte-order mark; None: UTF-8.

    Raises
    ------
    FileError
        If it is missing, no text, of another encoding, or huge.
    """
    expected = "a document in UTF-8"
    with readable(path):
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            hint = "Correct its path in the list, or add it."
            raise FileError(path, found=MISSING, expected=expected, hint=hint) from None
        if not S_ISREG(status.st_mode):
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise FileError(path, found=kind, expected="a document", hint="Correct its path.")
        if status.st_size > MAX_BYTES:
            raise FileError(
                path,
                found=f"{format_bytes(status.st_size)}, more than {format_bytes(MAX_BYTES)}",
                expected=f"a document of at most {format_bytes(MAX_BYTES)}",
                hint="Shorten it, or remove it from the list.",
            )
        content = read_content(path, expected, MAX_BYTES)
    return decode(path, content, encoding, selectable=True)


@dataclass(frozen=True)
class Corpus:
    """Documents of the items of a set; they are read whenever it is iterated over."""

    ids: Sequence[str]
    """Ids of all items of the set."""
    paths: Mapping[str, Path]
    """Id of an item that has a document → its file."""
    task: ProgressTask
    """Advances with each document."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    prepared: PreparedDocuments | None = None
    """The documents as they were read before; None: they are read now."""
    held: HeldTokens | None = None
    """The tokens of the documents; None: they are not in memory."""

    @property
    def tokens(self) -> _TokenLists | _TokensInMemory | None:
        """The tokens of the documents, where these are prepared or held."""
        if self.held is not None and self.held.complete:
            return _TokensInMemory(self, self.held)
        if self.prepared is None or not self.prepared.options.tokenizes:
            return None
        return _TokenLists(self, self.prepared)

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

    def transformed(self, vocabulary: Vocabulary, size: int) -> Iterator[DocumentRows]:
        """Turn documents into rows, those of ``size`` items at a time."""
        tokens = self.tokens
        if tokens is None:
            return map(vocabulary.transform, self.blocks(size))
        return map(vocabulary.transform_tokens, tokens.blocks(size))

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
        if self.prepared is not None:
            return self.prepared.document(item).text
        return read_document(self.paths[item], self.encoding)


@dataclass(frozen=True)
class _TokensInMemory:
    """The tokens of the documents of a set, which are held."""

    corpus: Corpus
    held: HeldTokens

    def __iter__(self) -> Iterator[Tokens]:
        for document in self._numbered():
            self.corpus.task.advance()
            yield document

    def numbered(self) -> NumberedTokens:
        """Return those of all documents."""
        documents = self._numbered()
        self.corpus.task.advance(len(documents))
        return documents

    def blocks(self, size: int) -> Iterator[NumberedTokens]:
        """Return those of ``size`` items at a time; an item without a document has none."""
        ids, paths = self.corpus.ids, self.corpus.paths
        for start in range(0, len(ids), size):
            items = ids[start : start + size]
            self.corpus.task.advance(sum(item in paths for item in items))
            yield self.held.numbered(items)

    def _numbered(self) -> NumberedTokens:
        return self.held.numbered(item for item in self.corpus.ids if item in self.corpus.paths)


@dataclass(frozen=True)
class _TokenLists:
    """The tokens of the documents of a set; they are read whenever it is iterated over."""

    corpus: Corpus
    prepared: PreparedDocuments

    def __iter__(self) -> Iterator[Tokens]:
        return (self._of(item) for item in self.corpus.ids if item in self.corpus.paths)

    def blocks(self, size: int) -> Iterator[list[Tokens]]:
        """Read those of ``size`` items at a time; an item without a document has none."""
        ids, paths = self.corpus.ids, self.corpus.paths
        for start in range(0, len(ids), size):
            items = ids[start : start + size]
            yield [self._of(item) if item in paths else Tokens([]) for item in items]

    def _of(self, item: str) -> Tokens:
        self.corpus.task.advance()
        return self.prepared.tokens(item)
