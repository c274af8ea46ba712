"""The ranks of all relevant items, as an evaluation stored them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import FileError, call
from tartarus_cli.evaluation.checkpoints import read_ranks
from tartarus_cli.evaluation.results import read_unit_values
from tartarus_cli.metrics.ranks import RelevantRanks


@dataclass(frozen=True)
class StoredRanks:
    """The ranks of all relevant items, user by user, as an evaluation stored them."""

    starts: NDArray[np.int64]
    """``(users + 1,)``: where each user's relevant items start."""
    items: NDArray[np.int32]
    """``(relevant,)``: the relevant items, as rows of the test items' files."""
    ranks: NDArray[np.int32]
    """``(relevant,)``: their ranks, from 1 on."""
    best: NDArray[np.int32]
    """``(relevant,)``: the best rank of the items of the same score."""
    worst: NDArray[np.int32]
    """``(relevant,)``: the worst one."""
    count: int
    """Number of all items."""

    @property
    def user_count(self) -> int:
        """Number of all users."""
        return len(self.starts) - 1

    @property
    def users(self) -> NDArray[np.int64]:
        """The user of each relevant item, ``(relevant,)``."""
        return np.repeat(np.arange(self.user_count), np.diff(self.starts))

    @property
    def fit(self) -> bool:
        """Whether an evaluation can have stored them."""
        ranks = (self.ranks, self.best, self.worst)
        arrays, relevant = (self.starts, self.items, *ranks), self.items.size
        if any(array.ndim != 1 or array.dtype.kind != "i" for array in arrays):
            return False
        ends = (*self.starts[:1], *self.starts[-1:], *(array.size for array in ranks))
        if ends != (0, *[relevant] * 4) or (np.diff(self.starts) < 0).any():
            return False
        numbers = (self.items, *(array - 1 for array in ranks))
        return all(bool(((n >= 0) & (n < self.count)).all()) for n in numbers)

    def only(self, chosen: NDArray[np.bool_]) -> RelevantRanks:
        """Take the relevant items that were not chosen out of the ranking: they are not wrong.

        Without them, each of the others moves up by as many as stood above it.
        """
        offsets = self.users * (self.count + 1)
        order = np.argsort(offsets + self.ranks)  # best first
        in_order, left_out = (offsets + self.ranks)[order], ~chosen[order]
        before: NDArray[np.int64] = np.concatenate([[0], np.cumsum(left_out)])
        before_user = before[self.starts[:-1]][self.users]

        def without(ranks: NDArray[np.int32], side: Literal["left", "right"]) -> NDArray[np.int64]:
            sorted_ranks = ranks[order].astype(np.int64)
            ends = np.searchsorted(in_order, offsets + sorted_ranks, side)
            return np.asarray((sorted_ranks - (before[ends] - before_user))[~left_out])

        counts = np.bincount(self.users[chosen], minlength=self.user_count)
        tied = without(self.best, "left"), without(self.worst, "right")
        return RelevantRanks(
            without(self.ranks, "left"),
            np.concatenate([[0], np.cumsum(counts)]),
            self.count - (np.diff(self.starts) - counts),
            None if self.best is self.ranks else tied,
        )


def read_stored_ranks(dataset: Dataset, name: str, items: int) -> StoredRanks:
    """Read the ranks that an evaluation stored.

    Parameters
    ----------
    dataset
        The dataset of the evaluation.
    name
        The name of the results.
    items
        How many items were ranked.

    Raises
    ------
    FileError
        If they are missing or damaged.
    """
    path = dataset.workspace.unit_values(name, "users")
    arrays: dict[str, Any] = read_unit_values(path, ("starts", "items"))
    ranks = StoredRanks(arrays["starts"], arrays["items"], *read_ranks(path), items)
    if not ranks.fit:
        raise FileError(
            path,
            found=f"{ranks.ranks.size:,} ranks of {ranks.items.size:,} items that do not fit",
            expected=f"ranks from 1 to {items:,}, user by user",
            hint=f"Evaluate again: {call('evaluate', name)}",
        )
    return ranks
