"""Tables of named columns, written block by block, so that the whole is never in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from tartarus_cli.files import atomic_write, room_for, temporary_folder

if TYPE_CHECKING:
    import polars as pl

TableForm = Literal["csv", "tsv", "trec", "parquet"]
"""Form of a table; ``trec`` is the form of TREC's runs and judgements, without a heading."""
WriteRows = Callable[["pl.DataFrame"], None]
"""Writes the next rows of a table."""

PIECE_CELLS = 1 << 22
"""Cells of a Parquet file that are in memory at a time."""


@contextmanager
def open_table_writer(path: Path, form: TableForm) -> Iterator[WriteRows]:
    """Yield a function that writes the next rows; the file appears when the block succeeds.

    Parameters
    ----------
    path
        The file to write.
    form
        ``csv`` with a heading, and quotes where they are needed; ``tsv`` the same with tabs and
        never a quote; ``trec`` with spaces, without heading and quotes; ``parquet``.
    """
    with atomic_write(path) as temporary:
        if form == "parquet":
            with _parquet_writer(temporary) as write_rows:
                yield write_rows
        else:
            with temporary.open("wb") as file:
                yield _TextWriter(file, form)


class _TextWriter:
    def __init__(self, file: BinaryIO, form: TableForm) -> None:
        self._file, self._form = file, form
        self._heading = form != "trec"

    def __call__(self, rows: pl.DataFrame) -> None:
        rows.write_csv(
            self._file,
            include_header=self._heading,
            separator={"csv": ",", "tsv": "\t"}.get(self._form, " "),
            quote_style="necessary" if self._form == "csv" else "never",
        )
        self._heading = False


@contextmanager
def _parquet_writer(path: Path) -> Iterator[WriteRows]:
    """Write pieces next to a file, and join them at the end, one after the other."""
    import polars as pl

    with temporary_folder(path.parent) as folder, room_for(path):
        pieces = _PieceWriter(folder)
        yield pieces
        pl.scan_parquet(pieces.finish(), glob=False).sink_parquet(path)


class _PieceWriter:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []
        self._buffer: list[pl.DataFrame] = []
        self._cells = 0

    def __call__(self, rows: pl.DataFrame) -> None:
        self._buffer.append(rows)
        self._cells += rows.height * rows.width
        if self._cells > PIECE_CELLS:
            self._write()

    def finish(self) -> list[Path]:
        """Write the rows that remain, and return all pieces in order."""
        if self._buffer:
            self._write()
        return self._paths

    def _write(self) -> None:
        import polars as pl

        self._paths.append(self._folder / f"{len(self._paths)}.parquet")
        pl.concat(self._buffer).write_parquet(self._paths[-1])
        self._buffer, self._cells = [], 0
