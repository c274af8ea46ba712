"""Tables of text: CSV and TSV, with or without gzip.

A field of a CSV may stand between quotes; in a TSV quotes are letters like any other.

What is plain (a line for each row, as many fields in each, numbers where they should be) is read by
polars. Whatever is not goes through Python's ``csv``, ten times slower, which knows the line that
something is wrong in.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.blocks import Block, Columns, no_number, no_text, no_time
from tartarus_cli.data.tables.times import Clock
from tartarus_cli.errors import FileError
from tartarus_cli.files import readable

if TYPE_CHECKING:
    import polars as pl

    from tartarus_cli.data.tables.rows import RowEnds

BLOCK_BYTES = 8 << 20  # of text that is read at once
LONGEST = 64 << 20  # bytes of a row
BOM = b"\xef\xbb\xbf"
GZ = ".gz"
TRUTH = {"true": 1.0, "false": 0.0}


class _Readable(Protocol):
    """A file, or what a compressed one holds."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""


Row = tuple[int, list[str]]  # its line, counted from 1, and its fields
Wrong = Callable[[Path, str, str, str], FileError]  # of a path, a cell, its place and its column


@dataclass(frozen=True)
class _Piece:
    """Whole rows of a file, as they are in it."""

    text: bytes
    line: int  # number of its first line
    ends: int  # of lines
    done: int  # bytes of the file that were read for it
    quoted: RowEnds | None = None  # its rows, where there are quotes

    @property
    def head(self) -> bytes:
        """The first line that is not blank, and the blank ones before it."""
        match = re.match(rb"\s*[^\n]*\n?", self.text)
        return match[0] if match else b""

    def after(self, start: bytes) -> _Piece:
        """Return what follows its first bytes."""
        ends = start.count(b"\n")
        text, line = self.text[len(start) :], self.line + ends
        return _Piece(text, line, self.ends - ends, self.done, self.quoted)


@dataclass(frozen=True)
class Delimited:
    """A table whose columns stand between commas or tabs."""

    path: Path
    separator: str
    header: bool = True  # whether the first line names the columns; else they are numbered from 1

    @property
    def noun(self) -> str:
        """What a place in it is called."""
        return "line"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @property
    def _quote(self) -> str | None:
        return None if self.separator == "\t" else '"'

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order.

        Raises
        ------
        FileError
            If the file is empty or damaged, or has a single column that should be several.
        """
        heads = (_Piece(piece.head, piece.line, 0, 0) for piece in self._pieces())
        row = next((row for head in heads for _, row in self._rows(head)), [])
        if not row:
            self._refuse("an empty table", "names of columns, and rows", "Write the table again.")
        if len(row) == 1 and any(each in row[0] for each in "\t;,"):
            hint = "Write commas between the columns of a .csv, and tabs between those of a .tsv."
            self._refuse(f"a single column, {row[0][:60]!r}", "two or more", hint)
        return tuple(row if self.header else map(str, range(1, 1 + len(row))))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, some at a time.

        Raises
        ------
        FileError
            If the file is damaged, or a cell is not what it is read as; it names line and column.
        """
        clocks = {name: Clock() for name in columns.times}
        head = self.header
        for piece in self._pieces():
            rows = piece.after(piece.head) if head else piece
            head = head and not piece.head.strip()
            plain = self._plain(rows, columns, clocks)
            yield plain if plain is not None else self._exact(rows, columns, clocks)

    def _plain(self, piece: _Piece, columns: Columns, clocks: Mapping[str, Clock]) -> Block | None:
        """Read rows in which nothing is special; None if something is."""
        text = piece.text.replace(b"\r\n", b"\n") if b"\r" in piece.text else piece.text
        if text[:1] in (b"", b"\n") or text.startswith(BOM) or b"\r" in text:
            return None
        if not self._is_regular(piece, text, columns):
            return None
        frame = self._frame(text, columns, quoted=piece.quoted is not None)
        if frame is None or len(frame) != piece.ends + (text[-1:] != b"\n"):
            return None
        numbers = [frame[name].to_numpy() for name in columns.numbers]
        times = [clocks[name].read(frame[name]) for name in columns.times]
        values = _side_by_side([*numbers, *times], len(frame))
        texts = tuple(frame[name] for name in columns.texts)
        if columns.empty:
            texts = tuple(each.fill_null("") for each in texts)
        if any(each.null_count() for each in texts) or not np.isfinite(values).all():
            return None
        return Block(texts, values, piece.line + np.arange(len(frame)), piece.done)

    def _frame(self, text: bytes, columns: Columns, *, quoted: bool) -> pl.DataFrame | None:
        """Read the columns that matter; None if polars cannot."""
        import polars as pl

        kinds = dict.fromkeys(columns.numbers, pl.Float64)
        at = {name: f"column_{n + 1}" for name, n in self._places.items()}
        wanted = [*columns.texts, *columns.numbers, *columns.times]
        try:
            frame = pl.read_csv(
                text,
                has_header=False,
                separator=self.separator,
                quote_char='"' if quoted else None,
                schema={at[name]: kinds.get(name, pl.String) for name in self.names},
                columns=[at[name] for name in wanted],
            )
        except pl.exceptions.PolarsError:
            return None
        return frame.select(pl.col(at[name]).alias(name) for name in wanted)

    def _is_regular(self, piece: _Piece, text: bytes, columns: Columns) -> bool:
        """Whether each line is a row of as many fields as there are columns.

        Of a table whose columns are all read, polars refuses rows that are too long, and lets the
        last field of those that are too short be missing; of others it looks at no row as a whole.
        """
        if piece.quoted is not None:
            return piece.quoted.fields == len(self.names)
        if len(columns.texts) + len(columns.numbers) + len(columns.times) == len(self.names):
            return True
        from tartarus_cli.data.tables.rows import find_rows

        ended = text if text.endswith(b"\n") else text + b"\n"
        return find_rows(ended, self.separator, None).fields == len(self.names)

    def _exact(self, piece: _Piece, columns: Columns, clocks: Mapping[str, Clock]) -> Block:
        """Read rows one by one; raise an error at what is not as it should be."""
        import polars as pl

        rows = [*self._rows(piece)]
        lines = np.array([self._whole(line, row) for line, row in rows], np.int64)

        def read(name: str, fits: Callable[[str], object], wrong: Wrong) -> pl.Series:
            at = self._places[name]
            cells = pl.Series(name, [row[at] for _, row in rows], pl.String)
            self._require([bool(fits(cell)) for cell in cells], cells, lines, wrong)
            return cells

        there = (lambda _: True) if columns.empty else str.strip
        texts = [read(name, there, no_text) for name in columns.texts]
        refuse = partial(no_number, leave_out=columns.leave_out)
        numbers = [read(name, _is_number, refuse) for name in columns.numbers]
        times = [read(name, str.strip, no_time) for name in columns.times]
        values = [np.array([*map(_number, each)], np.float64) for each in numbers]
        for each in times:
            values.append(clocks[each.name].read(each))
            self._require(np.isfinite(values[-1]).tolist(), each, lines, no_time)
        return Block(tuple(texts), _side_by_side(values, len(rows)), lines, piece.done)

    def _whole(self, line: int, row: Sequence[str]) -> int:
        if len(row) != len(self.names):
            hint = "Correct that line; a field with a separator in it stands between quotes."
            expected = f"{len(self.names)}, as in line 1"
            self._refuse(f"{len(row)} fields in line {line}", expected, hint)
        return line

    def _require(
        self, fits: list[bool], cells: pl.Series, lines: NDArray[np.int64], wrong: Wrong
    ) -> None:
        if not all(fits):
            row = fits.index(False)
            raise wrong(self.path, cells[row], f"line {lines[row]}", cells.name)

    def _rows(self, piece: _Piece) -> Iterator[Row]:
        """Cut some text into rows; blank lines are none."""
        text = io.StringIO(self._decoded(piece), newline="\n")
        reader = csv.reader(
            text,
            delimiter=self.separator,
            quoting=csv.QUOTE_NONE if self._quote is None else csv.QUOTE_MINIMAL,
            strict=True,
        )
        line = piece.line
        try:
            for row in reader:
                if row:
                    yield line, row
                line = piece.line + reader.line_num
        except csv.Error as problem:
            if "new-line" in str(problem):
                hint = "Write a line feed at the end of each line."
                self._refuse(f"a carriage return in line {line}", "line feeds between rows", hint)
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
                quoted = self._quoted_rows(held)
                cut = held.rfind(b"\n") + 1 if quoted is None else quoted.end
                if len(held) - cut > LONGEST:
                    found = f"a row of more than {LONGEST >> 20} MiB in line {line}"
                    hint = "Look for a quote there that is never closed."
                    self._refuse(found, "rows that end", hint)
                rest = held[cut:]
                if cut:
                    text = held[:cut]
                    ends = _count(text, "\n")
                    yield _Piece(text, line, ends, raw.tell() - read, quoted)
                    line, read = line + ends, raw.tell()
        if rest:
            yield _Piece(rest, line, _count(rest, "\n"), 0, self._quoted_rows(rest + b"\n"))

    def _quoted_rows(self, text: bytes) -> RowEnds | None:
        if self._quote is None or self._quote.encode() not in text:
            return None
        from tartarus_cli.data.tables.rows import find_rows

        return find_rows(text, self.separator, self._quote)

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


def _count(text: bytes, letter: str) -> int:
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(letter)))


def _side_by_side(values: Sequence[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.column_stack(values) if values else np.empty((rows, 0))


def _is_number(cell: str) -> bool:
    return _number(cell) is not None


def _number(cell: str) -> float | None:
    """Return a number that is neither infinite nor NaN; True and False are 1 and 0."""
    if cell.lower() in TRUTH:
        return TRUTH[cell.lower()]
    try:
        number = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
