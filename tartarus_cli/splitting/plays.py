"""Who played what: from a table of rows to numbered users and items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.arrays import MAX_PLAYS
from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.numbering import Codes, Ids, NumberedTable, grow
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.splitting.artists import ArtistCollector
from tartarus_cli.splitting.plausibility import TimeUnits, count_warnings
from tartarus_cli.splitting.time_cut import Periods, RequestedCut, TimeCut

PlayCounts = NDArray[Any]
MAX_EXACT_INTEGER = 1 << 53
"""Whole numbers up to this one are exact in float64."""


@dataclass(frozen=True)
class PlayColumns:
    """Which column of a table holds what; None: there is none, or it is not needed."""

    user: str
    item: str
    count: str | None = None
    """None: each row is one play."""
    time: str | None = None
    artist: str | None = None
    skip_empty: bool = False
    """Whether rows without an id are left out."""

    @property
    def selection(self) -> Columns:
        """The columns, and what they are read as."""
        artist, count, time = (
            () if name is None else (name,) for name in (self.artist, self.count, self.time)
        )
        texts = (self.user, self.item, *artist)
        return Columns(texts, count, time, allow_empty=self.skip_empty)


@dataclass(frozen=True)
class Plays:
    """Each pair of a user and an item once, sorted by item, then by user.

    Ids are sorted, so that the order of the rows in the table makes no difference.
    """

    users: Ids
    """``(users,)`` ids."""
    items: Ids
    """``(items,)`` ids."""
    user: Codes
    """``(pairs,)`` number of the user of each pair."""
    item: Codes
    """``(pairs,)`` number of the item of each pair."""
    count: PlayCounts
    """``(pairs,)`` plays of each pair: whole numbers as int32, or float64."""
    rows: int
    """Rows of the table, without those that were left out."""
    skipped_rows: int = 0
    """Rows that were left out: without an id."""
    first_played: NDArray[np.float64] | None = None
    """``(items,)`` time of each item's first play."""
    last_played: NDArray[np.float64] | None = None
    """``(items,)`` time of each item's last play."""
    artists: Ids | None = None
    """``(items,)`` artist of each item."""
    cut: TimeCut | None = None
    """Where time is cut, as the table has it."""
    total: float = 0
    """Plays of all rows."""
    dropped: float | None = None
    """Plays of the rows that were dropped: later than their item's period; None: nothing was."""


def read_plays(
    table: Table,
    columns: PlayColumns,
    *,
    cut: RequestedCut | None = None,
    progress: Progress = UNWATCHED,
) -> Plays:
    """Read a table of plays; several rows of one user and one item are added up.

    Rows are read block by block, and ids become numbers at once: a row takes some twenty bytes of
    memory.

    Parameters
    ----------
    table, columns
        The table, and what each column holds.
    cut
        Where time is cut, and whether later rows are dropped; the table has a column of times then.
    progress
        Hears of the rows read, and of what is suspicious.

    Raises
    ------
    FileError
        If a row is no play; the message names its line.
    DataError
        If there is no play, or an item has two artists.
    RequestError
        If no item is first played before the cut, or none from then on.
    """
    reader, rows = NumberedTable(table, columns.selection), _PlayCollector(columns)
    units = TimeUnits()
    for codes, block in reader.blocks(progress):
        _check_counts(table, columns, block)
        if cut is not None and rows.cut is None and len(block.lines):
            rows.cut = cut.resolve(table, block)
        rows.add(codes, block)
        if columns.time is not None:
            units.add(block.values[:, -1], block.lines)
    if not sum(map(len, rows.users)):
        msg = f"{display_path(table.path)} holds no play"
        raise DataError(msg, hint="Give another table.")
    if rows.cut is not None:
        rows.cut.check_range(rows.first_played)
    users, items, *artists = reader.sorted_ids()
    row_count, dropped = sum(map(len, rows.users)), rows.drop_later_rows()
    user, item, count = rows.concatenate()
    total = count.sum(dtype=np.float64).item() + (dropped or 0)
    for warning in _warnings(table, columns, units, count):
        progress.warn(warning)
    shape = (len(items.ids), len(users.ids))
    pairs = _sum_pairs(users.position[user], items.position[item], count, shape)
    order, with_times = np.argsort(items.position), columns.time is not None
    return Plays(
        users.ids,
        items.ids,
        *pairs,
        rows=row_count,
        skipped_rows=reader.skipped_rows,
        first_played=rows.first_played[order] if with_times else None,
        last_played=rows.last_played[order] if with_times else None,
        artists=rows.artists.artists_of(table.path, items, artists[0]) if artists else None,
        cut=rows.cut,
        total=total,
        dropped=dropped,
    )


def _warnings(
    table: Table, columns: PlayColumns, units: TimeUnits, count: PlayCounts
) -> Iterator[str]:
    """Yield what is suspicious about the times and the counts."""
    warning = "" if columns.time is None else units.warning(table.path, columns.time, table.noun)
    if warning:
        yield warning
    if columns.count is not None:
        yield from count_warnings(table.path, columns.count, count)


def _check_counts(table: Table, columns: PlayColumns, block: Block) -> None:
    if columns.count is None:
        return
    wrong = (block.values[:, 0] < 0) | (block.values[:, 0] > MAX_PLAYS)
    if wrong.any():
        row = int(wrong.argmax())
        raise FileError(
            table.path,
            found=f"{block.values[row, 0]:g} in {table.noun} {block.lines[row]}, "
            f"column {columns.count!r}",
            expected=f"a number of plays, 0 to {MAX_PLAYS:g}",
            hint="Correct it, or delete that row.",
        )


class _PlayCollector:
    """Collects rows: the numbers of their ids, their counts, and when items were played."""

    def __init__(self, columns: PlayColumns) -> None:
        self._columns = columns
        self.cut: TimeCut | None = None
        self._periods = list[Periods]()
        self.users, self.items = list[Codes](), list[Codes]()
        self.counts = list[PlayCounts]()
        self.first_played, self.last_played = np.empty(0), np.empty(0)
        self.artists = ArtistCollector()

    def add(self, codes: tuple[Codes, ...], block: Block) -> None:
        """Take in the rows of a block, with the numbers of their ids."""
        user, item, *artist = codes
        self.users.append(user)
        self.items.append(item)
        if self._columns.count is not None:
            self.counts.append(_shrink(block.values[:, 0]))
        if self._columns.time is not None:
            self._add_times(item, block)
        if artist:
            self.artists.add(item, artist[0])

    def _add_times(self, item: Codes, block: Block) -> None:
        """Note when items were played; a row of 0 plays has no time."""
        times = block.values[:, -1]
        played = np.ones(len(item), np.bool_)
        if self._columns.count is not None:
            played = block.values[:, 0] > 0
        self.first_played = grow(self.first_played, item, np.inf)
        self.last_played = grow(self.last_played, item, -np.inf)
        np.minimum.at(self.first_played, item[played], times[played])
        if self.cut is not None and self.cut.drop_later:
            self._periods.append(self.cut.periods(times))
            played &= self._periods[-1] == 0  # of train items, no others stay
        np.maximum.at(self.last_played, item[played], times[played])

    def drop_later_rows(self) -> float | None:
        """Drop the rows that are later than their item's period; return how many plays these are.

        None if nothing is to be dropped.
        """
        if self.cut is None or not self.cut.drop_later:
            return None
        period_of_item, dropped = self.cut.periods(self.first_played), 0.0
        for number, periods in enumerate(self._periods):
            stays = periods <= period_of_item[self.items[number]]
            for rows in (self.users, self.items):
                rows[number] = rows[number][stays]
            if self.counts:
                dropped += self.counts[number][~stays].sum(dtype=np.float64).item()
                self.counts[number] = self.counts[number][stays]
            else:
                dropped += np.count_nonzero(~stays)
        self._periods = []
        return dropped

    def concatenate(self) -> tuple[Codes, Codes, PlayCounts]:
        """Return users, items and counts of all rows; the collector gives up its own copies."""
        user, item = np.concatenate(self.users), np.concatenate(self.items)
        self.users, self.items = [], []
        if self._columns.count is None:
            return user, item, np.ones(len(user), np.int8)
        count = np.concatenate(self.counts)
        self.counts = []
        return user, item, count


def _shrink(count: NDArray[np.float64]) -> PlayCounts:
    """Return counts as int32 where all are small whole numbers: they take half the memory."""
    small = count.astype(np.int32) if count.max(initial=0) < 1 << 31 else count
    return small if (small == count).all() else count


def _sum_pairs(
    user: Codes, item: Codes, count: PlayCounts, shape: tuple[int, int]
) -> tuple[Codes, Codes, PlayCounts]:
    """Add up the counts of each pair; fractions in a fixed order, which shows in the last bits."""
    from scipy.sparse import coo_array

    total = count.sum(dtype=np.float64)
    whole = count.dtype.kind == "i" or (
        total < MAX_EXACT_INTEGER and (count == np.floor(count)).all()
    )
    if not whole:
        order = np.lexsort((count, user, item))
        user, item, count = user[order], item[order], count[order]
    dtype = np.int32 if whole and total < 1 << 31 else np.float64
    table = coo_array((count.astype(dtype, copy=False), (item, user)), shape=shape)
    # Else SciPy would sort it; by way of CSC the pairs come in order anyway.
    table.has_canonical_format = True
    matrix = table.tocsc().tocsr()
    matrix.sum_duplicates()
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(matrix.indptr))
    return matrix.indices.astype(np.int32, copy=False), rows, matrix.data
