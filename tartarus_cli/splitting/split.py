"""Make a dataset from a table: who played what, or which item has which labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.provenance import (
    SourceTable,
    SplitManifest,
    TimeDivision,
    read_split_manifest,
)
from tartarus_cli.data.tables.parts import part_files, table_digest
from tartarus_cli.errors import DataError, FileError
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.files import digest_in_background, stat_signature
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.filtering import TrainedUsers, apply_filters, require_train_plays
from tartarus_cli.splitting.filters import whole
from tartarus_cli.splitting.id_lists import read_id_lists
from tartarus_cli.splitting.interactions import (
    InteractionTable,
    SetRows,
    SplitSets,
    SplitTables,
    read_split_tables,
)
from tartarus_cli.splitting.leakage import measure_leakage, measure_set, warn_of_leakage
from tartarus_cli.splitting.request import SplitBy, SplitRequest, check_request, request_record
from tartarus_cli.splitting.strategies import (
    SetOfItem,
    by_cut,
    by_group,
    by_item,
    by_label,
    by_time,
)
from tartarus_cli.splitting.time_cut import TimeCut
from tartarus_cli.splitting.writing import SplitFiles, check_dataset_name, write_split


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
    check_request(request)
    is_repeated = not request.force and is_repeated_request(workspace, request)
    check_dataset_name(workspace, request.dataset, force=request.force or is_repeated)
    lists = read_id_lists(request.id_lists)
    listed = None if lists is None else [item for ids in lists.values() for item in ids]
    tables, sources = read_tables(request, listed, progress)
    filtered = filter_tables(tables, request, listed=listed is not None)
    interactions = filtered.interactions
    with progress.task("dividing and writing", 2) as task:
        pairs = interactions.pairs
        sets = {
            name: SetRows(items, None if pairs is None else pairs.matrix(items))
            for name, items in _divide(interactions, request, lists, tables.cut).items()
        }
        task.advance()
        files = SplitFiles(workspace, request.dataset)
        paths = files.paths(sets, interactions)
        manifest = make_manifest(request, tables, filtered, sets, sources, paths)
        backups = write_split(files, interactions, sets, manifest, force=request.force)
        task.advance()
    warn_of_leakage(manifest.leakage, progress)
    return SplitResult(manifest, paths, backups)


def read_tables(
    request: SplitRequest, listed: Sequence[str] | None, progress: Progress
) -> tuple[SplitTables, list[SourceTable]]:
    """Read the tables of a request; return their content, and the record of each.

    Parameters
    ----------
    request
        The tables, and their columns.
    listed
        Ids of the items; None: all that the tables have.
    progress
        Hears of the rows read.

    Raises
    ------
    DataError
        If a table is damaged, or changes while it is read.
    """
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
        cut = request.time_cut
        content = read_split_tables(request.plays, request.labels, names, listed, progress, cut)
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


def filter_tables(tables: SplitTables, request: SplitRequest, *, listed: bool) -> TrainedUsers:
    """Drop what is rare and, where later plays are dropped, users without a train play."""
    filters, cut = request.filters, tables.cut
    if cut is None or not cut.drop_later:
        return TrainedUsers(*apply_filters(tables.interactions, filters, listed=listed), 0)
    return require_train_plays(
        tables.interactions, filters, lambda items: _draw_sets(items, request, cut)
    )


def _divide(
    interactions: InteractionTable,
    request: SplitRequest,
    lists: Mapping[str, list[str]] | None,
    cut: TimeCut | None,
) -> dict[str, NDArray[np.int64]]:
    """Return the items of each set, in the order of its rows."""
    if lists is not None:
        positions = {name: interactions.positions(ids) for name, ids in lists.items()}
        sets = {name: rows[rows >= 0] for name, rows in positions.items()}
    else:
        set_of_item = _draw_sets(interactions, request, cut)
        rows = [np.flatnonzero(set_of_item == number) for number in range(len(SPLITS))]
        sets = dict(zip(SPLITS, rows, strict=True))
        if not request.shares.val:
            del sets["val"]
    for name, items in sets.items():
        if not len(items):
            msg = f"{name} would hold no item, of {len(interactions.items):,}"
            hint = "Use other shares or filters, or divide in another way."
            if cut is not None:
                hint = "Cut at another time, or use another share of val items or other filters."
            raise DataError(msg, hint=hint)
    return sets


def _draw_sets(
    interactions: InteractionTable, request: SplitRequest, cut: TimeCut | None
) -> SetOfItem:
    shares, seed, items = request.shares, request.seed, len(interactions.items)
    if cut is not None and interactions.first_played is not None:
        return by_cut(interactions.first_played, cut.start, shares.val, seed=seed)
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


def make_manifest(
    request: SplitRequest,
    tables: SplitTables,
    filtered: TrainedUsers,
    sets: SplitSets,
    sources: list[SourceTable],
    files: Sequence[Path],
) -> SplitManifest:
    """Return the record of how a dataset was made, and of what its sets hold and share.

    Parameters
    ----------
    request
        What was asked for.
    tables, filtered
        What was read, and what of it is left.
    sets
        The rows of each set.
    sources
        The record of each table.
    files
        All files of the dataset.
    """
    interactions = filtered.interactions
    pairs, labels = interactions.pairs, interactions.labels
    sizes = {name: measure_set(interactions, sets, name) for name in sets}
    return SplitManifest(
        dataset=request.dataset,
        seed=request.seed,
        by=_division(request),
        shares=_shares(request),
        time=_time_division(request, tables, filtered),
        tables=sources,
        filters=request.filters,
        stages=[*tables.stages, *filtered.stages],
        users=None if pairs is None else pairs.user_count,
        labels=None if labels is None else len(interactions.label_names),
        sets=sizes,
        leakage=measure_leakage(interactions, sets, sizes),
        version=version("tartarus-cli"),
        files=[path.name for path in files],
        request=request_record(request),
    )


def _division(request: SplitRequest) -> str:
    if request.id_lists:
        return "lists"
    return "folds" if request.folds_from else request.strategy.value


def _shares(request: SplitRequest) -> dict[str, float] | None:
    """Return the shares that were requested; those first played after a cut are no share.

    Neither are the test items of a fold.
    """
    if request.id_lists:
        return None
    shares = asdict(request.shares)
    no_test = request.cut is not None or request.folded
    return {"val": shares["val"]} if no_test else shares


def _time_division(
    request: SplitRequest, tables: SplitTables, filtered: TrainedUsers
) -> TimeDivision | None:
    cut = request.time_cut
    if cut is None:
        return None
    return TimeDivision(
        cut=cut.cut.text,
        until=None if cut.until is None else cut.until.text,
        drop_later=cut.drop_later,
        dropped_plays=None if tables.dropped is None else whole(tables.dropped),
        dropped_users=filtered.dropped if cut.drop_later else None,
    )


def is_repeated_request(workspace: WorkspacePaths, request: SplitRequest) -> bool:
    """Whether the dataset of this name was made, or begun, by the same request."""
    path = workspace.path_of(Kind.SPLIT, dataset=request.dataset)
    try:
        return path.is_file() and read_split_manifest(path).request == request_record(request)
    except FileError:
        return False
