"""Vectors of given words, read from a file in word2vec's text or binary format, or in GloVe's.

GloVe's is word2vec's text format without its first line. The others begin with a line ``words
dimensions``. In the text format a line follows for each word: the word and its numbers, separated
by spaces. In the binary one, for each word: the word, a space, its numbers as little-endian
float32, and sometimes a line feed. Files are read as a stream, so that a file of a few gigabytes
needs no more memory than the vectors of the given words.
"""

from __future__ import annotations

import re
import struct
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.encodings import marked_encoding
from tartarus_cli.errors import FileError, display_path, python_command
from tartarus_cli.file_formats import Content, open_content
from tartarus_cli.files import open_regular, readable
from tartarus_cli.text import MAX_DIMENSIONS, WordVectors

LONGEST_WORD = 4096
"""Bytes of the longest word that is read."""

LONGEST_NUMBER = 64
"""Bytes of the longest number in the text format."""

FASTTEXT_MAGIC = struct.pack("<i", 793712314)
"""The first bytes of a model of fastText."""

BLOCK = 1 << 20
"""Bytes that are read at once."""


def read_vectors(path: Path, rows: Mapping[str, int]) -> WordVectors:
    """Read the vectors of given words; words are compared exactly, upper and lower case too.

    Parameters
    ----------
    path
        File in word2vec's text or binary format, or in GloVe's, also compressed; its content shows
        which it is.
    rows
        Word → row of its vector, from 0 to the number of words - 1.

    Raises
    ------
    FileError
        If the file has another format, is shorter or longer than its first line says, or holds
        numbers that are not finite for one of the words.
    """
    _refuse_fasttext(path)
    with readable(path), open_content(path, "word vectors") as (file, _):
        _skip_mark(path, file)
        count, dim, line = _read_header(path, file)
        start = line + file.read(LONGEST_WORD + LONGEST_NUMBER * dim)
        text = count is None or _is_text(start, dim)
        read_entries = _read_text if text else _read_binary
        row_of = {word.encode(): row for word, row in rows.items()}
        upper = 0
        values = np.zeros((len(row_of), dim), np.float32)
        present = np.zeros(len(row_of), bool)
        for number, (word, vector) in enumerate(
            read_entries(path, _Stream(file, start), count, dim), 1
        ):
            row = row_of.get(word)
            if row is None:
                upper += word.lower() in row_of
            elif not present[row]:
                values[row] = _parse_vector(path, number, vector, text=text)
                present[row] = True
    return WordVectors(values, present, display_path(path), upper)


def _skip_mark(path: Path, file: Content) -> None:
    """Skip a byte-order mark of UTF-8; refuse one of another encoding."""
    marked = marked_encoding(file.peek(4)[:4])
    if marked == "utf-8-sig":
        file.read(3)
    elif marked is not None:
        found = f"text in {marked.upper()}"
        raise FileError(path, found=found, expected="UTF-8", hint="Save it as UTF-8.")


def _refuse_fasttext(path: Path) -> None:
    """Refuse a model of fastText, whose words and vectors stand in a format of its own."""
    with readable(path), open_regular(path) as file:
        start = file.read(4)
    if start != FASTTEXT_MAGIC:
        return
    code = "from gensim.models.fasttext import load_facebook_vectors as load; "
    code += f"load({display_path(path)!r}).save_word2vec_format('vectors.txt')"
    raise FileError(
        path,
        found="a model of fastText (.bin)",
        expected="word vectors in word2vec's text or binary format, or in GloVe's",
        hint=f"Use the .vec file of the same vectors, or write one: {python_command(code)}",
    )


def _read_header(path: Path, file: Content) -> tuple[int | None, int, bytes]:
    """Return the number of words, None if it is not known, their dimensions, and a first word.

    The first word comes with its numbers, as a line of text; it is empty if there is a first line
    of two numbers.
    """
    line = file.readline(256)
    match = re.fullmatch(rb"(\d{1,18})[ \t](\d{1,18})\s*", line)
    if not match:
        if not line.endswith(b"\n"):
            line += file.readline(LONGEST_WORD + LONGEST_NUMBER * MAX_DIMENSIONS)
        dim = _dimensions(line)
        if dim is not None:
            return None, dim, line
        found = f"{line[:60].decode('utf-8', 'replace').strip()!r} in its first line"
        expected = "two numbers, of words and of dimensions, or a word and its numbers"
        _refuse(path, found, expected, _FORMAT_HINT)
    count, dim = (int(number) for number in match.groups())
    if not (count and 0 < dim <= MAX_DIMENSIONS):
        found = f"{count:,} words of {dim:,} dimensions, as its first line says"
        _refuse(path, found, f"at least one word, of 1 to {MAX_DIMENSIONS:,} dimensions")
    return count, dim, b""


def _dimensions(line: bytes) -> int | None:
    """Return how many numbers follow a word, as in a line of GloVe's; None if it is none.

    >>> _dimensions(b"the 0.5 -1 2e-3"), _dimensions(b"the 1"), _dimensions(b"id,a b,c 1 2")
    (3, None, None)
    """
    word, *numbers = line.rstrip().split(b" ")
    try:
        finite = np.isfinite([float(number) for number in numbers]).all()
    except ValueError:
        return None
    is_vector = word and 1 < len(numbers) <= MAX_DIMENSIONS and finite
    return len(numbers) if is_vector else None


def _is_text(start: bytes, dim: int) -> bool:
    """Whether the bytes after the first line are text, or begin with a line of the text format."""
    try:
        text = getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return _is_text_line(start.partition(b"\n")[0], dim)
    return "\0" not in text


def _is_text_line(line: bytes, dim: int) -> bool:
    _, *numbers = line.rstrip().rsplit(b" ", dim)
    try:
        return len([float(number) for number in numbers]) == dim
    except ValueError:
        return False


class _Stream:
    """A file that is read in blocks, of which the first bytes may have been read already."""

    def __init__(self, file: Content, start: bytes) -> None:
        self._file, self._buffer, self._position = file, start, 0

    def until(self, mark: bytes, longest: int) -> bytes | None:
        """Return the bytes before the next mark, and skip it; None if these are too many."""
        end = self._buffer.find(mark, self._position)
        while end < 0 and len(self._buffer) - self._position <= longest and self._read_block():
            end = self._buffer.find(mark, self._position)
        if end < 0 or end - self._position > longest:
            return None
        content, self._position = self._buffer[self._position : end], end + 1
        return content

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end of the file."""
        while len(self._buffer) - self._position < size and self._read_block():
            pass
        content = self._buffer[self._position : self._position + size]
        self._position += len(content)
        return content

    def _read_block(self) -> bool:
        block = self._file.read(BLOCK)
        self._buffer, self._position = self._buffer[self._position :] + block, 0
        return bool(block)


_Entry = tuple[bytes, bytes]  # a word and its numbers, still in the format of the file


def _read_text(path: Path, stream: _Stream, count: int | None, dim: int) -> Iterator[_Entry]:
    longest = LONGEST_WORD + LONGEST_NUMBER * dim
    first_line = 1 if count is None else 2
    for number in range(1, sys.maxsize if count is None else count + 1):
        line = stream.until(b"\n", longest)
        if line is None:
            # The last line may lack its line feed.
            line = stream.take(longest)
        line = line.rstrip(b" \t\r\n")
        if not line and count is None and not stream.take(LONGEST_WORD).strip():
            return
        if not line:
            _refuse(path, f"cut short after {number - 1:,} words", f"{count or number:,} words")
        if line.count(b" ") < dim:
            found = f"{line.count(b' '):,} numbers in line {number + first_line - 1:,}"
            _refuse(path, found, f"a word and {dim:,} numbers", _FORMAT_HINT)
        word = line.partition(b" ")[0] if line.count(b" ") == dim else line.rsplit(b" ", dim)[0]
        # A word may contain spaces.
        yield word, line[len(word) :]
    if count is not None:
        _require_end(path, stream, count)


def _read_binary(path: Path, stream: _Stream, count: int | None, dim: int) -> Iterator[_Entry]:
    count = count or 0  # this format has a first line, which says it
    for number in range(1, count + 1):
        word = stream.until(b" ", LONGEST_WORD)
        numbers = stream.take(4 * dim) if word is not None else b""
        if word is None or len(numbers) < 4 * dim:
            found = f"cut short or damaged after {number - 1:,} words"
            _refuse(path, found, f"{count:,} words of {dim:,} dimensions")
        yield word.lstrip(b"\n"), numbers
    _require_end(path, stream, count)


def _require_end(path: Path, stream: _Stream, count: int) -> None:
    if stream.take(LONGEST_WORD).strip():
        _refuse(path, f"more than {count:,} words", "as many as its first line says")


def _parse_vector(path: Path, number: int, content: bytes, *, text: bool) -> NDArray[np.float32]:
    # Numbers that do not fit become infinity, and are refused.
    with np.errstate(over="ignore"):
        try:
            numbers = np.array(content.split(), float) if text else np.frombuffer(content, "<f4")
            vector = np.asarray(numbers, np.float32)
        except ValueError:
            _refuse(
                path, f"something else than numbers for word {number:,}", "numbers", _FORMAT_HINT
            )
    if not np.isfinite(vector).all():
        _refuse(path, f"NaN or infinity for word {number:,}", "finite numbers")
    return vector


_FORMAT_HINT = (
    "Write a line for each word: the word and its numbers, with a point and not with a comma, "
    "separated by single spaces; gensim's KeyedVectors.save_word2vec_format does so."
)
_DAMAGE_HINT = "Download it again, or write it with gensim's KeyedVectors.save_word2vec_format."


def _refuse(path: Path, found: str, expected: str, hint: str = _DAMAGE_HINT) -> NoReturn:
    raise FileError(path, found=found, expected=expected, hint=hint) from None
