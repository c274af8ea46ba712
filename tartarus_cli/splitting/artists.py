"""The one artist of each item, from rows that come in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tartarus_cli.data.tables.numbering import Codes, Ids, Ordered, grown
from tartarus_cli.errors import DataError, display_path


class Artists:
    """Collects the artist of each item; an item may have many rows, of one artist."""

    def __init__(self) -> None:
        self._of_item = np.empty(0, np.int32)
        self._several: dict[int, tuple[int, int]] = {}  # item → two of its artists

    def add(self, item: Codes, artist: Codes) -> None:
        """Look at some rows: the numbers of their items and of their artists."""
        self._of_item = grown(self._of_item, item, -1)
        fresh = self._of_item[item] < 0
        self._of_item[item[fresh]] = artist[fresh]
        for row in np.flatnonzero(self._of_item[item] != artist).tolist():
            one = int(item[row])
            self._several.setdefault(one, (int(self._of_item[one]), int(artist[row])))

    def of_items(self, path: Path, items: Ordered, artists: Ordered) -> Ids:
        """Return the artist of each item, both in the order of the ids.

        Raises
        ------
        DataError
            If an item has several.
        """
        if self._several:
            item, two = next(iter(self._several.items()))
            names = " and ".join(sorted(repr(artists.ids[artists.place[each]]) for each in two))
            msg = (
                f"{display_path(path)}: items with several artists, {len(self._several):,} in all "
                f"({items.ids[items.place[item]]!r} has {names})"
            )
            hint = "Write one artist for each item, or split in another way (--by)."
            raise DataError(msg, hint=hint)
        found = np.empty(len(items.ids), object)
        found[items.place] = artists.ids[artists.place[self._of_item]]
        return found
