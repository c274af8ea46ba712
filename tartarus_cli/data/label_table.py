"""Which item has which labels: from a table of rows, or of one column a label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csr_array

from tartarus_cli.data.tables import (
    Codes,
    Ids,
    Look,
    Table,
    bit_fault,
    coded,
    id_fault,
    number_of,
    one_each,
    reading,
    text_of,
)
from tartarus_cli.errors import DataError, shown

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class LabelColumns:
    """Which column of a table holds what; without one of labels, every other one is a label."""

    item: str
    label: str | None = None
    artist: str | None = None


@dataclass(frozen=True)
class Labels:
    """Labels of items; ids and labels are sorted, but for the columns of a wide table."""

    items: Ids
    names: list[str]
    has: csr_array  # (items, labels), 1 where the item has the label
    rows: int  # of the table
    artists: Ids | None = None  # of each item


def read_labels(table: Table, columns: LabelColumns) -> Labels:
    """Read a table of labels; an item that has none is left out.

    Raises
    ------
    FileError
        If a row is damaged, or a wide table holds something else than 0 and 1.
    DataError
        If there is no label, or an item has two rows of a wide table, or two artists.
    """
    labels = _long(table, columns, columns.label) if columns.label else _wide(table, columns)
    kept = np.flatnonzero(np.diff(labels.has.indptr))
    if not kept.size:
        msg = f"{shown(table.path)}: no item has a label"
        raise DataError(msg, hint="Name another table, or other columns (see --help).")
    artists = None if labels.artists is None else labels.artists[kept]
    return Labels(
        labels.items[kept], labels.names, csr_array(labels.has[kept]), labels.rows, artists
    )


def _long(table: Table, columns: LabelColumns, label: str) -> Labels:
    import polars as pl

    names = {"item": columns.item, "label": label, "artist": columns.artist}
    looks: dict[str, Look] = {name: id_fault for name in names.values() if name}
    wanted = {role: text_of(table, name) for role, name in names.items() if name}
    chosen = {role: each.cast(pl.Categorical()) for role, each in wanted.items()}
    frame, rows = _collected(table, table.scan().select(**chosen), looks)
    items, item = coded(table, looks, frame["item"])
    tags, tag = coded(table, looks, frame["label"])
    has = coo_array((np.ones(len(item), np.int8), (item, tag)), shape=(len(items), len(tags)))
    made = has.astype(np.int32).tocsr()
    made.data[:] = 1
    return Labels(
        items, tags.tolist(), csr_array(made), rows, _artists(table, looks, frame, (items, item))
    )


def _wide(table: Table, columns: LabelColumns) -> Labels:
    import polars as pl

    ids = {"item": columns.item, "artist": columns.artist}
    names = [name for name in table.columns if name not in ids.values()]
    bad = next((name for name in names if id_fault(name)), None)
    if bad is not None or not names:
        msg = f"{shown(table.path)}: a label cannot be called {bad!r}" if names else "no labels"
        raise DataError(msg, hint="Name each column of the first line.")
    looks: dict[str, Look] = {name: id_fault for name in ids.values() if name}
    looks |= dict.fromkeys(names, bit_fault)
    chosen = {
        role: text_of(table, name).cast(pl.Categorical()) for role, name in ids.items() if name
    }
    # a number stands for a label, whose name might be that of another column
    bits = {str(n): number_of(table, name) for n, name in enumerate(names)}
    valid = {n: pl.when(bit.is_in([0.0, 1.0])).then(bit).cast(pl.Int8) for n, bit in bits.items()}
    frame, rows = _collected(table, table.scan().select(**chosen, **valid), looks)
    items, item = coded(table, looks, frame["item"])
    if len(items) < len(item):
        twice = items[Counter(item.tolist()).most_common(1)[0][0]]
        msg = f"{shown(table.path)}: {twice!r} has several rows"
        raise DataError(msg, hint="Write one row for each item, or leave --wide out.")
    order = np.argsort(item)
    has = csr_array(frame.select([*bits]).to_numpy()[order].astype(np.int32))
    return Labels(items, names, has, rows, _artists(table, looks, frame, (items, item)))


def _collected(
    table: Table, scanned: pl.LazyFrame, looks: dict[str, Look]
) -> tuple[pl.DataFrame, int]:
    """Read, but for rows of nothing."""
    import polars as pl

    with reading(table, looks):
        frame = scanned.collect(engine="streaming")
    rows = len(frame)
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    if frame.null_count().sum_horizontal().sum():
        at = frame.with_row_index().filter(pl.any_horizontal(pl.all().is_null()))["index"][0] + 1
        table.refuse(looks, f"row {at} has a hole, or no 0 or 1", "a value in each column")
    if frame.is_empty():
        msg = f"{shown(table.path)} holds no row"
        raise DataError(msg, hint="Name another table.")
    return frame, rows


def _artists(
    table: Table, looks: dict[str, Look], frame: pl.DataFrame, items: tuple[Ids, Codes]
) -> Ids | None:
    if "artist" not in frame.columns:
        return None
    names, artist = coded(table, looks, frame["artist"])
    return np.asarray(names[one_each(table, *items, (names, artist))])
