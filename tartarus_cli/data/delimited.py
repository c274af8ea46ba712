"""Tables of text: CSV and TSV, with or without gzip.

What is plain (no quotes, no blank lines, as many fields in each row, numbers where they should be)
is read by polars. Whatever is not goes through Python's ``csv``, ten times slower, which knows the
line that something is wrong in.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, NoReturn, Protocol

import numpy as np

from tartarus_cli.data.blocks import Block, Columns, narrowed, no_id, no_number
from tartarus_cli.errors import FileError
from tartarus_cli.files import readable

BLOCK_BYTES = 4 << 20  # of text that is read at once
LONGEST = 64 << 20  # bytes of a row
BOM = b"\xef\xbb\xbf"
GZ = ".gz"
_QUOTE = ord('"')


class _Readable(Protocol):
    """A file, or what a compressed one holds."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""


Row = tuple[int, list[str]]  # its line, counted from 1, and its fields


@dataclass(frozen=True)
class _Piece:
    """Whole rows of a file, as they are in it."""

    text: bytes
    line: int  # number of its first line
    done: int  # bytes of the file that were read for it

    @property
    def head(self) -> bytes:
        """The first line that is not blank, and the blank ones before it."""
        match = re.match(rb"\s*[^\n]*\n?", self.text)
        return match[0] if match else b""

    def after(self, start: bytes) -> _Piece:
        """Return what follows its first bytes."""
        rest = self.text[len(start) :]
        return _Piece(rest, self.line + start.count(b"\n"), self.done)


@dataclass(frozen=True)
class Delimited:
    """A table whose columns stand between commas or tabs, and whose first line names them."""

    path: Path
    separator: str

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @cached_property
    def names(self) -> list[str]:
        """Names of all columns, in order.

        Raises
        ------
        FileError
            If the file is empty or damaged, or begins with a row of numbers.
        """
        heads = (_Piece(piece.head, piece.line, 0) for piece in self._pieces())
        line, row = next((each for head in heads for each in self._rows(head)), (1, []))
        if not row:
            self._refuse("an empty table", "names of columns, and rows", "Write the table again.")
        self._check_names(line, row)
        return row

    def _check_names(self, line: int, row: Sequence[str]) -> None:
        rest = row[1:]
        if len(row) == 1 and any(each in row[0] for each in "\t;,"):
            hint = "Write commas between the columns of a .csv, and tabs between those of a .tsv."
            self._refuse(f"a single column, {row[0][:60]!r}", "two or more", hint)
        if rest and all(map(_is_number, rest)) and not _counts(rest):
            hint = "Put a line before it that names each column."
            self._refuse(f"numbers in line {line} ({rest[0]}, …)", "names of columns", hint)

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, some at a time.

        Raises
        ------
        FileError
            If the file is damaged, or a cell is no number; it names the line and the column.
        """
        head = True
        for piece in self._pieces():
            rows = piece.after(piece.head) if head else piece
            head = False
            plain = self._plain(rows, columns)
            yield plain if plain is not None else self._exact(rows, columns)

    def _plain(self, piece: _Piece, columns: Columns) -> Block | None:
        """Read rows in which nothing is special; None if something is."""
        text = piece.text.replace(b"\r\n", b"\n") if b"\r" in piece.text else piece.text
        if text[:1] in (b"", b"\n") or any(each in text for each in (b'"', b"\r", b"\n\n")):
            return None
        import polars as pl

        names = {name: f"column_{n}" for n, name in enumerate(self.names, 1)}
        numbers = [names[name] for name in columns.numbers]
        texts = [names[name] for name in (columns.id, columns.tag) if name is not None]
        kinds = {name: pl.Float64 if name in {*numbers} else pl.String for name in names.values()}
        try:
            frame = pl.read_csv(
                text,
                has_header=False,
                separator=self.separator,
                quote_char=None,
                schema=kinds,
                columns=[*texts, *numbers],
            )
        except pl.exceptions.PolarsError:
            return None
        values = narrowed(frame.select(numbers).to_numpy().reshape(len(frame), -1))
        whole = text.count(self.separator.encode()) == (len(names) - 1) * len(frame)
        told = all(
            bool(frame[name].str.strip_chars().ne("").all(ignore_nulls=False)) for name in texts
        )
        if not (whole and told and np.isfinite(values).all()):
            return None
        columns_of_text = [frame[name].to_list() for name in texts]
        tags = columns_of_text[1] if len(texts) > 1 else ()
        lines = piece.line + np.arange(len(frame))
        return Block(columns_of_text[0], tags, values, lines, piece.done)

    def _exact(self, piece: _Piece, columns: Columns) -> Block:
        """Read rows one by one."""
        at = {name: n for n, name in enumerate(self.names)}
        numbers = [(name, at[name]) for name in columns.numbers]
        ids, tags, lines = list[str](), list[str](), list[int]()
        values = list[list[float]]()
        for line, row in self._rows(piece):
            if len(row) != len(at):
                hint = "Correct that line; a field with a separator in it stands between quotes."
                self._refuse(f"{len(row)} fields in line {line}", f"{len(at)}, as in line 1", hint)
            for name in (columns.id, columns.tag):
                if name is not None and not row[at[name]].strip():
                    raise no_id(self.path, f"line {line}", name)
            ids.append(row[at[columns.id]])
            tags += [] if columns.tag is None else [row[at[columns.tag]]]
            lines.append(line)
            values.append([self._number(row[n], line, name) for name, n in numbers])
        rows = narrowed(np.array(values, np.float64).reshape(len(ids), len(numbers)))
        return Block(ids, tags, rows, np.array(lines, np.int64), piece.done)

    def _number(self, cell: str, line: int, column: str) -> float:
        if not _is_number(cell):
            raise no_number(self.path, cell, f"line {line}", column)
        return float(cell)

    def _rows(self, piece: _Piece) -> Iterator[Row]:
        """Cut some text into rows; blank lines are none."""
        text = io.StringIO(self._decoded(piece), newline="")
        reader = csv.reader(text, delimiter=self.separator, strict=True)
        line = piece.line
        try:
            for row in reader:
                if row:
                    yield line, row
                line = piece.line + reader.line_num
        except csv.Error as problem:
            hint = 'Quotes within quotes are written twice (""), and each quote has to be closed.'
            self._refuse(f"{problem} in line {line}", "fields as CSV has them", hint)

    def _decoded(self, piece: _Piece) -> str:
        try:
            return piece.text.decode("utf-8")
        except UnicodeDecodeError as problem:
            line = piece.line + piece.text.count(b"\n", 0, problem.start)
            hint = "Convert it, such as with iconv -f LATIN1 -t UTF-8."
            self._refuse(f"bytes that are not UTF-8 in line {line}", "UTF-8 text", hint)

    def _pieces(self) -> Iterator[_Piece]:
        """Cut the file into pieces of whole rows."""
        rest, line, read = b"", 1, 0
        with self._opened() as (file, raw):
            while more := file.read(BLOCK_BYTES):
                held = (rest + more).removeprefix(BOM) if line == 1 else rest + more
                cut = _last_row(held, self.separator.encode())
                if len(held) - cut > LONGEST:
                    found = f"a row of more than {LONGEST >> 20} MiB in line {line}"
                    hint = "Look for a quote there that is never closed."
                    self._refuse(found, "rows that end", hint)
                rest = held[cut:]
                if cut:
                    yield _Piece(held[:cut], line, raw.tell() - read)
                    line, read = line + held.count(b"\n", 0, cut), raw.tell()
        if rest:
            yield _Piece(rest, line, 0)

    @contextmanager
    def _opened(self) -> Iterator[tuple[_Readable, IO[bytes]]]:
        """Open the file, and what of it is compressed; whatever is wrong with that is explained."""
        with readable(self.path):
            raw = self.path.open("rb")
        with raw:
            if self.path.suffix.lower() != GZ:
                yield raw, raw
                return
            try:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield file, raw
            except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
                found = f"damaged, or not compressed with gzip ({problem})"
                self._refuse(found, "a whole .gz file", "Copy or compress the file again.")

    def _refuse(self, found: str, expected: str, hint: str) -> NoReturn:
        raise FileError(self.path, found=found, expected=expected, hint=hint) from None


def _last_row(text: bytes, separator: bytes) -> int:
    """Return where the last whole row ends; a line feed between quotes ends none."""
    if _QUOTE not in text:
        return text.rfind(b"\n") + 1
    sep = re.escape(separator)
    field = rb'(?:"(?:[^"]++|"")*+"|(?!"))[^' + sep + rb"\n]*+"
    rows = re.match(rb"(?:(?:" + field + sep + rb")*+" + field + rb"\n)*+", text)
    return rows.end() if rows else 0


def _is_number(cell: str) -> bool:
    """Whether a cell is a number that is neither infinite nor NaN, also as float32."""
    try:
        return "_" not in cell and abs(float(cell)) <= float(np.finfo(np.float32).max)
    except ValueError:
        return False


def _counts(names: Sequence[str]) -> bool:
    """Whether names are those that columns get for want of better ones: 0, 1, 2, ….

    >>> _counts(["0", "1", "2"]), _counts(["0.5", "1"]), _counts(["7"])
    (True, False, False)
    """
    starts = ([str(n + start) for n in range(len(names))] for start in (0, 1))
    return any(list(names) == each for each in starts)
