"""Groups of users, test items or plays, whose figures are shown apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError
from tartarus_cli.evaluation.stored_ranks import StoredRanks
from tartarus_cli.file_names import Kind

Unit = Literal["users", "items", "plays"]
"""What is cut: users, test items, or the pairs of a user and a test item that the user has."""


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


def read_train_plays(dataset: Dataset, users: int) -> csr_array:
    """Read the plays of the train items, ``(train items, users)``.

    Raises
    ------
    DataError
        If the file is missing or damaged, or is of other users.
    """
    file = dataset.require(Kind.TRAIN_MATRIX)
    plays = dataset.plays("train")
    if plays.shape[1] != users:
        raise FileError(
            file.path,
            found=f"{plays.shape[1]:,} columns",
            expected=f"{users:,}, one for each user",
            hint="Write it as (train items, users).",
        )
    return plays
