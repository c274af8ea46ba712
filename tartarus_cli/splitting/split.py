"""Make a dataset from a table: who played what, or which item has which labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.provenance import (
    Filters,
    SourceTable,
    SplitManifest,
    Stage,
    read_split_manifest,
)
from tartarus_cli.data.tables.parts import part_files, table_digest
from tartarus_cli.errors import DataError, FileError, RequestError
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.files import digest_in_background, stat_signature
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.columns import ColumnNames
from tartarus_cli.splitting.id_lists import read_id_lists
from tartarus_cli.splitting.interactions import (
    InteractionTable,
    SetRows,
    SplitSets,
    SplitTables,
    apply_filters,
    read_split_tables,
)
from tartarus_cli.splitting.leakage import measure_leakage, measure_set, warn_of_leakage
from tartarus_cli.splitting.strategies import (
    SetOfItem,
    Shares,
    by_group,
    by_item,
    by_label,
    by_time,
)
from tartarus_cli.splitting.writing import SplitFiles, check_dataset_name, write_split

_NEW_COLUMNS = ("encoding", "label_separator")
Fault = tuple[bool, str, str]
"""Whether it is one, the message, and what to do about it."""


class SplitBy(StrEnum):
    """How items are divided."""

    ITEM = "item"
    ARTIST = "artist"
    TIME = "time"
    LABEL = "label"


@dataclass(frozen=True)
class SplitRequest:
    """A dataset to make: its name, its tables, the filters, and how to divide its items."""

    dataset: str
    plays: Path | None = None
    """A table of plays."""
    labels: Path | None = None
    """A table of labels."""
    columns: ColumnNames = field(default_factory=ColumnNames)
    filters: Filters = field(default_factory=Filters)
    by: SplitBy | None = None
    """None: by label for labels alone, else by item."""
    val: float | None = None
    """Share of val items; None: 0.1."""
    test: float | None = None
    """Share of test items; None: 0.2."""
    train_ids: Path | None = None
    """A list of the ids of train items, one a line, instead of drawing them."""
    val_ids: Path | None = None
    test_ids: Path | None = None
    seed: int = 0
    force: bool = False
    """Whether to replace a dataset of the same name."""

    @property
    def strategy(self) -> SplitBy:
        """How items are divided, if not by lists."""
        return self.by or (SplitBy.ITEM if self.plays else SplitBy.LABEL)

    @property
    def shares(self) -> Shares:
        """Shares of val and test items."""
        val, test = self.val, self.test
        return Shares(0.1 if val is None else val, 0.2 if test is None else test)

    @property
    def id_lists(self) -> dict[str, Path]:
        """Set → list of ids, in the order of the sets; empty if items are drawn."""
        lists = {"train": self.train_ids, "val": self.val_ids, "test": self.test_ids}
        return {name: path for name, path in lists.items() if path}


@dataclass(frozen=True)
class SplitResult:
    """A dataset that was made."""

    manifest: SplitManifest
    """How it was made, and what it holds."""
    files: list[Path]
    """The files that were written."""
    backups: list[Path]
    """Backups of files that no longer fit."""


def split(
    workspace: WorkspacePaths, request: SplitRequest, *, progress: Progress = UNWATCHED
) -> SplitResult:
    """Read tables, drop what is rare, divide the items, and write the files of a dataset.

    The same tables and seed give the same files, whatever the order of the rows.

    Parameters
    ----------
    workspace
        Where the dataset is written.
    request
        The tables, the filters, and how to divide.
    progress
        Hears of the rows read, and of all that may be a mistake.

    Raises
    ------
    RequestError
        If parameters contradict each other, the dataset exists, or its name cannot be used.
    FileError
        If a table or a list is damaged.
    DataError
        If nothing is left to divide.
    """
    _check_request(request)
    is_repeated = not request.force and _is_repeated(workspace, request)
    check_dataset_name(workspace, request.dataset, force=request.force or is_repeated)
    lists = read_id_lists(request.id_lists)
    listed = None if lists is None else [item for ids in lists.values() for item in ids]
    tables, sources = _read_tables(request, listed, progress)
    interactions, filter_stages = apply_filters(
        tables.interactions, request.filters, listed=listed is not None
    )
    with progress.task("dividing and writing", 2) as task:
        pairs = interactions.pairs
        sets = {
            name: SetRows(items, None if pairs is None else pairs.matrix(items))
            for name, items in _divide(interactions, request, lists).items()
        }
        task.advance()
        files = SplitFiles(workspace, request.dataset)
        paths = files.paths(sets, interactions)
        manifest = _make_manifest(
            request, interactions, sets, sources, [*tables.stages, *filter_stages], paths
        )
        backups = write_split(files, interactions, sets, manifest, force=request.force)
        task.advance()
    warn_of_leakage(manifest.leakage, progress)
    return SplitResult(manifest, paths, backups)


def _read_tables(
    request: SplitRequest, listed: Sequence[str] | None, progress: Progress
) -> tuple[SplitTables, list[SourceTable]]:
    """Read the tables; return their content, and the record of each."""
    paths = {"plays": request.plays, "labels": request.labels}
    tables = {name: path for name, path in paths.items() if path}
    before = {part: stat_signature(part) for path in tables.values() for part in _parts(path)}
    with ExitStack() as stack:
        hashing = {
            name: stack.enter_context(digest_in_background(path, table_digest))
            for name, path in tables.items()
        }
        names = request.columns.require(
            artist=request.strategy is SplitBy.ARTIST, time=request.strategy is SplitBy.TIME
        )
        content = read_split_tables(request.plays, request.labels, names, listed, progress)
        hashes = {name: finish() for name, finish in hashing.items()}
    if any(stat_signature(path) != signature for path, signature in before.items()):
        msg = "a table was changed while it was read"
        raise DataError(msg, hint="Split again.")
    sources = [
        SourceTable.model_validate(
            {"table": name, "file": str(path)}
            | {"bytes": sum(part.stat().st_size for part in _parts(path))}
            | {"blake2b": hashes[name]}
            | asdict(content.columns[name])
        )
        for name, path in tables.items()
    ]
    return content, sources


def _parts(path: Path) -> list[Path]:
    return [part for part in part_files(path) if part.is_file()]


def _check_request(request: SplitRequest) -> None:
    for is_fault, fault, hint in (*_table_faults(request), *_division_faults(request)):
        if is_fault:
            raise RequestError(fault, hint=hint)


def _table_faults(request: SplitRequest) -> tuple[Fault, ...]:
    """List what may be wrong with the tables that are given."""
    columns, filters = request.columns, request.filters
    no_plays, no_labels = not request.plays, not request.labels
    give_plays, give_labels = "Give `plays=FILE`.", "Give `labels=FILE`."
    return (
        (
            no_plays and no_labels,
            "there is neither `plays` nor `labels`",
            "Give `plays=FILE` or `labels=FILE`.",
        ),
        (
            no_labels and request.strategy is SplitBy.LABEL,
            "`by='label'` needs `labels`",
            give_labels,
        ),
        (no_plays and request.strategy is SplitBy.TIME, "`by='time'` needs `plays`", give_plays),
        (
            no_labels and (columns.wide or filters.min_items_per_label is not None),
            "`wide=True` and `min_items_per_label` need `labels`",
            give_labels,
        ),
        (
            no_labels and (columns.label is not None or columns.label_item is not None),
            "`label` and `label_item` need `labels`",
            give_labels,
        ),
        (
            columns.label_separator is not None and (no_labels or columns.wide),
            "`label_separator` is for `labels` of one row a label, and not for `wide=True`",
            "Leave it out.",
        ),
        (
            columns.label_separator == "",
            "`label_separator` is empty",
            "Give what stands between the labels, such as `label_separator='|'`.",
        ),
        (
            columns.wide and columns.label is not None,
            "`wide=True` and `label` exclude each other",
            "Leave one of the two out.",
        ),
        (
            no_plays and filters.filter_plays,
            "`min_plays`, `min_users`, `min_items` and `core` need `plays`",
            give_plays,
        ),
    )


def _division_faults(request: SplitRequest) -> tuple[Fault, ...]:
    """List what may be wrong with the way in which items are divided."""
    lists, shares = request.id_lists, request.shares
    draws = request.by is not None or request.val is not None or request.test is not None
    return (
        (
            bool(lists) and not {"train", "test"} <= lists.keys(),
            "`train_ids` and `test_ids` belong together",
            "Give both lists.",
        ),
        (
            bool(lists) and draws,
            "`by`, `test` and `val` mean nothing where lists of ids divide the items",
            "Leave these out, or the lists.",
        ),
        (
            shares.val + shares.test >= 1,
            "`val` and `test` leave nothing to train on",
            "Give shares whose sum is below 1.",
        ),
        (shares.test <= 0, "`test` is a share above 0", "Give one, for example `test=0.2`."),
        (
            not 0 <= shares.val < 1,
            "`val` is a share from 0 to below 1",
            "Give one, for example `val=0.1`.",
        ),
    )


def _divide(
    interactions: InteractionTable, request: SplitRequest, lists: Mapping[str, list[str]] | None
) -> dict[str, NDArray[np.int64]]:
    """Return the items of each set, in the order of its rows."""
    if lists is not None:
        positions = {name: interactions.positions(ids) for name, ids in lists.items()}
        sets = {name: rows[rows >= 0] for name, rows in positions.items()}
    else:
        set_of_item = _draw_sets(interactions, request)
        rows = [np.flatnonzero(set_of_item == number) for number in range(len(SPLITS))]
        sets = dict(zip(SPLITS, rows, strict=True))
        if not request.shares.val:
            del sets["val"]
    for name, items in sets.items():
        if not len(items):
            msg = f"{name} would hold no item, of {len(interactions.items):,}"
            hint = "Use other shares or filters, or divide in another way."
            raise DataError(msg, hint=hint)
    return sets


def _draw_sets(interactions: InteractionTable, request: SplitRequest) -> SetOfItem:
    shares, seed, items = request.shares, request.seed, len(interactions.items)
    if shares.sizes(items)[0] < 1:
        msg = f"there is too little to be divided: items {items:,}"
        raise DataError(msg, hint="Use fewer filters, or a larger table.")
    if request.strategy is SplitBy.ARTIST and interactions.artists is not None:
        return by_group(interactions.artists, shares, seed=seed)
    if request.strategy is SplitBy.TIME and interactions.first_played is not None:
        return by_time(interactions.first_played, shares, seed=seed)
    if request.strategy is SplitBy.LABEL and interactions.labels is not None:
        with defer_interrupts() as check:
            return by_label(interactions.labels, shares, seed=seed, check=check)
    return by_item(items, shares, seed=seed)


def _make_manifest(
    request: SplitRequest,
    interactions: InteractionTable,
    sets: SplitSets,
    tables: list[SourceTable],
    stages: list[Stage],
    files: Sequence[Path],
) -> SplitManifest:
    pairs, labels = interactions.pairs, interactions.labels
    sizes = {name: measure_set(interactions, rows) for name, rows in sets.items()}
    return SplitManifest(
        dataset=request.dataset,
        seed=request.seed,
        by="lists" if request.id_lists else request.strategy.value,
        shares=None if request.id_lists else asdict(request.shares),
        tables=tables,
        filters=request.filters,
        stages=stages,
        users=None if pairs is None else pairs.user_count,
        labels=None if labels is None else len(interactions.label_names),
        sets=sizes,
        leakage=measure_leakage(interactions, sets, sizes),
        version=version("tartarus-cli"),
        files=[path.name for path in files],
        request=_request_record(request),
    )


def _request_record(request: SplitRequest) -> dict[str, Any]:
    """Return a request as its manifest records it; equal requests have equal records."""
    columns = asdict(request.columns)
    del columns["required"]
    # Older manifests lack these.
    columns = {k: v for k, v in columns.items() if k not in _NEW_COLUMNS or v is not None}
    record = {
        "plays": request.plays,
        "labels": request.labels,
        "names": columns | {"needed": sorted(request.columns.required)},
        "filters": request.filters.model_dump(by_alias=True),
        "by": request.by,
        "val": request.val,
        "test": request.test,
        "lists": request.id_lists,
        "seed": request.seed,
    }
    plain: dict[str, Any] = json.loads(json.dumps(record, default=str))
    return plain


def _is_repeated(workspace: WorkspacePaths, request: SplitRequest) -> bool:
    """Whether the dataset of this name was made, or begun, by the same request."""
    path = workspace.path_of(Kind.SPLIT, dataset=request.dataset)
    try:
        return path.is_file() and read_split_manifest(path).request == _request_record(request)
    except FileError:
        return False
