"""Which column of a table holds what: as the user says, or as its name can only mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import TypeVar

from tartarus_cli.data.tables.names import ITEM, normalize_column
from tartarus_cli.data.tables.reading import Table, require_column
from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.splitting.labels import LabelColumns
from tartarus_cli.splitting.plays import PlayColumns

USER = ("user", "userid", "listener", "listenerid", "profile", "profileid")
COUNT = ("count", "plays", "playcount", "listens", "listencount")
TIME = ("time", "timestamp", "date", "datetime", "listenedat", "playedat")
ARTIST = ("artist", "artistid", "artistname")
LABEL = ("label", "genre", "tag", "class")


@dataclass(frozen=True)
class ColumnNames:
    """Columns that the user named; the others are guessed."""

    user: str | None = None
    item: str | None = None
    count: str | None = None
    time: str | None = None
    artist: str | None = None
    label: str | None = None
    label_item: str | None = None  # the column of items in the table of labels
    wide: bool = False  # one column a label
    header: bool = True  # whether the first line names the columns
    skip_empty: bool = False  # whether rows without an id are left out
    needed: frozenset[str] = frozenset()  # of artist and time

    def needing(self, *, artist: bool, time: bool) -> ColumnNames:
        """Ask for columns that may otherwise be missing."""
        asked = {"artist": artist, "time": time}
        return replace(self, needed=frozenset(name for name, is_ in asked.items() if is_))

    def of_plays(self, table: Table) -> PlayColumns:
        """Say which column holds what.

        Raises
        ------
        RequestError
            If a column does not exist, or cannot be told.
        """
        if not self.header:
            first, second, *others = [*table.names, "", ""]
            count = self.count or ("3" if others[:1] == ["3"] else None)
            replaced = replace(self, user=self.user or first, item=self.item or second, count=count)
            return replaced._of_plays(table)
        return self._of_plays(table)

    def _of_plays(self, table: Table) -> PlayColumns:
        return _distinct(
            table,
            PlayColumns(
                user=_required(table, "user", self.user, USER),
                item=_required(table, "item", self.item, ITEM),
                count=_optional(table, "count", self.count, COUNT),
                time=self._if_needed(table, "time", self.time, TIME),
                artist=self._if_needed(table, "artist", self.artist, ARTIST),
                skip_empty=self.skip_empty,
            ),
        )

    def of_labels(self, table: Table, *, alone: bool) -> LabelColumns:
        """Say which column holds what; beside plays, artists are read from these.

        Raises
        ------
        RequestError
            If a column does not exist, or cannot be told.
        """
        return _distinct(
            table,
            LabelColumns(
                item=self._label_item(table, alone=alone),
                label=None if self.wide else _required(table, "label", self.label, LABEL),
                artist=self._if_needed(table, "artist", self.artist, ARTIST) if alone else None,
                skip_empty=self.skip_empty,
            ),
        )

    def _label_item(self, table: Table, *, alone: bool) -> str:
        """Return the column of items of a table of labels: beside plays, it may be another."""
        if self.label_item is not None:
            return _required(table, "label-item", self.label_item, ITEM)
        named = self.item if alone or self.item in table.names else None
        return _required(table, "item" if alone else "label-item", named, ITEM)

    def _if_needed(
        self, table: Table, role: str, named: str | None, known: Sequence[str]
    ) -> str | None:
        if named is None and role not in self.needed:
            return None
        return _required(table, role, named, known)


def _required(table: Table, role: str, named: str | None, known: Sequence[str]) -> str:
    found = _optional(table, role, named, known)
    if found is None:
        msg = f"{display_path(table.path)}: no column is called as that of the {role}"
        hint = f"Say which it is: --{role} NAME. There are {', '.join(table.names[:20])}."
        if table.noun == "line":
            hint += " If the first line holds no names: --no-header."
        raise RequestError(msg, hint=hint)
    return found


def _optional(table: Table, role: str, named: str | None, known: Sequence[str]) -> str | None:
    """Return the column that was named, or the only one whose name can mean this; else None."""
    if named is not None:
        require_column(table, named, f"Name the {role} with --{role}.")
        return named
    found = [name for name in table.names if normalize_column(name) in known]
    if len(found) > 1:
        msg = f"the {role} of {display_path(table.path)} may be in the columns {', '.join(found)}"
        raise RequestError(msg, hint=f"Say which: --{role} {found[0]}")
    return found[0] if found else None


Columns = TypeVar("Columns", PlayColumns, LabelColumns)


def _distinct(table: Table, columns: Columns) -> Columns:
    names = [name for name in vars(columns).values() if isinstance(name, str)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"{display_path(table.path)}: the column {twice} cannot be two things at once"
        raise RequestError(msg, hint="Name another column (see --help).")
    return columns


def report_columns(table: Table, columns: PlayColumns | LabelColumns) -> str:
    """Say which column holds what, so that a wrong guess is seen, and what could be known too."""
    roles = {role: name for role, name in vars(columns).items() if isinstance(name, str)}
    of = ", ".join(f"{role} from {name!r}" for role, name in roles.items())
    one = isinstance(columns, PlayColumns) and columns.count is None
    wide = isinstance(columns, LabelColumns) and columns.label is None
    rest = "; no column of counts: each row is one play" if one else ""
    rest += "; every other column is a label" if wide else ""
    unread = [name for name in table.names if name not in roles.values()]
    if unread and not wide:
        rest += f"; not read: {', '.join(map(repr, unread[:5]))}" + ", …" * (len(unread) > 5)
    return f"{display_path(table.path)}: {of}{rest}"


def report_artists(table: Table, columns: PlayColumns | LabelColumns) -> str | None:
    """Say how to learn of artists in two sets, where a column that nobody asked for has them."""
    names = [
        name for name in table.names if normalize_column(name) in ARTIST and name != columns.item
    ]
    if not names or columns.artist is not None:
        return None
    return f"--artist {quote(names[0])} counts artists in two sets, --by artist keeps each in one"
