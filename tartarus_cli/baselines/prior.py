"""How frequent each class is: the same scores for every item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    FittedBaseline,
    Items,
    TrainingExamples,
)


def class_shares(classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of the items that have each class, ``(classes,)``.

    ``classes`` is ``(items, classes)``; above 0 means that an item has a class.

    >>> class_shares(np.array([[1, 0], [1, 1]])).tolist()
    [1.0, 0.5]
    """
    return np.asarray((classes > 0).mean(axis=0))


def _fit(train: TrainingExamples, _options: Any) -> BaselineResult:
    return BaselineResult({"shares": class_shares(train.targets)})


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    row = baseline.arrays["shares"].astype(np.float32)
    return np.broadcast_to(row, (len(items.ids), len(row)))


def _shapes(_width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"shares": (dim,)}


_TASKS = ("multilabel", "multiclass")
BASELINES.register("prior")(
    Baseline(_fit, _predict, shapes=_shapes, tasks=_TASKS, kinds=("class",), draws=False)
)
