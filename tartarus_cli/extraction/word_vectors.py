"""Word vectors from a file in word2vec's text or binary format, of which only some are wanted.

Both begin with a line ``words dimensions``. In the text format a line follows for each word: the
word and its numbers, separated by blanks. In the binary one, for each word: the word, a blank, its
numbers as little-endian float32, and perhaps a line feed. Files are read as a stream, so that a
few gigabytes of vectors need no more memory than those that are wanted.
"""

from __future__ import annotations

import gzip
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import FileError, display_path
from tartarus_cli.files import readable
from tartarus_cli.text import MAX_DIMENSIONS, WordVectors

LONGEST_WORD = 4096  # bytes
LONGEST_NUMBER = 64  # bytes, of the text format
BLOCK = 1 << 20


def read_vectors(path: Path, places: Mapping[str, int]) -> WordVectors:
    """Read the vectors of some words; a word is matched as it is, and not otherwise.

    Parameters
    ----------
    path
        Word2vec's text or binary format, which is told from its content; gzip too.
    places
        Row of each word that is wanted, 0 to their number - 1.

    Raises
    ------
    FileError
        If the file is of another form, is cut short or longer than its first line says, or holds
        numbers that are not finite for a word that is wanted.
    """
    with readable(path), _opened(path) as file:
        count, dim = _header(path, file)
        start = file.read(LONGEST_WORD + LONGEST_NUMBER * dim)
        text = _is_text(start, dim)
        entries = (_text if text else _binary)(path, _Stream(file, start), count, dim)
        wanted = {word.encode(): place for word, place in places.items()}
        values = np.zeros((len(wanted), dim), np.float32)
        there = np.zeros(len(wanted), bool)
        for number, (word, vector) in enumerate(entries, 1):
            place = wanted.get(word)
            if place is not None and not there[place]:
                values[place] = _numbers(path, number, vector, text=text)
                there[place] = True
    return WordVectors(values, there, display_path(path))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file
            return
        try:
            yield cast("IO[bytes]", stack.enter_context(gzip.open(file)))
        except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
            _refuse(path, f"damaged gzip data ({problem})", "a whole gzip file")


def _header(path: Path, file: IO[bytes]) -> tuple[int, int]:
    line = file.readline(256)
    match = re.fullmatch(rb"(\d{1,18})[ \t](\d{1,18})\s*", line)
    if not match:
        found = f"{line[:60].decode('utf-8', 'replace').strip()!r} in its first line"
        _refuse(path, found, "two numbers, of words and of dimensions")
    count, dim = (int(number) for number in match.groups())
    if not (count and 0 < dim <= MAX_DIMENSIONS):
        found = f"{count:,} words of {dim:,} dimensions, as its first line says"
        _refuse(path, found, f"some words, of 1 to {MAX_DIMENSIONS:,} dimensions")
    return count, dim


def _is_text(start: bytes, dim: int) -> bool:
    """Whether what follows the first line is text: all of it, or the next line as it should be."""
    try:
        read = getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return _fits(start.partition(b"\n")[0], dim)
    return "\0" not in read


def _fits(line: bytes, dim: int) -> bool:
    _, *numbers = line.rstrip().rsplit(b" ", dim)
    try:
        return len([float(number) for number in numbers]) == dim
    except ValueError:
        return False


class _Stream:
    """A file read in blocks, of which some bytes may have been read already."""

    def __init__(self, file: IO[bytes], start: bytes) -> None:
        self._file, self._held, self._place = file, start, 0

    def until(self, mark: bytes, longest: int) -> bytes | None:
        """Return the bytes before the next mark and skip it; None if it is not near."""
        end = self._held.find(mark, self._place)
        while end < 0 and len(self._held) - self._place <= longest and self._more():
            end = self._held.find(mark, self._place)
        if end < 0 or end - self._place > longest:
            return None
        found, self._place = self._held[self._place : end], end + 1
        return found

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end of the file."""
        while len(self._held) - self._place < size and self._more():
            pass
        found = self._held[self._place : self._place + size]
        self._place += len(found)
        return found

    def _more(self) -> bool:
        block = self._file.read(BLOCK)
        self._held, self._place = self._held[self._place :] + block, 0
        return bool(block)


Entry = tuple[bytes, bytes]  # a word and its numbers, still in the form of the file


def _text(path: Path, stream: _Stream, count: int, dim: int) -> Iterator[Entry]:
    longest = LONGEST_WORD + LONGEST_NUMBER * dim
    for number in range(1, count + 1):
        line = stream.until(b"\n", longest)
        if line is None:
            line = stream.take(longest)  # the last line may lack its end
        line = line.rstrip(b" \t\r\n")
        if not line:
            _refuse(path, f"cut short after {number - 1:,} words", f"{count:,} words")
        if line.count(b" ") < dim:
            found = f"{line.count(b' '):,} numbers in line {number + 1:,}"
            _refuse(path, found, f"a word and {dim:,} numbers")
        word = line.partition(b" ")[0] if line.count(b" ") == dim else line.rsplit(b" ", dim)[0]
        yield word, line[len(word) :]  # a word may hold blanks
    _end(path, stream, count)


def _binary(path: Path, stream: _Stream, count: int, dim: int) -> Iterator[Entry]:
    for number in range(1, count + 1):
        word = stream.until(b" ", LONGEST_WORD)
        numbers = stream.take(4 * dim) if word is not None else b""
        if word is None or len(numbers) < 4 * dim:
            found = f"cut short or damaged after {number - 1:,} words"
            _refuse(path, found, f"{count:,} words of {dim:,} dimensions")
        yield word.lstrip(b"\n"), numbers
    _end(path, stream, count)


def _end(path: Path, stream: _Stream, count: int) -> None:
    if stream.take(LONGEST_WORD).strip():
        _refuse(path, f"more than {count:,} words", "as many as its first line says")


def _numbers(path: Path, number: int, read: bytes, *, text: bool) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what does not fit becomes infinity, and is refused
        try:
            numbers = np.array(read.split(), float) if text else np.frombuffer(read, "<f4")
            vector = np.asarray(numbers, np.float32)
        except ValueError:
            _refuse(path, f"something else than numbers for word {number:,}", "numbers")
    if not np.isfinite(vector).all():
        _refuse(path, f"NaN or infinity for word {number:,}", "finite numbers")
    return vector


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    hint = "Download it again, or write it with gensim's KeyedVectors.save_word2vec_format."
    raise FileError(path, found=found, expected=expected, hint=hint) from None
