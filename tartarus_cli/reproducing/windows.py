"""Train, val and test items by windows of time, as papers on new releases divide them.

Of the plays from ``since`` to ``until``: items first played before ``val`` are train items, with
their plays before ``cut``; those first played from ``val`` to ``cut`` are val items, and those
first played from ``cut`` on test items, with all their plays. Only users and train items that are
in the ``core`` of the train plays stay; of the val and test items, if ``known_artists``, those
whose artist has train items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.splitting.filters import Pairs, k_core

TRAIN, VAL, TEST, NONE = 0, 1, 2, 3
"""Numbers of the sets; the last one is that of items that are left out."""


@dataclass(frozen=True)
class Moments:
    """Where the windows begin and end, in the unit of the times."""

    since: float
    val: float
    cut: float
    until: float

    def inside(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether times are in one of the windows."""
        return (times >= self.since) & (times < self.until)


@dataclass(frozen=True)
class TimedPlays:
    """Plays as rows: who, what, when."""

    user: NDArray[np.int32]
    """``(plays,)`` number of the user."""
    item: NDArray[np.int32]
    """``(plays,)`` number of the item."""
    time: NDArray[np.float64]
    """``(plays,)``."""
    count: NDArray[np.float64]
    """``(plays,)`` plays of each row."""
    artist: NDArray[np.int64]
    """``(items,)`` number of the artist of each item."""
    users: int
    """Number of all users."""

    @property
    def items(self) -> int:
        """Number of all items."""
        return len(self.artist)


@dataclass(frozen=True)
class WindowedPlays:
    """The plays that are left, each pair of a user and an item once, and the set of each item."""

    user: NDArray[np.int64]
    """``(pairs,)``."""
    item: NDArray[np.int64]
    """``(pairs,)``."""
    count: NDArray[np.float64]
    """``(pairs,)`` plays of each pair."""
    set_of_item: NDArray[np.int8]
    """``(items,)`` train, val, test, or none."""

    def items_of(self, number: int) -> NDArray[np.int64]:
        """Return the items of a set, in order."""
        return np.flatnonzero(self.set_of_item == number)


def divide(plays: TimedPlays, moments: Moments, core: int, *, known_artists: bool) -> WindowedPlays:
    """Divide the items of plays by windows of time, and keep what follows from the train plays.

    Parameters
    ----------
    plays
        Plays inside the windows.
    moments
        Where the windows begin and end.
    core
        Least users of a train item, and train items of a user.
    known_artists
        Whether val and test items of artists without train items are left out.
    """
    first = np.full(plays.items, np.inf)
    np.minimum.at(first, plays.item, plays.time)
    of_item = np.searchsorted((moments.val, moments.cut), first, side="right").astype(np.int8)
    of_item[np.isinf(first)] = NONE
    is_train = of_item[plays.item] == TRAIN
    train = k_core(_pairs(plays, is_train & (plays.time < moments.cut)), core)
    of_item[(of_item == TRAIN) & (train.users_per_item == 0)] = NONE
    if known_artists:
        known = np.unique(plays.artist[of_item == TRAIN])
        of_item[(of_item != TRAIN) & ~np.isin(plays.artist, known)] = NONE
    trained = train.items_per_user > 0
    is_new = (of_item[plays.item] == VAL) | (of_item[plays.item] == TEST)
    later = _pairs(plays, is_new & trained[plays.user])
    of_item[(of_item != TRAIN) & (later.users_per_item == 0)] = NONE
    parts = (train, later)
    return WindowedPlays(
        np.concatenate([part.user for part in parts]).astype(np.int64),
        np.concatenate([part.item for part in parts]).astype(np.int64),
        np.concatenate([part.count for part in parts]),
        of_item,
    )


def _pairs(plays: TimedPlays, mask: NDArray[np.bool_]) -> Pairs:
    """Count the plays of each pair of a user and an item."""
    keys = plays.item[mask].astype(np.int64) * plays.users + plays.user[mask]
    pairs, inverse = np.unique(keys, return_inverse=True)
    count = np.bincount(inverse, plays.count[mask], len(pairs))
    item, user = np.divmod(pairs, plays.users)
    return Pairs(
        user.astype(np.int32),
        item.astype(np.int32),
        count,
        user_count=plays.users,
        item_count=plays.items,
    )


def set_names() -> Iterator[tuple[int, str]]:
    """Yield the number and the name of each set."""
    yield from ((TRAIN, "train"), (VAL, "val"), (TEST, "test"))
