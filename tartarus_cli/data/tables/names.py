"""Usual names of columns of items, so that the user need not name the column."""

from __future__ import annotations

from collections.abc import Iterable

ITEM_NAMES = (
    *("item", "itemid", "song", "songid", "track", "trackid", "album", "albumid", "recording"),
)


def normalize_column(name: str) -> str:
    """Return the letters and digits of a name, in lower case.

    >>> normalize_column("Track_ID")
    'trackid'
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def item_columns(names: Iterable[str]) -> list[str]:
    """Return the columns whose names say that they hold ids of items.

    >>> item_columns(["title", "ID", "plays"])
    ['ID']
    """
    return [name for name in names if normalize_column(name) in ("id", *ITEM_NAMES)]
