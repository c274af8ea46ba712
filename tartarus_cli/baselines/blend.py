"""A blend of several models: a weighted sum of their scores, each standardised for a user.

Late fusion with weights chosen on validation items; a weight of 0 leaves a model out, so that a
blend is no worse on them than the best of its parts. The scores of classes are averaged as they
are, over the models that know something of an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    FittedBaseline,
    Items,
    Parameters,
    TrainingExamples,
    Trial,
)
from tartarus_cli.baselines.search import Search, is_better

Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class BlendOptions(BaselineOptions):
    """The models to blend, and the weights to try."""

    parts: tuple[str, ...] = ()
    """Experiments that read all settings together, or models that are trained already."""

    each_setting: tuple[str, ...] = ()
    """Experiments of which one model is trained for each setting."""

    each_sparse: tuple[str, ...] = ()
    """Experiments of which one model is trained for each sparse setting, such as tags."""

    each_dense: tuple[str, ...] = ()
    """Experiments of which one model is trained for each dense setting, such as embeddings."""

    weights: Annotated[tuple[Weight, ...], Field(min_length=1)] = (
        *(0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0),
    )
    """Weights of a model to choose from, where the highest weight of the others is 1."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all experiments and models."""
        return *self.parts, *self.of_one_setting

    @property
    def of_one_setting(self) -> tuple[str, ...]:
        """Experiments that are trained for one setting at a time."""
        return *self.each_setting, *self.each_sparse, *self.each_dense

    def of_setting(self, *, sparse: bool) -> tuple[str, ...]:
        """Return the experiments that are trained for a setting of a kind."""
        return *self.each_setting, *(self.each_sparse if sparse else self.each_dense)


def mean_rows(
    rows: Sequence[NDArray[Any]], weights: Sequence[float], unknown: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Average the class scores of several models, for each item over those that know of it.

    Parameters
    ----------
    rows
        Scores of each model, ``(items, classes)``.
    weights
        Weight of each model.
    unknown
        ``(items,)``: of which items each model knows nothing.

    Returns
    -------
    The means ``(items, classes)``, and which items no model knows anything of ``(items,)``; their
    means are 0. Models of weight 0 are used for items that the others know nothing of.

    Examples
    --------
    >>> mean, absent = mean_rows(
    ...     [np.array([[0.2], [0.2]]), np.array([[0.8], [0.0]])],
    ...     [1.0, 2.0],
    ...     [np.array([False, False]), np.array([False, True])],
    ... )
    >>> mean.round(2).tolist(), absent.tolist()
    ([[0.6000000238418579], [0.20000000298023224]], [False, False])
    """
    total = np.zeros(rows[0].shape, np.float32)
    sums = np.zeros(len(total))
    for scores, weight, missing in zip(rows, weights, unknown, strict=True):
        if weight:
            counts = np.where(missing, 0.0, weight)
            total += counts.astype(np.float32)[:, None] * scores
            sums += counts
    left = sums == 0
    for scores, weight, missing in zip(rows, weights, unknown, strict=True):
        if not weight:
            counts = (left & ~missing).astype(np.float64)
            total += counts.astype(np.float32)[:, None] * scores
            sums += counts
    absent = sums == 0
    return total / np.where(absent, 1, sums).astype(np.float32)[:, None], absent


def choose_weights(
    parts: Sequence[str], weights: Sequence[float], train: TrainingExamples
) -> BaselineResult:
    """Choose the weight of each part by how well the validation items rank.

    Each part is tried alone; the best of them begins with a weight of 1, the others with 0, and one
    weight at a time is changed while that helps.

    Parameters
    ----------
    parts
        Names of the parts, all different.
    weights
        The weights to try.
    train
        Its judge takes a weight for each part, of the form ``blend``.
    """
    judge = train.judge
    if judge is None:
        msg = "weights are chosen by validation items, whose plays are not known"
        raise AssertionError(msg)

    def score(parameters: Parameters) -> float:
        return judge(np.array([float(parameters[part]) for part in parts]), "blend", "")

    search = Search(score, _relative)
    best: Trial | None = None
    for part in parts:
        alone = search.attempt({name: float(name == part) for name in parts})
        if alone is not None and (best is None or is_better(alone, best)):
            best = alone
    if best is None:
        msg = "a blend has no parts"
        raise AssertionError(msg)
    if len(parts) > 1:
        best = search.climb(dict(best.parameters), {part: tuple(weights) for part in parts})
    chosen = np.array([float(best.parameters[part]) for part in parts])
    return BaselineResult({"weights": chosen}, "blend", trials=search.trials, best=best)


def _relative(parameters: Parameters) -> Parameters | None:
    """Divide by the highest weight, which leaves the order of items as it is."""
    highest = max(float(weight) for weight in parameters.values())
    if not highest:
        return None
    return {part: round(float(weight) / highest, 6) for part, weight in parameters.items()}


def _fit(train: TrainingExamples, options: BlendOptions) -> BaselineResult:
    return choose_weights(train.parts, options.weights, train)


def _predict(_baseline: FittedBaseline, _items: Items) -> NDArray[Any]:
    msg = "a blend predicts nothing itself: its parts do"
    raise AssertionError(msg)


def _shapes(_width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {"weights": (-1,)}


BASELINES.register("blend")(
    Baseline(
        _fit,
        _predict,
        BlendOptions,
        _shapes,
        settings=(0, None),
        kinds=("plays", "class"),
        validates=True,
        judged=True,
        blends=True,
        draws=False,
    )
)
