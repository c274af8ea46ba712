"""Ridge regression from features to plays: what every user would play, learnt in closed form.

The scores of new items are ``K_new (K + λI)⁻¹ R``, K being how alike the train items are, and R
who played them, neither of them centred. With products of features as the kernel this is ridge
regression of each user's plays (Hoerl and Kennard, 1970), with another kernel its dual form
(Saunders, Gammerman and Vovk, ICML 1998). No users × items matrix is made: the rows
``K_new (K + λI)⁻¹`` say how much the plays of each train item count for a new one. Where there are
fewer features than items, the same is solved for the features (see
:mod:`~tartarus_cli.baselines.feature_ridge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    Features,
    FittedBaseline,
    Items,
    Judge,
    Parameters,
    TrainingExamples,
    row_blocks,
)
from tartarus_cli.baselines.feature_ridge import FeatureSystem, item_rows, total_width
from tartarus_cli.baselines.kernel_choice import (
    PlaysRidgeOptions,
    choose_kernel,
    climb,
    middle_choice,
)
from tartarus_cli.baselines.kernel_system import KernelSystem, leave_one_out
from tartarus_cli.baselines.kernels import KernelName, TrainFeatures
from tartarus_cli.baselines.search import Search
from tartarus_cli.baselines.setting_weights import relative_weights, weight_choices, weights_of
from tartarus_cli.errors import DataError, SizeError, TrainingError
from tartarus_cli.progress import warn

MAX_ITEMS = 20_000
"""Train items whose kernel is solved for; it takes 3 GiB, and its factor as much again."""


def leave_one_out_weights(baseline: FittedBaseline) -> NDArray[np.float32]:
    """Return the weights of :func:`leave_one_out` for the train items of a fitted baseline."""
    if baseline.train is None:
        msg = "ridge on plays predicts by the train items, which are not given"
        raise AssertionError(msg)
    if baseline.form != "weights":
        items, width = int(baseline.train.inputs[0].shape[0]), total_width(baseline.train.inputs)
        msg = f"a network can learn what a ridge on plays leaves over of at most {MAX_ITEMS:,} "
        msg += f"train items, by cosines; there are {items:,}, of {width:,} features"
        raise SizeError(msg, hint="Leave out two_tower.residual.")
    arrays = baseline.arrays
    shape = float(arrays["power"]), float(arrays["count_exponent"])
    features = TrainFeatures(baseline.train.inputs, baseline.options.kernel, baseline.train.present)
    weights = _stored_weights(baseline)
    kernel = features.among_train(np.float64, weights).kernel(*shape)
    return leave_one_out(kernel, float(arrays["strength"]))


def _fit(train: TrainingExamples, options: PlaysRidgeOptions) -> BaselineResult:
    """Choose kernel and strength by how well the validation items rank."""
    if train.judge is None or train.validation is None or train.plays is None:
        msg = "ridge on plays needs plays, and validation items to choose by"
        raise AssertionError(msg)
    if solves_for_features(train.inputs, options.kernel):
        return _fit_features(train.inputs, train.validation.inputs, train.judge, options)
    chosen = choose_kernel(train, options)
    arrays = {
        "power": np.array(chosen.power),
        "count_exponent": np.array(chosen.count_exponent),
        "strength": np.array(chosen.strength),
        "weights": np.array(chosen.weights),
    }
    return BaselineResult(arrays, "weights", trials=chosen.trials, best=chosen.best)


def solves_for_features(inputs: Sequence[Features], kernel: KernelName) -> bool:
    """Whether the equations are those of the features, not of the train items.

    They are where products of features are the kernel and there are fewer features than items, and
    where there are more items than :data:`MAX_ITEMS`, whatever the kernel was to be.
    """
    items = int(inputs[0].shape[0])
    return items > MAX_ITEMS or (kernel == "linear" and total_width(inputs) < items)


def _fit_features(
    inputs: Sequence[Features],
    validation: Sequence[Features],
    judge: Judge,
    options: PlaysRidgeOptions,
) -> BaselineResult:
    """Choose the strength by how well the validation items rank, in the space of the features."""
    if options.kernel != "linear":
        items = int(inputs[0].shape[0])
        reason = f"the {items:,} train items are more than {MAX_ITEMS:,}"
        warn(f"ridge on plays takes the products of features, not cosines: {reason}")
    system = FeatureSystem(inputs)

    def score(parameters: Parameters) -> float:
        try:
            weights = weights_of(parameters, len(inputs))
            factor = system.factor(float(parameters["strength"]) * system.scale(weights), weights)
        except TrainingError:
            return 0.0
        blocks = row_blocks(int(validation[0].shape[0]), total_width(validation))
        rows = [
            item_rows(factor, [rows[block] for rows in validation], weights) for block in blocks
        ]
        return judge(np.concatenate(rows), "vectors", "")

    search = Search(score, relative_weights)
    choices = {"strength": options.strengths, **weight_choices(options.weights, len(inputs))}
    best = climb(search, middle_choice(choices), choices)
    weights = weights_of(best.parameters, len(inputs))
    strength = float(best.parameters["strength"]) * system.scale(weights)
    arrays = {
        "power": np.array(1.0),
        "count_exponent": np.array(0.0),
        "strength": np.array(strength),
        "weights": np.array(weights),
    }
    return BaselineResult(arrays, "vectors", trials=search.trials, best=best)


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    solved = baseline.cache.get("solved")
    if solved is None:
        solved = baseline.cache["solved"] = _Solved(baseline)
    return np.asarray(solved.weights(items), np.float32)


def _stored_weights(baseline: FittedBaseline) -> list[float]:
    """Return how much each setting counts; equally for models from before there was a choice."""
    settings = len(baseline.train.inputs) if baseline.train else 1
    stored = baseline.arrays.get("weights", np.ones(settings))
    if stored.shape != (settings,) or not (stored >= 0).all() or not stored.any():
        msg = "the weights of the settings of ridge on plays make no sense"
        raise DataError(msg, hint="Train it again.")
    return [float(weight) for weight in stored]


class _Solved:
    """The train items, their kernel factorised."""

    def __init__(self, baseline: FittedBaseline) -> None:
        if baseline.train is None:
            msg = "ridge on plays predicts by the train items, which are not given"
            raise AssertionError(msg)
        arrays = baseline.arrays
        self._system: FeatureSystem | None = None
        self._weights = _stored_weights(baseline)
        if baseline.form == "vectors":
            self._system = FeatureSystem(baseline.train.inputs)
            self._factor = self._system.factor(float(arrays["strength"]), self._weights)
            return
        self._shape = float(arrays["power"]), float(arrays["count_exponent"])
        self._features = TrainFeatures(
            baseline.train.inputs, baseline.options.kernel, baseline.train.present
        )
        kernel = self._features.among_train(np.float64, self._weights).kernel(*self._shape)
        self._factor = KernelSystem(kernel).factor(float(arrays["strength"]))

    def weights(self, items: Items) -> NDArray[Any]:
        from scipy.linalg import cho_solve

        if self._system is not None:
            return item_rows(self._factor, items.inputs, self._weights)
        rows = self._features.products(items.inputs, np.float64, self._weights).kernel(*self._shape)
        return np.asarray(cho_solve(self._factor, rows.T, check_finite=False).T)


def _shapes(_width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {"power": (), "count_exponent": (), "strength": (), "weights": (-1,)}


BASELINES.register("ridge_plays")(
    Baseline(
        _fit,
        _predict,
        PlaysRidgeOptions,
        _shapes,
        optional=("weights",),
        settings=(1, None),
        tasks=("recommendation",),
        kinds=("plays",),
        validates=True,
        judged=True,
        plays=True,
        remembers=True,
        draws=False,
    )
)
