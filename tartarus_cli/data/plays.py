"""Who played what: from a table of rows to numbered users and items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables import (
    Codes,
    Ids,
    Look,
    Table,
    coded,
    count_fault,
    id_fault,
    number_of,
    one_each,
    reading,
    text_of,
    time_fault,
    time_of,
)
from tartarus_cli.errors import DataError, shown
from tartarus_cli.progress import UNWATCHED, Progress, Task

if TYPE_CHECKING:
    import polars as pl

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

    @property
    def looks(self) -> dict[str, Look]:
        """What tells a good value of each column from a bad one."""
        known: dict[str, Look] = {self.user: id_fault, self.item: id_fault}
        others = ((self.count, count_fault), (self.time, time_fault), (self.artist, id_fault))
        return known | {name: look for name, look in others if name is not None}


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
    rows: int  # of the table
    blank: int  # rows that hold nothing
    first: NDArray[np.float64] | None = None  # of each item: when it was first played
    artists: Ids | None = None  # of each item


def read_plays(table: Table, columns: PlayColumns, *, progress: Progress = UNWATCHED) -> Plays:
    """Read a table of plays; several rows of one user and one item are added up.

    Rows are read some at a time, and ids become numbers at once: of a play, what is kept takes some
    twenty bytes.

    Raises
    ------
    FileError
        If a row is no play; the line is told, where there are lines.
    DataError
        If there is no play, or an item has two artists.
    """
    frame, rows = _read(table, columns, progress)
    users, user = coded(table, columns.looks, frame["user"])
    items, item = coded(table, columns.looks, frame["item"])
    first, artists = None, None
    if columns.time is not None:
        first = np.full(len(items), np.inf)
        np.minimum.at(first, item, frame["time"].to_numpy())
    if columns.artist is not None:
        names, artist = coded(table, columns.looks, frame["artist"])
        artists = names[one_each(table, items, item, (names, artist))]
    blank, count = rows - len(frame), _count(frame)
    del frame
    pairs = _summed(user, item, count, (len(items), len(users)))
    return Plays(users, items, *pairs, rows, blank, first, artists)


def _read(table: Table, columns: PlayColumns, progress: Progress) -> tuple[pl.DataFrame, int]:
    """Read the columns that matter, ids as numbers of categories; rows of nothing are left out."""
    import polars as pl

    ids = {"user": columns.user, "item": columns.item, "artist": columns.artist}
    wanted = {role: text_of(table, name) for role, name in ids.items() if name is not None}
    wanted = {role: each.cast(pl.Categorical()) for role, each in wanted.items()}
    if columns.count is not None:
        wanted["count"] = number_of(table, columns.count)
    if columns.time is not None:
        wanted["time"] = time_of(table, columns.time)
    with reading(table, columns.looks), _counting(table, progress) as counted:
        scanned = table.scan().select(**wanted)
        schema = scanned.collect_schema()
        counting = scanned.map_batches(counted, schema=schema, streamable=True)
        frame = counting.collect(engine="streaming")
    rows = len(frame)
    if any(series.null_count() for series in frame):
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    if frame.is_empty():
        msg = f"{shown(table.path)} holds no play"
        raise DataError(msg, hint="Name another table.")
    if not _sound(frame):
        _refuse(table, columns, frame)
    return frame, rows


def _sound(frame: pl.DataFrame) -> bool:
    """Whether nothing is missing, and numbers are finite and not negative."""
    whole = all(series.null_count() == 0 for series in frame)
    numbers = [frame[name] for name in ("count", "time") if name in frame.columns]
    finite = all(series.is_finite().all() for series in numbers)
    return whole and finite and ("count" not in frame.columns or (frame["count"] >= 0).all())


def _refuse(table: Table, columns: PlayColumns, frame: pl.DataFrame) -> None:
    """Blame the line of a CSV or TSV, or the row of a Parquet file."""
    import polars as pl

    bad = pl.any_horizontal(pl.all().is_null())
    for name in ("count", "time"):
        if name in frame.columns:
            bad |= ~pl.col(name).is_finite()
    if "count" in frame.columns:
        bad |= pl.col("count") < 0
    row = frame.filter(bad).row(0, named=True)
    told = ", ".join(f"{role} {value!r}" for role, value in row.items())
    expected = "an id of a user and of an item, and numbers that are finite and not negative"
    table.refuse(columns.looks, f"a row with {told}", expected)


@contextmanager
def _counting(table: Table, progress: Progress) -> Iterator[Any]:
    """Count rows as they are read."""
    with progress.task(f"reading {table.path.name}", table.about_rows()) as task:
        yield _Counter(task)


@dataclass(frozen=True)
class _Counter:
    task: Task

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.task.advance(len(frame))
        return frame


def _count(frame: pl.DataFrame) -> Counts:
    return frame["count"].to_numpy() if "count" in frame.columns else np.ones(len(frame))


def _summed(
    user: Codes, item: Codes, count: Counts, shape: tuple[int, int]
) -> tuple[Codes, Codes, Counts]:
    """Add up what belongs to one pair; fractions in a fixed order, since it shows in the sum."""
    from scipy.sparse import coo_array

    whole = bool((count == np.floor(count)).all()) and count.sum() < MOST_EXACT
    if not whole:
        order = np.lexsort((count, user, item))
        user, item, count = user[order], item[order], count[order]
    matrix = coo_array((count, (item, user)), shape=shape).tocsr()
    matrix.sum_duplicates()
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(matrix.indptr))
    total = matrix.data
    if whole and total.max(initial=0) < 1 << 31:
        total = total.astype(np.int32)
    return matrix.indices.astype(np.int32, copy=False), rows, total
