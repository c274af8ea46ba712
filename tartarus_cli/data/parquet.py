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

from tartarus_cli.data.blocks import Block, Columns, narrowed, no_id, no_number
from tartarus_cli.errors import FileError
from tartarus_cli.files import readable

if TYPE_CHECKING:
    import polars as pl

BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Parquet:
    """A table in a Parquet file."""

    path: Path

    @cached_property
    def _kinds(self) -> Mapping[str, pl.DataType]:
        """What each column holds."""
        import polars as pl

        with self._explained():
            return pl.scan_parquet(self.path, glob=False).collect_schema()

    @property
    def names(self) -> list[str]:
        """Names of all columns, in order."""
        return list(self._kinds)

    @cached_property
    def size(self) -> int:
        """Rows of the table."""
        import polars as pl

        with self._explained():
            scanned = pl.scan_parquet(self.path, glob=False)
            return int(scanned.select(pl.len()).collect().item())

    def check(self, columns: Columns) -> None:
        """Make sure that each column holds what it is read for.

        Raises
        ------
        FileError
            If ids are neither text nor integers, or other columns neither numbers nor vectors.
        """
        for name in (columns.id, columns.tag):
            if name is not None and not _is_text(self._kinds[name]):
                found = f"column {name!r} of type {self._kinds[name]}"
                self._refuse(found, "text or integers", "Write it as text.")
        for name in columns.numbers:
            kind = self._kinds[name]
            if not (_is_number(kind) or (columns.tag is None and _is_vector(kind))):
                found = f"column {name!r} of type {kind}"
                hint = f"Leave the column out: --without {name!r}"
                self._refuse(found, "numbers, or vectors of numbers", hint)

    def blocks(self, columns: Columns) -> Iterator[Block]:
        """Read all rows, some at a time.

        Raises
        ------
        FileError
            If the file is damaged, a value is missing or infinite, or vectors differ in length.
        """
        first, lengths = 1, dict[str, int]()
        for frame in self._frames(columns):
            ids = self._texts(frame, columns.id, first)
            tags = () if columns.tag is None else self._texts(frame, columns.tag, first)
            parts = [self._column(frame[name], first, lengths) for name in columns.numbers]
            values = np.hstack(parts) if parts else np.empty((len(frame), 0), np.float32)
            yield Block(ids, tags, values, np.arange(first, first + len(frame)), len(frame))
            first += len(frame)

    def _frames(self, columns: Columns) -> Iterator[pl.DataFrame]:
        import polars as pl

        names = [n for n in (columns.id, columns.tag, *columns.numbers) if n is not None]
        with self._explained():
            scanned = pl.scan_parquet(self.path, glob=False).select(names)
            yield from scanned.collect_batches(chunk_size=BLOCK_ROWS, maintain_order=True)

    def _texts(self, frame: pl.DataFrame, name: str, first: int) -> list[str]:
        import polars as pl

        texts = frame[name].cast(pl.String)
        told = texts.str.strip_chars().ne("").fill_null(value=False).to_numpy()
        if not told.all():
            raise no_id(self.path, f"row {first + int(told.argmin()):,}", name)
        return texts.to_list()

    def _column(
        self, column: pl.Series, first: int, lengths: dict[str, int]
    ) -> NDArray[np.float32]:
        """Return a column of numbers, ``(rows, 1)``, or of vectors, ``(rows, length)``."""
        import polars as pl

        if not _is_vector(column.dtype):
            values = narrowed(column.cast(pl.Float64).to_numpy())
            finite = np.isfinite(values)
            if not finite.all():
                row = int(finite.argmin())
                cell = "" if column[row] is None else str(column[row])
                raise no_number(self.path, cell, f"row {first + row:,}", column.name)
            return values[:, None]
        lists = column.cast(pl.List(pl.Float64))
        self._check_lengths(lists, first, lengths)
        values = narrowed(lists.explode().to_numpy().reshape(len(lists), -1))
        finite = np.asarray(np.isfinite(values).all(axis=1))
        if not finite.all():
            found = f"a missing or infinite number in row {first + int(finite.argmin()):,}"
            found += f", column {column.name!r}"
            self._refuse(found, "finite numbers", "Compute that row again, or delete it.")
        return values

    def _check_lengths(self, lists: pl.Series, first: int, lengths: dict[str, int]) -> None:
        found = lists.list.len().fill_null(0).to_numpy()
        length = lengths.setdefault(lists.name, int(found[0]) if len(found) else 0)
        wrong = np.asarray((found != length) | (found == 0))
        if wrong.any():
            row = int(wrong.argmax())
            told = f"a vector of {found[row]:,}" if found[row] else "no vector"
            told += f" in row {first + row:,}, column {lists.name!r}"
            expected = f"{length:,} numbers, as in row 1" if length else "a vector in each row"
            self._refuse(told, expected, "Correct that row, or delete it.")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Explain what is wrong with the file as a whole."""
        import polars as pl

        with readable(self.path), self.path.open("rb"):
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


def _is_vector(kind: pl.DataType) -> bool:
    import polars as pl

    return isinstance(kind, pl.List | pl.Array) and _is_number(_inner(kind))


def _inner(kind: Any) -> pl.DataType:
    inner: pl.DataType = kind.inner
    return inner
