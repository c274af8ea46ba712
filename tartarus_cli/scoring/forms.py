"""From predicted rows of items, of whatever form, to what scores them for users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.scorers import ConstantScorer, FactorScorer, NeighbourScorer, Scorer
from tartarus_cli.scoring.users import PlayedRows, UserRows


@dataclass(frozen=True)
class ItemRows:
    """Predicted rows of items, and what they are multiplied by."""

    form: PredictionForm
    """What the rows are."""
    values: Any
    """``(items, columns)``: dense, or sparse for ``neighbours``."""
    users: UserRows | None = None
    """For ``factors`` and ``vectors``: the rows of the users, as wide as those of the items."""
    plays: csr_array | None = None
    """For ``neighbours`` and ``weights``: ``(users, train items)``, 1 where the user has it."""
    unit_items: bool = False
    """For ``factors``: divide each row by its L2 norm."""

    def scorer(
        self, budget: MemoryBudget, order: NDArray[np.int64], absent: NDArray[np.bool_]
    ) -> Scorer:
        """Return what scores these items for a block of users.

        Parameters
        ----------
        budget
            How much memory there is.
        order
            The rows of the items in the order of their scores, ``(items,)``.
        absent
            Which items have no prediction and rank last, ``(items,)``, in the order of the rows.
        """
        absent = absent[order]
        if self.form == "scores":
            scores = np.where(absent, -np.inf, self.values[order, 0])
            return ConstantScorer(budget, scores.astype(np.float32))
        if self.form == "neighbours":
            plays = _given(self.plays)
            return NeighbourScorer(budget, plays, self.values[order], absent).precompute()
        users = PlayedRows(_given(self.plays)) if self.form == "weights" else self.users
        return FactorScorer(
            budget,
            _given(users),
            self.values,
            unit_items=self.unit_items,
            absent=absent,
            order=order,
        ).precompute()


def _given(value: Any) -> Any:
    if value is None:
        msg = "there is nothing to multiply the rows by"
        raise AssertionError(msg)
    return value
