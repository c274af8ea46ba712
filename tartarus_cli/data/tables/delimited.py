"""Tables of text: CSV and TSV, compressed or not, in UTF-8 or another encoding.

A field of a CSV may stand between quotes; in a TSV quotes are characters like any other, unless
all names in its first line stand between quotes, as R writes it.

Regular rows (one line each, as many fields in each, numbers where they should be) are read by
polars. All others go through Python's ``csv``, ten times slower, which knows the line of an error.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.blocks import Block, Columns, number_error, text_error, time_error
from tartarus_cli.data.tables.times import Clock
from tartarus_cli.encodings import encoding_error, nul_error, open_utf8
from tartarus_cli.errors import FileError
from tartarus_cli.files import readable

if TYPE_CHECKING:
    import polars as pl

    from tartarus_cli.data.tables.rows import RowEnds

BLOCK_BYTES = 8 << 20
"""Bytes of text that are read at once."""
LONGEST_ROW = 64 << 20
"""Bytes of the longest row that is read."""
HEAD_BYTES = 1 << 20
"""First bytes in which the names of all columns of a TSV are looked for."""
BOM = b"\xef\xbb\xbf"
TABLE = "a table: CSV or TSV"
"""What a file should hold, for messages."""
BOOLEANS = {"true": 1.0, "false": 0.0}


class _Readable(Protocol):
    """A file, or the content of a compressed one."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""


NumberedRow = tuple[int, list[str]]
"""The line of a row, counted from 1, and its fields."""
CellError = Callable[[Path, str, str, str], FileError]
"""Makes the error of a cell from the path, the cell, its place and its column."""


@dataclass(frozen=True)
class _Chunk:
    """Whole rows of a file, as they are in it."""

    text: bytes
    first_line: int
    line_feeds: int
    size: int
    """Bytes of the file that were read for it."""
    quoted: RowEnds | None = None
    """Its rows, where there are quotes."""

    @property
    def head(self) -> bytes:
        """The first line that is not empty, and the empty ones before it."""
        match = re.match(rb"\s*[^\n]*\n?", self.text)
        return match[0] if match else b""

    def after(self, start: bytes) -> _Chunk:
        """Return what follows its first bytes."""
        line_feeds = start.count(b"\n")
        return _Chunk(
            self.text[len(start) :],
            self.first_line + line_feeds,
            self.line_feeds - line_feeds,
            self.size,
            self.quoted,
        )


@dataclass(frozen=True)
class Delimited:
    """A table whose columns stand between commas or tabs."""

    path: Path
    separator: str
    header: bool = True
    """Whether the first line names the columns; else they are numbered from 1."""
    encoding: str | None = None
    """Its encoding, if it has no byte-order mark; None: UTF-8."""

    @property
    def noun(self) -> str:
        """What the place of a row is called in messages."""
        return "line"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @cached_property
    def _quote(self) -> str | None:
        if self.separator != "\t":
            return '"'
        with self._open() as (file, _):
            start = file.read(HEAD_BYTES).removeprefix(BOM).lstrip(b"\r\n")
        names = start.partition(b"\n")[0].rstrip(b"\r").split(b"\t")
        return '"' if all(map(_is_quoted, names)) else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order.

        Raises
        ------
        FileError
            If the file is empty or damaged, or has a single column that should be several.
        """
        heads = (_Chunk(chunk.head, chunk.first_line, 0, 0) for chunk in self._chunks())
        row = next((row for head in heads for _, row in self._rows(head)), [])
        if not row:
            self._refuse("an empty table", "names of columns, and rows", "Write the table again.")
        if len(row) == 1 and any(separator in row[0] for separator in "\t;,"):
            hint = "Write commas between the columns of a .csv, and tabs between those of a .tsv."
            self._refuse(f"a single column, {row[0][:60]!r}", "two or more", hint)
        return tuple(row if self.header else map(str, range(1, 1 + len(row))))

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, some at a time.

        Raises
        ------
        FileError
            If the file is damaged, or a cell is not what it is read as; it names line and column.
        """
        clocks = {name: Clock() for name in columns.times}
        expect_head = self.header
        for chunk in self._chunks():
            rows = chunk.after(chunk.head) if expect_head else chunk
            expect_head = expect_head and not chunk.head.strip()
            block = self._read_fast(rows, columns, clocks)
            yield block if block is not None else self._read_exactly(rows, columns, clocks)

    def _read_fast(
        self, chunk: _Chunk, columns: Columns, clocks: Mapping[str, Clock]
    ) -> Block | None:
        """Read regular rows; None if one is not regular."""
        text = chunk.text.replace(b"\r\n", b"\n") if b"\r" in chunk.text else chunk.text
        if text[:1] in (b"", b"\n") or text.startswith(BOM) or b"\r" in text:
            return None
        if not self._is_regular(chunk, text, columns):
            return None
        frame = self._frame(text, columns, quoted=chunk.quoted is not None)
        if frame is None or len(frame) != chunk.line_feeds + (text[-1:] != b"\n"):
            return None
        numbers = [frame[name].to_numpy() for name in columns.numbers]
        times = [clocks[name].read(frame[name]) for name in columns.times]
        values = _stack_columns([*numbers, *times], len(frame))
        texts = tuple(frame[name] for name in columns.texts)
        if columns.allow_empty:
            texts = tuple(column.fill_null("") for column in texts)
        if any(column.null_count() for column in texts) or not np.isfinite(values).all():
            return None
        lines = chunk.first_line + np.arange(len(frame))
        return Block(texts, values, lines, chunk.size, _are_dates(clocks))

    def _frame(self, text: bytes, columns: Columns, *, quoted: bool) -> pl.DataFrame | None:
        """Read the selected columns; None if polars cannot."""
        import polars as pl

        types = dict.fromkeys(columns.numbers, pl.Float64)
        labels = {name: f"column_{n + 1}" for name, n in self._positions.items()}
        selected = [*columns.texts, *columns.numbers, *columns.times]
        try:
            frame = pl.read_csv(
                text,
                has_header=False,
                separator=self.separator,
                quote_char='"' if quoted else None,
                schema={labels[name]: types.get(name, pl.String) for name in self.names},
                columns=[labels[name] for name in selected],
            )
        except pl.exceptions.PolarsError:
            return None
        return frame.select(pl.col(labels[name]).alias(name) for name in selected)

    def _is_regular(self, chunk: _Chunk, text: bytes, columns: Columns) -> bool:
        """Whether each line is a row of as many fields as there are columns.

        Of a table whose columns are all read, polars refuses rows that are too long, and lets the
        last field of those that are too short be missing; of others it looks at no row as a whole.
        """
        if chunk.quoted is not None:
            return chunk.quoted.fields == len(self.names)
        if len(columns.texts) + len(columns.numbers) + len(columns.times) == len(self.names):
            return True
        from tartarus_cli.data.tables.rows import find_rows

        complete = text if text.endswith(b"\n") else text + b"\n"
        return find_rows(complete, self.separator, None).fields == len(self.names)

    def _read_exactly(self, chunk: _Chunk, columns: Columns, clocks: Mapping[str, Clock]) -> Block:
        """Read rows one by one; raise an error at a row or a cell that is not as it should be."""
        import polars as pl

        rows = [*self._rows(chunk)]
        for line, row in rows:
            self._check_length(line, row)
        lines = np.array([line for line, _ in rows], np.int64)

        def read(name: str, fits: Callable[[str], object], error: CellError) -> pl.Series:
            position = self._positions[name]
            cells = pl.Series(name, [row[position] for _, row in rows], pl.String)
            self._require([bool(fits(cell)) for cell in cells], cells, lines, error)
            return cells

        fits_text = (lambda _: True) if columns.allow_empty else str.strip
        texts = [read(name, fits_text, text_error) for name in columns.texts]
        error = partial(number_error, exclude_parameter=columns.exclude_parameter)
        numbers = [read(name, _is_number, error) for name in columns.numbers]
        times = [read(name, str.strip, time_error) for name in columns.times]
        values = [np.array([*map(_number, cells)], np.float64) for cells in numbers]
        for cells in times:
            values.append(clocks[cells.name].read(cells))
            self._require(np.isfinite(values[-1]).tolist(), cells, lines, time_error)
        stacked = _stack_columns(values, len(rows))
        return Block(tuple(texts), stacked, lines, chunk.size, _are_dates(clocks))

    def _check_length(self, line: int, row: Sequence[str]) -> None:
        if len(row) != len(self.names):
            expected = f"{len(self.names)}, as in line 1"
            hint = "Correct that line; write a field that holds a separator between quotes, and "
            hint += "numbers without separators of thousands."
            if self.header and len(row) == len(self.names) + 1:
                hint += " If its first field is a name or number of the row, as R writes it, write "
                hint += "the table without them (in R with row.names = FALSE), or name that column "
                hint += "in line 1 too."
            self._refuse(f"{len(row)} fields in line {line}", expected, hint)

    def _require(
        self, fits: list[bool], cells: pl.Series, lines: NDArray[np.int64], error: CellError
    ) -> None:
        if not all(fits):
            row = fits.index(False)
            raise error(self.path, cells[row], f"line {lines[row]}", cells.name)

    def _rows(self, chunk: _Chunk) -> Iterator[NumberedRow]:
        """Cut some text into rows; empty lines are none."""
        text = io.StringIO(self._decode(chunk), newline="\n")
        # Fields of any length, as far as rows are read; the limit holds for the whole process.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * LONGEST_ROW))
        reader = csv.reader(
            text,
            delimiter=self.separator,
            quoting=csv.QUOTE_NONE if self._quote is None else csv.QUOTE_MINIMAL,
            strict=True,
        )
        line = chunk.first_line
        try:
            for row in reader:
                if row:
                    yield line, row
                line = chunk.first_line + reader.line_num
        except csv.Error as problem:
            if "new-line" in str(problem):
                hint = "Write a line feed at the end of each line."
                self._refuse(f"a carriage return in line {line}", "line feeds between rows", hint)
            hint = 'Write quotes within quotes twice (""; in R with qmethod = "double"), and close '
            hint += "each quote."
            self._refuse(f"{problem} in line {line}", "fields as CSV has them", hint)

    def _decode(self, chunk: _Chunk) -> str:
        try:
            return chunk.text.decode("utf-8")
        except UnicodeDecodeError as problem:
            line = chunk.first_line + chunk.text.count(b"\n", 0, problem.start)
            raise encoding_error(self.path, line, "utf-8", selectable=True) from None

    def _chunks(self) -> Iterator[_Chunk]:
        """Cut the file into chunks of whole rows."""
        unfinished, line, offset = b"", 1, 0
        with self._open() as (file, raw):
            while more := file.read(BLOCK_BYTES):
                self._refuse_nul(more, line, unfinished)
                text = unfinished + more
                text = text.removeprefix(BOM) if line == 1 else text
                quoted = self._quoted_rows(text)
                cut = text.rfind(b"\n") + 1 if quoted is None else quoted.end
                if len(text) - cut > LONGEST_ROW:
                    found = f"a row of more than {LONGEST_ROW >> 20} MiB in line {line}"
                    hint = "Look in that line for a quote that is never closed."
                    self._refuse(found, "rows that end", hint)
                unfinished = text[cut:]
                if cut:
                    rows = text[:cut]
                    line_feeds = _count_bytes(rows, "\n")
                    yield _Chunk(rows, line, line_feeds, raw.tell() - offset, quoted)
                    line, offset = line + line_feeds, raw.tell()
        if unfinished:
            quoted = self._quoted_rows(unfinished + b"\n")
            yield _Chunk(unfinished, line, _count_bytes(unfinished, "\n"), 0, quoted)

    def _refuse_nul(self, block: bytes, line: int, unfinished: bytes) -> None:
        if b"\0" in block:
            line += unfinished.count(b"\n") + block.count(b"\n", 0, block.index(b"\0"))
            raise nul_error(self.path, block, line, selectable=True)

    def _quoted_rows(self, text: bytes) -> RowEnds | None:
        if self._quote is None or self._quote.encode() not in text:
            return None
        from tartarus_cli.data.tables.rows import find_rows

        return find_rows(text, self.separator, self._quote)

    @contextmanager
    def _open(self) -> Iterator[tuple[_Readable, IO[bytes]]]:
        """Open the file for its text in UTF-8 and for its own bytes; explain a damaged one."""
        with readable(self.path), open_utf8(self.path, TABLE, self.encoding) as (file, raw):
            yield file, raw

    def _refuse(self, found: str, expected: str, hint: str) -> NoReturn:
        raise FileError(self.path, found=found, expected=expected, hint=hint) from None


def _count_bytes(text: bytes, character: str) -> int:
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(character)))


def _are_dates(clocks: Mapping[str, Clock]) -> bool:
    return any(clock.reads_dates for clock in clocks.values())


def _stack_columns(values: Sequence[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.column_stack(values) if values else np.empty((rows, 0))


def _is_quoted(name: bytes) -> bool:
    return len(name) > 1 and name.startswith(b'"') and name.endswith(b'"')


def _is_number(cell: str) -> bool:
    return _number(cell) is not None


def _number(cell: str) -> float | None:
    """Return a number that is neither infinite nor NaN; True and False are 1 and 0."""
    if cell.lower() in BOOLEANS:
        return BOOLEANS[cell.lower()]
    try:
        number = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
