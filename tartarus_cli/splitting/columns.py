"""Which column of a table holds what: as the user says, or as its name can only mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tartarus_cli.data.tables.names import ITEM_NAMES, normalize_column
from tartarus_cli.data.tables.reading import Table, require_column
from tartarus_cli.errors import Placeholder, RequestError, display_path, parameter
from tartarus_cli.splitting.labels import LabelColumns
from tartarus_cli.splitting.plays import PlayColumns

USER_NAMES = ("user", "userid", "listener", "listenerid", "profile", "profileid")
COUNT_NAMES = ("count", "plays", "playcount", "listens", "listencount")
TIME_NAMES = ("time", "timestamp", "date", "datetime", "listenedat", "playedat")
ARTIST_NAMES = ("artist", "artistid", "artistname")
LABEL_NAMES = ("label", "genre", "tag", "class")
RARER_NAMES = {
    USER_NAMES: ("uid", "users", "username", "memberid", "customerid"),
    COUNT_NAMES: (
        *("weight", "counts", "playcounts", "playscount", "nplays", "numplays", "numberofplays"),
        *("listeningcount", "scrobbles", "streams", "freq", "frequency"),
    ),
    TIME_NAMES: ("ts", "unixtime", "epoch", "createdat", "utctime", "dateadded"),
    LABEL_NAMES: ("labels", "genres", "tags", "classes"),
    ITEM_NAMES: ("iid", "items", "sid", "tid", *ARTIST_NAMES),
}
"""Usual names of a role → names that are looked for where no column has one of these."""

ColumnsT = TypeVar("ColumnsT", PlayColumns, LabelColumns)


@dataclass(frozen=True)
class ColumnNames:
    """Columns that the user named; None: recognized by its name, where there is only one."""

    user: str | None = None
    item: str | None = None
    count: str | None = None
    time: str | None = None
    artist: str | None = None
    label: str | None = None
    label_item: str | None = None
    """The column of items in the table of labels, if its name differs from that in the plays."""
    wide: bool = False
    """Whether the table of labels has one column for each label."""
    header: bool = True
    """Whether the first line names the columns."""
    skip_empty: bool = False
    """Whether rows without an id are left out."""
    encoding: str | None = None
    """Encoding of tables without a byte-order mark; None: UTF-8."""
    label_separator: str | None = None
    """What stands between several labels in one cell; None: each cell is one label."""
    required: frozenset[str] = frozenset()
    """Which of ``artist`` and ``time`` must be there."""

    def require(self, *, artist: bool, time: bool) -> ColumnNames:
        """Return the same names, with the columns that must be there."""
        flags = {"artist": artist, "time": time}
        return replace(self, required=frozenset(role for role, is_set in flags.items() if is_set))

    def choose_play_columns(self, table: Table) -> PlayColumns:
        """Choose the columns of a table of plays.

        Without a header these are the first two, for users and items, and of three the third, for
        counts.

        Raises
        ------
        RequestError
            If a column does not exist, cannot be recognized, or would have two roles.
        """
        if self.header:
            return self._choose_play_columns(table)
        first, second, *others = [*table.names, "", ""]
        is_free = "3" not in (self.user, self.item, self.time, self.artist)
        count = self.count or ("3" if others[:1] == ["3"] and is_free else None)
        names = replace(self, user=self.user or first, item=self.item or second, count=count)
        return names._choose_play_columns(table)

    def _choose_play_columns(self, table: Table) -> PlayColumns:
        return _require_distinct(
            table,
            PlayColumns(
                user=_require(table, "user", self.user, USER_NAMES),
                item=_require(table, "item", self.item, ITEM_NAMES),
                count=_find(table, "count", self.count, COUNT_NAMES, (self.time, self.artist)),
                time=self._if_required(table, "time", self.time, TIME_NAMES),
                artist=self._if_required(table, "artist", self.artist, ARTIST_NAMES),
                skip_empty=self.skip_empty,
            ),
        )

    def choose_label_columns(self, table: Table, *, with_plays: bool) -> LabelColumns:
        """Choose the columns of a table of labels; artists are read from that of plays, if given.

        Raises
        ------
        RequestError
            If a column does not exist, cannot be recognized, or would have two roles.
        """
        artist = None
        if not with_plays:
            artist = self._if_required(table, "artist", self.artist, ARTIST_NAMES)
        return _require_distinct(
            table,
            LabelColumns(
                item=self._label_item(table, with_plays=with_plays),
                label=None if self.wide else _require(table, "label", self.label, LABEL_NAMES),
                artist=artist,
                skip_empty=self.skip_empty,
                separator=self.label_separator,
            ),
        )

    def _label_item(self, table: Table, *, with_plays: bool) -> str:
        """Return the column of items of a table of labels."""
        if self.label_item is not None:
            return _require(table, "label_item", self.label_item, ITEM_NAMES)
        if not with_plays:
            return _require(table, "item", self.item, ITEM_NAMES)
        # The item column of the plays may be called otherwise than that of the labels.
        name = self.item if self.item in table.names else None
        return _require(table, "label_item", name, ITEM_NAMES)

    def _if_required(
        self, table: Table, role: str, name: str | None, usual_names: Sequence[str]
    ) -> str | None:
        if name is None and role not in self.required:
            return None
        return _require(table, role, name, usual_names)


def _require(table: Table, role: str, name: str | None, usual_names: Sequence[str]) -> str:
    column = _find(table, role, name, usual_names)
    if column is None:
        msg = f"{display_path(table.path)}: no column is recognized as that of the {_noun(role)}"
        hint = f"Name it: {parameter(role, Placeholder('NAME'))}. "
        hint += f"The columns are {', '.join(table.names[:20])}."
        if table.noun == "line":
            hint += " If the first line holds no names: `header=False`."
        raise RequestError(msg, hint=hint)
    return column


def _find(
    table: Table,
    role: str,
    name: str | None,
    usual_names: Sequence[str],
    taken: Sequence[str | None] = (),
) -> str | None:
    """Return the named column, or the only one with a usual name of this role; else None.

    Columns that are ``taken`` have another role.
    """
    if name is not None:
        require_column(table, name, f"Name the column with {parameter(role)}.")
        return name
    names = [column for column in table.names if column not in taken]
    columns = [column for column in names if normalize_column(column) in usual_names]
    if not columns:
        rarer = RARER_NAMES.get(tuple(usual_names), ())
        columns = [column for column in names if normalize_column(column) in rarer]
    if len(columns) > 1:
        path = display_path(table.path)
        msg = f"the {_noun(role)} of {path} may be in the columns {', '.join(columns)}"
        raise RequestError(msg, hint=f"Name one of them: {parameter(role, columns[0])}")
    return columns[0] if columns else None


def _noun(role: str) -> str:
    return "item" if role == "label_item" else role


def _require_distinct(table: Table, columns: ColumnsT) -> ColumnsT:
    roles = _roles(columns)
    for name in roles.values():
        same = [parameter(role) for role, other in roles.items() if other == name]
        if len(same) > 1:
            msg = f"{display_path(table.path)}: the column {name} cannot be two things at once"
            raise RequestError(msg, hint=f"Name another column for {' or '.join(same)}.")
    return columns


def _roles(columns: PlayColumns | LabelColumns) -> dict[str, str]:
    """Return which column has which role."""
    named = ((role, name) for role, name in vars(columns).items() if isinstance(name, str))
    return {role: name for role, name in named if role != "separator"}


def report_columns(table: Table, columns: PlayColumns | LabelColumns) -> str:
    """Say which column is read as what, so that a wrong guess is seen, and which are not read."""
    roles = _roles(columns)
    report = ", ".join(f"{role} from {name!r}" for role, name in roles.items())
    if isinstance(columns, PlayColumns) and columns.count is None:
        report += "; no column of counts: each row is one play"
    has_unnamed = "" in table.names
    wide = isinstance(columns, LabelColumns) and columns.label is None
    if wide:
        report += "; every other column is a label" + " but that without a name" * has_unnamed
    unread = [name for name in table.names if name not in roles.values()]
    if unread and not wide:
        report += f"; not read: {', '.join(map(repr, unread[:5]))}" + ", …" * (len(unread) > 5)
    return f"{display_path(table.path)}: {report}"


def suggest_artists(table: Table, columns: PlayColumns | LabelColumns) -> str | None:
    """Say what a column of artists could be used for, if there is one that is not read."""
    names = [
        name
        for name in table.names
        if normalize_column(name) in ARTIST_NAMES and name != columns.item
    ]
    if not names or columns.artist is not None:
        return None
    count, separate = parameter("artist", names[0]), parameter("by", "artist")
    return f"{count} counts artists in two sets and items of new ones, {separate} keeps each in one"
