"""Tables and matrices of one's own: ids, and numbers or tags beside them, read in blocks.

Nothing whole is held: a table of any length is gone through block by block, as often as needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.data.blocks import Block, Columns, Rows, no_id
from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import read_lines
from tartarus_cli.errors import FileError, RequestError, nearest, shown

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET = (".parquet", ".pq")
MATRICES = (".npy", ".npz")
GZ = ".gz"


@dataclass(frozen=True)
class Selection:
    """What of a table is asked for."""

    id: str | None = None  # name of the column of ids; None: the first one
    without: tuple[str, ...] = ()  # columns to leave out
    tags: bool = False  # the rows are (item, tag[, weight])


@dataclass(frozen=True)
class Table:
    """A table that can be gone through in blocks, any number of times."""

    path: Path
    ids_path: Path  # the file that holds the ids
    columns: Columns | None  # None: a matrix, whose columns have no names
    noun: str  # what a place in it is called: a line or a row
    size: int  # units of progress of one reading
    blocks: Callable[[], Iterator[Block]]

    @property
    def sparse(self) -> bool:
        """Whether its rows come without their zeros."""
        return self.path.suffix == ".npz"


def ending(path: Path) -> str:
    """Return the ending that tells what a file is, without that of its compression.

    >>> ending(Path("a/tags.CSV.gz"))
    '.csv'
    """
    name = path.name.lower()
    return Path(name.removesuffix(GZ)).suffix


def is_matrix(path: Path) -> bool:
    """Whether a file holds rows without ids."""
    return path.suffix in MATRICES


def open_table(path: Path, selection: Selection) -> Table:
    """Open a table, ``.csv``, ``.tsv`` (also with ``.gz``) or ``.parquet``; only its head is read.

    Raises
    ------
    RequestError
        If there is no such file or column, or it is of another kind.
    FileError
        If it is damaged, or has no columns to read.
    """
    from tartarus_cli.data.delimited import Delimited
    from tartarus_cli.data.parquet import Parquet

    _check_exists(path)
    if path.suffix.lower() in PARQUET:
        parquet = Parquet(path)
        columns = choose_columns(path, parquet.names, selection)
        parquet.check(columns)
        return Table(path, path, columns, "row", parquet.size, lambda: parquet.blocks(columns))
    if ending(path) not in SEPARATORS:
        known = ", ".join((*SEPARATORS, *PARQUET, *MATRICES))
        msg = f"{path.name!r} does not end in {known}"
        hint = "Write the table as CSV, TSV or Parquet, and give it that ending; .gz may follow."
        raise RequestError(msg, hint=hint)
    text = Delimited(path, SEPARATORS[ending(path)])
    columns = choose_columns(path, text.names, selection)
    return Table(path, path, columns, "line", text.size, lambda: text.blocks(columns))


def open_rows(path: Path, ids: Path) -> Table:
    """Open a matrix, ``.npy`` or ``.npz`` (CSR), whose rows a list of ids names.

    Raises
    ------
    RequestError
        If a file does not exist.
    FileError
        If one is damaged, or the list is not as long as the matrix.
    """
    _check_exists(path)
    _check_exists(ids)
    matrix, names = open_matrix(path), read_lines(ids)
    for line, each in enumerate(names, 1):
        if not each.strip():
            raise no_id(ids, f"line {line}")
    if len(names) != matrix.shape[0]:
        raise FileError(
            ids,
            found=f"{len(names):,} ids",
            expected=f"{matrix.shape[0]:,}, one for each row of {shown(path)}",
            hint="Name the list of ids that was written with the matrix.",
        )
    return Table(path, ids, None, "line", len(names), lambda: _matrix_blocks(matrix, names))


def _matrix_blocks(matrix: Matrix, ids: Sequence[str]) -> Iterator[Block]:
    for block in matrix.blocks():
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told of
            values = matrix.values[block].astype(np.float32)
        lines = np.arange(block.start, block.stop) + 1
        _refuse_infinite(matrix.path, values, block.start)
        yield Block(ids[block], (), values, lines, len(lines))


def _refuse_infinite(path: Path, values: Rows, first: int) -> None:
    finite = np.isfinite(values.data if isinstance(values, csr_array) else values)
    if finite.all():
        return
    wrong = values.tocoo() if isinstance(values, csr_array) else None
    rows, columns = np.nonzero(~finite) if wrong is None else (wrong.row, wrong.col)
    place = 0 if wrong is None else int(np.flatnonzero(~finite)[0])
    raise FileError(
        path,
        found=f"NaN, infinity or a number too large for float32 in row {first + rows[place]:,}, "
        f"column {columns[place]:,} (counted from 0)",
        expected="finite numbers",
        hint="Compute this row again, or leave it out, here and in the list of ids.",
    )


def choose_columns(path: Path, names: Sequence[str], selection: Selection) -> Columns:
    """Choose the columns to read from the names of all.

    Raises
    ------
    RequestError
        If a named column does not exist.
    FileError
        If names come twice, or no column is left.
    """
    doubles = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if doubles:
        _refuse(path, f"two columns called {doubles[0]!r}", "names that differ")
    for name in (*selection.without, *([] if selection.id is None else [selection.id])):
        if name not in names:
            msg = f"{shown(path)} has no column called {name!r}"
            raise RequestError(msg, hint=nearest(name, names[:20]))
    left = [name for name in names if name not in selection.without]
    if not left or (selection.id is not None and selection.id not in left):
        msg = "--without leaves no column of ids"
        raise RequestError(msg, hint="Leave out other columns only.")
    item = left[0] if selection.id is None else selection.id
    rest = tuple(name for name in left if name != item)
    return _tag_columns(path, item, rest) if selection.tags else _number_columns(path, item, rest)


def _number_columns(path: Path, item: str, rest: tuple[str, ...]) -> Columns:
    if not rest:
        found = f"a single column, {item!r}"
        _refuse(path, found, "a column of ids and columns of numbers, with commas or tabs between")
    return Columns(item, None, rest)


def _tag_columns(path: Path, item: str, rest: tuple[str, ...]) -> Columns:
    if not 1 <= len(rest) <= 2:
        some = ", ".join(map(repr, (item, *rest[:5]))) + (", …" if len(rest) > 5 else "")
        hint = "Leave the others out: --without NAME; the column of items is named by --id."
        found, expected = f"columns {some}", "an item, a tag and, if you like, a weight"
        raise FileError(path, found=found, expected=expected, hint=hint)
    return Columns(item, rest[0], rest[1:])


def _check_exists(path: Path) -> None:
    if not path.is_file():
        msg = f"there is no file {path}"
        raise RequestError(msg, hint="Name the table or the matrix to read.")


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    hint = "The first line has to name the columns."
    raise FileError(path, found=found, expected=expected, hint=hint)
