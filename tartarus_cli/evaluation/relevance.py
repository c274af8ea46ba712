"""Which test items are relevant to each user, and what scores items for users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.errors import FileError, call
from tartarus_cli.evaluation.scorers import (
    ConstantScorer,
    FactorScorer,
    MemoryBudget,
    NeighbourScorer,
    Scorer,
)
from tartarus_cli.file_names import Kind
from tartarus_cli.prediction.aligned import Predictions

CHECK_FILES = f"See which file is out of step: {call('check')}"
"""What to do about files that do not fit each other."""


@dataclass(frozen=True)
class RelevantItems:
    """The test items that each user has."""

    relevant: csr_array
    """Sparse ``(users, items)``, items in ascending order."""

    def of(self, users: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where each user's items start, ``(users + 1,)``, and the items, by user."""
        starts = self.relevant.indptr[users.start : users.stop + 1].astype(np.int64)
        return starts - starts[0], self.relevant.indices[starts[0] : starts[-1]]

    @property
    def popularity(self) -> NDArray[np.int64]:
        """How many users have each item."""
        return np.bincount(self.relevant.indices, minlength=self.relevant.shape[1])


def read_relevant_items(predictions: Predictions, users: int) -> RelevantItems:
    """Read which test items are relevant to each user.

    Parameters
    ----------
    predictions
        The predictions that are to be ranked.
    users
        Number of users, as in their factors.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another shape.
    """
    path = predictions.dataset.require(Kind.TEST_MATRIX).path
    truth = predictions.dataset.plays("test")
    expected = (len(predictions.absent), users)
    if truth.shape != expected:
        raise FileError(
            path,
            found=f"{truth.shape[0]:,} × {truth.shape[1]:,}",
            expected=f"{expected[0]:,} × {expected[1]:,} (test items × users)",
            hint="Write matrix.T.tocsr()." if truth.shape == expected[::-1] else CHECK_FILES,
        )
    if not np.isfinite(truth.data).all():
        raise FileError(
            path,
            found=f"NaN or infinity in {int((~np.isfinite(truth.data)).sum()):,} entries",
            expected="finite numbers, over 0 where the user has the item",
            hint="Write it again without them.",
        )
    return RelevantItems(binary(truth).T.tocsr())


def binary(plays: csr_array) -> csr_array:
    """Keep the entries over 0, as 1.

    >>> binary(csr_array([[2, 0, -1]])).toarray().tolist()
    [[1, 0, 0]]
    """
    entries = (plays.data > 0).astype(np.int8)
    ones = csr_array((entries, plays.indices.copy(), plays.indptr.copy()), shape=plays.shape)
    ones.eliminate_zeros()
    ones.sort_indices()
    return ones


def build_scorer(predictions: Predictions, factors: Matrix, budget: MemoryBudget) -> Scorer:
    """Return what scores all test items for a block of users, as every ranking does.

    Parameters
    ----------
    predictions
        Predicted factors of the items, similarities to train items, or one score for each item.
    factors
        Of the users, ``(users, dim)``.
    budget
        How much memory there is.

    Raises
    ------
    FileError
        If the predictions do not fit the users, or the train plays are missing or damaged.
    """
    values = predictions.values
    if predictions.form == "neighbours":
        plays = _train_plays(predictions, factors.shape[0])
        return NeighbourScorer(budget, plays, values, predictions.absent).precompute()
    if predictions.form == "scores":
        scores = np.where(predictions.absent, -np.inf, values[:, 0])
        return ConstantScorer(budget, scores.astype(np.float32))
    if values.shape[1] != factors.shape[1]:
        raise FileError(
            predictions.path,
            found=f"{values.shape[1]} factors",
            expected=f"{factors.shape[1]}, as in {factors.path.name}",
            hint="Predict factors of the same kind and number as the users'.",
        )
    cosine = predictions.targets.kind == "pmi"
    return FactorScorer(budget, factors, values, cosine, predictions.absent).precompute()


def _train_plays(predictions: Predictions, users: int) -> csr_array:
    path = predictions.dataset.require(Kind.TRAIN_MATRIX).path
    plays = predictions.dataset.plays("train")
    expected = (predictions.values.shape[1], users)
    if plays.shape != expected:
        raise FileError(
            path,
            found=f"{plays.shape[0]:,} × {plays.shape[1]:,}",
            expected=f"{expected[0]:,} × {expected[1]:,} (train items × users)",
            hint="Write matrix.T.tocsr()." if plays.shape == expected[::-1] else CHECK_FILES,
        )
    return binary(plays).T.tocsr().astype(np.float32)
