"""Text in files of any encoding: what a byte-order mark or the user says, and never a guess.

An encoding that the user names is that of texts which are not UTF-8: where some files are in it
and others are not, none is read wrongly.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    display_path,
    nearest,
    parameter,
)
from tartarus_cli.file_formats import HEAD_BYTES, Content, open_content
from tartarus_cli.progress import warn

MAX_TEXT_BYTES = 256 << 20
"""Bytes of a compressed text that is read as a whole, at most."""

# The marks of UTF-32 begin with those of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# These decode anything to anything, or have no fixed order of bytes.
_NO_ENCODINGS = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7")
_COMMON = ("utf-8", "utf-16-le", "latin-1", "cp1252", "cp1251", "shift_jis", "gb18030", "big5")


def check_encoding(name: str | None) -> str | None:
    """Return an encoding by the name that Python gives it.

    Raises
    ------
    RequestError
        If there is none of this name.
    """
    if name is None:
        return None
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        info = None
    if info is None or not getattr(info, "_is_text_encoding", True) or info.name in _NO_ENCODINGS:
        msg = f"{parameter('encoding')}: there is no encoding called {name!r}"
        raise RequestError(msg, hint=f"{nearest(name, _COMMON)} Python knows more.")
    return info.name


def marked_encoding(start: bytes) -> str | None:
    """Return the encoding that a byte-order mark shows; None if there is no mark."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def decode(path: Path, content: bytes, encoding: str | None, *, selectable: bool) -> str:
    """Decode the bytes of a text; a byte-order mark, and UTF-8, count more than what is said.

    Parameters
    ----------
    path
        The file, for messages.
    content
        Its bytes, decompressed.
    encoding
        The encoding if there is no mark and they are not UTF-8; None: UTF-8.
    selectable
        Whether the user can name another encoding, and NUL bytes are no part of a text.

    Raises
    ------
    FileError
        If they are of another encoding, or no text.
    """
    name = _encoding(path, content, encoding)
    text = _Decoder(path, name, selectable=selectable).decode(content, final=True)
    if not selectable and name in ("utf-16", "utf-32"):
        warn(f"{display_path(path)} is in {name.upper()}, and is read so; save it as UTF-8")
    return text


def _encoding(path: Path, start: bytes, encoding: str | None) -> str:
    marked = marked_encoding(start)
    if marked is None and encoding in ("utf-16", "utf-32"):
        names = " or ".join(parameter("encoding", f"{encoding}-{end}") for end in ("le", "be"))
        raise FileError(
            path,
            found=f"no byte-order mark that says which {encoding.upper()} it is",
            expected="one at the beginning",
            hint=f"Say which: {names} (little or big end first; Windows writes the former).",
        )
    if marked is None and encoding is not None and not _is_utf8(start, encoding):
        return encoding
    return marked or "utf-8"


def _is_utf8(start: bytes, encoding: str) -> bool:
    """Whether a text is UTF-8 beyond doubt: letters other than ASCII say so, and nothing else."""
    if start.isascii() or b"\0" in start or encoding.startswith(("utf-16", "utf-32")):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


class _Decoder:
    """Decodes a file block by block, and counts its lines."""

    def __init__(self, path: Path, encoding: str, *, selectable: bool) -> None:
        self._path, self._selectable, self._encoding = path, selectable, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._lines = 1

    def decode(self, block: bytes, *, final: bool) -> str:
        try:
            text = self._decoder.decode(block, final)
        except UnicodeError as problem:
            raise self._error(block, problem) from None
        if "\0" in text and (self._selectable or wide_encoding(block[:4096])):
            line = self._lines + text.count("\n", 0, text.index("\0"))
            raise nul_error(self._path, block, line, selectable=self._selectable)
        self._lines += text.count("\n")
        return text

    def _error(self, block: bytes, problem: UnicodeError) -> FileError:
        if b"\0" in block and self._encoding in ("utf-8", "utf-8-sig"):
            return nul_error(self._path, block, self._lines, selectable=self._selectable)
        before = problem.object[: problem.start] if isinstance(problem, UnicodeDecodeError) else b""
        line = self._lines + before.decode(self._encoding, "ignore").count("\n")
        return encoding_error(self._path, line, self._encoding, selectable=self._selectable)


def encoding_error(path: Path, line: int, encoding: str, *, selectable: bool) -> FileError:
    """Return the error of bytes that are no text in the encoding that was expected."""
    name = "UTF-8" if encoding in ("utf-8", "utf-8-sig") else encoding
    return FileError(
        path,
        found=f"bytes that are not {name} in line {line}",
        expected=f"{name} text",
        hint=_hint(selectable=selectable),
    )


def nul_error(path: Path, start: bytes, line: int, *, selectable: bool) -> FileError:
    """Return the error of a text with NUL bytes: UTF-16 or UTF-32 without a mark, or no text.

    Parameters
    ----------
    path
        The file.
    start
        Some of its bytes, from an even offset on.
    line
        Line of the first NUL byte.
    selectable
        Whether the user can name another encoding.
    """
    wide = wide_encoding(start[:4096])
    if wide is None:
        hint = "Look whether it is text; a text of another encoding is to be saved as UTF-8."
        found = f"NUL bytes in line {line}, as in a file that is no text, or in UTF-16"
        if selectable:
            hint = "Look whether it is text, and if so, in which encoding. " + _hint(
                selectable=True
            )
        return FileError(path, found=found, expected="text", hint=hint)
    name = wide.upper().removesuffix("-LE").removesuffix("-BE")
    order = "little" if wide.endswith("le") else "big"
    hint = "Save it as UTF-8."
    if selectable:
        hint = f"If it is so, say it: {parameter('encoding', wide)}; or save it as UTF-8."
    return FileError(
        path,
        found=f"NUL bytes in line {line}, as in {name} ({order} end first) without a "
        "byte-order mark",
        expected="UTF-8 text",
        hint=hint,
    )


def wide_encoding(start: bytes) -> str | None:
    """Return the UTF-16 or UTF-32 that Latin text would be in; None if it looks like neither."""
    if len(start) < 8:
        return None
    for width, names in ((4, ("utf-32-le", "utf-32-be")), (2, ("utf-16-le", "utf-16-be"))):
        places = [start[place::width] for place in range(width)]
        count = len(places[-1])
        if not count:
            continue
        zeros = [place.count(0) / count for place in places]
        for order, name in zip((1, -1), names, strict=True):
            first, *others = zeros[::order]
            if first < 0.1 and min(others) > 0.8:
                return name
    return None


def _hint(*, selectable: bool) -> str:
    if not selectable:
        return "Save it as UTF-8."
    named = parameter("encoding", Placeholder("NAME"))
    return f"Name its encoding, {named} (such as cp1251 or shift_jis), or save it as UTF-8."


@contextmanager
def open_utf8(
    path: Path, expected: str, encoding: str | None = None
) -> Iterator[tuple[Content | Transcoded, IO[bytes]]]:
    """Open a text for its bytes in UTF-8, whatever its compression and encoding, and its own bytes.

    Bytes of a file in UTF-8 are passed on as they are, with a byte-order mark if there is one.

    Raises
    ------
    FileError
        If it is damaged, of another format, or of another encoding.
    """
    with open_content(path, expected) as (content, raw):
        name = _encoding(path, content.peek(HEAD_BYTES), encoding)
        if name in ("utf-8", "utf-8-sig"):
            yield content, raw
        else:
            yield Transcoded(content, _Decoder(path, name, selectable=True)), raw


class Transcoded:
    """The text of a file, as bytes in UTF-8."""

    def __init__(self, content: Content, decoder: _Decoder) -> None:
        self._content, self._decoder = content, decoder

    def read(self, size: int, /) -> bytes:
        """Return the text of the next bytes of the file; nothing only at the end."""
        text, block = "", b"."
        while not text and block:
            block = self._content.read(size)
            text = self._decoder.decode(block, final=not block)
        return text.encode()


def read_content(path: Path, expected: str, most: int = MAX_TEXT_BYTES) -> bytes:
    """Read a whole text that may be compressed; ``most`` bounds what is decompressed.

    Raises
    ------
    FileError
        If it is damaged, of another format, or holds more.
    """
    with open_content(path, expected) as (content, raw):
        most = max(most, os.fstat(raw.fileno()).st_size)
        blocks, size = list[bytes](), 0
        while block := content.read(1 << 20):
            blocks.append(block)
            size += len(block)
            if size > most:
                found = f"more than {most >> 20:,} MiB when decompressed"
                hint = "Look whether it is the right file; if so, decompress it."
                raise FileError(path, found=found, expected=expected, hint=hint)
    return b"".join(blocks)
