"""Vectors that a program of others makes: a chunk of files at a time, kept by their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.decoding import RecordingError
from tartarus_cli.data.array_writing import save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.encoders import EncoderKind
from tartarus_cli.errors import DataError, FileError, TartarusError, parameter
from tartarus_cli.extraction.corpus import read_document
from tartarus_cli.extraction.programs import Program, ProgramCall, program_key
from tartarus_cli.extraction.vector_job import EncodedFile
from tartarus_cli.extraction.workers import FailedRecording, Recording, recording_digest

CHUNK = 256
"""Files that a program is given at once, by default."""

NO_VECTOR = "the program gave no vector for it"
"""Why a file has no vector that a program could not use."""


@dataclass(frozen=True)
class ProgramJob:
    """How a program turns files into vectors, and where these are kept."""

    program: Program
    kind: EncoderKind
    """Whether it reads recordings or documents."""
    vectors: Path
    """Folder of all vectors; existing ones are used."""
    encoding: str | None = None
    """Encoding of documents without a byte-order mark; None: UTF-8."""
    chunk: int = CHUNK
    """Files that it is given at once, at most."""
    timeout_s: float | None = None
    """Seconds after which a call of it is given up; None: never."""

    @property
    def folder(self) -> Path:
        """The folder of the vectors that were made by the same program."""
        return self.vectors / program_key(self.program, "path" if self.kind == "audio" else "text")

    def prepare_all(
        self,
        recordings: Sequence[Recording],
        folder: Path,
        check: Callable[[], None],
        *,
        folder_stays: bool = False,
    ) -> Iterator[EncodedFile | FailedRecording]:
        """Make the vectors of files, in any order; those that exist are not made again.

        Parameters
        ----------
        recordings
            The files.
        folder
            Folder of what the program reads and writes.
        check
            Called several times a second; an error that it raises stops the program.
        folder_stays
            Whether the user finds the folder when the program fails.

        Raises
        ------
        TartarusError
            If the program fails, or takes too long for several files.
        DataError
            If what it writes is missing or damaged, or not a vector for each id.
        """
        call = ProgramCall(
            self.program,
            "path" if self.kind == "audio" else "text",
            folder,
            check,
            self.timeout_s,
            folder_stays,
        )
        widths, pending = set[int](), list[_PendingFile]()
        for recording in recordings:
            check()
            try:
                file = self._read(recording)
            except RecordingError as problem:
                yield FailedRecording(recording, str(problem))
                continue
            width = _width(file.path)
            if width is not None:
                self._check_width(width, widths)
                yield EncodedFile(recording, file.path)
                continue
            pending.append(file)
            if len(pending) == self.chunk:
                yield from self._encode(pending, call, widths)
                pending = []
        if pending:
            yield from self._encode(pending, call, widths)

    def _read(self, recording: Recording) -> _PendingFile:
        """Return what the program is given of a file, and where its vector is kept.

        Raises
        ------
        RecordingError
            If it cannot be read.
        """
        content = recording_digest(recording.path)
        if self.encoding is not None:
            content = blake2b(f"{content} {self.encoding}".encode(), digest_size=16).hexdigest()
        path = self.folder / f"{content}.npy"
        if self.kind == "text":
            return _PendingFile(recording, _read_text(recording.path, self.encoding), path)
        given = str(recording.path.absolute())
        if any("\ud800" <= character <= "\udfff" for character in given):
            msg = "its path is not UTF-8: rename it"
            raise RecordingError(msg)
        return _PendingFile(recording, given, path)

    def _encode(
        self, files: Sequence[_PendingFile], call: ProgramCall, widths: set[int]
    ) -> Iterator[EncodedFile | FailedRecording]:
        """Let the program make the vectors of a chunk; of files of one content it is given one."""
        first = {file.path: file for file in reversed(files)}
        given = {f.recording.item: f.content for f in files if first[f.path] is f}
        try:
            vectors = call.vectors(given)
        except TimeoutError:
            yield from self._given_up(files)
            return
        for item in given:
            if item in vectors:
                self._check_width(len(vectors[item]), widths)
        for file in files:
            vector = vectors.get(first[file.path].recording.item)
            if vector is None:
                yield FailedRecording(file.recording, NO_VECTOR)
                continue
            if first[file.path] is file:
                save_dense(file.path, vector[None], one_of_many=True)
            yield EncodedFile(file.recording, file.path)

    def _given_up(self, files: Sequence[_PendingFile]) -> Iterator[FailedRecording]:
        reason = f"the program took longer than {self.timeout_s:g} s"
        if len(files) > 1:
            msg = f"{reason} for {len(files):,} files: {self.program.describe()}"
            hint = f"Give it more time with {parameter('timeout')}, or fewer files at a time: "
            hint += f"{parameter('chunk', 1)} leaves out those that take too long."
            raise TartarusError(msg, hint=hint)
        yield FailedRecording(files[0].recording, reason, is_slow=True)

    def _check_width(self, width: int, widths: set[int]) -> None:
        widths.add(width)
        if len(widths) > 1:
            known = min(widths - {width})
            msg = f"{self.program.describe()} wrote vectors of {width:,} numbers; expected "
            msg += f"{known:,}, as those of other files"
            raise DataError(msg, hint=f"Correct it; and delete what it wrote before: {self.folder}")


@dataclass(frozen=True)
class _PendingFile:
    """A file that the program may be given."""

    recording: Recording
    content: str
    """Absolute path, or text."""
    path: Path
    """File of its vector."""


def _read_text(path: Path, encoding: str | None) -> str:
    try:
        text = read_document(path, encoding)
    except FileError as problem:
        msg = f"{problem.found}. {problem.hint}"
        raise RecordingError(msg) from None
    if not text.strip():
        msg = "it is empty"
        raise RecordingError(msg)
    return text


def _width(path: Path) -> int | None:
    """Return the numbers of a vector that exists; None if it is missing or damaged."""
    with suppress(FileError, OSError):
        row: NDArray[np.float32] = open_dense(path)
        if row.ndim == 2 and len(row) == 1 and np.isfinite(row).all():
            return int(row.shape[1])
    return None
