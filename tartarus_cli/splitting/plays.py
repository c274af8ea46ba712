"""Who played what: from a table of rows to numbered users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.arrays import MOST_PLAYS
from tartarus_cli.data.tables.blocks import Block, Columns
from tartarus_cli.data.tables.numbering import Codes, Ids, NumberedTable, grown
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.splitting.artists import Artists

Counts = NDArray[Any]
MOST_EXACT = 1 << 53  # whole numbers up to this one are exact in float64


@dataclass(frozen=True)
class PlayColumns:
    """Which column of a table holds what; None: there is none, or nobody needs it."""

    user: str
    item: str
    count: str | None = None  # None: each row is one play
    time: str | None = None
    artist: str | None = None
    skip_empty: bool = False  # whether rows without an id are left out

    @property
    def read(self) -> Columns:
        """What they are read as."""
        artist, count, time = (
            () if name is None else (name,) for name in (self.artist, self.count, self.time)
        )
        return Columns((self.user, self.item, *artist), count, time, empty=self.skip_empty)


@dataclass(frozen=True)
class Plays:
    """Each pair of a user and an item once, sorted by item, then by user.

    Ids are sorted, so that the order of the rows in the table makes no difference.
    """

    users: Ids  # ids
    items: Ids  # ids
    user: Codes  # of each pair: which of the users
    item: Codes
    count: Counts  # whole numbers (int32), or float64
    rows: int  # of the table, without those left out
    left_out: int = 0  # rows without an id
    first: NDArray[np.float64] | None = None  # of each item: when it was first played
    last: NDArray[np.float64] | None = None  # and last
    artists: Ids | None = None  # of each item


def read_plays(table: Table, columns: PlayColumns, *, progress: Progress = UNWATCHED) -> Plays:
    """Read a table of plays; several rows of one user and one item are added up.

    Rows are read some at a time, and ids become numbers at once: of a play, what is kept takes some
    twenty bytes.

    Raises
    ------
    FileError
        If a row is no play; its line is told.
    DataError
        If there is no play, or an item has two artists.
    """
    read, rows = NumberedTable(table, columns.read), _Rows(columns)
    for codes, block in read.blocks(progress):
        _check(table, columns, block)
        rows.add(codes, block)
    if not sum(map(len, rows.users)):
        msg = f"{display_path(table.path)} holds no play"
        raise DataError(msg, hint="Name another table.")
    users, items, *artists = read.in_order()
    user, item, count = rows.joined()
    pairs = _summed(users.place[user], items.place[item], count, (len(items.ids), len(users.ids)))
    order, dated = np.argsort(items.place), columns.time is not None
    return Plays(
        users.ids,
        items.ids,
        *pairs,
        rows=len(user),
        left_out=read.left_out,
        first=rows.first[order] if dated else None,
        last=rows.last[order] if dated else None,
        artists=rows.artists.of_items(table.path, items, artists[0]) if artists else None,
    )


def _check(table: Table, columns: PlayColumns, block: Block) -> None:
    if columns.count is None:
        return
    wrong = (block.values[:, 0] < 0) | (block.values[:, 0] > MOST_PLAYS)
    if wrong.any():
        row = int(wrong.argmax())
        raise FileError(
            table.path,
            found=f"{block.values[row, 0]:g} in {table.noun} {block.lines[row]}, "
            f"column {columns.count!r}",
            expected=f"a number of plays, 0 to {MOST_PLAYS:g}",
            hint="Correct it, or leave that row out.",
        )


class _Rows:
    """What is kept of the rows that were read: numbers of ids as they came, and counts."""

    def __init__(self, columns: PlayColumns) -> None:
        self._columns = columns
        self.users, self.items = list[Codes](), list[Codes]()
        self.counts = list[Counts]()
        self.first, self.last = np.empty(0), np.empty(0)  # of each item: when it was played
        self.artists = Artists()

    def add(self, codes: tuple[Codes, ...], block: Block) -> None:
        """Keep some rows."""
        user, item, *artist = codes
        self.users.append(user)
        self.items.append(item)
        if self._columns.count is not None:
            self.counts.append(_narrow(block.values[:, 0]))
        if self._columns.time is not None:
            self._date(item, block)
        if artist:
            self.artists.add(item, artist[0])

    def _date(self, item: Codes, block: Block) -> None:
        """Note when items were played; a row of 0 plays says nothing."""
        played = slice(None) if self._columns.count is None else block.values[:, 0] > 0
        self.first, self.last = grown(self.first, item, np.inf), grown(self.last, item, -np.inf)
        np.minimum.at(self.first, item[played], block.values[played, -1])
        np.maximum.at(self.last, item[played], block.values[played, -1])

    def joined(self) -> tuple[Codes, Codes, Counts]:
        """Return users, items and counts of all rows, which are forgotten here."""
        user, item = np.concatenate(self.users), np.concatenate(self.items)
        self.users, self.items = [], []
        if self._columns.count is None:
            return user, item, np.ones(len(user), np.int8)
        count = np.concatenate(self.counts)
        self.counts = []
        return user, item, count


def _narrow(count: NDArray[np.float64]) -> Counts:
    """Take less memory for counts, where they are small whole numbers."""
    small = count.astype(np.int32) if count.max(initial=0) < 1 << 31 else count
    return small if (small == count).all() else count


def _summed(
    user: Codes, item: Codes, count: Counts, shape: tuple[int, int]
) -> tuple[Codes, Codes, Counts]:
    """Add up what belongs to one pair; fractions in a fixed order, since it shows in the sum."""
    from scipy.sparse import coo_array

    total = count.sum(dtype=np.float64)
    whole = count.dtype.kind == "i" or (total < MOST_EXACT and (count == np.floor(count)).all())
    if not whole:
        order = np.lexsort((count, user, item))
        user, item, count = user[order], item[order], count[order]
    kind = np.int32 if whole and total < 1 << 31 else np.float64
    table = coo_array((count.astype(kind, copy=False), (item, user)), shape=shape)
    table.has_canonical_format = True  # or it is sorted: by way of CSC it comes in order anyway
    matrix = table.tocsc().tocsr()
    matrix.sum_duplicates()
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(matrix.indptr))
    return matrix.indices.astype(np.int32, copy=False), rows, matrix.data
