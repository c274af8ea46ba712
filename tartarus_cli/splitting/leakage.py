"""What the sets of a split hold, what they share, and what cannot be learnt from train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.artists import count_known
from tartarus_cli.data.provenance import Leakage, SetSize
from tartarus_cli.data.tables.numbering import Ids
from tartarus_cli.progress import Progress
from tartarus_cli.splitting.filters import whole
from tartarus_cli.splitting.interactions import InteractionTable, SplitSets


def measure_set(interactions: InteractionTable, sets: SplitSets, name: str) -> SetSize:
    """Count the items, users, pairs, plays and labels of a set, and the items of known artists."""
    items, plays = sets[name].items, sets[name].plays
    artists = _count_by_artist(interactions.artists, sets, name)
    labels = None
    if interactions.labels is not None:
        labels = int(np.count_nonzero(_items_per_label(interactions.labels, items)))
    if plays is None:
        return SetSize(items=len(items), labels=labels, **artists)
    total = plays.data.sum(dtype=np.float64).item()
    items_per_user = np.bincount(plays.indices, minlength=plays.shape[1])
    return SetSize(
        items=len(items),
        users=int(np.count_nonzero(items_per_user)),
        pairs=int(plays.nnz),
        plays=whole(total),
        density=plays.nnz / max(plays.shape[0] * plays.shape[1], 1),
        labels=labels,
        **artists,
    )


def _count_by_artist(artists: Ids | None, sets: SplitSets, name: str) -> dict[str, int]:
    """Count the items of artists with train items, and of others; empty if there are no artists."""
    if artists is None or name == "train":
        return {}
    of_train, of_items = (artists[sets[split].items].tolist() for split in ("train", name))
    semi_cold, cold = count_known(of_items, of_train)
    return {"semi_cold": semi_cold, "cold": cold}


def _items_per_label(labels: csr_array, items: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of these items have each label, ``(labels,)``."""
    return np.asarray(np.bincount(labels[items].indices, minlength=labels.shape[1]))


def measure_leakage(
    interactions: InteractionTable, sets: SplitSets, sizes: Mapping[str, SetSize]
) -> Leakage:
    """Count what is in two sets, and what is missing in one.

    Parameters
    ----------
    interactions
        All items.
    sets, sizes
        Rows and sizes of each set; train and test are among them.
    """
    items = {name: rows.items for name, rows in sets.items()}
    all_items = np.concatenate([*items.values()])
    pairs, labels, artists = interactions.pairs, interactions.labels, interactions.artists
    without_users = None if pairs is None else int((pairs.users_per_item[all_items] == 0).sum())
    return Leakage(
        items_in_two_sets=len(all_items) - len(np.unique(all_items)),
        artists_in_two_sets=None if artists is None else _count_shared(artists, items),
        users_without_train_items=_count_users_without(interactions, sizes["train"]),
        users_without_test_items=_count_users_without(interactions, sizes["test"]),
        items_without_users=without_users,
        items_without_labels=None if labels is None else int((np.diff(labels.indptr) == 0).sum()),
        train_items_played_later=_count_played_later(interactions, items),
        labels_without_train_items=_missing_labels(interactions, items["train"]),
        labels_without_test_items=_missing_labels(interactions, items["test"]),
    )


def _count_users_without(interactions: InteractionTable, size: SetSize) -> int | None:
    pairs = interactions.pairs
    return None if pairs is None else pairs.user_count - (size.users or 0)


def _missing_labels(interactions: InteractionTable, items: NDArray[np.int64]) -> list[str] | None:
    """Return the labels that none of these items has."""
    if interactions.labels is None:
        return None
    missing = np.flatnonzero(_items_per_label(interactions.labels, items) == 0)
    return [interactions.label_names[label] for label in missing]


def _count_played_later(
    interactions: InteractionTable, items: Mapping[str, NDArray[np.int64]]
) -> int | None:
    """Count the train items that still had plays when the first test item appeared."""
    if interactions.first_played is None or interactions.last_played is None:
        return None
    first_test_play = interactions.first_played[items["test"]].min()
    return int(np.count_nonzero(interactions.last_played[items["train"]] >= first_test_play))


def _count_shared(artists: Ids, items: Mapping[str, NDArray[np.int64]]) -> int:
    """Count the artists with items in two sets; unknown artists do not count."""
    sets = Counter(name for rows in items.values() for name in {*artists[rows].tolist()})
    return sum(number > 1 for name, number in sets.items() if name)


def warn_of_leakage(leakage: Leakage, progress: Progress) -> None:
    """Warn of all that may be a mistake."""
    for subject, count in leakage_counts(leakage).items():
        progress.warn(f"{subject}: {count:,}")


def leakage_counts(leakage: Leakage) -> dict[str, int]:
    """Return what may be a mistake, in words → how often; none that is not there."""
    counts = {
        "users without a train item (their factors mean nothing)": (
            leakage.users_without_train_items
        ),
        "users without a test item (0 in the mean)": leakage.users_without_test_items,
        "listed items without a user": leakage.items_without_users,
        "listed items without a label": leakage.items_without_labels,
        "train items with plays later than the first test item (these plays are kept; `cut` with "
        "`drop_later=True` drops them)": (leakage.train_items_played_later),
        "labels without a train item (cannot be learnt)": leakage.labels_without_train_items,
        "labels without a test item (they cannot be evaluated)": leakage.labels_without_test_items,
        "artists with items in two sets (`by='artist'` keeps each in one)": (
            leakage.artists_in_two_sets
        ),
    }
    numbers = {s: len(v) if isinstance(v, list) else v for s, v in counts.items()}
    return {subject: number for subject, number in numbers.items() if number}
