"""Tables of named columns, written block by block, so that the whole is never in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, Literal

from tartarus_cli.files import atomic_write

if TYPE_CHECKING:
    import polars as pl

TableForm = Literal["csv", "tsv", "trec", "parquet"]
Put = Callable[["pl.DataFrame"], None]

PIECE_CELLS = 1 << 22  # of a Parquet file, that are in memory at a time


@contextmanager
def writing_table(path: Path, form: TableForm) -> Iterator[Put]:
    """Yield what writes the next rows; the file gets its name when the block succeeds.

    Parameters
    ----------
    path
        What to write.
    form
        ``csv`` with a heading, and quotes where they are needed; ``tsv`` the same with tabs and
        never a quote; ``trec`` with blanks, without heading and quotes; ``parquet``.
    """
    with atomic_write(path) as beside:
        if form == "parquet":
            with _parquet(beside) as put:
                yield put
        else:
            with beside.open("wb") as file:
                yield _Lines(file, form)


class _Lines:
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
def _parquet(path: Path) -> Iterator[Put]:
    """Write pieces beside a file, and join them at the end, one after the other."""
    import polars as pl

    with TemporaryDirectory(prefix=".", suffix=".pieces", dir=path.parent) as folder:
        pieces = _Pieces(Path(folder))
        yield pieces
        pl.scan_parquet(pieces.written(), glob=False).sink_parquet(path)


class _Pieces:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []
        self._kept: list[pl.DataFrame] = []
        self._cells = 0

    def __call__(self, rows: pl.DataFrame) -> None:
        self._kept.append(rows)
        self._cells += rows.height * rows.width
        if self._cells > PIECE_CELLS:
            self._write()

    def written(self) -> list[Path]:
        """Write what is left, and return all pieces in their order."""
        if self._kept:
            self._write()
        return self._paths

    def _write(self) -> None:
        import polars as pl

        self._paths.append(self._folder / f"{len(self._paths)}.parquet")
        pl.concat(self._kept).write_parquet(self._paths[-1])
        self._kept, self._cells = [], 0
