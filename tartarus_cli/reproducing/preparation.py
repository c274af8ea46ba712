"""Make the dataset of a paper from a table of plays, by the paper's windows of time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.ids import write_ids
from tartarus_cli.data.tables.blocks import Block
from tartarus_cli.data.tables.numbering import Ids, NumberedTable
from tartarus_cli.data.tables.parts import table_digest
from tartarus_cli.data.tables.reading import Table, open_table, require_file
from tartarus_cli.data.tables.times import parse_moment, show_time
from tartarus_cli.data.tables.writing import open_table_writer
from tartarus_cli.errors import DataError, RequestError, display_path, parameter
from tartarus_cli.file_names import Kind
from tartarus_cli.files import read_text, write_text
from tartarus_cli.progress import Progress
from tartarus_cli.reproducing.schema import PaperDataset, Windows
from tartarus_cli.reproducing.windows import (
    Moments,
    TimedPlays,
    divide,
    set_names,
)
from tartarus_cli.splitting.artists import ArtistCollector
from tartarus_cli.splitting.columns import ColumnNames, report_columns
from tartarus_cli.splitting.request import SplitRequest
from tartarus_cli.splitting.split import split
from tartarus_cli.workspace import Workspace

BLOCK_ROWS = 1 << 20
"""Rows of what is left of a table that are written together."""


@dataclass(frozen=True)
class TableRecord:
    """The table that a dataset was made of, and how: what a repeated command recognizes."""

    file: str
    blake2b: str
    windows: Windows

    def to_json(self) -> str:
        """Return the text of the record."""
        return json.dumps(asdict(self) | {"windows": self.windows.model_dump()}, indent=1) + "\n"


def prepare(
    workspace: Workspace, paper: str, dataset: PaperDataset, table: Path, progress: Progress
) -> bool:
    """Make a dataset by the windows of a paper, unless it was made of this table before.

    What is left of the table, and the ids of each set, are kept under ``data/papers``; ``split``
    makes the dataset of these.

    Parameters
    ----------
    workspace
        Where the dataset is made.
    paper
        What the paper is called here.
    dataset
        What is to be made.
    table
        Plays with users, items, times and artists.
    progress
        Hears of the rows read, and of what may be a mistake.

    Returns
    -------
    Whether it was made now.

    Raises
    ------
    RequestError
        If the dataset is there, made of something else, or a column or a time cannot be recognized.
    DataError
        If the table is damaged, or one of the sets would be empty.
    """
    windows = dataset.windows
    if windows is None:
        msg = f"{dataset.name} is not made of a table of plays"
        raise RequestError(msg, hint=f"Leave {parameter('plays')} out.")
    folder = workspace.paper_data(paper)
    record_file = folder / "record.json"
    record = TableRecord(str(table.resolve()), _digest(table), windows).to_json()
    same = record_file.is_file() and _without_path(read_text(record_file)) == _without_path(record)
    # The ids of the train items are put into place last.
    if workspace.dataset(dataset.name).find(Kind.ITEMS, split="train") is not None:
        if same:
            progress.say(f"{dataset.name} was made of this table before")
            return False
        msg = f"{dataset.name} is there already, and was not made of {display_path(table)}"
        hint = f"Leave {parameter('plays')} out to use it, or work in another workspace."
        raise RequestError(msg, hint=hint)
    lists, plays = _write_plays(folder, table, windows, progress)
    write_text(record_file, record)
    request = SplitRequest(
        dataset.name,
        plays=plays,
        columns=ColumnNames("user", "item", "count", artist="artist"),
        train_ids=lists["train"],
        val_ids=lists["val"],
        test_ids=lists["test"],
    )
    # Quietly: the table itself was told of, and artists are meant to be in several sets.
    sets = split(workspace, request).manifest.sets
    sizes = ", ".join(f"{size.items:,} {name} items" for name, size in sets.items())
    progress.say(f"{dataset.name} is made: {sizes}")
    return True


def made_of_plays(workspace: Workspace, paper: str, dataset: PaperDataset) -> bool:
    """Whether a dataset was made by :func:`prepare`, by the windows that the paper has now."""
    path = workspace.paper_data(paper) / "record.json"
    if dataset.windows is None or not path.is_file():
        return False
    return bool(_without_path(read_text(path)).get("windows") == dataset.windows.model_dump())


def _without_path(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return {k: v for k, v in record.items() if k != "file"} if isinstance(record, dict) else {}


def _digest(table: Path) -> str:
    require_file(table)
    return table_digest(table)


def _write_plays(
    folder: Path, table: Path, windows: Windows, progress: Progress
) -> tuple[dict[str, Path], Path]:
    """Divide the plays of a table, and write what is left of it and the ids of each set."""
    import polars as pl

    plays, users, items, artists = _read(open_table(table), windows, progress)
    divided = divide(plays[0], plays[1], windows.core, known_artists=windows.known_artists)
    folder.mkdir(parents=True, exist_ok=True)
    lists = {}
    for number, name in set_names():
        chosen = divided.items_of(number)
        if not len(chosen):
            msg = f"{display_path(table)}: {name} would hold no item"
            raise DataError(msg, hint=_explain_windows(windows))
        lists[name] = folder / f"items_{name}.tsv"
        write_ids(lists[name], items[chosen])
    path = folder / "plays.parquet"
    with open_table_writer(path, "parquet") as write_rows:
        for first in range(0, len(divided.item), BLOCK_ROWS):
            block = slice(first, first + BLOCK_ROWS)
            user, item = divided.user[block], divided.item[block]
            columns = {"user": users[user], "item": items[item], "artist": artists[item]}
            texts = {name: pl.Series(values, dtype=pl.String) for name, values in columns.items()}
            write_rows(pl.DataFrame(texts | {"count": divided.count[block]}))
    return lists, path


def _explain_windows(windows: Windows) -> str:
    """Say what a table has to hold."""
    return (
        f"Give plays from {windows.since} to {windows.until}: items first played before "
        f"{windows.val} are train items, those from {windows.cut} on test items, and what has less "
        f"than {windows.core} users or items in train is left out."
    )


def _read(
    table: Table, windows: Windows, progress: Progress
) -> tuple[tuple[TimedPlays, Moments], Ids, Ids, Ids]:
    """Read the plays inside the windows; return them with the ids of users, items and artists."""
    names = ColumnNames().require(artist=True, time=True)
    columns = names.choose_play_columns(table)
    progress.say(report_columns(table, columns))
    reader, collected = NumberedTable(table, columns.selection), _Rows()
    for codes, block in reader.blocks(progress):
        if collected.moments is None and len(block.lines):
            collected.moments = _resolve(table, windows, block)
        collected.add(codes, block.values)
    users, items, artists = reader.sorted_ids()
    if collected.moments is None or not sum(map(len, collected.items)):
        msg = f"{display_path(table.path)} holds no play from {windows.since} to {windows.until}"
        raise DataError(msg, hint=_explain_windows(windows))
    artist_of_item = collected.artists.artists_of(table.path, items, artists)
    plays = TimedPlays(
        users.position[np.concatenate(collected.users)],
        items.position[np.concatenate(collected.items)],
        np.concatenate(collected.times),
        np.concatenate(collected.counts),
        np.unique(artist_of_item, return_inverse=True)[1],
        len(users.ids),
    )
    return (plays, collected.moments), users.ids, items.ids, artist_of_item


class _Rows:
    """Collects the rows inside the windows."""

    def __init__(self) -> None:
        self.moments: Moments | None = None
        self.users, self.items = list[NDArray[np.int32]](), list[NDArray[np.int32]]()
        self.times, self.counts = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
        self.artists = ArtistCollector()

    def add(self, codes: tuple[NDArray[np.int32], ...], values: NDArray[np.float64]) -> None:
        """Take in the rows of a block; a row of 0 plays is none."""
        user, item, artist = codes
        self.artists.add(item, artist)
        if self.moments is None:
            return
        times = values[:, -1]
        counts = values[:, 0] if values.shape[1] > 1 else np.ones(len(times))
        inside = self.moments.inside(times) & (counts > 0)
        self.users.append(user[inside])
        self.items.append(item[inside])
        self.times.append(times[inside])
        self.counts.append(counts[inside])


def _resolve(table: Table, windows: Windows, block: Block) -> Moments:
    """Return the beginnings and ends of the windows as the column of times has them."""
    values = {}
    for name in ("since", "val", "cut", "until"):
        moment = parse_moment(getattr(windows, name))
        times = block.values[:, -1]
        value = None if moment is None else moment.in_column(times, dates=block.dates)
        if value is None:
            example = show_time(float(times[0]), dates=block.dates)
            msg = f"{display_path(table.path)}: times such as {example} cannot be compared with "
            msg += getattr(windows, name)
            hint = "Give a table with dates, or with seconds since 1970."
            raise RequestError(msg, hint=hint)
        values[name] = value
    return Moments(**values)
