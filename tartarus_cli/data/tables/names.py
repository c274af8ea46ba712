"""What columns of items are called, so that they need not be named."""

from __future__ import annotations

from collections.abc import Iterable

ITEM = ("item", "itemid", "song", "songid", "track", "trackid", "album", "albumid", "recording")


def bare(name: str) -> str:
    """Return the letters and digits of a name, in lower case.

    >>> bare("Track_ID")
    'trackid'
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def naming_items(names: Iterable[str]) -> list[str]:
    """Return the columns that hold ids of items, as their names say.

    >>> naming_items(["title", "ID", "plays"])
    ['ID']
    """
    return [name for name in names if bare(name) in ("id", *ITEM)]
