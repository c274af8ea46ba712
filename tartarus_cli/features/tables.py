"""Sources of features: ids with numbers or tags, in a table, or a matrix with a list of ids.

A source is never held as a whole: one of any length is read block by block, as often as needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import read_lines, warn_of_header
from tartarus_cli.data.tables.blocks import Block, Columns, number_error, text_error
from tartarus_cli.data.tables.cells import SplitCells
from tartarus_cli.data.tables.names import item_columns
from tartarus_cli.data.tables.parquet import Parquet
from tartarus_cli.data.tables.reading import Table, open_table, require_column, require_file
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    count_noun,
    display_path,
    parameter,
)

if TYPE_CHECKING:
    import polars as pl

MATRIX_EXTENSIONS = (".npy", ".npz")
"""Extensions of files that hold a matrix, whose rows need a list of ids."""

_TEXT_TYPES = ("String", "Categorical", "Enum")  # of Parquet

Rows: TypeAlias = Any
"""An array of float32, or a ``csr_array``."""


@dataclass(frozen=True)
class ColumnSelection:
    """Which columns of a table to read."""

    id_column: str | None = None
    """Name of the column of ids; None: the one whose name says so, else the first."""
    without: tuple[str, ...] = ()
    """Names of columns to leave out."""
    tags: bool = False
    """Whether the rows are (item, tag) or (item, tag, weight)."""
    tag_separator: str | None = None
    """What stands between several tags in one cell; None: each cell is one tag."""
    encoding: str | None = None
    """Encoding of a table without a byte-order mark; None: UTF-8."""


@dataclass(frozen=True)
class FeatureColumns:
    """Names of the columns of a table that are read."""

    id: str
    tag: str | None
    numbers: tuple[str, ...]
    """Columns of numbers; of a table of tags: the weight, if there is one."""
    guessed: bool = False
    """Whether the first column holds the ids only because no name says which one does."""

    @property
    def types(self) -> Columns:
        """Which of them are read as text and which as numbers."""
        texts = (self.id,) if self.tag is None else (self.id, self.tag)
        return Columns(texts, self.numbers, vectors=self.tag is None, exclude_parameter="without")


@dataclass(frozen=True)
class FeatureBlock:
    """Consecutive rows of a source."""

    ids: Sequence[str]
    tags: Sequence[str]
    """Tag of each row; empty if there is no column of tags."""
    values: Rows
    """Finite numbers, ``(rows, width)``."""
    lines: NDArray[np.int64]
    """Line of each row in its file, counted from 1, ``(rows,)``."""
    size: int
    """How much of the source was read for it, in units of the source's size."""


@dataclass(frozen=True)
class FeatureSource:
    """A table or a matrix that can be read in blocks, any number of times."""

    path: Path
    ids_path: Path
    """The file that holds the ids."""
    columns: FeatureColumns | None
    """None for a matrix, whose columns have no names."""
    noun: str
    """What the place of a row is called in messages: a line or a row."""
    size: int
    """Units of progress of one reading."""
    blocks: Callable[[], Iterator[FeatureBlock]]
    """Reads the source once."""
    divisible: bool = False
    """Whether some of its rows can be read without the others; its size is their number then."""


RowRange: TypeAlias = tuple[int, int]
"""The first row, counted from 0, and the one after the last."""


def _text_cells(table: Table, block: Block, column: pl.Series) -> list[str]:
    cells = column.to_list()
    for cell, line in zip(cells, block.lines, strict=True):
        if not cell.strip():
            raise text_error(table.path, cell, f"{table.noun} {line}", column.name)
    return cells


def is_matrix(path: Path) -> bool:
    """Whether a file holds a matrix, whose rows have no ids, by its extension."""
    return path.suffix in MATRIX_EXTENSIONS


def open_features(
    path: Path, selection: ColumnSelection, rows: RowRange | None = None
) -> FeatureSource:
    """Open a table of features or tags; only its head is read.

    Parameters
    ----------
    path
        The table.
    selection
        Which columns are read.
    rows
        Which rows are read, of a divisible source; None: all of them.

    Raises
    ------
    RequestError
        If there is no such file or column, or it is of another kind.
    FileError
        If it is damaged, or has no columns to read.
    """
    table = open_table(path, encoding=selection.encoding)
    columns = choose_columns(table, selection)
    divisible = isinstance(table, Parquet)
    if isinstance(table, Parquet):
        table = Parquet(path, rows)
    if columns.tag is not None and selection.tag_separator is not None:
        table = SplitCells(table, columns.tag, selection.tag_separator)

    def blocks() -> Iterator[FeatureBlock]:
        return (_to_float32(table, columns, block) for block in _read_table(table, columns))

    return FeatureSource(path, path, columns, table.noun, table.size, blocks, divisible)


def _read_table(table: Table, columns: FeatureColumns) -> Iterator[Block]:
    """Read a table; if there is text instead of numbers, say what the column may hold."""
    try:
        yield from table.blocks(columns.types)
    except FileError as problem:
        suggestions = [*_suggest_readings(problem.found, columns)]
        if suggestions:
            problem.hint = "; ".join([problem.hint.rstrip("."), *suggestions])
        raise


def _suggest_readings(found: str, columns: FeatureColumns) -> Iterator[str]:
    if columns.tag is not None:
        return
    is_number = any(found.endswith(f", column {name!r}") for name in columns.numbers)
    if is_number and re.match(r"(nothing|'(nan|null|na|none)') in ", found, re.IGNORECASE):
        absent = parameter("missing", "absent")
        yield f"or, where nothing is known of an item, delete its row: {absent} marks such items"
    name = next((name for name in columns.numbers if _is_text(found, name)), None)
    if name is None:
        return
    if name == columns.numbers[0] and len(columns.numbers) <= 2:
        yield "or, if these are tags of items, give `tags=True`"
    if columns.guessed:
        yield f"or, if it holds the ids, give {parameter('id_column', name)}"


def _is_text(found: str, name: str) -> bool:
    """Whether text was found in a column of numbers.

    >>> _is_text("'rock' in line 2, column 'a'", "a"), _is_text("'nan' in line 2, column 'a'", "a")
    (True, False)
    """
    if found.endswith(f", column {name!r}") and found[0] in "'\"":
        cell = found[1:].partition(f"{found[0]} in ")[0]
        return not _is_number(cell.replace(",", ".", 1))
    return found.startswith(tuple(f"column {name!r} of type {kind}" for kind in _TEXT_TYPES))


def _to_float32(table: Table, columns: FeatureColumns, block: Block) -> FeatureBlock:
    """Convert a block to float32; a number that is too large for it is an error."""
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(block.values, np.float32)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        name = columns.numbers[column if values.shape[1] == len(columns.numbers) else 0]
        cell, where = f"{block.values[row, column]:g}", f"{table.noun} {block.lines[row]}"
        raise number_error(table.path, cell, where, name, columns.types.exclude_parameter)
    ids, *tags = (_text_cells(table, block, column) for column in block.texts)
    return FeatureBlock(ids, tags[0] if tags else (), values, block.lines, block.size)


def open_rows(path: Path, ids: Path, rows: RowRange | None = None) -> FeatureSource:
    """Open a matrix, ``.npy`` or ``.npz`` (CSR), and the list of the ids of its rows.

    Parameters
    ----------
    path
        The matrix.
    ids
        The list.
    rows
        Which rows are read, of a divisible source; None: all of them.

    Raises
    ------
    RequestError
        If a file does not exist.
    FileError
        If one is damaged, or the list is not as long as the matrix.
    """
    require_file(path)
    require_file(ids)
    matrix, names = open_matrix(path), read_lines(ids)
    for line, name in enumerate(names, 1):
        if not name.strip():
            hint = "Fill it in, or delete that row, here and in the matrix."
            raise FileError(ids, found=f"nothing in line {line}", expected="an id", hint=hint)
    warn_of_header(ids, names)
    if len(names) != matrix.shape[0]:
        raise FileError(
            ids,
            found=count_noun(len(names), "id"),
            expected=f"{matrix.shape[0]:,}, one for each row of {display_path(path)}",
            hint="Name the list of ids that was written with the matrix.",
        )
    start, end = rows or (0, len(names))

    def blocks() -> Iterator[FeatureBlock]:
        return _matrix_blocks(matrix, names, start, end)

    # A sparse matrix is read as a whole.
    return FeatureSource(path, ids, None, "line", len(names), blocks, path.suffix == ".npy")


def _matrix_blocks(
    matrix: Matrix, ids: Sequence[str], start: int, end: int
) -> Iterator[FeatureBlock]:
    for whole in matrix.blocks():
        block = slice(max(whole.start, start), min(whole.stop, end))
        if block.start >= block.stop:
            continue
        # Numbers that are too large become infinite, and are refused.
        with np.errstate(over="ignore"):
            values = matrix.values[block].astype(np.float32)
        lines = np.arange(block.start, block.stop) + 1
        _refuse_infinite(matrix.path, values, block.start)
        yield FeatureBlock(ids[block], (), values, lines, len(lines))


def _refuse_infinite(path: Path, values: Rows, first_row: int) -> None:
    finite = np.isfinite(values.data if isinstance(values, csr_array) else values)
    if finite.all():
        return
    entries = values.tocoo() if isinstance(values, csr_array) else None
    rows, columns = np.nonzero(~finite) if entries is None else (entries.row, entries.col)
    place = 0 if entries is None else int(np.flatnonzero(~finite)[0])
    raise FileError(
        path,
        found=f"NaN, infinity or a number too large for float32 in row {first_row + rows[place]}, "
        f"column {columns[place]:,} (counted from 0)",
        expected="finite numbers",
        hint="Compute this row again, or leave it out, here and in the list of ids.",
    )


def choose_columns(table: Table, selection: ColumnSelection) -> FeatureColumns:
    """Choose the columns to read.

    Raises
    ------
    RequestError
        If a named column does not exist, or several may hold the ids.
    FileError
        If no column is left, or the first line holds no names.
    """
    id_column = selection.id_column
    for name in (*selection.without, *([] if id_column is None else [id_column])):
        require_column(table, name)
    names = [name for name in table.names if name not in selection.without]
    if not names or (id_column is not None and id_column not in names):
        msg = f"{parameter('without')} leaves no column of ids"
        raise RequestError(msg, hint="Leave out other columns only.")
    item, guessed = (id_column, False) if id_column is not None else _find_ids(table, names)
    others = tuple(name for name in names if name != item)
    _check_names(table.path, others)
    choose = _tag_columns if selection.tags else _number_columns
    return replace(choose(table.path, item, others), guessed=guessed)


def _find_ids(table: Table, names: Sequence[str]) -> tuple[str, bool]:
    """Return the column of ids, and whether it is only the first column."""
    candidates = item_columns(names)
    if len(candidates) > 1 and candidates[0] != names[0]:
        columns = ", ".join(candidates)
        msg = f"the ids of {display_path(table.path)} may be in the columns {columns}"
        raise RequestError(msg, hint=f"Say which: {parameter('id_column', candidates[0])}")
    return (candidates[0], False) if candidates else (names[0], True)


def _check_names(path: Path, names: Sequence[str]) -> None:
    # Such as the row numbers that pandas writes.
    unnamed = next((name for name in names if re.fullmatch(r"|Unnamed: \d+", name)), None)
    if unnamed is not None:
        hint = f"Name it, or leave it out: {parameter('without', [unnamed])}"
        found = "a column without a name" + f" ({unnamed!r}, as pandas calls it)" * bool(unnamed)
        raise FileError(path, found=found, expected="a name", hint=hint)
    if names and all(map(_is_number, names)) and not _are_consecutive(names):
        hint = "Put a line before it that names each column."
        found = f"numbers in the first line ({names[0]}, …)"
        raise FileError(path, found=found, expected="names of columns", hint=hint)


def _number_columns(path: Path, item: str, others: tuple[str, ...]) -> FeatureColumns:
    if not others:
        found = f"a single column, {item!r}"
        _refuse(path, found, "a column of ids and columns of numbers, with commas or tabs between")
    return FeatureColumns(item, None, others)


def _tag_columns(path: Path, item: str, others: tuple[str, ...]) -> FeatureColumns:
    if not 1 <= len(others) <= 2:
        names = ", ".join(map(repr, (item, *others[:5]))) + (", …" if len(others) > 5 else "")
        without, id_column = parameter("without", [Placeholder("NAME")]), parameter("id_column")
        hint = f"Leave the others out: {without}; the column of items is named by {id_column}."
        found, expected = f"columns {names}", "an item, a tag and, if you like, a weight"
        raise FileError(path, found=found, expected=expected, hint=hint)
    return FeatureColumns(item, others[0], others[1:])


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    hint = "The first line has to name the columns."
    raise FileError(path, found=found, expected=expected, hint=hint)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _are_consecutive(names: Sequence[str]) -> bool:
    """Whether columns are named 0, 1, 2, …, as programs do that have no names for them.

    >>> _are_consecutive(["0", "1", "2"]), _are_consecutive(["0.5", "1"]), _are_consecutive(["7"])
    (True, False, False)
    """
    starts = ([str(n + start) for n in range(len(names))] for start in (0, 1))
    return any(list(names) == numbers for numbers in starts)
