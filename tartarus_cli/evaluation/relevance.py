"""Which test items are relevant to each user, and what scores items for users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.errors import FileError, call, parameter
from tartarus_cli.evaluation.scorers import (
    MAX_FACTOR,
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


TieBreaking = Literal["drawn", "published"]
"""Equal scores keep an order of the items that is drawn from a seed, or the order of their list."""


def drawn_order(names: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw an order of items, or of classes, that does not depend on the order they come in.

    Each has the BLAKE2b hash of its name, keyed by the seed; they are sorted by it.

    Parameters
    ----------
    names
        Ids of items, or names of classes, all different.
    seed
        Of the draw.

    Returns
    -------
    The numbers of the names, in the order drawn, ``(names,)``.

    Examples
    --------
    >>> names = ["a", "b", "c", "d"]
    >>> one = [names[n] for n in drawn_order(names, 0)]
    >>> names.reverse()
    >>> one == [names[n] for n in drawn_order(names, 0)]
    True
    """
    key = str(seed).encode()
    hashes = [blake2b(name.encode(), digest_size=16, key=key).hexdigest() for name in names]
    return np.argsort(np.array(hashes, dtype="S32"), kind="stable")


def tie_order(names: Sequence[str], ties: TieBreaking, seed: int) -> NDArray[np.int64]:
    """Return the order that equal scores keep, ``(names,)``: drawn, or that of the names."""
    return drawn_order(names, seed) if ties == "drawn" else np.arange(len(names))


@dataclass(frozen=True)
class RelevantItems:
    """The test items that each user has; items are numbered in the order that ties keep."""

    relevant: csr_array
    """Sparse ``(users, items)``, items in ascending order."""
    order: NDArray[np.int64]
    """``(items,)``: the row of each item in the files."""

    def of(self, users: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where each user's items start, ``(users + 1,)``, and the items, by user."""
        starts = self.relevant.indptr[users.start : users.stop + 1].astype(np.int64)
        return starts - starts[0], self.relevant.indices[starts[0] : starts[-1]]

    def by_row(self, users: slice) -> NDArray[np.int64]:
        """Return the places of the users' items, ``(relevant,)``, by user and row in the files."""
        starts, items = self.of(users)
        owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        return np.argsort(owners * self.relevant.shape[1] + self.order[items])

    def rows(self, users: slice) -> NDArray[np.int32]:
        """Return the rows in the files of the users' items, ascending within each user."""
        _, items = self.of(users)
        return self.order[items[self.by_row(users)]].astype(np.int32)

    @property
    def popularity(self) -> NDArray[np.int64]:
        """How many users have each item, ``(items,)``, by its row in the files."""
        rows = self.order[self.relevant.indices]
        return np.bincount(rows, minlength=self.relevant.shape[1])


def read_relevant_items(
    predictions: Predictions, users: int, order: NDArray[np.int64]
) -> RelevantItems:
    """Read which test items are relevant to each user.

    Parameters
    ----------
    predictions
        The predictions that are to be ranked.
    users
        Number of users, as in their factors.
    order
        The rows of the items in the order that ties keep, ``(items,)``.

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
    return RelevantItems(binary(truth[order]).T.tocsr(), order)


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


def build_scorer(
    predictions: Predictions,
    factors: Matrix,
    budget: MemoryBudget,
    order: NDArray[np.int64],
) -> Scorer:
    """Return what scores all test items for a block of users, as every ranking does.

    Parameters
    ----------
    predictions
        Predicted factors of the items, similarities to train items, or one score for each item.
    factors
        Of the users, ``(users, dim)``.
    budget
        How much memory there is.
    order
        The rows of the items in the order of their scores, ``(items,)``.

    Raises
    ------
    FileError
        If the predictions do not fit the users, or the train plays are missing or damaged.
    """
    values, absent = predictions.values, predictions.absent[order]
    if predictions.form == "neighbours":
        plays = _train_plays(predictions, factors.shape[0])
        return NeighbourScorer(budget, plays, values[order], absent).precompute()
    if predictions.form == "scores":
        scores = np.where(absent, -np.inf, values[order, 0])
        return ConstantScorer(budget, scores.astype(np.float32))
    if values.shape[1] != factors.shape[1]:
        raise FileError(
            predictions.path,
            found=f"{values.shape[1]} factors",
            expected=f"{factors.shape[1]}, as in {factors.path.name}",
            hint="Predict factors of the same kind and number as the users'.",
        )
    scoring = factor_scoring(predictions)
    if not scoring["unit_items"]:
        _require_products(predictions)
    return FactorScorer(budget, factors, values, absent=absent, order=order, **scoring).precompute()


def factor_scoring(predictions: Predictions) -> dict[str, bool]:
    """Return which factors are divided by their norms before they are multiplied."""
    pmi = predictions.targets.kind == "pmi"
    return {"unit_users": pmi, "unit_items": pmi or predictions.scoring == "cosine"}


def _require_products(predictions: Predictions) -> None:
    """Make sure that products of predicted factors, norms included, do not overflow."""
    largest = float(np.abs(predictions.values).max(initial=0))
    if largest > MAX_FACTOR:
        raise FileError(
            predictions.path,
            found=f"factors as large as {largest:g}",
            expected=f"at most {MAX_FACTOR:g}",
            hint=f"Rank by their direction alone: {parameter('overrides', 'scoring=cosine')}.",
        )


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
