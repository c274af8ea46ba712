"""Folds that somebody published: a table of the fold of each item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.folds import MAX_FOLDS
from tartarus_cli.data.tables.blocks import Columns
from tartarus_cli.data.tables.names import item_columns, normalize_column
from tartarus_cli.data.tables.numbering import NumberedTable
from tartarus_cli.data.tables.reading import Table, open_table, require_column
from tartarus_cli.errors import FileError, Placeholder, RequestError, display_path, parameter
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.columns import ColumnNames

FOLD_NAMES = ("fold", "folds", "foldid", "foldnumber", "cvfold", "crossvalidationfold")
"""Usual names of the column of folds, as letters and digits alone."""


@dataclass(frozen=True)
class GivenFolds:
    """The fold of each item that a table lists."""

    ids: list[str]
    """Ids of the items."""
    fold_of_id: NDArray[np.int8]
    """``(ids,)`` the fold of each, from 0 on."""
    labels: list[str]
    """What the table calls each fold: in the order of numbers, if they are some."""


def read_given_folds(
    path: Path, fold: str | None, names: ColumnNames, progress: Progress
) -> GivenFolds:
    """Read the fold of each item from a table, which may have several rows of an item.

    Parameters
    ----------
    path
        The table: CSV, TSV or Parquet.
    fold
        Its column of folds; None: recognized by its name.
    names
        Columns that the user named, of which one may be that of the ids here.
    progress
        Hears which columns are read.

    Raises
    ------
    RequestError
        If there is no such file, or a column is not recognized.
    FileError
        If a row is damaged, an item is in two folds, or there are too few folds, or too many.
    """
    table = open_table(path, header=names.header, encoding=names.encoding)
    column, item = _fold_column(table, fold), _item_column(table, names)
    if column == item:
        msg = f"{display_path(path)}: the column {column} cannot be two things at once"
        raise RequestError(msg, hint=f"Name the column of folds: {_example('fold')}")
    progress.say(f"{display_path(path)}: fold from {column!r}, item from {item!r}")
    reader = NumberedTable(table, Columns((item, column)))
    rows = [codes for codes, _ in reader.blocks(progress)]
    ids, labels = reader.sorted_ids()
    rank = _in_order(labels.ids.tolist())
    items, folds = (
        np.concatenate([np.empty(0, np.int32), *(codes[n] for codes in rows)]) for n in (0, 1)
    )
    if not 2 <= len(rank) <= MAX_FOLDS:
        few = ", ".join(map(repr, labels.ids[:3]))
        raise FileError(
            path,
            found=f"{len(rank):,} different values in the column {column!r} ({few or 'no row'})",
            expected=f"2 to {MAX_FOLDS} folds",
            hint=f"Name the column of folds: {_example('fold')}",
        )
    fold_of_row = rank[labels.position[folds]]
    fold_of_id = np.zeros(len(ids.ids), np.int8)
    position = ids.position[items]
    fold_of_id[position] = fold_of_row
    conflicts = np.flatnonzero(fold_of_id[position] != fold_of_row)
    if conflicts.size:
        raise FileError(
            path,
            found=f"{ids.ids[position[conflicts[0]]]!r} in two folds",
            expected="each item in one fold",
            hint="Correct its rows.",
        )
    ordered = [str(label) for label in labels.ids[np.argsort(rank)]]
    return GivenFolds(ids.ids.tolist(), fold_of_id, ordered)


def _in_order(labels: list[str]) -> NDArray[np.int64]:
    """Return the place of each label: numbers by their value, then others by the alphabet."""

    def key(number: int) -> tuple[bool, int, str]:
        label = labels[number].strip()
        digits = label.isascii() and label.isdigit()
        return not digits, int(label) if digits else 0, label

    order = sorted(range(len(labels)), key=key)
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    return rank


def _fold_column(table: Table, fold: str | None) -> str:
    if fold is not None:
        require_column(table, fold, f"Name the column with {parameter('fold')}.")
        return fold
    columns = [name for name in table.names if normalize_column(name) in FOLD_NAMES]
    if len(columns) != 1:
        msg = f"{display_path(table.path)}: no column is recognized as that of the folds"
        hint = f"Name it: {_example('fold')}. The columns are {', '.join(table.names[:20])}."
        raise RequestError(msg, hint=hint)
    return columns[0]


def _item_column(table: Table, names: ColumnNames) -> str:
    """Return the column of ids: one that the user named, or whose name says it; else the first."""
    named = [name for name in (names.label_item, names.item) if name in table.names]
    usual = item_columns(table.names)
    return str(named[0]) if named else usual[0] if len(usual) == 1 else table.names[0]


def _example(name: str) -> str:
    return parameter(name, Placeholder("NAME"))
