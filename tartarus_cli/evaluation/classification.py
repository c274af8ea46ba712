"""Compare predicted classes with those that the test items have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.evaluation.class_scores import (
    ClassTruth,
    ValidationScores,
    class_scores,
    read_truth,
    read_validation,
    single_classes,
)
from tartarus_cli.metrics import classification
from tartarus_cli.metrics.calibration import Reliability, are_probabilities
from tartarus_cli.metrics.classification import THRESHOLD, ClassificationMetrics, ClassReport
from tartarus_cli.metrics.thresholds import MIN_ITEMS, choose_thresholds
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.scoring.relevant import TieBreaking, tie_order

Scores = NDArray[np.floating[Any]]
"""``(items, classes)``."""

Classes = NDArray[np.bool_]
"""``(items, classes)``."""


@dataclass(frozen=True)
class Thresholds:
    """From which score on each class is predicted, and which items chose that."""

    source: Literal["val"] | None
    """The split whose items chose; None: all thresholds are 0.5."""
    names: Sequence[str]
    """Of the classes."""
    values: NDArray[np.float64]
    """``(classes,)``."""
    items: int = 0
    """Number of the items that chose."""
    sharing: int = 0
    """Number of the classes that too few of these items have, and that share one threshold."""

    @property
    def by_class(self) -> dict[str, float]:
        """Class → threshold."""
        return dict(zip(self.names, self.values.tolist(), strict=True))


@dataclass(frozen=True)
class ClassificationResult:
    """All figures of predicted classes, and what pictures of them are drawn from."""

    names: list[str]
    """Of the classes."""
    scores: Scores
    """``(items, classes)``; those of items without a prediction come last."""
    truth: Classes
    """``(items, classes)``."""
    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]
    """The figures of random."""
    perfect_metrics: dict[str, float]
    """The same figures of scores that are the truth."""
    classes: list[ClassReport]
    confusion: list[list[int]]
    """``(true classes, predicted classes)``; empty where an item may have several classes."""
    thresholds: Thresholds | None
    """None where an item has one class."""
    unit_values: dict[str, NDArray[np.float64]]
    """Metric → its value for each item, ``(items,)``."""
    reliability: Reliability | None
    """None where scores are no probabilities."""


@dataclass(frozen=True)
class _ClassMetrics:
    """Computes the figures of scores, of all systems in the same way."""

    truth: ClassTruth
    single: NDArray[np.int64] | None  # the class of each item, if it has one
    k: tuple[int, ...]
    published: bool
    probabilities: bool
    order: NDArray[np.int64]  # of the classes that equal scores keep, (classes,)

    def figures(
        self, scores: Scores, thresholds: Any, present: NDArray[np.bool_]
    ) -> ClassificationMetrics:
        """Compute the figures of one system; ``present`` are the items with a prediction."""
        known = present if self.probabilities else None
        if self.single is not None:
            return classification.multiclass_metrics(scores, self.single, with_probabilities=known)
        columns = self.order
        metrics = classification.multilabel_metrics(
            scores[:, columns],
            self.truth.classes[:, columns],
            thresholds=np.broadcast_to(thresholds, scores.shape)[:, columns],
            k=self.k,
            published=self.published,
            with_probabilities=known,
        )
        original = np.argsort(columns)
        areas = {name: values[original] for name, values in metrics.areas.items()}
        return replace(metrics, areas=areas)


@dataclass(frozen=True)
class ScoredItems:
    """The scores of the classes of items, and what their figures are computed from."""

    truth: ClassTruth
    scores: Scores
    """``(items, classes)``; of no meaning where an item has no prediction."""
    present: NDArray[np.bool_]
    """``(items,)``: whether an item has a prediction."""
    probabilities: bool
    """Whether scores are probabilities."""
    single: NDArray[np.int64] | None
    """``(items,)`` the class of each item; None where it may have several."""
    thresholds: Thresholds
    validation: ValidationScores | None
    """What chose the thresholds."""

    @property
    def multilabel(self) -> bool:
        """Whether an item may have several classes."""
        return self.single is None


def score_classes(predictions: Predictions, progress: Progress = UNWATCHED) -> ScoredItems:
    """Return the scores of the classes of the test items, and the thresholds that val items chose.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    truth = read_truth(predictions.dataset)
    multilabel = predictions.task == "multilabel"
    scores = class_scores(predictions, predictions.values, truth.matrix)
    validation = read_validation(predictions, progress) if multilabel else None
    present = ~predictions.absent
    return ScoredItems(
        truth=truth,
        scores=scores,
        present=present,
        probabilities=predictions.targets.kind == "class" and are_probabilities(scores[present]),
        single=None if multilabel else single_classes(truth),
        thresholds=_thresholds(validation, truth.names),
        validation=validation,
    )


@dataclass(frozen=True)
class PooledClasses:
    """The figures of several sets of items together, each scored by a model of its own."""

    items: int
    metrics: dict[str, float]
    random: dict[str, float]
    """The same figures of random scores."""
    classes: list[ClassReport]
    confusion: list[list[int]]
    """``(true classes, predicted classes)``; empty where an item may have several classes."""


def pool_classes(
    parts: Sequence[ScoredItems],
    *,
    k: Sequence[int] = (),
    published: bool = False,
    seed: int = 0,
    ties: TieBreaking = "drawn",
) -> PooledClasses:
    """Compute the figures of all items of several sets at once, whose classes are the same.

    A class is predicted from the threshold on that the val items of the item's own set chose. What
    orders all items by their score for a class, such as PR-AUC, compares scores of several models.

    Parameters
    ----------
    parts
        The scores and classes of each set; no item is in two.
    k, published, seed, ties
        As those of :func:`evaluate_classes`.
    """
    first = parts[0]
    truth = replace(first.truth, classes=np.concatenate([part.truth.classes for part in parts]))
    single = None
    if not first.multilabel:
        single = np.concatenate([part.single for part in parts if part.single is not None])
    present = np.concatenate([part.present for part in parts])
    lowest = np.concatenate(
        [np.tile(part.thresholds.values, (len(part.scores), 1)) for part in parts]
    )
    order = tie_order(truth.names, ties, seed)
    probabilities = all(part.probabilities for part in parts)
    metrics = _ClassMetrics(truth, single, tuple(k), published, probabilities, order)
    scores = np.concatenate([part.scores for part in parts])
    scores = _with_worst(scores, truth.classes, present, lowest)
    figures = metrics.figures(scores, lowest, present)
    predicted = scores >= lowest if single is None else _highest(scores)
    drawn = [_random_scores(part.scores.shape, part.validation, single, seed) for part in parts]
    random = metrics.figures(
        np.concatenate([each for each, _ in drawn]),
        np.concatenate([np.broadcast_to(least, each.shape) for each, least in drawn]),
        np.ones(len(scores), np.bool_),
    )
    names = truth.names
    return PooledClasses(
        items=len(scores),
        metrics=figures.overall,
        random=random.overall,
        classes=classification.class_reports(truth.classes, predicted, figures.areas, names),
        confusion=[]
        if single is None
        else classification.confusion_counts(single, scores).tolist(),
    )


def evaluate_classes(
    predictions: Predictions,
    *,
    k: Sequence[int] = (),
    published: bool = False,
    seed: int = 0,
    ties: TieBreaking = "drawn",
    progress: Progress = UNWATCHED,
) -> ClassificationResult:
    """Compute the figures of the predicted classes of the test items.

    Where items may have several classes, the validation items choose from which score on each
    class is predicted, if the model has predicted them; no test item ever does.

    Parameters
    ----------
    predictions
        Predicted class scores, or factors, of the test items.
    k
        Cut-offs in addition to the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    seed
        Of the random row and of the order of ties.
    ties
        Whether equal scores of an item keep a drawn order of the classes, or their own.
    progress
        Reports if validation items choose no thresholds.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    scored = score_classes(predictions, progress)
    truth, thresholds, validation = scored.truth, scored.thresholds, scored.validation
    multilabel, single, present = scored.multilabel, scored.single, scored.present
    order = tie_order(truth.names, ties, seed)
    metrics = _ClassMetrics(truth, single, tuple(k), published, scored.probabilities, order)
    lowest = thresholds.values
    scores = _with_worst(scored.scores, truth.classes, present, lowest)
    figures = metrics.figures(scores, lowest, present)
    predicted = scores >= lowest if single is None else _highest(scores)
    return ClassificationResult(
        names=truth.names,
        scores=scores,
        truth=truth.classes,
        metrics=figures.overall,
        rows={"random": _random(metrics, validation, seed)},
        perfect_metrics=_perfect(metrics, present),
        classes=classification.class_reports(
            truth.classes, predicted, figures.areas, truth.names, lowest if multilabel else None
        ),
        confusion=[]
        if single is None
        else classification.confusion_counts(single, scores).tolist(),
        thresholds=thresholds if multilabel else None,
        unit_values=figures.by_item,
        reliability=figures.reliability,
    )


def _perfect(metrics: _ClassMetrics, present: NDArray[np.bool_]) -> dict[str, float]:
    """Compute the figures of scores that are the truth."""
    return metrics.figures(metrics.truth.classes.astype(np.float32), THRESHOLD, present).overall


def _thresholds(validation: ValidationScores | None, names: Sequence[str]) -> Thresholds:
    if validation is None:
        return Thresholds(None, names, np.full(len(names), THRESHOLD))
    chosen = choose_thresholds(validation.scores, validation.truth)
    sharing = int((validation.truth.sum(axis=0) < MIN_ITEMS).sum())
    return Thresholds("val", names, chosen, len(validation.scores), sharing)


def _random(
    metrics: _ClassMetrics, validation: ValidationScores | None, seed: int
) -> dict[str, float]:
    """Compute the figures of random scores, with thresholds chosen as those of the model are."""
    shape = metrics.truth.classes.shape
    scores, thresholds = _random_scores(shape, validation, metrics.single, seed)
    return metrics.figures(scores, thresholds, np.ones(len(scores), np.bool_)).overall


def _random_scores(
    shape: tuple[int, ...],
    validation: ValidationScores | None,
    single: NDArray[np.int64] | None,
    seed: int,
) -> tuple[Scores, Any]:
    """Draw scores, and choose thresholds for them as those of the model are chosen."""
    rng = np.random.default_rng(seed)
    scores = rng.random(shape, np.float32)
    thresholds: Any = THRESHOLD
    if validation is not None:
        thresholds = choose_thresholds(
            rng.random(validation.truth.shape, np.float32), validation.truth
        )
    if single is not None:
        scores /= scores.sum(axis=1, keepdims=True)  # they sum to 1, as those of a network
    return scores, thresholds


def _highest(scores: Scores) -> Classes:
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def _with_worst(
    scores: Scores, classes: Classes, present: NDArray[np.bool_], lowest: NDArray[np.float64]
) -> Scores:
    """Return the scores, where those of items without a prediction come last."""
    scores = scores.copy()  # what was predicted may be mapped from its file
    scores[~present] = _worst(classes[~present], min(scores.min(), lowest.min()))
    return scores


def _worst(classes: Classes, least: float) -> Scores:
    """Score items without a prediction so that their classes come last, behind all others.

    Below ``least`` no class is predicted.
    """
    lowest = min(float(least), 0.0) - 1
    return np.where(classes, lowest - 1, lowest)
