"""What an evaluation is cut by: each kind of slice says which relevant items belong to which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import InputSource
from tartarus_cli.errors import Placeholder, parameter
from tartarus_cli.evaluation.artist_groups import group_by_discovery, group_by_known_artist
from tartarus_cli.evaluation.modality_groups import group_by_modality
from tartarus_cli.evaluation.slice_groups import Group, Grouping, read_train_plays
from tartarus_cli.evaluation.stored_ranks import StoredRanks
from tartarus_cli.file_names import Kind

SliceBy = Literal["user-activity", "item-popularity", "known-artist", "discovery", "modality"]
"""Cut users by how many train items they have, items by how many users have them, by whether their
artist has train items or by which settings they have, or plays by whether the user played the
artist before."""

QUANTILES = 4
"""Number of slices; fewer where many counts are equal."""


Sources: TypeAlias = Sequence[InputSource]
"""What the model reads: settings, patches."""


@dataclass(frozen=True)
class SliceKind:
    """A way to cut the relevant items of an evaluation."""

    cut: Callable[[Dataset, StoredRanks, Sources], Grouping]
    """Raises a ``DataError`` where a file is missing or damaged."""
    inputs: tuple[Kind, ...] = ()
    """Files that it cannot do without."""

    def require_inputs(self, dataset: Dataset) -> None:
        """Make sure that its files are there, before anything is ranked.

        Raises
        ------
        DataError
            If one is missing; the hint says how to make it.
        """
        for kind in self.inputs:
            dataset.require(kind, hint=_HINTS[kind])


_AGAIN = f"or split the table of plays again, with {parameter('force', value=True)}"
_HINTS = {
    Kind.ARTISTS: "Write it, with an item id, a tab and an artist in each line; "
    f"{_AGAIN} and {parameter('artist', Placeholder('COLUMN'))}.",
    Kind.TRAIN_MATRIX: "Write the plays of the train items, as a sparse matrix (train items, "
    f"users); {_AGAIN}.",
}


def _user_activity(dataset: Dataset, ranks: StoredRanks, _: Sources) -> Grouping:
    counts, basis = _activity(dataset, ranks)
    groups, group_of_user = _cut(counts)
    return Grouping("users", basis, groups, group_of_user[ranks.users])


def _item_popularity(_: Dataset, ranks: StoredRanks, __: Sources) -> Grouping:
    groups, group_of_item = _cut(np.bincount(ranks.items, minlength=ranks.count))
    basis = "how many users have them in the truth"
    return Grouping("items", basis, groups, group_of_item[ranks.items])


def _activity(dataset: Dataset, ranks: StoredRanks) -> tuple[NDArray[np.int64], str]:
    """Count the items that each user has, ``(users,)``, and say which items these are."""
    if dataset.find(Kind.TRAIN_MATRIX) is None:
        return np.diff(ranks.starts), "how many test items they have"
    plays = read_train_plays(dataset, ranks.user_count)
    counts = np.bincount(plays.indices[plays.data > 0], minlength=ranks.user_count)
    return counts, "how many train items they have"


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
    "user-activity": SliceKind(_user_activity),
    "item-popularity": SliceKind(_item_popularity),
    "known-artist": SliceKind(
        lambda dataset, ranks, _: group_by_known_artist(dataset, ranks), (Kind.ARTISTS,)
    ),
    "discovery": SliceKind(
        lambda dataset, ranks, _: group_by_discovery(dataset, ranks),
        (Kind.ARTISTS, Kind.TRAIN_MATRIX),
    ),
    "modality": SliceKind(group_by_modality),
}
"""Name of a kind of slice → how it cuts."""
