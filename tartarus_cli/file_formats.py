"""What a file is, by its first bytes and whatever its name says; compressed files as streams."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, Any, Protocol

from tartarus_cli.errors import FileError, display_path
from tartarus_cli.regular import open_regular

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 1024
"""First bytes of a file that show what it is."""
PARQUET_MAGIC = b"PAR1"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zip", ".zst")
"""Endings of compressed files; what they hold is read but for the last of them."""


@dataclass(frozen=True)
class FileFormat:
    """A format of files that hold no plain text."""

    name: str
    """With its article, as a message says it."""
    hint: str
    """What to do where text is expected; ``{path}`` stands for the file."""


_NOT_TEXT = "Give a text file in UTF-8."
_AS_CSV = "Open it, and save it as CSV (in UTF-8)."
_EXCEL = FileFormat("an Excel workbook", _AS_CSV)
_PICKLE = FileFormat("a pickle, which is never loaded", "Write its content as text.")

_MAGICS: tuple[tuple[bytes, FileFormat], ...] = (
    (PARQUET_MAGIC, FileFormat("a Parquet file", "Write it as text, or call it .parquet.")),
    (
        b"\x28\xb5\x2f\xfd",
        FileFormat("compressed with zstd", "Decompress it: zstd -dc {path} > table.csv"),
    ),
    (
        b"\x04\x22\x4d\x18",
        FileFormat("compressed with lz4", "Decompress it: lz4 -dc {path} > table.csv"),
    ),
    (
        b"\x1f\x9d",
        FileFormat("compressed with compress", "Decompress it: uncompress -c < {path} > table.csv"),
    ),
    (b"7z\xbc\xaf\x27\x1c", FileFormat("a 7z archive", "Unpack it: 7z x {path}")),
    (b"Rar!\x1a\x07", FileFormat("a RAR archive", "Unpack it: unrar x {path}")),
    (b"\x89HDF\r\n\x1a\n", FileFormat("an HDF5 file", "Write its content as text.")),
    (b"\x93NUMPY", FileFormat("a NumPy array (.npy)", "Write its content as text.")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileFormat("an old Excel or Word document", _AS_CSV)),
    (b"SQLite format 3\0", FileFormat("an SQLite database", "Export the table as CSV.")),
    (b"ARROW1\0\0", FileFormat("an Arrow (Feather) file", "Write it as Parquet or CSV.")),
    (b"FEA1", FileFormat("a Feather file", "Write it as Parquet or CSV.")),
    (b"ORC", FileFormat("an ORC file", "Write it as Parquet or CSV.")),
    (b"Obj\x01", FileFormat("an Avro file", "Write it as Parquet or CSV.")),
    (b"RDX3\n", FileFormat("data of R (.RData)", "Write it in R with write.csv.")),
    (b"RDX2\n", FileFormat("data of R (.RData)", "Write it in R with write.csv.")),
    (b"X\n\0\0\0", FileFormat("data of R (.rds)", "Write it in R with write.csv.")),
    (b"MATLAB 5.0 MAT-file", FileFormat("a MATLAB file", "Write it as CSV with writetable.")),
    (b"<stata_dta>", FileFormat("a Stata file", "Export it as CSV.")),
    (b"%PDF-", FileFormat("a PDF document", "Write its text: pdftotext {path}")),
    (b"{\\rtf", FileFormat("an RTF document", "Save it as plain text in UTF-8.")),
    (b"\x89PNG\r\n\x1a\n", FileFormat("a PNG image", _NOT_TEXT)),
    (b"\xff\xd8\xff", FileFormat("a JPEG image", _NOT_TEXT)),
    (b"GIF8", FileFormat("a GIF image", _NOT_TEXT)),
    (b"fLaC", FileFormat("a FLAC recording", _NOT_TEXT)),
    (b"OggS", FileFormat("an Ogg recording", _NOT_TEXT)),
    (b"ID3", FileFormat("an MP3 recording", _NOT_TEXT)),
    (b"\x7fELF", FileFormat("a program", _NOT_TEXT)),
    (b"\xba\x16\x4f\x2f", FileFormat("a model of fastText (.bin)", _NOT_TEXT)),
)
_AMBIGUOUS = (b"ORC", b"ID3", b"FEA1", b"GIF8", b"OggS", b"fLaC")
"""Beginnings that a text might have too: what follows must hold a control character."""
_BEGINNINGS = tuple(magic for magic, _ in _MAGICS)


def identify(start: bytes) -> FileFormat | None:
    """Return the format that the first bytes of a file show; None of text, and of what is unknown.

    Compressed files that :func:`open_content` reads are not named.
    """
    for magic, file_format in _MAGICS if start.startswith(_BEGINNINGS) else ():
        if start.startswith(magic) and (magic not in _AMBIGUOUS or b"\0" in start[:64]):
            return file_format
    if len(start) > 2 and start[0] == 0x80 and start[1] in range(2, 6):
        return _PICKLE
    if start[:4] == b"RIFF" and start[8:12] in (b"WAVE", b"AVI "):
        return FileFormat("a WAV recording", _NOT_TEXT)
    if start[257:262] == b"ustar":
        return FileFormat("a tar archive", "Unpack it: tar xf {path}")
    return None


def format_error(path: Path, file_format: FileFormat, expected: str) -> FileError:
    """Return the error of a file of another format."""
    hint = file_format.hint.format(path=quote(display_path(path)))
    return FileError(path, found=file_format.name, expected=expected, hint=hint)


class Content(Protocol):
    """The bytes of a file, or of what was compressed into it."""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, or fewer at the end."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or so many bytes of it."""

    def peek(self, size: int = 0, /) -> bytes:
        """Return some of the next bytes, without reading them."""


_DAMAGE = (
    *(EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError),
    *(NotImplementedError, RuntimeError),  # an encrypted member, or one compressed in another way
)


class _Decompressed(io.RawIOBase):
    """Reads what was compressed, and explains what is wrong with it."""

    def __init__(self, path: Path, method: str, file: IO[bytes]) -> None:
        super().__init__()
        self._path, self._method, self._file = path, method, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            block = self._file.read(len(view))
        except _DAMAGE as problem:
            if isinstance(problem, OSError) and problem.errno is not None:
                raise
            raise _damage(self._path, self._method, problem) from None
        view[: len(block)] = block
        return len(block)


def _damage(path: Path, method: str, problem: BaseException) -> FileError:
    reason = (str(problem) or type(problem).__name__).splitlines()[0][:120]
    return FileError(
        path,
        found=f"damaged {method} data ({reason})",
        expected=f"a whole {method} file",
        hint="Copy or compress the file again.",
    )


def compression_of(start: bytes) -> str | None:
    """Return the name of the compression that :func:`open_content` reads; None if there is none."""
    if start.startswith(ZIP_MAGICS):
        return "zip"
    return next((name for magic, name, _ in _STREAMS if start.startswith(magic)), None)


_Opener = Callable[[IO[bytes]], Any]
_STREAMS: tuple[tuple[bytes, str, _Opener], ...] = (
    (b"\x1f\x8b", "gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
)


@contextmanager
def open_content(path: Path, expected: str) -> Iterator[tuple[Content, IO[bytes]]]:
    """Open a file for its content, decompressed as it is read, and for its own bytes.

    Gzip, bzip2 and xz are read whatever the name of the file, and so is a zip archive of one file.

    Parameters
    ----------
    path
        The file.
    expected
        What it should hold, for messages.

    Raises
    ------
    FileError
        If it is damaged, an archive of several files, or of a format that is no text.
    """
    with open_regular(path) as raw:
        start = raw.read(HEAD_BYTES)
        raw.seek(0)
        file_format = identify(start)
        if file_format is not None:
            raise format_error(path, file_format, expected)
        method = compression_of(start)
        if method is None:
            _require_no_compression(path)
            yield raw, raw
            return
        with _open_compressed(path, method, raw, expected) as file:
            content = io.BufferedReader(_Decompressed(path, method, file), 1 << 16)
            inner = content.peek(HEAD_BYTES)
            file_format = identify(inner)
            if file_format is not None:
                inside = FileFormat(f"{file_format.name}, in a {method} file", file_format.hint)
                raise format_error(path, inside, expected)
            yield content, raw


def _require_no_compression(path: Path) -> None:
    """Make sure that the name of a file that is not compressed does not say that it is."""
    method = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}.get(path.suffix.lower())
    if method is not None:
        raise FileError(
            path,
            found=f"damaged, or not compressed with {method}",
            expected=f"a whole {path.suffix.lower()} file",
            hint="Copy or compress the file again; or, if it is plain text, rename it.",
        )


@contextmanager
def _open_compressed(path: Path, method: str, raw: IO[bytes], expected: str) -> Iterator[IO[bytes]]:
    if method != "zip":
        opener = next(opener for _, name, opener in _STREAMS if name == method)
        yield opener(raw)
        return
    try:
        archive = zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, OSError, ValueError) as problem:
        raise _damage(path, method, problem) from None
    with archive:
        members = [info.filename for info in archive.infolist()]
        document = _zipped_format(members)
        if document is not None:
            raise format_error(path, document, expected)
        files = _files_of(members)
        if len(files) != 1:
            raise _archive_error(path, files, expected)
        try:
            member = archive.open(files[0])
        except (*_DAMAGE, ValueError) as problem:
            raise _damage(path, method, problem) from None
        with member:
            yield member


def zip_member(path: Path) -> str | None:
    """Return the name of the one file in a zip archive; None if it is none, or holds several."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = _files_of(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    return files[0] if len(files) == 1 else None


def _files_of(members: Sequence[str]) -> list[str]:
    """Return the files of a zip archive, without folders and what macOS adds."""
    return [
        name
        for name in members
        if not name.endswith(("/", ".DS_Store")) and not name.startswith("__MACOSX/")
    ]


def _zipped_format(members: Sequence[str]) -> FileFormat | None:
    """Return the format of a document that is a zip archive, such as an Excel workbook."""
    if any(name.startswith("xl/") for name in members):
        return _EXCEL
    if any(name.startswith("word/") for name in members):
        return FileFormat("a Word document", "Save it as plain text in UTF-8.")
    if "mimetype" in members and "content.xml" in members:
        return FileFormat("an OpenDocument file", "Save it as CSV, or as plain text, in UTF-8.")
    if "mimetype" in members and "META-INF/container.xml" in members:
        return FileFormat("an EPUB book", "Convert it to plain text in UTF-8.")
    if members and all(name.endswith(".npy") for name in members):
        return FileFormat("arrays of NumPy (.npz)", "Write their content as text.")
    return None


def _archive_error(path: Path, files: Sequence[str], expected: str) -> FileError:
    names = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
    found = f"a zip archive of {len(files):,} files ({names})" if files else "an empty zip archive"
    hint = f"Unpack it, and name one of its files: unzip {quote(display_path(path))}"
    return FileError(path, found=found, expected=expected, hint=hint)
