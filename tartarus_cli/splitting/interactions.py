"""What a dataset is made of: items with their plays or labels, and what is left of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.tables.numbering import Codes, Ids, positions_of
from tartarus_cli.data.tables.reading import Table, ending, open_table
from tartarus_cli.errors import DataError, display_path
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.columns import ColumnNames, report_artists, report_columns
from tartarus_cli.splitting.filters import Pairs, Size, core, least_items, least_plays, least_users
from tartarus_cli.splitting.labels import LabelColumns, Labels, read_labels
from tartarus_cli.splitting.plays import PlayColumns, Plays, read_plays


@dataclass(frozen=True)
class Filters:
    """What is left out, in this order; None leaves out nothing."""

    items_per_label: int | None = None
    plays: int | None = None  # of a pair of user and item
    users: int | None = None  # of an item
    items: int | None = None  # of a user
    core: int | None = None

    @property
    def of_plays(self) -> bool:
        """Whether plays are filtered."""
        return any(n is not None for n in (self.plays, self.users, self.items, self.core))


@dataclass(frozen=True)
class Stage:
    """How much there was after a filter."""

    after: str
    items: int
    users: int | None = None
    pairs: int | None = None
    plays: float | None = None
    labels: int | None = None


@dataclass(frozen=True)
class InteractionTable:
    """Items in the order of their ids, with what is known of them."""

    items: Ids
    users: Ids
    pairs: Pairs | None
    labels: list[str]
    has: csr_array | None  # (items, labels)
    first: NDArray[np.float64] | None = None  # of each item: when it was first played
    last: NDArray[np.float64] | None = None  # and last
    artists: Ids | None = None  # "" where unknown

    def places(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return where items stand; -1 where they do not."""
        return positions_of(ids, self.items).astype(np.int64)

    def stage(self, after: str) -> Stage:
        """Count what there is."""
        size = None if self.pairs is None else Size.of(self.pairs)
        labels = None if self.has is None else len(self.labels)
        if size is None:
            return Stage(after, len(self.items), labels=labels)
        return Stage(after, size.items, size.users, size.pairs, size.plays, labels)

    def keeping(self, kept: NDArray[np.bool_]) -> InteractionTable:
        """Return some of the items, and the users that have one of them."""
        pairs, users = self.pairs, self.users
        if pairs is not None:
            within = pairs.where(kept[pairs.item])
            active = within.per_user > 0
            users = users[active]
            new_user, new_item = _renumbered(active), _renumbered(kept)
            pairs = Pairs(
                new_user[within.user],
                new_item[within.item],
                within.count,
                users=len(users),
                items=int(kept.sum()),
            )
        return replace(
            self,
            items=self.items[kept],
            users=users,
            pairs=pairs,
            has=None if self.has is None else csr_array(self.has[np.flatnonzero(kept)]),
            first=None if self.first is None else self.first[kept],
            last=None if self.last is None else self.last[kept],
            artists=None if self.artists is None else self.artists[kept],
        )


@dataclass(frozen=True)
class SplitTables:
    """What was read."""

    material: InteractionTable
    stages: list[Stage]
    columns: dict[str, PlayColumns | LabelColumns]


def read_split_tables(
    plays: Path | None,
    labels: Path | None,
    names: ColumnNames,
    listed: Sequence[str] | None,
    progress: Progress,
) -> SplitTables:
    """Read the tables, and say of which items the dataset will be.

    These are the listed ones, else all that have plays, or labels, or (of two tables) both.

    Raises
    ------
    RequestError
        If a table or a column does not exist.
    FileError
        If a row is damaged.
    DataError
        If no item is left.
    """
    tables = {n: open_table(p, header=names.header) for n, p in _named(plays, labels).items()}
    columns: dict[str, PlayColumns | LabelColumns] = {}
    if "plays" in tables:
        columns["plays"] = names.of_plays(tables["plays"])
    if "labels" in tables:
        columns["labels"] = names.of_labels(tables["labels"], alone=plays is None)
    for name, chosen in columns.items():
        _tell(tables[name], chosen, progress, artists=name == "plays" or plays is None)
    played, labelled = None, None
    for name, chosen in columns.items():
        if isinstance(chosen, PlayColumns):
            played = read_plays(tables[name], chosen, progress=progress)
            _warn_of_ids(tables[name], (played.users, played.items), progress)
        else:
            labelled = read_labels(tables[name], chosen, progress=progress)
            _warn_of_ids(tables[name], (labelled.items, labelled.names), progress)
    material = _joined(played, labelled, listed)
    return SplitTables(material, _stages(played, labelled, listed, material), columns)


def _tell(
    table: Table, columns: PlayColumns | LabelColumns, progress: Progress, *, artists: bool
) -> None:
    progress.say(report_columns(table, columns))
    told = report_artists(table, columns) if artists else None
    if told:
        progress.say(told)


def _stages(
    played: Plays | None,
    labelled: Labels | None,
    listed: Sequence[str] | None,
    material: InteractionTable,
) -> list[Stage]:
    """Count what was read, and what of it the dataset is of."""
    stages = []
    if played is not None:
        empty = f", {played.left_out:,} without an id left out" * (played.left_out > 0)
        stages.append(_all_of(played, None).stage(f"{played.rows:,} rows of plays{empty}"))
    if labelled is not None:
        unlabelled = f", {labelled.unlabelled:,} items without a label" * (labelled.unlabelled > 0)
        empty = f", {labelled.left_out:,} with holes left out" * (labelled.left_out > 0)
        after = f"{labelled.rows:,} rows of labels{empty}{unlabelled}"
        stages.append(_all_of(None, labelled).stage(after))
    if listed is not None or len(stages) == 2:
        both = "items with plays and labels" if listed is None else "listed items"
        stages.append(material.stage(both))
    return stages


def _warn_of_ids(table: Table, names: Sequence[Ids | list[str]], progress: Progress) -> None:
    """Warn of blanks around ids, and of quotes in a TSV that were meant as in a CSV."""
    import polars as pl

    everyone = pl.concat([pl.Series([*ids], dtype=pl.String) for ids in names])
    padded = everyone.filter(everyone != everyone.str.strip_chars())
    if len(padded):
        told = f"ids of {display_path(table.path)} with blanks around them, such as {padded[0]!r}"
        progress.warn(f"{told}: {len(padded):,} (they are kept, and are others than without)")
    if ending(table.path) not in (".tsv", ".tab"):
        return
    quoted = everyone.filter(everyone.str.contains(r'^".*"".*"$'))
    if len(quoted):
        path = display_path(table.path)
        told = f"ids of {path} that look quoted, such as {quoted[0]}: {len(quoted):,}"
        progress.warn(f"{told} (in a TSV quotes are letters; write the table as CSV otherwise)")


def _named(plays: Path | None, labels: Path | None) -> dict[str, Path]:
    return {name: path for name, path in (("plays", plays), ("labels", labels)) if path}


def _joined(
    played: Plays | None, labelled: Labels | None, listed: Sequence[str] | None
) -> InteractionTable:
    """Put plays and labels side by side, for the items that the dataset is of."""
    if listed is not None:
        items = np.array(sorted(listed), object)
    elif played is not None and labelled is not None:
        items = np.array(sorted({*played.items} & {*labelled.items}), object)
    else:
        return _all_of(played, labelled)
    made = InteractionTable(items, np.array([], object), None, [], None)
    if played is not None:
        alone = _all_of(played, None)
        made = replace(made, users=alone.users, pairs=_onto(played, items))
        if played.first is not None and played.last is not None:
            first = _spread(played.first, played.items, items, np.inf)
            last = _spread(played.last, played.items, items, -np.inf)
            made = replace(made, first=first, last=last)
    if labelled is not None:
        has = _labels_onto(labelled, items)
        made = replace(made, labels=labelled.names, has=has)
    source = played if played is not None else labelled
    if source is not None and source.artists is not None:
        made = replace(made, artists=_spread(source.artists, source.items, items, ""))
    if not len(items):
        msg = "no item has both plays and labels"
        raise DataError(msg, hint="Their ids have to be the same in both tables: compare them.")
    return made.keeping(np.ones(len(items), np.bool_))


def _all_of(played: Plays | None, labelled: Labels | None) -> InteractionTable:
    nobody = np.array([], object)
    if played is not None:
        pairs = Pairs(
            played.user, played.item, played.count, users=len(played.users), items=len(played.items)
        )
        times = (played.first, played.last)
        return InteractionTable(played.items, played.users, pairs, [], None, *times, played.artists)
    if labelled is None:
        msg = "neither plays nor labels"
        raise ValueError(msg)
    return InteractionTable(
        labelled.items, nobody, None, labelled.names, labelled.has, artists=labelled.artists
    )


def _onto(played: Plays, items: Ids) -> Pairs:
    """Renumber the items of plays; plays of others are left out."""
    place = positions_of(played.items, items)
    kept = place[played.item] >= 0
    return Pairs(
        played.user[kept],
        place[played.item[kept]],
        played.count[kept],
        users=len(played.users),
        items=len(items),
    )


def _labels_onto(labelled: Labels, items: Ids) -> csr_array:
    """Take the labels of some items; no label where nothing is known."""
    place = positions_of(items, labelled.items)
    empty = csr_array((1, len(labelled.names)), dtype=labelled.has.dtype)
    from scipy.sparse import vstack

    with_nothing = csr_array(vstack([labelled.has, empty], format="csr"))
    return csr_array(with_nothing[np.where(place < 0, labelled.has.shape[0], place)])


def _spread(values: NDArray[Any], known: Ids, items: Ids, otherwise: float | str) -> NDArray[Any]:
    place = positions_of(items, known)
    found = values[np.maximum(place, 0)]
    found[place < 0] = otherwise
    return found


def _renumbered(kept: NDArray[np.bool_]) -> Codes:
    return (np.cumsum(kept) - 1).astype(np.int32)


def apply_filters(
    material: InteractionTable, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Leave out what is rare, and whatever has nothing left.

    Listed items without plays, or without labels, stay, unless a filter asks for some.

    Returns
    -------
    What is left, and how much that was after each filter.

    Raises
    ------
    DataError
        If nothing is left.
    """
    stages = []
    if filters.items_per_label is not None:
        material = _without_rare_labels(material, filters.items_per_label, listed=listed)
        stages.append(material.stage(f"--min-items-per-label {filters.items_per_label}"))
    if material.pairs is not None:
        material, later = _without_rare_plays(material, filters, listed=listed)
        stages += later
    if not len(material.items):
        msg = "the filters leave nothing"
        raise DataError(msg, hint="Ask for less: smaller --min-… and --core.")
    return material, stages


def _without_rare_labels(
    material: InteractionTable, least: int, *, listed: bool
) -> InteractionTable:
    if material.has is None:
        return material
    common = np.flatnonzero(
        np.bincount(material.has.indices, minlength=len(material.labels)) >= least
    )
    has = csr_array(material.has[:, common])
    material = replace(material, has=has, labels=[material.labels[n] for n in common])
    return material if listed else material.keeping(np.diff(has.indptr) > 0)


def _without_rare_plays(
    material: InteractionTable, filters: Filters, *, listed: bool
) -> tuple[InteractionTable, list[Stage]]:
    """Filter the pairs; what has none left goes."""
    pairs, stages = material.pairs, []
    asked = (
        ("--min-plays", least_plays, filters.plays),
        ("--min-users", least_users, filters.users),
        ("--min-items", least_items, filters.items),
        ("--core", core, filters.core),
    )
    if pairs is None:
        return material, []
    if not pairs.count.all():
        pairs = pairs.where(pairs.count > 0)
        stages.append(replace(material, pairs=pairs).stage("pairs of 0 plays"))
    for name, leave_out, least in asked:
        if least is not None:
            pairs = leave_out(pairs, least)
            stages.append(replace(material, pairs=pairs).stage(f"{name} {least}"))
    material = replace(material, pairs=pairs)
    everyone = listed and filters.users is None and filters.core is None
    kept = np.ones(len(material.items), np.bool_) if everyone else pairs.per_item > 0
    return material.keeping(kept), stages


@dataclass(frozen=True)
class SetRows:
    """One of the sets: its items, in the order of its rows."""

    items: NDArray[np.int64]  # which of the material's
    plays: csr_array | None  # (items, users)


Sets = Mapping[str, SetRows]
