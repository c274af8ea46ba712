"""The items of a dataset with their plays or labels: read from tables, joined, and filtered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.provenance import Filters, Stage
from tartarus_cli.data.tables.numbering import Codes, Ids, find_positions
from tartarus_cli.data.tables.reading import Table, open_table
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import DataError, parameter
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.columns import ColumnNames, report_columns, suggest_artists
from tartarus_cli.splitting.filters import (
    Pairs,
    PairTotals,
    drop_rare_items,
    drop_rare_pairs,
    drop_rare_users,
    k_core,
)
from tartarus_cli.splitting.labels import LabelColumns, Labels, read_labels, with_items_of
from tartarus_cli.splitting.plausibility import label_warnings, warn_of_ids
from tartarus_cli.splitting.plays import PlayColumns, Plays, read_plays


@dataclass(frozen=True)
class InteractionTable:
    """Items in the order of their ids, with their plays, labels, times and artists."""

    items: Ids
    """``(items,)`` ids."""
    users: Ids
    """``(users,)`` ids; empty without plays."""
    pairs: Pairs | None
    """Who played what; None without plays."""
    label_names: list[str]
    labels: csr_array | None
    """Sparse ``(items, labels)``, 1 where the item has the label; None without labels."""
    first_played: NDArray[np.float64] | None = None
    """``(items,)`` time of each item's first play."""
    last_played: NDArray[np.float64] | None = None
    """``(items,)`` time of each item's last play."""
    artists: Ids | None = None
    """``(items,)`` artist of each item, "" where it is not known."""

    def positions(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the position of each id among the items; -1 if it is not one of them."""
        names = UnicodeForms(self.items).find_all(ids)
        return find_positions(names, self.items).astype(np.int64)

    def count(self, after: str) -> Stage:
        """Count the items, users, pairs, plays and labels after a step."""
        labels = None if self.labels is None else len(self.label_names)
        if self.pairs is None:
            return Stage(after=after, items=len(self.items), labels=labels)
        totals = PairTotals.of(self.pairs)
        return Stage(
            after=after,
            items=totals.items,
            users=totals.users,
            pairs=totals.pairs,
            plays=totals.plays,
            labels=labels,
        )

    def subset(self, mask: NDArray[np.bool_]) -> InteractionTable:
        """Return the items where the mask is true, and the users that have one of them."""
        pairs, users = self.pairs, self.users
        if pairs is not None:
            pairs = pairs.select(mask[pairs.item])
            is_active = pairs.items_per_user > 0
            users = users[is_active]
            pairs = Pairs(
                _renumber(is_active)[pairs.user],
                _renumber(mask)[pairs.item],
                pairs.count,
                user_count=len(users),
                item_count=int(mask.sum()),
            )
        return replace(
            self,
            items=self.items[mask],
            users=users,
            pairs=pairs,
            labels=None if self.labels is None else csr_array(self.labels[np.flatnonzero(mask)]),
            first_played=None if self.first_played is None else self.first_played[mask],
            last_played=None if self.last_played is None else self.last_played[mask],
            artists=None if self.artists is None else self.artists[mask],
        )


@dataclass(frozen=True)
class SplitTables:
    """The content of the tables that a dataset is made of."""

    interactions: InteractionTable
    stages: list[Stage]
    """How much each table holds, and how much of it the dataset is made of."""
    columns: dict[str, PlayColumns | LabelColumns]
    """``plays`` and ``labels`` → which column holds what."""


def read_split_tables(
    plays: Path | None,
    labels: Path | None,
    names: ColumnNames,
    listed: Sequence[str] | None,
    progress: Progress,
) -> SplitTables:
    """Read the tables, and join them for the items of the dataset.

    Parameters
    ----------
    plays, labels
        The tables; at least one.
    names
        Columns that the user named.
    listed
        Ids of the dataset's items; None: all that have plays, or labels, or (of two tables) both.
    progress
        Hears of the columns, of the rows read, and of suspicious ids.

    Raises
    ------
    RequestError
        If a table or a column does not exist.
    FileError
        If a row is damaged.
    DataError
        If no item is left.
    """
    paths = {"plays": plays, "labels": labels}
    tables = {
        name: open_table(path, header=names.header, encoding=names.encoding)
        for name, path in paths.items()
        if path
    }
    columns: dict[str, PlayColumns | LabelColumns] = {}
    if "plays" in tables:
        columns["plays"] = names.choose_play_columns(tables["plays"])
    if "labels" in tables:
        with_plays = plays is not None
        columns["labels"] = names.choose_label_columns(tables["labels"], with_plays=with_plays)
    for name, chosen in columns.items():
        may_have_artists = name == "plays" or plays is None
        _report_columns(tables[name], chosen, progress, artists=may_have_artists)
    play_data, label_data = None, None
    for name, chosen in columns.items():
        if isinstance(chosen, PlayColumns):
            play_data = read_plays(tables[name], chosen, progress=progress)
            warn_of_ids(tables[name], (play_data.users, play_data.items), progress)
        else:
            label_data = read_labels(tables[name], chosen, progress=progress)
            warn_of_ids(tables[name], (label_data.items, label_data.names), progress)
            for warning in label_warnings(tables[name].path, label_data.names):
                progress.warn(warning)
    if play_data is not None and label_data is not None:
        label_data = with_items_of(label_data, play_data.items, progress)
    interactions = _join(play_data, label_data, listed)
    stages = _reading_stages(play_data, label_data, listed, interactions)
    return SplitTables(interactions, stages, columns)


def _report_columns(
    table: Table, columns: PlayColumns | LabelColumns, progress: Progress, *, artists: bool
) -> None:
    progress.say(report_columns(table, columns))
    suggestion = suggest_artists(table, columns) if artists else None
    if suggestion:
        progress.say(suggestion)


def _reading_stages(
    plays: Plays | None,
    labels: Labels | None,
    listed: Sequence[str] | None,
    interactions: InteractionTable,
) -> list[Stage]:
    """Count what each table holds, and how much of it belongs to items of the dataset."""
    stages = []
    if plays is not None:
        skipped = f", {plays.skipped_rows:,} without an id left out" * (plays.skipped_rows > 0)
        stages.append(_from_plays(plays).count(f"{plays.rows:,} rows of plays{skipped}"))
    if labels is not None:
        unlabelled = f", {labels.unlabelled:,} items without a label" * (labels.unlabelled > 0)
        skipped = f", {labels.skipped_rows:,} with holes left out" * (labels.skipped_rows > 0)
        after = f"{labels.rows:,} rows of labels{skipped}{unlabelled}"
        stages.append(_from_labels(labels).count(after))
    if listed is not None or len(stages) == 2:
        after = "items with plays and labels" if listed is None else "listed items"
        stages.append(interactions.count(after))
    return stages


def _join(
    plays: Plays | None, labels: Labels | None, listed: Sequence[str] | None
) -> InteractionTable:
    """Put plays and labels side by side, for the items of the dataset."""
    if listed is None and labels is None and plays is not None:
        return _from_plays(plays)
    if listed is None and plays is None and labels is not None:
        return _from_labels(labels)
    known = [{*source.items} for source in (plays, labels) if source is not None]
    if listed is None:
        names = set.intersection(*known)
    else:
        names = {*UnicodeForms(set.union(*known)).find_all(listed)}
    items = np.array(sorted(names), object)
    if not len(items):
        msg = "no item has both plays and labels"
        raise DataError(msg, hint="Compare the ids: they must be the same in both tables.")
    table = InteractionTable(items, np.array([], object), None, [], None)
    if plays is not None:
        table = _add_plays(table, plays)
    if labels is not None:
        matrix = _align_labels(labels, items)
        table = replace(table, label_names=labels.names, labels=matrix)
    source = plays if plays is not None else labels
    if source is not None and source.artists is not None:
        table = replace(table, artists=_align(source.artists, source.items, items, ""))
    return table.subset(np.ones(len(items), np.bool_))


def _add_plays(table: InteractionTable, plays: Plays) -> InteractionTable:
    table = replace(table, users=plays.users, pairs=_align_pairs(plays, table.items))
    if plays.first_played is None or plays.last_played is None:
        return table
    first = _align(plays.first_played, plays.items, table.items, np.inf)
    last = _align(plays.last_played, plays.items, table.items, -np.inf)
    return replace(table, first_played=first, last_played=last)


def _from_plays(plays: Plays) -> InteractionTable:
    pairs = Pairs(
        plays.user,
        plays.item,
        plays.count,
        user_count=len(plays.users),
        item_count=len(plays.items),
    )
    times = (plays.first_played, plays.last_played)
    return InteractionTable(plays.items, plays.users, pairs, [], None, *times, plays.artists)


def _from_labels(labels: Labels) -> InteractionTable:
    users = np.array([], object)
    return InteractionTable(
        labels.items, users, None, labels.names, labels.matrix, artists=labels.artists
    )


def _align_pairs(plays: Plays, items: Ids) -> Pairs:
    """Return the pairs of these items, numbered as they are here."""
    position = find_positions(plays.items, items)
    is_listed = position[plays.item] >= 0
    return Pairs(
        plays.user[is_listed],
        position[plays.item[is_listed]],
        plays.count[is_listed],
        user_count=len(plays.users),
        item_count=len(items),
    )


def _align_labels(labels: Labels, items: Ids) -> csr_array:
    """Return the labels of these items, ``(items, labels)``; an unknown item has none."""
    from scipy.sparse import vstack

    position = find_positions(items, labels.items)
    empty = csr_array((1, len(labels.names)), dtype=labels.matrix.dtype)
    extended = csr_array(vstack([labels.matrix, empty], format="csr"))
    return csr_array(extended[np.where(position < 0, labels.matrix.shape[0], position)])


def _align(values: NDArray[Any], known: Ids, items: Ids, missing: float | str) -> NDArray[Any]:
    """Return the value of each item, ``missing`` for those that are not among the known ones."""
    position = find_positions(items, known)
    aligned = values[np.maximum(position, 0)]
    aligned[position < 0] = missing
    return aligned


def _renumber(mask: NDArray[np.bool_]) -> Codes:
    """Return the new numbers of those that stay where the mask is true."""
    return (np.cumsum(mask) - 1).astype(np.int32)


def apply_filters(
    interactions: InteractionTable, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Drop rare labels, pairs, items and users, in this order, and items that have nothing left.

    Parameters
    ----------
    interactions
        The items.
    filters
        The least that each must have.
    listed
        Whether the items were listed: then those without plays, or without labels, stay, unless a
        filter demands some.

    Returns
    -------
    The remaining items, and how much was left after each filter.

    Raises
    ------
    DataError
        If nothing is left.
    """
    stages = []
    if filters.min_items_per_label is not None:
        least = filters.min_items_per_label
        interactions = _drop_rare_labels(interactions, least, listed=listed)
        stages.append(interactions.count(parameter("min_items_per_label", least)))
    if interactions.pairs is not None:
        pairs = interactions.pairs
        interactions, later = _filter_plays(interactions, pairs, filters, listed=listed)
        stages += later
    if not len(interactions.items):
        msg = "the filters leave nothing"
        given = [parameter(name) for name, least in filters if least is not None]
        hint = f"Use a smaller number for {' or '.join(given)}."
        raise DataError(msg, hint=hint if given else "Give a table with plays above 0.")
    return interactions, stages


def _drop_rare_labels(
    interactions: InteractionTable, min_items: int, *, listed: bool
) -> InteractionTable:
    if interactions.labels is None:
        return interactions
    items_per_label = np.bincount(
        interactions.labels.indices, minlength=len(interactions.label_names)
    )
    common = np.flatnonzero(items_per_label >= min_items)
    labels = csr_array(interactions.labels[:, common])
    names = [interactions.label_names[label] for label in common]
    filtered = replace(interactions, labels=labels, label_names=names)
    return filtered if listed else filtered.subset(np.diff(labels.indptr) > 0)


def _filter_plays(
    interactions: InteractionTable, pairs: Pairs, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Filter the pairs, and drop items and users that have none left."""
    stages = []
    steps = (
        ("min_plays", drop_rare_pairs, filters.min_plays),
        ("min_users", drop_rare_items, filters.min_users),
        ("min_items", drop_rare_users, filters.min_items),
        ("core", k_core, filters.core),
    )
    if not pairs.count.all():
        pairs = pairs.select(pairs.count > 0)
        stages.append(replace(interactions, pairs=pairs).count("pairs of 0 plays"))
    for name, drop, least in steps:
        if least is not None:
            pairs = drop(pairs, least)
            stages.append(replace(interactions, pairs=pairs).count(parameter(name, least)))
    keep_all = listed and filters.min_users is None and filters.core is None
    has_pairs = pairs.users_per_item > 0
    mask = np.ones(len(interactions.items), np.bool_) if keep_all else has_pairs
    return replace(interactions, pairs=pairs).subset(mask), stages


@dataclass(frozen=True)
class SetRows:
    """The rows of one of the sets."""

    items: NDArray[np.int64]
    """``(rows,)`` number of each row's item in the table of interactions."""
    plays: csr_array | None
    """Sparse ``(rows, users)``; None without plays."""


SplitSets = Mapping[str, SetRows]
"""Name of the set (train, val or test) → its rows."""
