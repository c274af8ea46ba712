"""Make a dataset from a table: who played what, or which item has which labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.ids import read_ids
from tartarus_cli.errors import DataError, FileError, RequestError, display_path
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.files import digest_in_background, read_text, stat_signature
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.columns import ColumnNames
from tartarus_cli.splitting.interactions import (
    Filters,
    InteractionTable,
    SetRows,
    SplitTables,
    Stage,
    apply_filters,
    read_split_tables,
)
from tartarus_cli.splitting.leakage import (
    Leakage,
    SetSize,
    measure_leakage,
    set_size,
    warn_of_leakage,
)
from tartarus_cli.splitting.strategies import Shares, by_group, by_item, by_label, by_time
from tartarus_cli.splitting.writing import SplitFiles, check_dataset_name, write_split


class SplitBy(StrEnum):
    """How items are divided."""

    ITEM = "item"
    ARTIST = "artist"
    TIME = "time"
    LABEL = "label"


@dataclass(frozen=True)
class SplitRequest:
    """What is asked for."""

    dataset: str
    plays: Path | None = None
    labels: Path | None = None
    names: ColumnNames = field(default_factory=ColumnNames)
    filters: Filters = field(default_factory=Filters)
    by: SplitBy | None = None  # label for labels alone, else item
    val: float | None = None
    test: float | None = None
    lists: Mapping[str, Path] = field(default_factory=dict)  # set → ids, instead of drawing them
    seed: int = 0
    force: bool = False  # take the place of a dataset that is there

    @property
    def way(self) -> SplitBy:
        """How items are divided, if not by lists."""
        return self.by or (SplitBy.ITEM if self.plays else SplitBy.LABEL)

    @property
    def shares(self) -> Shares:
        """How much goes where."""
        val, test = self.val, self.test
        return Shares(0.1 if val is None else val, 0.2 if test is None else test)


@dataclass(frozen=True)
class Split:
    """What was made."""

    dataset: str
    seed: int
    by: str  # or "lists"
    shares: dict[str, float] | None  # asked for; None for lists
    read: list[dict[str, Any]]  # each table, with its hash and columns
    filters: dict[str, Any]
    stages: list[Stage]  # how much was left after each filter
    users: int | None
    labels: int | None
    sets: dict[str, SetSize]
    leakage: Leakage
    version: str
    files: list[Path]
    set_aside: list[Path]  # where the files are that no longer fit


def split(
    workspace: WorkspacePaths, asked: SplitRequest, *, progress: Progress = UNWATCHED
) -> Split:
    """Read tables, leave out what is rare, divide the items, and write the files of a dataset.

    The same tables and seed give the same files, in whatever order the rows are.

    Parameters
    ----------
    workspace
        Where the dataset is written.
    asked
        The tables, the filters, and how to divide.
    progress
        Told of the rows read, and of what may be a mistake.

    Raises
    ------
    RequestError
        If options contradict each other, the dataset is there already, or cannot be called so.
    FileError
        If a table or a list is damaged.
    DataError
        If nothing is left to divide.
    """
    _check(asked)
    again = not asked.force and _asked_before(workspace, asked)
    check_dataset_name(workspace, asked.dataset, force=asked.force or again)
    lists = _lists(asked)
    listed = None if lists is None else [item for ids in lists.values() for item in ids]
    gathered, read = _gathered(asked, listed, progress)
    material, stages = apply_filters(gathered.material, asked.filters, listed=listed is not None)
    stages = [*gathered.stages, *stages]
    with progress.task("dividing and writing", 2) as task:
        pairs = material.pairs
        sets = {
            name: SetRows(items, None if pairs is None else pairs.matrix(items))
            for name, items in _divided(material, asked, lists).items()
        }
        task.advance()
        made = _made(workspace, asked, material, sets, (read, stages))
        files = SplitFiles(workspace, asked.dataset)
        away = write_split(files, material, sets, _manifest(made, asked), force=asked.force)
        made = replace(made, set_aside=away)
        task.advance()
    warn_of_leakage(made.leakage, progress)
    return made


def _gathered(
    asked: SplitRequest, listed: Sequence[str] | None, progress: Progress
) -> tuple[SplitTables, list[dict[str, Any]]]:
    """Read the tables; return what is in them, and what is kept of them."""
    asked_of = (("plays", asked.plays), ("labels", asked.labels))
    tables = {name: path for name, path in asked_of if path}
    before = {path: stat_signature(path) for path in tables.values() if path.is_file()}
    with ExitStack() as stack:
        hashing = {n: stack.enter_context(digest_in_background(path)) for n, path in tables.items()}
        gathered = read_split_tables(asked.plays, asked.labels, _names(asked), listed, progress)
        hashes = {name: found() for name, found in hashing.items()}
    if any(stat_signature(path) != version for path, version in before.items()):
        msg = "a table was changed while it was read"
        raise DataError(msg, hint="Give the command again.")
    read = [
        {"table": name, "file": str(path), "bytes": path.stat().st_size}
        | {"blake2b": hashes[name]}
        | asdict(gathered.columns[name])
        for name, path in tables.items()
    ]
    return gathered, read


def _names(asked: SplitRequest) -> ColumnNames:
    """Ask for the columns of artists and times where they are needed."""
    return asked.names.needing(artist=asked.way is SplitBy.ARTIST, time=asked.way is SplitBy.TIME)


def _check(asked: SplitRequest) -> None:
    names, shares, way = asked.names, asked.shares, asked.way
    drawn = asked.by is not None or asked.val is not None or asked.test is not None
    faults = {
        "there is neither --plays nor --labels": not (asked.plays or asked.labels),
        "--by label needs --labels": way is SplitBy.LABEL and not asked.labels,
        "--by time needs --plays": way is SplitBy.TIME and not asked.plays,
        "--wide and --min-items-per-label need --labels": not asked.labels
        and (names.wide or asked.filters.items_per_label is not None),
        "--label and --label-item need --labels": not asked.labels
        and (names.label is not None or names.label_item is not None),
        "--wide and --label exclude each other": names.wide and names.label is not None,
        "--min-plays, --min-users, --min-items and --core need --plays": not asked.plays
        and asked.filters.of_plays,
        "--train-ids and --test-ids belong together": bool(asked.lists)
        and not {"train", "test"} <= {*asked.lists},
        "--by, --test and --val say nothing where lists of ids do": bool(asked.lists) and drawn,
        "--val and --test are shares that leave something to train": shares.val + shares.test >= 1,
        "--test is a share above 0": shares.test <= 0,
        "--val is a share, or 0": not 0 <= shares.val < 1,
    }
    for fault, is_one in faults.items():
        if is_one:
            raise RequestError(fault, hint="See 'tartarus split --help'.")


def _lists(asked: SplitRequest) -> dict[str, list[str]] | None:
    """Read the lists of ids, in the order of the sets; no id may be in two."""
    if not asked.lists:
        return None
    missing = next((path for path in asked.lists.values() if not path.is_file()), None)
    if missing is not None:
        msg = f"there is no file {missing}"
        raise RequestError(msg, hint="Name a list of ids, one a line.")
    lists = {name: read_ids(asked.lists[name]) for name in SPLITS if name in asked.lists}
    where: dict[str, str] = {}
    for name, ids in lists.items():
        twice = next((item for item in ids if item in where), None)
        if twice is not None:
            raise FileError(
                asked.lists[name],
                found=f"{twice!r}, which is in {display_path(asked.lists[where[twice]])} too",
                expected="each id in one list alone",
                hint="Take it out of one of the lists.",
            )
        where |= dict.fromkeys(ids, name)
    return lists


def _divided(
    material: InteractionTable, asked: SplitRequest, lists: Mapping[str, list[str]] | None
) -> dict[str, NDArray[np.int64]]:
    """Return which items each set has, in the order of its rows."""
    if lists is not None:
        places = {name: material.places(ids) for name, ids in lists.items()}
        sets = {name: rows[rows >= 0] for name, rows in places.items()}
    else:
        drawn = _drawn(material, asked)
        rows = [np.flatnonzero(drawn == number) for number in range(len(SPLITS))]
        sets = dict(zip(SPLITS, rows, strict=True))
        if not asked.shares.val:
            del sets["val"]
    for name, items in sets.items():
        if not len(items):
            msg = f"{name} would hold no item, of {len(material.items):,}"
            hint = "Ask for other shares or filters; or divide in another way."
            raise DataError(msg, hint=hint)
    return sets


def _drawn(material: InteractionTable, asked: SplitRequest) -> NDArray[np.int8]:
    shares, seed, items = asked.shares, asked.seed, len(material.items)
    if shares.sizes(items)[0] < 1:
        msg = f"there is too little to be divided: items {items:,}"
        raise DataError(msg, hint="Ask for fewer filters, or name a larger table.")
    if asked.way is SplitBy.ARTIST and material.artists is not None:
        return by_group(material.artists, shares, seed=seed)
    if asked.way is SplitBy.TIME and material.first is not None:
        return by_time(material.first, shares, seed=seed)
    if asked.way is SplitBy.LABEL and material.has is not None:
        with defer_interrupts() as check:
            return by_label(material.has, shares, seed=seed, check=check)
    return by_item(items, shares, seed=seed)


def _made(
    workspace: WorkspacePaths,
    asked: SplitRequest,
    material: InteractionTable,
    sets: Mapping[str, SetRows],
    before: tuple[list[dict[str, Any]], list[Stage]],
) -> Split:
    pairs, has = material.pairs, material.has
    files = SplitFiles(workspace, asked.dataset)
    paths = files.all(tuple(sets), plays=pairs is not None, labels=material.labels)
    sizes = {name: set_size(material, rows) for name, rows in sets.items()}
    return Split(
        dataset=asked.dataset,
        seed=asked.seed,
        by="lists" if asked.lists else asked.way.value,
        shares=None if asked.lists else asdict(asked.shares),
        read=before[0],
        filters=asdict(asked.filters),
        stages=before[1],
        users=None if pairs is None else pairs.users,
        labels=None if has is None else len(material.labels),
        sets=sizes,
        leakage=measure_leakage(material, sets, sizes),
        version=version("tartarus-cli"),
        files=paths,
        set_aside=[],
    )


def _manifest(made: Split, asked: SplitRequest) -> dict[str, Any]:
    """Return what is kept with the dataset."""
    kept = asdict(made) | {"asked": _kept(asked)}
    kept["files"] = [path.name for path in made.files]
    del kept["set_aside"]
    return kept


def _kept(asked: SplitRequest) -> Any:
    """Return what was asked for, as it is kept."""
    options = asdict(asked)
    options["names"]["needed"] = sorted(asked.names.needed)
    del options["force"], options["dataset"]
    return json.loads(json.dumps(options, default=str))


def _asked_before(workspace: WorkspacePaths, asked: SplitRequest) -> bool:
    """Whether the dataset that is there was asked for in the same words."""
    path = workspace.place(Kind.SPLIT, dataset=asked.dataset)
    try:
        kept = json.loads(read_text(path)) if path.is_file() else None
    except (ValueError, RecursionError):
        return False
    return isinstance(kept, dict) and kept.get("asked") == _kept(asked)
