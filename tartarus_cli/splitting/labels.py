"""Which item has which labels: from a table of rows, or of one column a label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.cells import SplitCells
from tartarus_cli.data.tables.numbering import Codes, Ids, NumberedTable
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.splitting.artists import ArtistCollector


@dataclass(frozen=True)
class LabelColumns:
    """Which column of a table holds what."""

    item: str
    label: str | None = None
    """None: a wide table, in which every other column is a label."""
    artist: str | None = None
    skip_empty: bool = False
    """Whether rows without an id or a label are left out."""
    separator: str | None = None
    """What stands between several labels in one cell; None: each cell is one label."""

    def label_names(self, table: Table) -> tuple[str, ...]:
        """Return the columns of a wide table that are labels.

        Raises
        ------
        DataError
            If there are none, or one cannot be the name of a label.
        """
        # Without a name: the numbers of the rows, as pandas and R write them.
        names = tuple(n for n in table.names if n not in (self.item, self.artist, ""))
        bad = [name for name in names if not name.strip() or any(c in name for c in "\t\n\r")]
        if bad or not names:
            fault = (
                f"a label cannot be called {bad[0]!r}" if bad else "there is no column of a label"
            )
            msg = f"{display_path(table.path)}: {fault}"
            raise DataError(msg, hint="Name each column of the first line.")
        return names


@dataclass(frozen=True)
class Labels:
    """Labels of items; ids and labels are sorted, but for the columns of a wide table."""

    items: Ids
    """``(items,)`` ids."""
    names: list[str]
    """``(labels,)`` names."""
    matrix: csr_array
    """Sparse ``(items, labels)``, 1 where the item has the label."""
    rows: int
    """Rows of the table, without those that were left out."""
    skipped_rows: int = 0
    """Rows that were left out: without an id or a label."""
    unlabelled: int = 0
    """Items of a wide table that were left out, since they have no label."""
    artists: Ids | None = None
    """``(items,)`` artist of each item."""


def read_labels(table: Table, columns: LabelColumns, *, progress: Progress = UNWATCHED) -> Labels:
    """Read a table of labels; items without a label are left out.

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
    labelled = np.flatnonzero(np.diff(labels.matrix.indptr))
    if not labelled.size:
        msg = f"{display_path(table.path)}: no item has a label"
        hint = "Give another table, or name other columns with `item` and `label`."
        raise DataError(msg, hint=hint)
    artists = None if labels.artists is None else labels.artists[labelled]
    return replace(
        labels,
        items=labels.items[labelled],
        matrix=csr_array(labels.matrix[labelled]),
        unlabelled=len(labels.items) - len(labelled),
        artists=artists,
    )


def with_items_of(labels: Labels, items: Ids, progress: Progress) -> Labels:
    """Return the labels with the ids of these items, where only the Unicode form differs."""
    forms = UnicodeForms(items)
    names = np.array(forms.find_all(labels.items.tolist()), object)
    if not forms.replaced or len({*names}) < len(names):
        return labels
    progress.warn(forms.describe("labels"))
    order = np.argsort(names)
    artists = None if labels.artists is None else labels.artists[order]
    return replace(
        labels, items=names[order], matrix=csr_array(labels.matrix[order]), artists=artists
    )


def _read_long(table: Table, columns: LabelColumns, label: str, progress: Progress) -> Labels:
    artist = () if columns.artist is None else (columns.artist,)
    texts = (columns.item, label, *artist)
    if columns.separator is not None:
        table = SplitCells(table, label, columns.separator)
    reader = NumberedTable(table, Columns(texts, allow_empty=columns.skip_empty))
    item, tag, artists = [np.empty(0, np.int32)], [np.empty(0, np.int32)], ArtistCollector()
    for codes, _ in reader.blocks(progress):
        item.append(codes[0])
        tag.append(codes[1])
        if artist:
            artists.add(codes[0], codes[2])
    items, tags, *names = reader.sorted_ids()
    positions = items.position[np.concatenate(item)], tags.position[np.concatenate(tag)]
    rows = len(positions[0])
    shape = (len(items.ids), len(tags.ids))
    matrix = coo_array((np.ones(rows, np.int32), positions), shape=shape).tocsr()
    matrix.data[:] = 1
    return Labels(
        items.ids,
        tags.ids.tolist(),
        csr_array(matrix),
        rows,
        reader.skipped_rows,
        artists=artists.artists_of(table.path, items, names[0]) if artist else None,
    )


def _read_wide(table: Table, columns: LabelColumns, progress: Progress) -> Labels:
    names = columns.label_names(table)
    artist = () if columns.artist is None else (columns.artist,)
    selection = Columns((columns.item, *artist), names, allow_empty=columns.skip_empty)
    reader = NumberedTable(table, selection)
    item, artists = list[Codes](), ArtistCollector()
    blocks = [csr_array((0, len(names)), dtype=np.int32)]
    for codes, block in reader.blocks(progress):
        _check_binary(table, names, block)
        _check_unique_items(table, codes[0], block, sum(map(len, item)))
        item.append(codes[0])
        blocks.append(csr_array(block.values.astype(np.int32)))
        if artist:
            artists.add(codes[0], codes[1])
    items, *others = reader.sorted_ids()
    order = np.argsort(items.position)
    of_items = artists.artists_of(table.path, items, others[0]) if artist else None
    matrix = csr_array(vstack(blocks, format="csr"))
    return Labels(
        items.ids,
        [*names],
        csr_array(matrix[order]),
        len(order),
        reader.skipped_rows,
        artists=of_items,
    )


def _check_binary(table: Table, names: tuple[str, ...], block: Block) -> None:
    wrong = (block.values != 0) & (block.values != 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        hint = "Correct it; or, if each row is an item and a label, do not give `wide=True`."
        raise FileError(
            table.path,
            found=f"{block.values[row, column]:g} in {table.noun} {block.lines[row]}, "
            f"column {names[column]!r}",
            expected="0 or 1",
            hint=hint,
        )


def _check_unique_items(table: Table, items: Codes, block: Block, rows_before: int) -> None:
    """Make sure that each row is of another item: then the items' numbers count the rows."""
    repeated = items != rows_before + np.arange(len(items))
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"{display_path(table.path)}: {block.texts[0][row]!r} has several rows"
        msg += f" (one is {table.noun} {block.lines[row]})"
        hint = "Write one row for each item, or do not give `wide=True`."
        raise DataError(msg, hint=hint)
