"""Divide items into folds: as many datasets, of which each item is a test item once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.folds import Fold, FoldsManifest, find_folds, fold_name
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.provenance import SourceTable
from tartarus_cli.data.tables.numbering import Ids
from tartarus_cli.errors import DataError, FileError, RequestError, count_noun, display_path
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.files import write_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.splitting.backup import back_up_files
from tartarus_cli.splitting.filtering import TrainedUsers, apply_filters
from tartarus_cli.splitting.fold_strategies import (
    FoldOfItem,
    folds_by_group,
    folds_by_item,
    folds_by_label,
)
from tartarus_cli.splitting.given_folds import GivenFolds, read_given_folds
from tartarus_cli.splitting.interactions import InteractionTable, SetRows, SplitTables
from tartarus_cli.splitting.leakage import leakage_counts
from tartarus_cli.splitting.request import SplitBy, SplitRequest, check_request, request_record
from tartarus_cli.splitting.split import (
    SplitResult,
    is_repeated_request,
    make_manifest,
    read_tables,
)
from tartarus_cli.splitting.strategies import VAL, SetOfItem, Shares, by_group, by_item, by_label
from tartarus_cli.splitting.writing import (
    SplitFiles,
    check_dataset_name,
    list_dataset_files,
    write_split,
)


@dataclass(frozen=True)
class FoldedSplitResult:
    """Folds that were made."""

    manifest: FoldsManifest
    """What they have in common."""
    path: Path
    """The file of the manifest."""
    splits: tuple[SplitResult, ...]
    """The dataset of each fold."""
    backups: list[Path]
    """Backups of files that no longer fit, of all folds."""


def split_folds(
    workspace: WorkspacePaths, request: SplitRequest, *, progress: Progress = UNWATCHED
) -> FoldedSplitResult:
    """Divide items into folds, and write a dataset for each: its test items, and all others.

    Each item is a test item of one fold. The val items of a fold are a share of the items that are
    not its test items, chosen in the same way; with given folds too. Filters count all items, as
    they do for a dataset that is divided once. The same tables and seed give the same files.

    Parameters
    ----------
    workspace
        Where the datasets are written.
    request
        The tables, the filters, and how to divide.
    progress
        Hears of the rows read, and of all that may be a mistake.

    Raises
    ------
    RequestError
        If parameters contradict each other, a dataset exists, or its name cannot be used.
    FileError
        If a table is damaged.
    DataError
        If there is too little to be divided into so many folds.
    """
    check_request(request)
    _check_name(workspace, request.dataset)
    given = None
    if request.folds_from is not None:
        given = read_given_folds(request.folds_from, request.fold, request.columns, progress)
    requests = _requests(workspace, request, len(given.labels) if given else request.folds or 0)
    tables, sources = read_tables(request, None, progress)
    if given is not None:
        tables = _listed_items(tables, given, request, progress)
    filtered = TrainedUsers(*apply_filters(tables.interactions, request.filters, listed=False), 0)
    interactions, splits, folds = filtered.interactions, [], []
    fold_of_item = _divide(interactions, request, given, len(requests))
    with progress.task("writing folds", len(requests)) as task:
        for fold, each in enumerate(requests):
            rows = _sets(interactions, request, fold_of_item, fold)
            splits.append(_write(workspace, each, tables, filtered, rows, sources))
            label = given.labels[fold] if given else ""
            folds.append(_record(interactions, each.dataset, fold, rows, label))
            task.advance()
    backups = [path for split in splits for path in split.backups]
    backups += _back_up_surplus(workspace, request, [fold.dataset for fold in folds])
    manifest = FoldsManifest(
        dataset=request.dataset,
        by="folds" if given else request.strategy.value,
        val_by=request.strategy.value,
        val=request.shares.val,
        seed=request.seed,
        items=len(interactions.items),
        folds=tuple(folds),
        tables=sources,
        version=version("tartarus-cli"),
        request=request_record(request),
    )
    path = workspace.path_of(Kind.FOLDS, dataset=request.dataset)
    write_text(path, manifest.to_json())
    for warning in _warnings(splits):
        progress.warn(warning)
    return FoldedSplitResult(manifest, path, tuple(splits), backups)


def _requests(workspace: WorkspacePaths, request: SplitRequest, folds: int) -> list[SplitRequest]:
    """Return a request for the dataset of each fold, and make sure that it can be written."""
    requests = [
        replace(request, dataset=fold_name(request.dataset, fold + 1)) for fold in range(folds)
    ]
    for each in requests:
        again = request.force or is_repeated_request(workspace, each)
        check_dataset_name(workspace, each.dataset, force=again)
    return requests


def _write(
    workspace: WorkspacePaths,
    request: SplitRequest,
    tables: SplitTables,
    filtered: TrainedUsers,
    rows: Mapping[str, NDArray[np.int64]],
    sources: list[SourceTable],
) -> SplitResult:
    """Write the dataset of a fold."""
    interactions, pairs = filtered.interactions, filtered.interactions.pairs
    sets = {
        name: SetRows(items, None if pairs is None else pairs.matrix(items))
        for name, items in rows.items()
    }
    files = SplitFiles(workspace, request.dataset)
    paths = files.paths(sets, interactions)
    manifest = make_manifest(request, tables, filtered, sets, sources, paths)
    backups = write_split(files, interactions, sets, manifest, force=request.force)
    return SplitResult(manifest, paths, backups)


def _check_name(workspace: WorkspacePaths, name: str) -> None:
    """Make sure that no dataset has the name that folds are to have in common."""
    check_dataset_name(workspace, name, force=True, folded=True)
    if name in workspace.scan().datasets():
        path = display_path(workspace.path_of(Kind.ITEMS, split="train", dataset=name))
        msg = f"there is a dataset {name} already: {path}"
        raise RequestError(msg, hint="Use another name for the folds, such as one that ends in cv.")


def _listed_items(
    tables: SplitTables, given: GivenFolds, request: SplitRequest, progress: Progress
) -> SplitTables:
    """Return the items that have a given fold, with the labels that one of them has."""
    interactions, path = tables.interactions, request.folds_from or Path()
    positions = interactions.positions(given.ids)
    known = positions >= 0
    if not known.any():
        msg = f"{display_path(path)}: none of its ids (such as {given.ids[0]!r}) is an item of the "
        msg += f"tables (such as {interactions.items[0]!r})"
        hint = "Compare the ids: they must be the same everywhere; or name another column of ids."
        raise DataError(msg, hint=hint)
    if not known.all():
        unknown = given.ids[int((~known).argmax())]
        count = count_noun(int((~known).sum()), "id is", "ids are")
        progress.warn(f"{display_path(path)}: {count} of no item, such as {unknown!r}")
    mask = np.zeros(len(interactions.items), np.bool_)
    mask[positions[known]] = True
    if mask.all():
        return tables
    listed = interactions.subset(mask)
    if listed.labels is not None:
        used = np.flatnonzero(np.bincount(listed.labels.indices, minlength=listed.labels.shape[1]))
        names = [listed.label_names[label] for label in used]
        listed = replace(listed, labels=csr_array(listed.labels[:, used]), label_names=names)
    stages = [*tables.stages, listed.count("items with a given fold")]
    return replace(tables, interactions=listed, stages=stages)


def _divide(
    interactions: InteractionTable,
    request: SplitRequest,
    given: GivenFolds | None,
    folds: int,
) -> FoldOfItem:
    """Return the fold of each item; none is empty."""
    items, artists, labels = len(interactions.items), interactions.artists, interactions.labels
    if given is not None:
        return _given(interactions, request, given)
    units, noun = items, "item"
    by_artist = request.strategy is SplitBy.ARTIST and artists is not None
    if by_artist and artists is not None:
        units, noun = len({*artists.tolist()}), "artist"
    if units < folds:
        msg = f"there is too little for {folds} folds: {count_noun(units, noun)}"
        raise DataError(msg, hint="Use fewer folds or filters, or a larger table.")
    if by_artist and artists is not None:
        return folds_by_group(artists, folds, seed=request.seed, labels=labels)
    if request.strategy is SplitBy.LABEL and labels is not None:
        with defer_interrupts() as check:
            return folds_by_label(labels, folds, seed=request.seed, check=check)
    return folds_by_item(items, folds, seed=request.seed)


def _given(interactions: InteractionTable, request: SplitRequest, given: GivenFolds) -> FoldOfItem:
    """Return the fold of each item as a table has it; none is empty."""
    positions = interactions.positions(given.ids)
    known = positions >= 0
    fold_of_item = np.zeros(len(interactions.items), np.int8)
    fold_of_item[positions[known]] = given.fold_of_id[known]
    sizes = np.bincount(fold_of_item, minlength=len(given.labels))
    if not sizes.all():
        label = given.labels[int(sizes.argmin())]
        raise FileError(
            request.folds_from or Path(),
            found=f"no item in the fold {label!r}, of those that are left",
            expected="items in each fold",
            hint="Use fewer filters, or compare the ids: they must be the same in all tables.",
        )
    return fold_of_item


def _sets(
    interactions: InteractionTable, request: SplitRequest, fold_of_item: FoldOfItem, fold: int
) -> dict[str, NDArray[np.int64]]:
    """Return the items of each set of a fold, in the order of its rows."""
    is_test = fold_of_item == fold
    others = np.flatnonzero(~is_test)
    share = request.shares.val * len(is_test) / len(others)
    sets = {"train": others}
    if request.shares.val:
        chosen = _draw_val(interactions, request, others, share, (request.seed, fold + 1))
        sets = {"train": others[chosen != VAL], "val": others[chosen == VAL]}
    sets["test"] = np.flatnonzero(is_test)
    for name, items in sets.items():
        if not len(items):
            msg = f"{name} of {fold_name(request.dataset, fold + 1)} would hold no item, of "
            msg += f"{len(fold_of_item):,}"
            hint = "Use another share of val items (`val=0`: there are none), or fewer folds."
            raise DataError(msg, hint=hint)
    return {name: sets[name] for name in SPLITS if name in sets}


def _draw_val(
    interactions: InteractionTable,
    request: SplitRequest,
    items: NDArray[np.int64],
    share: float,
    seed: tuple[int, ...],
) -> SetOfItem:
    """Choose val items among those that are not the test items of a fold, as it was divided."""
    shares = Shares(min(share, 1 - 1 / len(items)), 0)
    if request.strategy is SplitBy.ARTIST and interactions.artists is not None:
        return _whole_groups(interactions.artists[items], shares, seed)
    if request.strategy is SplitBy.LABEL and interactions.labels is not None:
        return by_label(interactions.labels[items], shares, seed=seed)
    return by_item(len(items), shares, seed=seed)


def _whole_groups(groups: Ids, shares: Shares, seed: tuple[int, ...]) -> SetOfItem:
    """Choose whole groups as val items: the smallest one, if all are larger than the share."""
    chosen = by_group(groups, shares, seed=seed)
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) > 1 and not (chosen == VAL).any():
        chosen[groups == names[sizes.argmin()]] = VAL
    return chosen


def _record(
    interactions: InteractionTable,
    dataset: str,
    fold: int,
    sets: Mapping[str, NDArray[np.int64]],
    label: str,
) -> Fold:
    return Fold(
        fold=fold + 1,
        dataset=dataset,
        label=label,
        items={name: len(items) for name, items in sets.items()},
        digests={name: digest_ids(interactions.items[items]) for name, items in sets.items()},
    )


def _back_up_surplus(
    workspace: WorkspacePaths, request: SplitRequest, datasets: Sequence[str]
) -> list[Path]:
    """Back up the files of folds that there were before, where there are fewer now."""
    if not request.force:
        return []
    previous = None
    with suppress(FileError):  # it is replaced
        previous = find_folds(workspace, request.dataset)
    backups: list[Path] = []
    for name in previous.datasets if previous else ():
        if name not in datasets:
            files = [file.path for file in list_dataset_files(workspace, name)]
            train = SplitFiles(workspace, name).ids("train")  # first: without it, it is no dataset
            backups += back_up_files(sorted(files, key=lambda p: p != train), name).values()
    return backups


def _warnings(splits: Sequence[SplitResult]) -> Iterator[str]:
    """Say of all that may be a mistake in which folds it is."""
    counts = {split.manifest.dataset: leakage_counts(split.manifest.leakage) for split in splits}
    for subject in dict.fromkeys(subject for each in counts.values() for subject in each):
        numbers = {name: each[subject] for name, each in counts.items() if subject in each}
        if len(numbers) == len(splits) and len({*numbers.values()}) == 1:
            yield f"{subject}: {next(iter(numbers.values())):,} in each fold"
            continue
        yield f"{subject}: " + ", ".join(f"{n:,} in {name}" for name, n in numbers.items())
