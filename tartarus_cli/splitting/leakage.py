"""What the sets of a split hold, and what ties them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.tables.numbering import Ids
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.interactions import InteractionTable, SetRows


@dataclass(frozen=True)
class SetSize:
    """One of the sets."""

    items: int
    users: int | None = None  # that have one of its items
    pairs: int | None = None
    plays: float | None = None
    density: float | None = None  # pairs, of all items times all users
    labels: int | None = None  # that one of its items has


@dataclass(frozen=True)
class Leakage:
    """What ties the sets together, and what cannot be learnt from train."""

    items_in_two_sets: int
    artists_in_two_sets: int | None  # None: artists are not known
    users_without_train_items: int | None
    users_without_test_items: int | None
    items_without_users: int | None
    items_without_labels: int | None
    train_items_played_later: int | None  # than the first test item; None: times are not known
    labels_without_train_items: list[str] | None
    labels_without_test_items: list[str] | None


def set_size(material: InteractionTable, rows: SetRows) -> SetSize:
    """Count what one of the sets holds."""
    items, plays, has = rows.items, rows.plays, material.has
    labels = None if has is None else int(np.count_nonzero(_with_label(has, items)))
    if plays is None:
        return SetSize(len(items), labels=labels)
    total = plays.data.sum(dtype=np.float64).item()
    users = np.bincount(plays.indices, minlength=plays.shape[1])
    return SetSize(
        items=len(items),
        users=int(np.count_nonzero(users)),
        pairs=plays.nnz,
        plays=int(total) if total.is_integer() else total,
        density=plays.nnz / max(plays.shape[0] * plays.shape[1], 1),
        labels=labels,
    )


def _with_label(has: csr_array, items: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of some items have each label."""
    return np.asarray(np.bincount(has[items].indices, minlength=has.shape[1]))


def measure_leakage(
    material: InteractionTable, rows: Mapping[str, SetRows], sizes: Mapping[str, SetSize]
) -> Leakage:
    """Look for what is in two sets, and for what is in none."""
    sets = {name: each.items for name, each in rows.items()}
    everyone = np.concatenate([*sets.values()])
    pairs, has, artists = material.pairs, material.has, material.artists
    users = {
        name: None if pairs is None else pairs.users - (size.users or 0)
        for name, size in sizes.items()
    }
    lacking = {
        name: None
        if has is None
        else [material.labels[n] for n in np.flatnonzero(_with_label(has, sets[name]) == 0)]
        for name in ("train", "test")
    }
    return Leakage(
        items_in_two_sets=len(everyone) - len(np.unique(everyone)),
        artists_in_two_sets=None if artists is None else _shared(artists, sets),
        users_without_train_items=users["train"],
        users_without_test_items=users["test"],
        items_without_users=None if pairs is None else int((pairs.per_item[everyone] == 0).sum()),
        items_without_labels=None if has is None else int((np.diff(has.indptr) == 0).sum()),
        train_items_played_later=_played_later(material, sets),
        labels_without_train_items=lacking["train"],
        labels_without_test_items=lacking["test"],
    )


def _played_later(material: InteractionTable, sets: Mapping[str, NDArray[np.int64]]) -> int | None:
    """Return how many train items still had plays when the first test item appeared."""
    if material.first is None or material.last is None:
        return None
    appeared = material.first[sets["test"]].min()
    return int(np.count_nonzero(material.last[sets["train"]] >= appeared))


def _shared(artists: Ids, sets: Mapping[str, NDArray[np.int64]]) -> int:
    """Return how many artists have items in two sets; those that nobody named do not count."""
    found = Counter(artist for items in sets.values() for artist in {*artists[items].tolist()})
    return sum(count > 1 for artist, count in found.items() if artist)


def warn_of_leakage(leakage: Leakage, progress: Progress) -> None:
    """Tell what may be a mistake."""
    told = {
        "users without a train item (their factors say nothing)": leakage.users_without_train_items,
        "users without a test item (0 in the mean)": leakage.users_without_test_items,
        "listed items without a user": leakage.items_without_users,
        "listed items without a label": leakage.items_without_labels,
        "train items with plays later than the first test item (these plays are kept)": (
            leakage.train_items_played_later
        ),
        "labels without a train item (cannot be learnt)": leakage.labels_without_train_items,
        "labels without a test item (nothing is told of them)": leakage.labels_without_test_items,
        "artists with items in two sets (--by artist keeps each in one)": (
            leakage.artists_in_two_sets
        ),
    }
    for what, found in told.items():
        count = len(found) if isinstance(found, list) else found
        if count:
            progress.warn(f"{what}: {count:,}")
