"""How well validation items rank for the users that have them: what choices are made by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.plays import binary
from tartarus_cli.metrics import Values
from tartarus_cli.metrics.ranking import average_precision
from tartarus_cli.metrics.ranks import RelevantRanks, order_by_scores, sort_ranks
from tartarus_cli.scoring.blocks import Floats, MemoryBudget, map_user_blocks
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.relevant import RelevantItems, drawn_order
from tartarus_cli.scoring.scorers import Scorer

CUT = 500
"""The mean average precision is that of the first so many items."""

MAX_USERS = 10_000
"""Users that validation items are ranked for; of more, so many are drawn."""

MAX_SCORES = 1 << 27
"""Scores of all users and items together, above which fewer users are drawn."""

MEMORY = 256 << 20
"""Bytes for scores and factors."""


@dataclass(frozen=True)
class ValidationRanking:
    """The validation items, and the users that they are ranked for.

    Only users that have one of the items are ranked for; of more than :data:`MAX_USERS`, so many
    are drawn.
    """

    ids: Sequence[str]
    """Ids of the items, in the order of their rows."""
    plays: csr_array
    """``(items, users)``, above 0 where a user has the item."""
    seed: int = 0
    """Of the users that are drawn, and of the order that equal scores keep."""

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """The numbers of the users that are ranked for, ascending, ``(ranked users,)``."""
        users = self._active
        most = max(1, min(MAX_USERS, MAX_SCORES // max(len(self.ids), 1)))
        if len(users) <= most:
            return users
        return np.sort(np.random.default_rng(self.seed).choice(users, most, replace=False))

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows of the items in the order that equal scores keep, ``(items,)``."""
        return drawn_order(self.ids, self.seed)

    @cached_property
    def budget(self) -> MemoryBudget:
        """How many users are scored at a time."""
        return MemoryBudget(len(self.ids), MEMORY)

    def of_users(self, plays: csr_array) -> csr_array:
        """Return what the ranked users played of other items.

        Parameters
        ----------
        plays
            ``(other items, users)``, for all users.

        Returns
        -------
        ``(ranked users, other items)``, float32.
        """
        return plays.T.tocsr()[self.users].astype(np.float32)

    def rows_of_users(self, factors: Matrix) -> Matrix:
        """Return the rows of the ranked users, of those of all users."""
        return Matrix(factors.path, factors.values[self.users])

    def scorer(self, rows: ItemRows) -> Scorer:
        """Return what scores the validation items for the ranked users.

        Parameters
        ----------
        rows
            Rows that are predicted for the items; their users, or plays, are the ranked users.
        """
        return rows.scorer(self.budget, self.order, np.zeros(len(self.ids), bool))

    def mean_average_precision(self, scorer: Callable[[slice], Floats]) -> float:
        """Return MAP@500, as an evaluation defines it: users without one of the items count as 0.

        Where users were drawn, it is an estimate.

        Parameters
        ----------
        scorer
            Scores the items, in :attr:`order`, for the ranked users.
        """
        if not len(self.users):
            return 0.0
        total, count = self._sum(scorer, lambda ranks: average_precision(ranks, CUT))
        return total / count * len(self._active) / max(int(self.plays.shape[1]), 1)

    def mean(
        self, scorer: Callable[[slice], Floats], measure: Callable[[RelevantRanks], Values]
    ) -> float:
        """Return the mean of a metric over the ranked users that have a value of it; NaN if none.

        Parameters
        ----------
        scorer
            As for :meth:`mean_average_precision`.
        measure
            From the ranks of the relevant items to a value for each user.
        """
        total, count = self._sum(scorer, measure)
        return total / count if count else float("nan")

    def _sum(
        self, scorer: Callable[[slice], Floats], measure: Callable[[RelevantRanks], Values]
    ) -> tuple[float, int]:
        """Return the sum of a metric over the users that have a value of it, and their number."""
        relevant = self._relevant

        def add_up(block: slice) -> tuple[float, int]:
            starts, items = relevant.of(block)
            ranked = order_by_scores(scorer(block), starts, items, k=1)
            values = measure(sort_ranks(ranked.ranks, starts, len(self.ids)))
            defined = values[~np.isnan(values)]
            return float(defined.sum()), len(defined)

        with map_user_blocks(self.budget, slice(0, len(self.users)), add_up) as blocks:
            parts = [part for _, part in blocks]
        return sum(total for total, _ in parts), sum(count for _, count in parts)

    @cached_property
    def _active(self) -> NDArray[np.int64]:
        return np.unique(self.plays.indices[self.plays.data > 0]).astype(np.int64)

    @cached_property
    def _relevant(self) -> RelevantItems:
        plays = binary(self.plays)[self.order]
        return RelevantItems(plays.T.tocsr()[self.users], self.order)
