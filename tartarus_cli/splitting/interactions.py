"""The items of a dataset with their plays or labels: read from tables, joined, and filtered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.provenance import Stage
from tartarus_cli.data.tables.numbering import Codes, Ids, find_positions
from tartarus_cli.data.tables.reading import Table, open_table
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import DataError
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.columns import ColumnNames, report_columns, suggest_artists
from tartarus_cli.splitting.filters import Pairs, PairTotals, whole
from tartarus_cli.splitting.labels import LabelColumns, Labels, read_labels, with_items_of
from tartarus_cli.splitting.plausibility import label_warnings, warn_of_ids
from tartarus_cli.splitting.plays import PlayColumns, Plays, read_plays
from tartarus_cli.splitting.time_cut import RequestedCut, TimeCut


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
    cut: TimeCut | None = None
    """Where time is cut, as the table of plays has it."""
    dropped: float | None = None
    """Plays that were dropped as later than their item's period; None: nothing was."""


def read_split_tables(
    plays: Path | None,
    labels: Path | None,
    names: ColumnNames,
    listed: Sequence[str] | None,
    progress: Progress,
    cut: RequestedCut | None = None,
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
    cut
        Where time is cut: items first played after its end are left out.

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
    play_data = _read_plays(tables, columns, cut, progress)
    label_data = _read_labels(tables, columns, play_data, progress)
    interactions = _join(play_data, label_data, listed)
    stages = _reading_stages(play_data, label_data, listed, interactions)
    if play_data is None:
        return SplitTables(interactions, stages, columns)
    if cut is not None and cut.until is not None and play_data.cut is not None:
        interactions = _leave_out_later(interactions, play_data.cut)
        stages.append(interactions.count(f"items first played before {cut.until.text}"))
    return SplitTables(interactions, stages, columns, play_data.cut, play_data.dropped)


def _read_plays(
    tables: Mapping[str, Table],
    columns: Mapping[str, PlayColumns | LabelColumns],
    cut: RequestedCut | None,
    progress: Progress,
) -> Plays | None:
    """Read the table of plays, if there is one."""
    chosen = columns.get("plays")
    if not isinstance(chosen, PlayColumns):
        return None
    plays = read_plays(tables["plays"], chosen, cut=cut, progress=progress)
    warn_of_ids(tables["plays"], (plays.users, plays.items), progress)
    return plays


def _read_labels(
    tables: Mapping[str, Table],
    columns: Mapping[str, PlayColumns | LabelColumns],
    plays: Plays | None,
    progress: Progress,
) -> Labels | None:
    """Read the table of labels, if there is one, with the ids that the plays have."""
    chosen = columns.get("labels")
    if not isinstance(chosen, LabelColumns):
        return None
    labels = read_labels(tables["labels"], chosen, progress=progress)
    warn_of_ids(tables["labels"], (labels.items, labels.names), progress)
    for warning in label_warnings(tables["labels"].path, labels.names):
        progress.warn(warning)
    return labels if plays is None else with_items_of(labels, plays.items, progress)


def _leave_out_later(interactions: InteractionTable, cut: TimeCut) -> InteractionTable:
    if interactions.first_played is None:
        return interactions
    return interactions.subset(interactions.first_played < cut.end)


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
        after, left = f"{plays.rows:,} rows of plays{skipped}", _from_plays(plays)
        if plays.dropped is None:
            stages.append(left.count(after))
        else:
            sizes = {"items": len(plays.items), "users": len(plays.users)}
            stages.append(Stage(after=after, **sizes, plays=whole(plays.total)))
            stages.append(left.count(f"{plays.dropped:,.15g} later plays dropped"))
    if labels is not None:
        unlabelled = f", {labels.unlabelled:,} items without a label" * (labels.unlabelled > 0)
        skipped = f", {labels.skipped_rows:,} with holes left out" * (labels.skipped_rows > 0)
        after = f"{labels.rows:,} rows of labels{skipped}{unlabelled}"
        stages.append(_from_labels(labels).count(after))
    if listed is not None or (plays is not None and labels is not None):
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


@dataclass(frozen=True)
class SetRows:
    """The rows of one of the sets."""

    items: NDArray[np.int64]
    """``(rows,)`` number of each row's item in the table of interactions."""
    plays: csr_array | None
    """Sparse ``(rows, users)``; None without plays."""


SplitSets = Mapping[str, SetRows]
"""Name of the set (train, val or test) → its rows."""
