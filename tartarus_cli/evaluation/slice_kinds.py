"""What an evaluation is cut by: each kind of slice says which relevant items belong to which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError
from tartarus_cli.evaluation.stored_ranks import StoredRanks
from tartarus_cli.file_names import Kind

SliceBy = Literal["user-activity", "item-popularity"]
"""Cut users by how many train items they have, or items by how many users have them."""

Unit = Literal["users", "items", "plays"]
"""What is cut: users, test items, or the pairs of a user and a test item that the user has."""

QUANTILES = 4
"""Number of slices; fewer where many counts are equal."""


@dataclass(frozen=True)
class Group:
    """The users, items or plays of one slice."""

    label: str
    """What it is called."""
    size: int
    """How many users, items or plays it has."""
    lowest: int | None = None
    """Lowest count in a quantile; None where nothing was counted."""
    highest: int | None = None
    """Highest count in a quantile; None where nothing was counted."""


@dataclass(frozen=True)
class Grouping:
    """All relevant items of all users, cut into groups."""

    unit: Unit
    basis: str
    """What they are cut by, in words."""
    groups: list[Group]
    group_of_relevant: NDArray[np.int64]
    """``(relevant,)``: the number of the group of each relevant item, in the order of the ranks;
    -1 for one that is in no group."""


SliceKind = Callable[[Dataset, StoredRanks], Grouping]
"""Cuts the relevant items of an evaluation; raises a ``DataError`` where files are missing."""


def group_items(
    ranks: StoredRanks, basis: str, labels: Sequence[str], group_of_item: NDArray[np.int64]
) -> Grouping:
    """Cut test items into groups that have names; groups without an item are left out.

    Parameters
    ----------
    ranks
        The ranks of the evaluation.
    basis
        What they are cut by, in words.
    labels
        Names of the groups.
    group_of_item
        ``(test items,)``: the number of each item's group, from 0 on.
    """
    sizes = np.bincount(group_of_item, minlength=len(labels)).tolist()
    return _named("items", basis, labels, sizes, group_of_item[ranks.items])


def group_plays(
    basis: str, labels: Sequence[str], group_of_relevant: NDArray[np.int64]
) -> Grouping:
    """Cut plays, pairs of a user and a test item, into groups that have names.

    Parameters
    ----------
    basis
        What they are cut by, in words.
    labels
        Names of the groups; those without a play are left out.
    group_of_relevant
        ``(relevant,)``: the number of the group of each play, from 0 on, in the order of the ranks.
    """
    sizes = np.bincount(group_of_relevant, minlength=len(labels)).tolist()
    return _named("plays", basis, labels, sizes, group_of_relevant)


def _named(
    unit: Unit,
    basis: str,
    labels: Sequence[str],
    sizes: Sequence[int],
    group_of_relevant: NDArray[np.int64],
) -> Grouping:
    present = np.flatnonzero(sizes) if any(sizes) else np.arange(len(labels))
    numbers = np.full(len(labels), -1)
    numbers[present] = np.arange(len(present))
    groups = [Group(labels[number], sizes[number]) for number in present.tolist()]
    return Grouping(unit, basis, groups, numbers[group_of_relevant])


def _user_activity(dataset: Dataset, ranks: StoredRanks) -> Grouping:
    counts, basis = _activity(dataset, ranks)
    groups, group_of_user = _cut(counts)
    return Grouping("users", basis, groups, group_of_user[ranks.users])


def _item_popularity(_: Dataset, ranks: StoredRanks) -> Grouping:
    groups, group_of_item = _cut(np.bincount(ranks.items, minlength=ranks.count))
    basis = "how many users have them in the truth"
    return Grouping("items", basis, groups, group_of_item[ranks.items])


def _activity(dataset: Dataset, ranks: StoredRanks) -> tuple[NDArray[np.int64], str]:
    """Count the items that each user has, ``(users,)``, and say which items these are."""
    users = ranks.user_count
    file = dataset.find(Kind.TRAIN_MATRIX)
    if file is not None:
        plays = dataset.plays("train")
        if plays.shape[1] != users:
            raise FileError(
                file.path,
                found=f"{plays.shape[1]:,} columns",
                expected=f"{users:,}, one for each user",
                hint="Write it as (train items, users).",
            )
        counts = np.bincount(plays.indices[plays.data > 0], minlength=users)
        return counts, "how many train items they have"
    return np.diff(ranks.starts), "how many test items they have"


def _cut(counts: NDArray[np.int64]) -> tuple[list[Group], NDArray[np.int64]]:
    """Cut users or items into quantiles of their counts; return the number of each one's too."""
    ranges = quantiles(counts)
    numbers = np.searchsorted([highest for _, highest in ranges], counts)
    sizes = np.bincount(numbers, minlength=len(ranges)).tolist()
    groups = [
        Group(" – ".join(f"{end:,}" for end in dict.fromkeys(ends)), size, *ends)
        for ends, size in zip(ranges, sizes, strict=True)
    ]
    return groups, numbers


def quantiles(counts: NDArray[np.int64], number: int = QUANTILES) -> list[tuple[int, int]]:
    """Cut counts into ranges that hold about as many each; equal counts stay together.

    >>> quantiles(np.array([0, 0, 0, 1, 2, 3, 4, 9]))
    [(0, 0), (1, 1), (2, 3), (4, 9)]
    """
    ordered = np.sort(counts)
    cuts = ordered[(np.arange(1, number) * len(ordered)) // number - 1]
    edges = [*np.unique(cuts).tolist(), int(ordered[-1])]
    ranges, lowest = [], int(ordered[0])
    for edge in dict.fromkeys(edges):
        inside = ordered[(ordered >= lowest) & (ordered <= edge)]
        if inside.size:
            ranges.append((int(inside[0]), int(inside[-1])))
            lowest = int(inside[-1]) + 1
    return ranges


SLICE_KINDS: dict[SliceBy, SliceKind] = {
    "user-activity": _user_activity,
    "item-popularity": _item_popularity,
}
"""Name of a kind of slice → how it cuts."""
