"""Features of one's own: ids, and numbers or tags beside them, in a table or a matrix.

Nothing whole is held: a source of any length is gone through block by block, as often as needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix, open_matrix
from tartarus_cli.data.ids import read_lines
from tartarus_cli.data.tables.blocks import Block, Columns, number_error, text_error
from tartarus_cli.data.tables.names import item_columns
from tartarus_cli.data.tables.reading import Table, open_table, require_column, require_file
from tartarus_cli.errors import FileError, RequestError, count_noun, display_path

if TYPE_CHECKING:
    import polars as pl

MATRICES = (".npy", ".npz")
_TEXTS = ("String", "Categorical", "Enum")  # of Parquet

Rows: TypeAlias = Any  # an array of float32, or a csr_array


@dataclass(frozen=True)
class Selection:
    """What of a table is asked for."""

    id: str | None = None  # name of the column of ids; None: as its name says, else the first
    without: tuple[str, ...] = ()  # columns to leave out
    tags: bool = False  # the rows are (item, tag[, weight])


@dataclass(frozen=True)
class FeatureColumns:
    """Which columns of a table are read, by name."""

    id: str
    tag: str | None
    numbers: tuple[str, ...]  # of a table of tags: the weight, if there is one
    guessed: bool = False  # whether the ids are taken from the first column for want of a name

    @property
    def read(self) -> Columns:
        """What they are read as."""
        texts = (self.id,) if self.tag is None else (self.id, self.tag)
        return Columns(texts, self.numbers, vectors=self.tag is None, exclude_parameter="without")


@dataclass(frozen=True)
class FeatureBlock:
    """Some rows of features or tags."""

    ids: Sequence[str]
    tags: Sequence[str]  # empty where there is no column of tags
    values: Rows  # (rows, width), finite
    lines: NDArray[np.int64]  # (rows,) where they stand, counted from 1
    done: int  # units of the source's size that were read for it


@dataclass(frozen=True)
class FeatureSource:
    """A table or a matrix that can be gone through in blocks, any number of times."""

    path: Path
    ids_path: Path  # the file that holds the ids
    columns: FeatureColumns | None  # None: a matrix, whose columns have no names
    noun: str  # what a place in it is called: a line or a row
    size: int  # units of progress of one reading
    blocks: Callable[[], Iterator[FeatureBlock]]


def _names(table: Table, block: Block, column: pl.Series) -> list[str]:
    names = column.to_list()
    for name, line in zip(names, block.lines, strict=True):
        if not name.strip():
            raise text_error(table.path, name, f"{table.noun} {line}", column.name)
    return names


def is_matrix(path: Path) -> bool:
    """Whether a file holds rows without ids."""
    return path.suffix in MATRICES


def open_features(path: Path, selection: Selection) -> FeatureSource:
    """Open a table of features or tags; only its head is read.

    Raises
    ------
    RequestError
        If there is no such file or column, or it is of another kind.
    FileError
        If it is damaged, or has no columns to read.
    """
    table = open_table(path)
    columns = choose_columns(table, selection)

    def blocks() -> Iterator[FeatureBlock]:
        return (_narrowed(table, columns, block) for block in _explained(table, columns))

    return FeatureSource(path, path, columns, table.noun, table.size, blocks)


def _explained(table: Table, columns: FeatureColumns) -> Iterator[Block]:
    """Read a table; where there is text for numbers, say what else its column may hold."""
    try:
        yield from table.blocks(columns.read)
    except FileError as problem:
        others = [*_other_readings(problem.found, columns)]
        problem.hint = "; ".join([problem.hint.rstrip("."), *others]) if others else problem.hint
        raise


def _other_readings(found: str, columns: FeatureColumns) -> Iterator[str]:
    name = next((each for each in columns.numbers if _is_text(found, each)), None)
    if columns.tag is not None or name is None:
        return
    if name == columns.numbers[0] and len(columns.numbers) <= 2:
        yield "or, if these are tags of items, add --tags"
    if columns.guessed:
        yield f"or, if it holds the ids, say --id {quote(name)}"


def _is_text(found: str, name: str) -> bool:
    """Whether text was found in a column of numbers.

    >>> _is_text("'rock' in line 2, column 'a'", "a"), _is_text("'nan' in line 2, column 'a'", "a")
    (True, False)
    """
    if found.endswith(f", column {name!r}") and found[0] in "'\"":
        cell = found[1:].partition(f"{found[0]} in ")[0]
        return not _is_number(cell.replace(",", ".", 1))
    return found.startswith(tuple(f"column {name!r} of type {kind}" for kind in _TEXTS))


def _narrowed(table: Table, columns: FeatureColumns, block: Block) -> FeatureBlock:
    """Take a block as float32; what is too large for it is an error."""
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(block.values, np.float32)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        name = columns.numbers[column if values.shape[1] == len(columns.numbers) else 0]
        cell, where = f"{block.values[row, column]:g}", f"{table.noun} {block.lines[row]}"
        raise number_error(table.path, cell, where, name, columns.read.exclude_parameter)
    ids, *tags = (_names(table, block, column) for column in block.texts)
    return FeatureBlock(ids, tags[0] if tags else (), values, block.lines, block.size)


def open_rows(path: Path, ids: Path) -> FeatureSource:
    """Open a matrix, ``.npy`` or ``.npz`` (CSR), whose rows a list of ids names.

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
    for line, each in enumerate(names, 1):
        if not each.strip():
            hint = "Fill it in, or delete that row, here and in the matrix."
            raise FileError(ids, found=f"nothing in line {line}", expected="an id", hint=hint)
    if len(names) != matrix.shape[0]:
        raise FileError(
            ids,
            found=count_noun(len(names), "id"),
            expected=f"{matrix.shape[0]:,}, one for each row of {display_path(path)}",
            hint="Name the list of ids that was written with the matrix.",
        )
    return FeatureSource(path, ids, None, "line", len(names), lambda: _matrix_blocks(matrix, names))


def _matrix_blocks(matrix: Matrix, ids: Sequence[str]) -> Iterator[FeatureBlock]:
    for block in matrix.blocks():
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told of
            values = matrix.values[block].astype(np.float32)
        lines = np.arange(block.start, block.stop) + 1
        _refuse_infinite(matrix.path, values, block.start)
        yield FeatureBlock(ids[block], (), values, lines, len(lines))


def _refuse_infinite(path: Path, values: Rows, first: int) -> None:
    finite = np.isfinite(values.data if isinstance(values, csr_array) else values)
    if finite.all():
        return
    wrong = values.tocoo() if isinstance(values, csr_array) else None
    rows, columns = np.nonzero(~finite) if wrong is None else (wrong.row, wrong.col)
    place = 0 if wrong is None else int(np.flatnonzero(~finite)[0])
    raise FileError(
        path,
        found=f"NaN, infinity or a number too large for float32 in row {first + rows[place]}, "
        f"column {columns[place]:,} (counted from 0)",
        expected="finite numbers",
        hint="Compute this row again, or leave it out, here and in the list of ids.",
    )


def choose_columns(table: Table, selection: Selection) -> FeatureColumns:
    """Choose the columns to read.

    Raises
    ------
    RequestError
        If a named column does not exist, or several may hold the ids.
    FileError
        If no column is left, or the first line holds no names.
    """
    for name in (*selection.without, *([] if selection.id is None else [selection.id])):
        require_column(table, name)
    left = [name for name in table.names if name not in selection.without]
    if not left or (selection.id is not None and selection.id not in left):
        msg = "--without leaves no column of ids"
        raise RequestError(msg, hint="Leave out other columns only.")
    item, guessed = _id_column(table, left, selection.id)
    rest = tuple(name for name in left if name != item)
    _check_names(table.path, rest)
    choose = _tag_columns if selection.tags else _number_columns
    return replace(choose(table.path, item, rest), guessed=guessed)


def _id_column(table: Table, left: Sequence[str], named: str | None) -> tuple[str, bool]:
    """Return the column of ids, and whether it is only the first."""
    if named is not None:
        return named, False
    found = item_columns(left)
    if len(found) > 1 and found[0] != left[0]:
        msg = f"the ids of {display_path(table.path)} may be in the columns {', '.join(found)}"
        raise RequestError(msg, hint=f"Say which: --id {quote(found[0])}")
    return (found[0], False) if found else (left[0], True)


def _check_names(path: Path, names: Sequence[str]) -> None:
    if "" in names:  # such as the numbers of rows that pandas writes
        hint = "Name it, or leave it out: --without ''"
        raise FileError(path, found="a column without a name", expected="a name", hint=hint)
    if names and all(map(_is_number, names)) and not _counts(names):
        hint = "Put a line before it that names each column."
        found = f"numbers in the first line ({names[0]}, …)"
        raise FileError(path, found=found, expected="names of columns", hint=hint)


def _number_columns(path: Path, item: str, rest: tuple[str, ...]) -> FeatureColumns:
    if not rest:
        found = f"a single column, {item!r}"
        _refuse(path, found, "a column of ids and columns of numbers, with commas or tabs between")
    return FeatureColumns(item, None, rest)


def _tag_columns(path: Path, item: str, rest: tuple[str, ...]) -> FeatureColumns:
    if not 1 <= len(rest) <= 2:
        some = ", ".join(map(repr, (item, *rest[:5]))) + (", …" if len(rest) > 5 else "")
        hint = "Leave the others out: --without NAME; the column of items is named by --id."
        found, expected = f"columns {some}", "an item, a tag and, if you like, a weight"
        raise FileError(path, found=found, expected=expected, hint=hint)
    return FeatureColumns(item, rest[0], rest[1:])


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    hint = "The first line has to name the columns."
    raise FileError(path, found=found, expected=expected, hint=hint)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _counts(names: Sequence[str]) -> bool:
    """Whether names are those that columns get for want of better ones: 0, 1, 2, ….

    >>> _counts(["0", "1", "2"]), _counts(["0.5", "1"]), _counts(["7"])
    (True, False, False)
    """
    starts = ([str(n + start) for n in range(len(names))] for start in (0, 1))
    return any(list(names) == each for each in starts)
