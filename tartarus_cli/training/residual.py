"""The ridge on plays that a network adds to: its scores of train items, each fitted without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines.ridge_plays import leave_one_out_weights
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.models.store import Model
from tartarus_cli.scoring.scorers import Scorer
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.baseline import open_fitted
from tartarus_cli.training.model_scores import validation_scorer
from tartarus_cli.training.two_tower_steps import Numbers, Offset


@dataclass(frozen=True)
class Residual:
    """A trained ridge on plays whose scores are added to those of a network."""

    model: Model
    plays: csr_array
    """Who played the train items, ``(train items, users)``; rows of those held out are empty."""
    _scorers: dict[int, Scorer] = field(default_factory=dict, repr=False, compare=False)

    def offset(self, fitted: csr_array) -> Offset:
        """Return what scores train items for users, each item by all others.

        Parameters
        ----------
        fitted
            Who played the items that are fitted to, ``(items, users)``.
        """
        by_user = fitted.T.tocsr()

        def scores(items: Numbers, users: Numbers) -> NDArray[np.float32]:
            return np.asarray(by_user[users] @ self._weights[items].T, np.float32)

        return scores

    def scorer(self, validation: TrainingSubset, ranking: ValidationRanking) -> Scorer:
        """Return what scores the validation items for the ranked users."""
        key = id(ranking)
        if key not in self._scorers:
            self._scorers[key] = validation_scorer(self.model, validation, ranking, self.plays)
        return self._scorers[key]

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return leave_one_out_weights(open_fitted(self.model))
