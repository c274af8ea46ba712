"""Documents that are read and tokenized block by block: by shards, or by workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tartarus_cli.data.lists import ListedFile
from tartarus_cli.distribution import Task
from tartarus_cli.errors import FileError, TartarusError
from tartarus_cli.extraction.corpus import read_document
from tartarus_cli.extraction.held_tokens import HeldTokens
from tartarus_cli.extraction.shares import ClusterWork
from tartarus_cli.files import make_own_folder, read_text, write_text
from tartarus_cli.plugins import files_run
from tartarus_cli.progress import Progress, ProgressTask
from tartarus_cli.text import EXTRACTORS, ExtractorOptions, Tokens

BLOCK = 64
"""Documents of a block."""

MAX_BLOCKS = 16
"""Blocks of a share of a cluster at most."""


class PreparedDocument(BaseModel):
    """A document, or why it cannot be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str = ""
    """Why it cannot be read."""
    hint: str = ""
    """What to do then."""
    empty: bool = False
    """Whether it holds nothing."""
    text: str = ""
    """The whole text, for an extractor that does not tokenize."""
    tokens: list[str] = []
    longer: bool = False
    """Whether it holds more tokens than these."""

    @property
    def without_content(self) -> PreparedDocument:
        """What is known of it without text and tokens."""
        return PreparedDocument(problem=self.problem, hint=self.hint, empty=self.empty)


class _PreparedBlock(BaseModel):
    """The content of the file of a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: list[PreparedDocument]


def prepare_document(
    path: Path, encoding: str | None, options: ExtractorOptions
) -> PreparedDocument:
    """Read a document, and find its tokens if these are all that is read of it."""
    try:
        text = read_document(path, encoding)
    except FileError as problem:
        return PreparedDocument(problem=problem.found, hint=problem.hint)
    empty = not text.strip()
    if not options.tokenizes:
        return PreparedDocument(empty=empty, text=text)
    tokens = options.tokenize(text)
    return PreparedDocument(empty=empty, tokens=tokens.values, longer=tokens.longer)


def examine_documents(
    files: Iterable[ListedFile],
    encoding: str | None,
    task: ProgressTask,
    held: HeldTokens | None = None,
) -> Iterator[tuple[ListedFile, PreparedDocument]]:
    """Read documents; say of each whether that can be done.

    Parameters
    ----------
    files
        The documents.
    encoding
        Encoding of documents without a byte-order mark; None: UTF-8.
    task
        Advances with each document.
    held
        Holds their tokens; None: nothing is held.
    """
    for file in files:
        task.advance()
        try:
            text = read_document(file.path, encoding)
        except FileError as problem:
            yield file, PreparedDocument(problem=problem.found, hint=problem.hint)
            continue
        if held is not None:
            held.add(file.id, held.options.tokenize(text))
        yield file, PreparedDocument(empty=not text.strip())


@dataclass(frozen=True)
class DocumentBlock:
    """Documents that are prepared together."""

    files: tuple[ListedFile, ...]
    result: Path
    """File that they are written to; its name tells it from that of other documents."""

    def prepare(self, encoding: str | None, options: ExtractorOptions) -> list[PreparedDocument]:
        """Prepare the documents, and write them."""
        return _prepare([file.path for file in self.files], self.result, encoding, options)

    def read(self) -> list[PreparedDocument] | None:
        """Return the documents if they are prepared; damaged ones are not."""
        with suppress(TartarusError, OSError, ValueError):
            documents = _PreparedBlock.model_validate_json(read_text(self.result)).documents
            if len(documents) == len(self.files):
                return documents
        return None


def _prepare(
    paths: Sequence[Path], result: Path, encoding: str | None, options: ExtractorOptions
) -> list[PreparedDocument]:
    documents = [prepare_document(path, encoding, options) for path in paths]
    text = _PreparedBlock(documents=documents).model_dump_json(exclude_defaults=True)
    write_text(result, text, one_of_many=True)
    return documents


@dataclass
class PreparedDocuments:
    """The documents of a dataset, prepared in blocks; one block is held at a time."""

    folder: Path
    """Folder of the blocks."""
    extractor: str
    """Name of the extractor."""
    options: ExtractorOptions
    encoding: str | None
    files: Sequence[ListedFile]
    """The documents, in the order in which they are read."""
    blocks: list[DocumentBlock] = field(init=False)
    _block_of: dict[str, int] = field(init=False)
    _current: tuple[int, Mapping[str, PreparedDocument]] = (-1, {})

    def __post_init__(self) -> None:
        make_own_folder(self.folder)
        parts = (self.files[n : n + BLOCK] for n in range(0, len(self.files), BLOCK))
        self.blocks = [DocumentBlock((*part,), self._path(part)) for part in parts]
        self._block_of = {
            file.id: number for number, block in enumerate(self.blocks) for file in block.files
        }

    def _path(self, files: Sequence[ListedFile]) -> Path:
        """Return where documents are written: other ones, or changed ones, have another path."""
        code = [file.digest for file in files_run()]
        how = [self.extractor, self.options.model_dump_json(), str(self.encoding), *code]
        named = [
            part for file in files for part in (file.id, file.path.name, _signature(file.path))
        ]
        text = "\0".join([*how, *named]).encode("utf-8", "surrogateescape")
        return self.folder / f"{blake2b(text, digest_size=16).hexdigest()}.json"

    @property
    def digest(self) -> str:
        """Hash of which documents are prepared, and how."""
        names = "".join(block.result.name for block in self.blocks)
        return blake2b(names.encode(), digest_size=16).hexdigest()

    def document(self, item: str) -> PreparedDocument:
        """Return the document of an item; those of one block after the other are read quickly."""
        number = self._block_of[item]
        if self._current[0] != number:
            self._current = (number, self._read(self.blocks[number]))
        return self._current[1][item]

    def tokens(self, item: str) -> Tokens:
        """Return the tokens of the document of an item."""
        document = self.document(item)
        return Tokens(document.tokens, document.longer)

    def _read(self, block: DocumentBlock) -> dict[str, PreparedDocument]:
        documents = block.read()
        if documents is None:
            documents = block.prepare(self.encoding, self.options)
        ids = (file.id for file in block.files)
        return dict(zip(ids, documents, strict=True))

    def examine(
        self, blocks: Sequence[DocumentBlock], task: ProgressTask
    ) -> Iterator[tuple[ListedFile, PreparedDocument]]:
        """Yield documents without texts and tokens, once they are prepared.

        Parameters
        ----------
        blocks
            The blocks whose documents are yielded.
        task
            Advances with each document.
        """
        for block in blocks:
            documents = self._read(block)
            for file in block.files:
                task.advance()
                yield file, documents[file.id].without_content

    def prepare_on(self, cluster: str, progress: Progress) -> None:
        """Prepare the blocks that are not prepared yet on the workers of a cluster.

        Raises
        ------
        TartarusError
            If a share could not be prepared, after all others are.
        """
        missing = [block for block in self.blocks if not block.result.exists()]
        size = max(1, min(MAX_BLOCKS, len(missing) // MAX_BLOCKS))
        shares = [missing[n : n + size] for n in range(0, len(missing), size)]
        tasks = [
            Task(f"documents from {share[0].files[0].name} on", self._arguments(share))
            for share in shares
        ]
        total = sum(len(block.files) for block in missing)
        work = ClusterWork(cluster, self.folder, progress)
        with progress.task("reading documents on the cluster", total) as task:
            for count in work.values(prepare_documents, tasks, "documents"):
                task.advance(count)

    def _arguments(self, share: Sequence[DocumentBlock]) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "extractor": self.extractor,
            "options": self.options.model_dump(mode="json"),
            "encoding": self.encoding,
            "blocks": [
                [block.result.name, [str(file.path) for file in block.files]] for block in share
            ],
        }


def prepare_documents(
    *,
    folder: str,
    extractor: str,
    options: Mapping[str, Any],
    encoding: str | None,
    blocks: Sequence[tuple[str, Sequence[str]]],
) -> int:
    """Read documents and find their tokens, on a worker of a cluster; return how many there were.

    Parameters
    ----------
    folder
        Folder of results, which the worker sees.
    extractor, options, encoding
        How documents are read, and what for.
    blocks
        Name of the result, and paths of the documents, of each block.

    """
    parsed = EXTRACTORS.get(extractor).options.model_validate(options)
    for name, paths in blocks:
        _prepare([Path(path) for path in paths], Path(folder) / name, encoding, parsed)
    return sum(len(paths) for _, paths in blocks)


def _signature(path: Path) -> str:
    """Return what shows whether a file was written to, on any machine."""
    try:
        status = path.stat()
    except OSError as problem:
        return str(problem.errno)
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
