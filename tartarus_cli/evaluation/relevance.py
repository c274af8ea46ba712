"""Which test items are relevant to each user, and what scores items for users."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import require_finite
from tartarus_cli.data.plays import binary, count_users, read_plays
from tartarus_cli.data.targets import reference_factors
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import FileError, call, parameter
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.relevant import RelevantItems
from tartarus_cli.scoring.scorers import BlendPart, BlendScorer, Scorer
from tartarus_cli.scoring.users import MAX_FACTOR, FactorRows, UserRows

CHECK_FILES = f"See which file is out of step: {call('check')}"
"""What to do about files that do not fit each other."""


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


def scored_users(predictions: Predictions) -> int:
    """Return the number of users that items are ranked for.

    Raises
    ------
    DataError
        If it is not known, or what says so is damaged.
    """
    targets = predictions.targets
    if targets.kind == "plays":
        return count_users(predictions.dataset)
    return predictions.dataset.user_factors(targets.kind, targets.dim).shape[0]


def factor_targets(predictions: Predictions) -> TargetSpec | None:
    """Return the factors whose truth an oracle ranks by: those learnt, else any of plays."""
    if predictions.targets.kind != "plays":
        return predictions.targets
    return reference_factors(predictions.dataset)


def build_scorer(
    predictions: Predictions, users: int, budget: MemoryBudget, order: NDArray[np.int64]
) -> Scorer:
    """Return what scores all test items for a block of users, as every ranking does.

    Parameters
    ----------
    predictions
        Predicted rows of the items, of any form, or those of several models that are blended.
    users
        Number of users.
    budget
        How much memory there is.
    order
        The rows of the items in the order of their scores, ``(items,)``.

    Raises
    ------
    FileError
        If the predictions do not fit the users, or the train plays are missing or damaged.
    """
    parts = [
        BlendPart(
            weight,
            build_scorer(part, users, budget, order),
            part.absent[order],
            None if part.only is None else part.only[order],
        )
        for weight, part in predictions.parts
    ]
    own = predictions.values is not None
    if own:
        rows = _item_rows(predictions, users)
        present = np.zeros_like(predictions.absent) if parts else predictions.absent
        parts.append(BlendPart(1.0, rows.scorer(budget, order, present)))
    if len(parts) == 1 and own:
        return parts[0].scorer
    absent = predictions.absent[order]
    return BlendScorer(budget, tuple(parts), predictions.standardize, absent)


def _item_rows(predictions: Predictions, users: int) -> ItemRows:
    form, values = predictions.form, predictions.values
    if form in ("neighbours", "weights"):
        return ItemRows(form, values, plays=_train_plays(predictions, users))
    if form == "scores":
        return ItemRows(form, values)
    rows, unit_items = _user_rows(predictions)
    if values.shape[1] != rows.shape[1]:
        raise FileError(
            predictions.path,
            found=f"{values.shape[1]} factors",
            expected=f"{rows.shape[1]}, as {_name(rows)}",
            hint="Predict factors of the same kind and number as the users'.",
        )
    if rows.shape[0] != users:
        raise FileError(
            predictions.path,
            found=f"predictions for {rows.shape[0]:,} users",
            expected=f"{users:,}, as {predictions.dataset.name} has",
            hint="Train the model again.",
        )
    if not unit_items:
        _require_products(predictions)
    return ItemRows(form, values, rows, unit_items=unit_items)


def _name(users: UserRows) -> str:
    return f"in {users.matrix.path.name}" if isinstance(users, FactorRows) else "its users have"


def _user_rows(predictions: Predictions) -> tuple[UserRows, bool]:
    """Return what rows of items are multiplied by, and whether those are divided by their norm."""
    if predictions.users is not None:
        return predictions.users, False
    return factor_rows(predictions, predictions.targets)


def factor_rows(predictions: Predictions, targets: TargetSpec) -> tuple[FactorRows, bool]:
    """Return factors of users, and whether those of items are divided by their norms."""
    pmi = targets.kind == "pmi"
    factors = predictions.dataset.user_factors(targets.kind, targets.dim)
    return FactorRows(factors, unit=pmi), pmi or predictions.scoring == "cosine"


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


def _train_plays(predictions: Predictions, users: int) -> Any:
    """Return who has which train item, ``(users, train items)``."""
    plays = read_plays(predictions.dataset, "train")
    expected = (predictions.values.shape[1], users)
    shape = plays.matrix.shape
    if shape != expected:
        transposed = "Write matrix.T.tocsr()." if shape == expected[::-1] else CHECK_FILES
        raise FileError(
            plays.files[0],
            found=f"{shape[0]:,} × {shape[1]:,}",
            expected=f"{expected[0]:,} × {expected[1]:,} (train items × users)",
            hint=transposed,
        )
    return plays.matrix.T.tocsr()


def build_oracle(
    predictions: Predictions, users: int, budget: MemoryBudget, truth: RelevantItems
) -> Scorer | None:
    """Return what scores test items by their true factors; None if the dataset has none."""
    file = true_factors(predictions)
    targets = factor_targets(predictions)
    if file is None or targets is None:
        return None
    rows, unit_items = factor_rows(predictions, targets)
    true = predictions.dataset.matrix(file.path)
    if rows.shape[0] != users:
        return None
    if true.shape != (budget.items, rows.shape[1]):
        raise FileError(
            true.path,
            found=f"{true.shape[0]:,} × {true.shape[1]:,}",
            expected=f"{budget.items:,} × {rows.shape[1]:,}",
            hint=CHECK_FILES,
        )
    for block in true.blocks():
        require_finite(true.path, true.rows(block), block.start)
    items = ItemRows("factors", true.values, rows, unit_items=unit_items)
    return items.scorer(budget, truth.order, np.zeros(budget.items, bool))


def true_factors(predictions: Predictions) -> DataFile | None:
    """Return the file of the true factors of the test items; None if there is none."""
    targets = factor_targets(predictions)
    if targets is None:
        return None
    return predictions.dataset.find(Kind.TARGETS, split="test", **targets.fields)
