"""Which item has which labels: from a table of rows, or of one column a label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.numbering import Codes, Ids, NumberedTable
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.splitting.artists import Artists


@dataclass(frozen=True)
class LabelColumns:
    """Which column of a table holds what; without one of labels, every other one is a label."""

    item: str
    label: str | None = None
    artist: str | None = None
    skip_empty: bool = False  # whether rows without an id or a label are left out

    def of_labels(self, table: Table) -> tuple[str, ...]:
        """Return the columns of a wide table that are labels.

        Raises
        ------
        DataError
            If there are none, or one cannot be the name of a label.
        """
        names = tuple(name for name in table.names if name not in (self.item, self.artist))
        bad = [name for name in names if not name.strip() or any(c in name for c in "\t\n\r")]
        if bad or not names:
            told = (
                f"a label cannot be called {bad[0]!r}" if bad else "there is no column of a label"
            )
            msg = f"{display_path(table.path)}: {told}"
            raise DataError(msg, hint="Name each column of the first line.")
        return names


@dataclass(frozen=True)
class Labels:
    """Labels of items; ids and labels are sorted, but for the columns of a wide table."""

    items: Ids
    names: list[str]
    has: csr_array  # (items, labels), 1 where the item has the label
    rows: int  # of the table
    left_out: int = 0  # rows without an id or a label
    unlabelled: int = 0  # items of a wide table that were left out
    artists: Ids | None = None  # of each item


def read_labels(table: Table, columns: LabelColumns, *, progress: Progress = UNWATCHED) -> Labels:
    """Read a table of labels; an item that has none is left out.

    Raises
    ------
    FileError
        If a row is damaged, or a wide table holds something else than 0 and 1.
    DataError
        If there is no label, or an item has two rows of a wide table, or two artists.
    """
    if columns.label is None:
        labels = _read_wide(table, columns, progress)
    else:
        labels = _read_long(table, columns, columns.label, progress)
    kept = np.flatnonzero(np.diff(labels.has.indptr))
    if not kept.size:
        msg = f"{display_path(table.path)}: no item has a label"
        raise DataError(msg, hint="Name another table, or other columns (see --help).")
    artists = None if labels.artists is None else labels.artists[kept]
    return replace(
        labels,
        items=labels.items[kept],
        has=csr_array(labels.has[kept]),
        unlabelled=len(labels.items) - len(kept),
        artists=artists,
    )


def _read_long(table: Table, columns: LabelColumns, label: str, progress: Progress) -> Labels:
    artist = () if columns.artist is None else (columns.artist,)
    read = NumberedTable(table, Columns((columns.item, label, *artist), empty=columns.skip_empty))
    item, tag, artists = [np.empty(0, np.int32)], [np.empty(0, np.int32)], Artists()
    for codes, _ in read.blocks(progress):
        item.append(codes[0])
        tag.append(codes[1])
        if artist:
            artists.add(codes[0], codes[2])
    items, tags, *names = read.in_order()
    places = items.place[np.concatenate(item)], tags.place[np.concatenate(tag)]
    rows = len(places[0])
    shape = (len(items.ids), len(tags.ids))
    has = coo_array((np.ones(rows, np.int32), places), shape=shape).tocsr()
    has.data[:] = 1
    of_items = artists.of_items(table.path, items, names[0]) if artist else None
    return Labels(
        items.ids, tags.ids.tolist(), csr_array(has), rows, read.left_out, artists=of_items
    )


def _read_wide(table: Table, columns: LabelColumns, progress: Progress) -> Labels:
    names = columns.of_labels(table)
    artist = () if columns.artist is None else (columns.artist,)
    read = NumberedTable(table, Columns((columns.item, *artist), names, empty=columns.skip_empty))
    item, artists = list[Codes](), Artists()
    has = [csr_array((0, len(names)), dtype=np.int32)]
    for codes, block in read.blocks(progress):
        _check_bits(table, names, block)
        _check_once(table, codes[0], block, sum(map(len, item)))
        item.append(codes[0])
        has.append(csr_array(block.values.astype(np.int32)))
        if artist:
            artists.add(codes[0], codes[1])
    items, *others = read.in_order()
    order = np.argsort(items.place)
    of_items = artists.of_items(table.path, items, others[0]) if artist else None
    everything = csr_array(vstack(has, format="csr"))
    return Labels(
        items.ids,
        [*names],
        csr_array(everything[order]),
        len(order),
        read.left_out,
        artists=of_items,
    )


def _check_bits(table: Table, names: tuple[str, ...], block: Block) -> None:
    wrong = (block.values != 0) & (block.values != 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise FileError(
            table.path,
            found=f"{block.values[row, column]:g} in {table.noun} {block.lines[row]}, "
            f"column {names[column]!r}",
            expected="0 or 1",
            hint="Correct it; or, where a row is an item with one label, leave --wide out.",
        )


def _check_once(table: Table, codes: Codes, block: Block, before: int) -> None:
    """Make sure that each row is of another item: the numbers then count the rows."""
    strange = codes != before + np.arange(len(codes))
    if strange.any():
        row = int(strange.argmax())
        msg = f"{display_path(table.path)}: {block.texts[0][row]!r} has several rows"
        msg += f" (one is {table.noun} {block.lines[row]})"
        raise DataError(msg, hint="Write one row for each item, or leave --wide out.")
