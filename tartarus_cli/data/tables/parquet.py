"""Tables in Parquet files: numbers in columns of their own, or vectors in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.blocks import Block, Columns, number_error, text_error, time_error
from tartarus_cli.data.tables.parts import part_files
from tartarus_cli.data.tables.times import Clock, seconds
from tartarus_cli.errors import FileError, parameter
from tartarus_cli.files import open_regular, readable

if TYPE_CHECKING:
    import polars as pl

BLOCK_ROWS = 4096
"""Rows of a block that has vectors."""
BLOCK_CELLS = 1 << 18
"""Cells of a block that has none."""


@dataclass(frozen=True)
class Parquet:
    """A table in a Parquet file, or in a folder of them, whose rows are counted through."""

    path: Path
    rows: tuple[int, int] | None = None
    """The first row to read, counted from 0, and the one after the last; None: all are read."""

    @cached_property
    def _types(self) -> Mapping[str, pl.DataType]:
        """Type of each column."""
        with self._explain_damage():
            return self._scan().collect_schema()

    @property
    def noun(self) -> str:
        """What the place of a row is called in messages."""
        return "row"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(self._types)

    @cached_property
    def size(self) -> int:
        """Rows of the table."""
        import polars as pl

        with self._explain_damage():
            return int(self._scan().select(pl.len()).collect().item())

    def _scan(self) -> pl.LazyFrame:
        import polars as pl

        table = pl.scan_parquet(part_files(self.path), glob=False, hive_partitioning=False)
        if self.rows is None:
            return table
        start, end = self.rows
        return table.slice(start, end - start)

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, some at a time.

        Raises
        ------
        FileError
            If the file is damaged, ids are neither text nor integers, other columns neither numbers
            nor vectors, a value is missing or infinite, or vectors differ in length.
        """
        self._check(columns)
        first, lengths = 1 + (self.rows[0] if self.rows else 0), dict[str, int]()
        clocks = {name: Clock() for name in columns.times}
        for frame in self._frames(columns):
            texts = tuple(self._text(frame[name], first, columns) for name in columns.texts)
            values = [
                self._numbers(frame[name], first, lengths, columns.exclude_parameter)
                for name in columns.numbers
            ]
            values += [self._times(frame[name], clocks[name], first) for name in columns.times]
            matrix = np.hstack(values) if values else np.empty((len(frame), 0))
            lines = np.arange(first, first + len(frame))
            dates = any(self._types[name].is_temporal() for name in columns.times)
            dates |= any(clock.reads_dates for clock in clocks.values())
            yield Block(texts, matrix, lines, len(frame), dates)
            first += len(frame)

    def _check(self, columns: Columns) -> None:
        numbers = "numbers, or vectors of numbers" if columns.vectors else "numbers"
        selections = (
            (columns.texts, _is_text, "text or integers"),
            (columns.numbers, _is_features if columns.vectors else _is_number, numbers),
            (columns.times, _is_time, "times, numbers or text"),
        )
        for names, fits, expected in selections:
            for name in names:
                if not fits(self._types[name]):
                    hint = "Convert the column, or name another one."
                    if name in columns.numbers and columns.exclude_parameter:
                        exclude = parameter(columns.exclude_parameter, [name])
                        hint = f"Convert the column, or leave it out: {exclude}"
                    self._refuse(f"column {name!r} of type {self._types[name]}", expected, hint)

    def _frames(self, columns: Columns) -> Iterator[pl.DataFrame]:
        names = [*columns.texts, *columns.numbers, *columns.times]
        wide = any(_is_vector(self._types[name]) for name in names)
        rows = BLOCK_ROWS if wide else max(BLOCK_CELLS // len(names), 64)
        with self._explain_damage():
            scanned = self._scan().select(names)
            yield from scanned.collect_batches(chunk_size=rows, maintain_order=True)

    def _text(self, column: pl.Series, first: int, columns: Columns) -> pl.Series:
        import polars as pl

        texts = column.cast(pl.String)
        if columns.allow_empty:
            return texts.fill_null("")
        if texts.null_count():
            row = int(texts.is_null().to_numpy().argmax())
            raise text_error(self.path, "", f"row {first + row}", column.name)
        return texts

    def _times(self, column: pl.Series, clock: Clock, first: int) -> NDArray[np.float64]:
        """Return a column of times as seconds, ``(rows, 1)``."""
        import polars as pl

        kind = column.dtype
        if not (kind == pl.String or kind.is_temporal()):
            return self._numbers(column, first, {}, "")
        times = clock.read(column) if kind == pl.String else seconds(column)
        if not np.isfinite(times).all():
            row = int(np.isfinite(times).argmin())
            cell = "" if column[row] is None else str(column[row])
            raise time_error(self.path, cell, f"row {first + row}", column.name)
        return times[:, None]

    def _numbers(
        self, column: pl.Series, first: int, lengths: dict[str, int], exclude_parameter: str
    ) -> NDArray[np.float64]:
        """Return a column of numbers, ``(rows, 1)``, or of vectors, ``(rows, length)``."""
        import polars as pl

        if not _is_vector(column.dtype):
            values = np.asarray(column.cast(pl.Float64).to_numpy())
            finite = np.isfinite(values)
            if not finite.all():
                row = int(finite.argmin())
                cell = "" if column[row] is None else str(column[row])
                where = f"row {first + row}"
                raise number_error(self.path, cell, where, column.name, exclude_parameter)
            return values[:, None]
        lists = column.cast(pl.List(pl.Float64))
        self._check_lengths(lists, first, lengths)
        values = np.asarray(lists.explode().to_numpy().reshape(len(lists), -1))
        finite = np.asarray(np.isfinite(values).all(axis=1))
        if not finite.all():
            found = f"a missing or infinite number in row {first + int(finite.argmin())}"
            found += f", column {column.name!r}"
            self._refuse(found, "finite numbers", "Compute that row again, or delete it.")
        return values

    def _check_lengths(self, lists: pl.Series, first: int, lengths: dict[str, int]) -> None:
        """Make sure that all vectors of a column are as long as its first one."""
        row_lengths = lists.list.len().fill_null(0).to_numpy()
        length = lengths.setdefault(lists.name, int(row_lengths[0]) if len(row_lengths) else 0)
        wrong = np.asarray((row_lengths != length) | (row_lengths == 0))
        if wrong.any():
            row = int(wrong.argmax())
            found = f"a vector of {row_lengths[row]:,}" if row_lengths[row] else "no vector"
            found += f" in row {first + row}, column {lists.name!r}"
            expected = f"{length:,} numbers, as in row 1" if length else "a vector in each row"
            self._refuse(found, expected, "Correct that row, or delete it.")

    @contextmanager
    def _explain_damage(self) -> Iterator[None]:
        """Explain what is wrong with the file as a whole."""
        import polars as pl

        for part in part_files(self.path):
            with readable(part), open_regular(part):
                pass
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
            found = f"damaged, or no Parquet file ({str(problem).splitlines()[0][:120]})"
            self._refuse(found, "a table in Parquet format", "Copy or write the file again.")

    def _refuse(self, found: str, expected: str, hint: str) -> NoReturn:
        raise FileError(self.path, found=found, expected=expected, hint=hint) from None


def _is_text(kind: pl.DataType) -> bool:
    import polars as pl

    return kind.is_integer() or kind in (pl.String, pl.Categorical, pl.Enum)


def _is_number(kind: pl.DataType) -> bool:
    import polars as pl

    return kind.is_numeric() or kind == pl.Boolean


def _is_features(kind: pl.DataType) -> bool:
    return _is_number(kind) or _is_vector(kind)


def _is_time(kind: pl.DataType) -> bool:
    import polars as pl

    return kind in (pl.String, pl.Date, pl.Datetime) or kind.is_numeric()


def _is_vector(kind: pl.DataType) -> bool:
    import polars as pl

    return isinstance(kind, pl.List | pl.Array) and _is_number(_inner(kind))


def _inner(kind: Any) -> pl.DataType:
    inner: pl.DataType = kind.inner
    return inner
