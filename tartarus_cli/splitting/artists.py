"""The artist of each item, collected from rows that come in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tartarus_cli.data.tables.numbering import Codes, Ids, SortedIds, grow
from tartarus_cli.errors import DataError, display_path


class ArtistCollector:
    """Collects the artist of each item; an item may have many rows, all of the same artist."""

    def __init__(self) -> None:
        self._artist_of_item = np.empty(0, np.int32)
        self._conflicts: dict[int, tuple[int, int]] = {}  # item → two of its artists

    def add(self, items: Codes, artists: Codes) -> None:
        """Take in rows: the numbers of their items, ``(rows,)``, and of their artists."""
        self._artist_of_item = grow(self._artist_of_item, items, -1)
        new = self._artist_of_item[items] < 0
        self._artist_of_item[items[new]] = artists[new]
        for row in np.flatnonzero(self._artist_of_item[items] != artists).tolist():
            item = int(items[row])
            pair = (int(self._artist_of_item[item]), int(artists[row]))
            self._conflicts.setdefault(item, pair)

    def artists_of(self, path: Path, items: SortedIds, artists: SortedIds) -> Ids:
        """Return the artist of each item, ``(items,)``, in the order of the items' ids.

        Raises
        ------
        DataError
            If an item has several artists; ``path`` is the table that the message names.
        """
        if self._conflicts:
            item, two = next(iter(self._conflicts.items()))
            names = " and ".join(sorted(repr(artists.ids[artists.position[n]]) for n in two))
            msg = (
                f"{display_path(path)}: items with several artists, {len(self._conflicts):,} in "
                f"all ({items.ids[items.position[item]]!r} has {names})"
            )
            raise DataError(msg, hint="Write one artist for each item, or split without artists.")
        of_items = np.empty(len(items.ids), object)
        of_items[items.position] = artists.ids[artists.position[self._artist_of_item]]
        return of_items
