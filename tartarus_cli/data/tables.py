"""Tables of the user's: CSV, TSV and Parquet, read in a streaming way; what is wrong has a line."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, FileError, RequestError, nearest, shown
from tartarus_cli.files import readable

if TYPE_CHECKING:
    import _csv

    import polars as pl

SEPARATORS = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")
TIMES = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
)

Ids = NDArray[np.object_]  # text
Codes = NDArray[np.int32]  # which id
Look = Callable[[str], str | None]  # says what is wrong with a value, if anything


@dataclass(frozen=True)
class Table:
    """A file of rows whose columns have names."""

    path: Path
    columns: tuple[str, ...]
    separator: str | None  # None: Parquet
    header: bool = True

    def scan(self) -> pl.LazyFrame:
        """Begin to read; every column of a CSV or TSV is text, those of Parquet are as written."""
        import polars as pl

        if self.separator is None:
            return pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
        return pl.scan_csv(
            self.path,
            glob=False,
            separator=self.separator,
            quote_char=_quote(self.separator),
            has_header=self.header,
            new_columns=[*self.columns],
            infer_schema=False,
        )

    def about_rows(self) -> int:
        """Return how many rows there are: exactly for Parquet, else from the first of them."""
        import polars as pl

        if self.separator is None:
            return int(self.scan().select(pl.len()).collect().item())
        with readable(self.path), self.path.open("rb") as file:
            packed = file.read(1 << 16)
        text = packed
        if self.path.suffix.lower() == ".gz":
            with suppress(zlib.error):  # told when it is read
                text = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, 1 << 20)
        lines = max(text.count(b"\n"), 1)
        return max(self.path.stat().st_size * lines // max(len(packed), 1), 1)

    def column(self, name: str, role: str, option: str) -> str:
        """Return the name of a column that the user asked for.

        Raises
        ------
        RequestError
            If there is none.
        """
        if name in self.columns:
            return name
        msg = f"{shown(self.path)} has no column {name!r} for the {role}"
        hint = f"Name it with {option}. {nearest(name, self.columns)}"
        raise RequestError(msg, hint=hint + ("" if self.header else " They are numbered from 1."))

    def guess(self, role: str, option: str, names: Sequence[str]) -> str | None:
        """Return the one column whose name can only mean this; None if there is no such name.

        Raises
        ------
        RequestError
            If there are several.
        """
        found = [name for name in self.columns if _bare(name) in names]
        if len(found) > 1:
            msg = f"the {role} of {shown(self.path)} may be in the columns {', '.join(found)}"
            raise RequestError(msg, hint=f"Say which: {option} {found[0]}")
        return found[0] if found else None

    def refuse(self, looks: Mapping[str, Look], found: str, expected: str) -> NoReturn:
        """Explain what is wrong with the rows: the first one that is bad, or else what is known.

        Parameters
        ----------
        looks
            For each column that matters, what tells a good value from a bad one.
        found, expected
            What to say where no row is to blame.

        Raises
        ------
        FileError
            Always.
        """
        if self.separator is not None:
            self._blame_line(looks)
        hint = "Correct the table, or name other columns (see --help)."
        raise FileError(self.path, found=found, expected=expected, hint=hint)

    def _blame_line(self, looks: Mapping[str, Look]) -> None:
        width = len(self.columns)
        for line, row in self._rows():
            if row == [] or not any(row):
                continue
            if len(row) > width or (len(row) < width and _lacks(self.columns, row, looks)):
                _refuse_line(self.path, line, f"{len(row)} fields", f"{width}, as in line 1")
            for name, look in looks.items():
                wrong = look(row[self.columns.index(name)])
                if wrong:
                    _refuse_line(self.path, f"{line}, column {name}", wrong, _WANTED[look])

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with opened(self.path) as file:
            reader = _reader(file, self.separator or ",")
            rows = iter(reader)
            while True:
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error as problem:
                    _refuse_line(self.path, reader.line_num, str(problem), "a row of a table")
                except UnicodeDecodeError:
                    _refuse_line(
                        self.path, f"{reader.line_num + 1} or soon after", "no UTF-8", "UTF-8 text"
                    )
                if reader.line_num > 1 or not self.header:
                    yield reader.line_num, row


def open_table(path: Path, *, header: bool = True) -> Table:
    """Read the names of a table's columns; without a header they are numbered from 1.

    The form is that of the ending: ``.csv``, ``.tsv`` (both also with ``.gz``) or ``.parquet``. In
    a TSV quotation marks are letters like any other.

    Raises
    ------
    RequestError
        If there is no such file, or its ending says no form.
    FileError
        If it is empty or damaged, or two columns have one name.
    """
    if not path.is_file():
        msg = f"there is no file {path}"
        raise RequestError(msg, hint="Name a table in CSV, TSV or Parquet.")
    if path.suffix.lower() in PARQUET:
        return Table(path, _parquet_columns(path), None)
    separator = SEPARATORS.get(Path(path.name.lower().removesuffix(".gz")).suffix)
    if separator is None:
        msg = f"{shown(path)}: its ending does not say what it is"
        hint = "Call it .csv (commas), .tsv (tabs), either with .gz if compressed, or .parquet."
        raise RequestError(msg, hint=hint)
    first = _first_row(path, separator)
    columns = first if header else [str(number) for number in range(1, 1 + len(first))]
    doubled = [name for name in columns if columns.count(name) > 1]
    if doubled:
        found = f"the column {doubled[0]!r} comes twice in line 1"
        hint = "Rename one, or say --no-header if the first line holds no names."
        raise FileError(path, found=found, expected="a name for each column", hint=hint)
    return Table(path, tuple(columns), separator, header)


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """Open text, compressed or not.

    Raises
    ------
    FileError
        If it cannot be read, or is damaged.
    """
    try:
        with readable(path):
            path.open("rb").close()
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                yield file
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        hint = "Copy or compress the file again."
        raise FileError(
            path, found=f"damaged ({problem})", expected="a whole gzip file", hint=hint
        ) from None


@contextmanager
def reading(table: Table, looks: Mapping[str, Look]) -> Iterator[None]:
    """Explain what stops a table from being read, with its line."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        told = (str(problem) or type(problem).__name__).splitlines()[0][:120]
        table.refuse(looks, f"it cannot be read ({told})", "a whole table")


def text_of(table: Table, name: str) -> pl.Expr:
    """Return a column as text, as it is written.

    Raises
    ------
    FileError
        If a Parquet file holds something else than text and whole numbers there.
    """
    import polars as pl

    kind = table.scan().collect_schema()[name] if table.separator is None else pl.String()
    texts = (pl.String, pl.Categorical, pl.Enum)
    if not (isinstance(kind, texts) or kind.is_integer()):
        hint = "Write the column as text."
        found = f"the column {name} holds {kind}"
        raise FileError(table.path, found=found, expected="ids: text, or whole numbers", hint=hint)
    return pl.col(name).cast(pl.String)


def number_of(table: Table, name: str) -> pl.Expr:
    """Return a column as numbers; null where it is none.

    Raises
    ------
    FileError
        If a Parquet file holds something else there.
    """
    import polars as pl

    kind = table.scan().collect_schema()[name] if table.separator is None else pl.String()
    if not (kind.is_numeric() or isinstance(kind, pl.String | pl.Boolean)):
        found = f"the column {name} holds {kind}"
        hint = "Write the column as numbers."
        raise FileError(table.path, found=found, expected="numbers", hint=hint)
    return pl.col(name).cast(pl.Float64, strict=False)


def time_of(table: Table, name: str) -> pl.Expr:
    """Return a column as seconds, or whatever numbers it holds; null where it is no time.

    Text may be a number, or a date and time by ISO 8601, in one form throughout.

    Raises
    ------
    FileError
        If the first row holds neither.
    """
    import polars as pl

    kind = table.scan().collect_schema()[name] if table.separator is None else pl.String()
    if kind.is_temporal():
        return pl.col(name).cast(pl.Datetime("us")).dt.timestamp("us") / 1e6
    if not isinstance(kind, pl.String):
        return number_of(table, name)
    first = table.scan().select(pl.col(name).drop_nulls().first()).collect()[name]
    if first.null_count() or first.cast(pl.Float64, strict=False).is_not_null().all():
        return number_of(table, name)
    for form in TIMES:
        if first.str.to_datetime(form, strict=False).is_not_null().all():
            return pl.col(name).str.to_datetime(form, strict=False).dt.timestamp("us") / 1e6
    return table.refuse({name: time_fault}, f"the column {name} begins with {first[0]!r}", "a time")


def coded(table: Table, looks: Mapping[str, Look], series: pl.Series) -> tuple[Ids, Codes]:
    """Give the ids of a column of categories numbers, in the order of their letters.

    Returns
    -------
    The sorted ids, and the number of the id in each row.

    Raises
    ------
    FileError
        If one cannot be an id.
    """
    import polars as pl

    seen = series.unique()
    names = seen.cast(pl.String)
    order = names.arg_sort().to_numpy()
    place = seen.to_physical().to_numpy()
    number = np.empty(int(place.max()) + 1, np.int32)
    number[place[order]] = np.arange(len(order), dtype=np.int32)
    ids = names.sort()
    if (ids.str.contains(r"[\t\n\r]") | (ids.str.strip_chars() == "")).any():
        table.refuse(looks, f"an empty {series.name}, or one with a tab or a line feed", "ids")
    return np.array(ids.to_list(), object), number[series.to_physical().to_numpy()]


def one_each(table: Table, items: Ids, item: Codes, artists: tuple[Ids, Codes]) -> Codes:
    """Return the one artist of each item.

    Raises
    ------
    DataError
        If an item has several.
    """
    names, artist = artists
    of_item = np.empty(len(items), np.int32)
    of_item[item] = artist
    others = np.flatnonzero(of_item[item] != artist)
    if others.size:
        several = np.unique(item[others])
        one = several[0]
        two = sorted({str(names[a]) for a in artist[item == one]})[:2]
        msg = (
            f"{shown(table.path)}: items with several artists, {len(several):,} in all "
            f"({items[one]!r} has {two[0]!r} and {two[1]!r})"
        )
        raise DataError(msg, hint="Write one artist for each item, or split in another way (--by).")
    return of_item


def places_of(names: Sequence[str] | Ids, ids: Ids) -> Codes:
    """Return where each name stands among sorted ids; -1 if it does not."""
    if not len(ids):
        return np.full(len(names), -1, np.int32)
    wanted = np.array(names, object)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, -1).astype(np.int32)


def id_fault(value: str) -> str | None:
    """Say why a value cannot be an id, which stands in a line of its own.

    >>> id_fault("007"), id_fault(" ")
    (None, 'no id')
    """
    if not value.strip():
        return "no id"
    return f"{value[:80]!r}" if {*value} & {"\t", "\n", "\r"} else None


def count_fault(value: str) -> str | None:
    """Say why a value cannot be a number of plays.

    >>> count_fault("3"), count_fault("-1"), count_fault("many")
    (None, "'-1'", "'many'")
    """
    try:
        fits = 0 <= float(value) < float("inf") and value == value.strip() and "_" not in value
    except ValueError:
        fits = False
    return None if fits else repr(value[:80])


def time_fault(value: str) -> str | None:
    """Say why a value can be no time.

    >>> time_fault("1241472000"), time_fault("2009-05-04"), time_fault("4/5/09")
    (None, None, "'4/5/09'")
    """
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return count_fault(value.removeprefix("-"))
    return None


def bit_fault(value: str) -> str | None:
    """Say why a value tells not whether an item has a label."""
    return None if value in ("0", "1", "0.0", "1.0") else repr(value[:80])


_WANTED: dict[Look, str] = {
    id_fault: "an id: text without tab and line feed",
    count_fault: "a number of plays, 0 or more",
    bit_fault: "0 or 1",
    time_fault: "seconds, or a date and time such as 2009-05-04T23:08:57, in one form",
}


def _lacks(columns: Sequence[str], row: Sequence[str], looks: Mapping[str, Look]) -> bool:
    return any(columns.index(name) >= len(row) for name in looks)


def _refuse_line(path: Path, line: int | str, found: str, expected: str) -> NoReturn:
    hint = "Correct that line, or name other columns (see --help)."
    raise FileError(path, found=f"line {line}: {found}", expected=expected, hint=hint) from None


def _first_row(path: Path, separator: str) -> list[str]:
    with opened(path) as file:
        try:
            first: list[str] = next(_reader(file, separator), [])
        except UnicodeDecodeError:
            _refuse_line(path, 1, "no UTF-8", "UTF-8 text")
        except csv.Error as problem:
            _refuse_line(path, 1, str(problem), "a row of a table")
    if not any(first):
        hint = "The first line names the columns."
        raise FileError(path, found="an empty first line", expected="a table", hint=hint)
    return first


def _reader(file: IO[str], separator: str) -> _csv.Reader:
    quoted = _quote(separator) is not None
    return csv.reader(
        file, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )


def _quote(separator: str) -> str | None:
    return None if separator == "\t" else '"'


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import polars as pl

    try:
        with readable(path):
            path.open("rb").close()
        return tuple(pl.scan_parquet(path, glob=False).collect_schema().names())
    except pl.exceptions.PolarsError as problem:
        told = str(problem).splitlines()[0][:120]
        hint = "Copy or write the file again."
        raise FileError(
            path, found=f"damaged, or no Parquet ({told})", expected="Parquet", hint=hint
        ) from None


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
