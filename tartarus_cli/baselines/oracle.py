"""The true factors of the items: the best that predicted factors of this kind can reach."""

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


def _fit(_train: TrainingExamples, _options: Any) -> BaselineResult:
    return BaselineResult({})


def _predict(_baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    return np.asarray(items.truth, np.float32)


BASELINES.register("oracle")(
    Baseline(_fit, _predict, kinds=("als", "pmi"), sees_truth=True, draws=False)
)
