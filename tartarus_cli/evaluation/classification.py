"""Judge predicted classes by those that the test items have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

Scores = NDArray[np.floating[Any]]  # (items, classes)
Classes = NDArray[np.bool_]  # (items, classes)


@dataclass(frozen=True)
class Thresholds:
    """From which score on each class is predicted, and which items chose that."""

    source: Literal["val"] | None  # None: nobody chose
    names: Sequence[str]  # of the classes
    values: NDArray[np.float64]  # (classes,)
    items: int = 0  # that chose
    sharing: int = 0  # classes that too few of these items have, and that share one threshold

    def document(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "from": self.source,
            "by_class": dict(zip(self.names, self.values.tolist(), strict=True)),
        }


@dataclass(frozen=True)
class ClassificationResult:
    """All that is found out about predicted classes."""

    names: list[str]  # of the classes
    scores: Scores  # (items, classes); those of items without a prediction come last
    truth: Classes  # (items, classes)
    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]  # random
    perfect: dict[str, float]  # the same figures of scores that are the truth
    classes: list[ClassReport]
    confusion: list[list[int]]  # empty where an item may have several classes
    thresholds: Thresholds | None  # None where an item has one class
    unit_values: dict[str, NDArray[np.float64]]  # (items,)
    reliability: Reliability | None  # None where scores are no probabilities


@dataclass(frozen=True)
class _How:
    """How scores are judged; all systems in the same way."""

    truth: ClassTruth
    single: NDArray[np.int64] | None  # the class of each item, if it has one
    k: tuple[int, ...]
    published: bool
    probabilities: bool

    def figures(
        self, scores: Scores, thresholds: Any, present: NDArray[np.bool_]
    ) -> ClassificationMetrics:
        """Judge the scores of one system."""
        known = present if self.probabilities else None
        if self.single is not None:
            return classification.multiclass_metrics(scores, self.single, with_probabilities=known)
        return classification.multilabel_metrics(
            scores,
            self.truth.classes,
            thresholds=thresholds,
            k=self.k,
            published=self.published,
            with_probabilities=known,
        )


def evaluate_classes(
    predictions: Predictions,
    *,
    k: Sequence[int] = (),
    published: bool = False,
    seed: int = 0,
    progress: Progress = UNWATCHED,
) -> ClassificationResult:
    """Judge the predicted classes of the test items.

    Where items may have several classes, the val items choose from which score on each class is
    predicted, if the model has predicted them; no test item ever does.

    Parameters
    ----------
    predictions
        Predicted class scores, or factors, of the test items.
    k
        Cut-offs beside the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    seed
        Of the random row.
    progress
        Told where there are no thresholds of validation.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    truth = read_truth(predictions.dataset)
    several = predictions.task == "multilabel"
    scores = class_scores(predictions, predictions.values, truth.matrix)
    single = None if several else single_classes(truth)
    validation = read_validation(predictions, progress) if several else None
    thresholds = _thresholds(validation, truth.names)
    at = thresholds.values
    present = ~predictions.absent
    probable = predictions.targets.kind == "class" and are_probabilities(scores[present])
    how = _How(truth, single, tuple(k), published, probable)
    scores = scores.copy()  # what was predicted may be mapped from its file
    scores[~present] = _worst(truth.classes[~present], min(scores.min(), at.min()))
    found = how.figures(scores, at, present)
    chosen = scores >= at if single is None else _highest(scores)
    return ClassificationResult(
        names=truth.names,
        scores=scores,
        truth=truth.classes,
        metrics=found.overall,
        rows={"random": _random(how, validation, seed)},
        perfect=how.figures(truth.classes.astype(np.float32), THRESHOLD, present).overall,
        classes=classification.class_reports(
            truth.classes, chosen, found.areas, truth.names, at if several else None
        ),
        confusion=[]
        if single is None
        else classification.confusion_counts(single, scores).tolist(),
        thresholds=thresholds if several else None,
        unit_values=found.by_item,
        reliability=found.reliability,
    )


def _thresholds(validation: ValidationScores | None, names: Sequence[str]) -> Thresholds:
    if validation is None:
        return Thresholds(None, names, np.full(len(names), THRESHOLD))
    chosen = choose_thresholds(validation.scores, validation.truth)
    sharing = int((validation.truth.sum(axis=0) < MIN_ITEMS).sum())
    return Thresholds("val", names, chosen, len(validation.scores), sharing)


def _random(how: _How, validation: ValidationScores | None, seed: int) -> dict[str, float]:
    """Judge random scores, whose thresholds are chosen as those of the model are."""
    rng = np.random.default_rng(seed)
    scores = rng.random(how.truth.classes.shape, np.float32)
    thresholds: Any = THRESHOLD
    if validation is not None:
        thresholds = choose_thresholds(
            rng.random(validation.truth.shape, np.float32), validation.truth
        )
    if how.single is not None:
        scores /= scores.sum(axis=1, keepdims=True)  # as probable, together, as a network's
    return how.figures(scores, thresholds, np.ones(len(scores), np.bool_)).overall


def _highest(scores: Scores) -> Classes:
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def _worst(classes: Classes, least: float) -> Scores:
    """Score items without a prediction so that their classes come last, behind all others.

    Below ``least`` no class is predicted.
    """
    lowest = min(float(least), 0.0) - 1
    return np.where(classes, lowest - 1, lowest)
