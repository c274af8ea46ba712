"""Metrics of a classification: items take the place of users in a ranking, and classes of items.

What scikit-learn defines is computed by scikit-learn, or compared with it in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.metrics import METRICS, Values, sort_metrics
from tartarus_cli.metrics.calibration import Reliability, reliability
from tartarus_cli.metrics.ranks import relevant_ranks, top_items

ClassScores = NDArray[np.floating[Any]]
"""Predicted scores, ``(items, classes)``; higher is more likely."""

ClassMembership = NDArray[np.bool_]
"""Whether an item has a class, ``(items, classes)``."""

ItemMask = NDArray[np.bool_]
"""Which items are meant, ``(items,)``."""

THRESHOLD = 0.5
"""Score from which on a class is predicted, where no validation items chose another one."""

RANKING_ONLY = ("MAP", "MAP (users with relevant items)", "ROC-AUC", "PR-AUC")
"""Ranking metrics that are no means over the items of a classification."""

LOWER_IS_BETTER = ("coverage_error", "calibration_error")
MAX_CURVE_POINTS = 1000
"""Points of a precision-recall curve that are kept."""


@dataclass(frozen=True)
class ClassificationMetrics:
    """All metrics of the scores of a set of items."""

    overall: dict[str, float]
    """Metric → its value."""

    by_item: dict[str, Values]
    """Metric → its value for each item, ``(items,)``; the means are those of ``overall``."""

    areas: dict[str, Values]
    """ROC-AUC and PR-AUC of each class, ``(classes,)``; NaN where they are not defined."""

    reliability: Reliability | None
    """How well probabilities are calibrated; None where scores are no probabilities."""


@dataclass(frozen=True)
class ClassReport:
    """How well one class is distinguished from the others."""

    name: str
    """Name of the class."""

    support: int
    """Number of items of this class."""

    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    """Area under the ROC curve; None where it is not defined."""

    pr_auc: float | None
    """Average precision; None where it is not defined."""

    threshold: float | None
    """Score from which on the class is predicted; None where the highest score decides."""


def multilabel_metrics(
    scores: ClassScores,
    truth: ClassMembership,
    *,
    thresholds: Values | float = THRESHOLD,
    k: Sequence[int] = (),
    published: bool = False,
    with_probabilities: ItemMask | None = None,
) -> ClassificationMetrics:
    """Return all metrics of a task where an item may have several classes.

    ``ROC-AUC`` and ``PR-AUC`` are means over the classes that have test items (and, for the first,
    items without it too); P@k, nDCG@k and so on are means over the items, whose equal scores keep
    the order of the columns.

    Parameters
    ----------
    scores
        Predicted scores, ``(items, classes)``; higher is more likely.
    truth
        Whether an item has a class, ``(items, classes)``.
    thresholds
        Score from which on each class is predicted, ``(classes,)`` or one for all.
    k
        Cut-offs in addition to the default ones.
    published
        Add the metrics that exist only to compare with the papers.
    with_probabilities
        Items whose scores are probabilities, ``(items,)``; None if scores are no probabilities.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.6], [0.3, 0.7]])
    >>> metrics = multilabel_metrics(scores, np.array([[1, 1], [0, 1]]) > 0).overall
    >>> metrics["P@1"], metrics["recall_macro"], metrics["LRAP"]
    (1.0, 1.0, 1.0)
    """
    by_item = _item_metrics(scores, truth, tuple(k), published=published)
    areas = class_areas(scores, truth)
    overall = {name: _mean(values) for name, values in (areas | by_item).items()}
    overall |= _coverage(scores, tuple(k)) | _averaged_metrics(truth, scores >= thresholds)
    curve = None
    if with_probabilities is not None:
        curve = reliability(scores[with_probabilities].ravel(), truth[with_probabilities].ravel())
        overall["calibration_error"] = curve.error
    return ClassificationMetrics(sort_metrics(overall), by_item, areas, curve)


def multiclass_metrics(
    scores: ClassScores, classes: NDArray[np.integer], *, with_probabilities: ItemMask | None = None
) -> ClassificationMetrics:
    """Return all metrics of a task where an item has one class: that of the highest score.

    Parameters
    ----------
    scores
        Predicted scores, ``(items, classes)``; higher is more likely.
    classes
        The number of the true class of each item, ``(items,)``.
    with_probabilities
        Items whose scores are probabilities, ``(items,)``; None if scores are no probabilities.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    >>> round(multiclass_metrics(scores, np.array([0, 1, 1])).overall["accuracy"], 2)
    0.67
    """
    areas = class_areas(scores, classes[:, None] == np.arange(scores.shape[1]))
    predicted = scores.argmax(axis=1)
    correct = predicted == classes
    by_item = {"accuracy": correct.astype(np.float64)}
    overall = {name: _mean(values) for name, values in (by_item | areas).items()}
    overall |= _averaged_metrics(classes, predicted, labels=np.arange(scores.shape[1]))
    curve = None
    if with_probabilities is not None:
        curve = reliability(scores[with_probabilities].max(axis=1), correct[with_probabilities])
        overall["calibration_error"] = curve.error
    return ClassificationMetrics(sort_metrics(overall), by_item, areas, curve)


def class_areas(scores: ClassScores, truth: ClassMembership) -> dict[str, Values]:
    """Return ROC-AUC and PR-AUC of each class, ``(classes,)``.

    Both are NaN for a class that no item has; ROC-AUC also for one that every item has.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    present = truth.any(axis=0)
    varying = present & ~truth.all(axis=0)
    measures = {"ROC-AUC": roc_auc_score, "PR-AUC": average_precision_score}
    areas = {}
    for (name, measure), defined in zip(measures.items(), (varying, present), strict=True):
        areas[name] = np.full(truth.shape[1], np.nan)
        for column in np.flatnonzero(defined):
            areas[name][column] = measure(truth[:, column], scores[:, column])
    return areas


def class_reports(
    truth: ClassMembership,
    predicted: ClassMembership,
    areas: dict[str, Values],
    names: Sequence[str],
    thresholds: Values | None = None,
) -> list[ClassReport]:
    """Return precision, recall, F1 and the areas of each class.

    Parameters
    ----------
    truth
        Whether an item has a class, ``(items, classes)``.
    predicted
        Whether a class is predicted for an item, ``(items, classes)``.
    areas
        ROC-AUC and PR-AUC, as :func:`class_areas` returns them.
    names
        The name of each class.
    thresholds
        Score from which on each class is predicted, ``(classes,)``; None if the highest decides.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, average=None, zero_division=0
    )
    return [
        ClassReport(
            name=name,
            support=int(support[n]),
            precision=float(precision[n]),
            recall=float(recall[n]),
            f1=float(f1[n]),
            roc_auc=_or_none(areas["ROC-AUC"][n]),
            pr_auc=_or_none(areas["PR-AUC"][n]),
            threshold=None if thresholds is None else float(thresholds[n]),
        )
        for n, name in enumerate(names)
    ]


def confusion_counts(classes: NDArray[np.integer], scores: ClassScores) -> NDArray[np.int64]:
    """Count items by true class (row) and predicted class (column), ``(classes, classes)``.

    Parameters
    ----------
    classes
        The number of the true class of each item, ``(items,)``.
    scores
        Predicted scores, ``(items, classes)``; the highest one decides.
    """
    from sklearn.metrics import confusion_matrix

    labels = np.arange(scores.shape[1])
    return np.asarray(confusion_matrix(classes, scores.argmax(axis=1), labels=labels))


def precision_by_recall(
    scores: ClassScores, truth: ClassMembership
) -> tuple[float, Values, Values]:
    """Return the average precision of a class, and the points of its precision-recall curve.

    Parameters
    ----------
    scores
        Scores of the class, ``(n,)``.
    truth
        Whether an item has the class, ``(n,)``; at least one has.

    Returns
    -------
    The average precision; recall and precision at the points where the recall rises. The average
    precision is the area below the steps: the precision of a point holds from the recall of the
    point before it. The first point has recall 0, and of a long curve a thousand points are kept.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    rising, first = np.unique(recall[::-1], return_index=True)
    precision = precision[::-1][first]
    points = np.unique(np.linspace(0, len(rising) - 1, MAX_CURVE_POINTS).round().astype(int))
    return float(np.diff(rising) @ precision[1:]), rising[points], precision[points]


def _item_metrics(
    scores: ClassScores, truth: ClassMembership, k: tuple[int, ...], *, published: bool
) -> dict[str, Values]:
    ranks = relevant_ranks(scores, csr_array(truth))
    values = {}
    for name in METRICS.names():
        metric = METRICS.get(name)
        if name not in RANKING_ONLY and (published or not metric.published):
            for label, cut in metric.names(name, k).items():
                values[label] = metric.measure(ranks, cut)
    ordered = np.sort(scores, axis=1)
    items = zip(scores, ordered, truth, strict=True)
    values["LRAP"] = np.array([_ranking_precision(*item) for item in items])
    values["coverage_error"] = _classes_needed(scores, truth)
    return values


def _ranking_precision(scores: ClassScores, ordered: ClassScores, truth: ClassMembership) -> float:
    """Label-ranking average precision of an item; equal scores share the worst of their ranks."""
    true = np.sort(scores[truth])
    if not 0 < len(true) < len(scores):
        return 1.0
    ranks = len(scores) - np.searchsorted(ordered, true)
    return float(((len(true) - np.searchsorted(true, true)) / ranks).mean())


def _classes_needed(scores: ClassScores, truth: ClassMembership) -> Values:
    """Count, for each item, the classes down to the last true one, equal scores included."""
    lowest = np.where(truth, scores, np.inf).min(axis=1, keepdims=True)
    return np.asarray((scores >= lowest).sum(axis=1), np.float64)


def _coverage(scores: ClassScores, k: tuple[int, ...]) -> dict[str, float]:
    """Return the share of the classes that are among the first k of some item."""
    cuts = sorted({*METRICS.get("P").at, *k})
    return {f"C@{k}": np.unique(top_items(scores, k)).size / scores.shape[1] for k in cuts}


def _averaged_metrics(
    truth: NDArray[Any], predicted: NDArray[Any], labels: NDArray[np.integer] | None = None
) -> dict[str, float]:
    """Average over all classes: one that no item has counts as 0, whether predicted or not."""
    from sklearn.metrics import precision_recall_fscore_support

    metrics: dict[str, float] = {}
    for average in ("macro", "micro"):
        values = precision_recall_fscore_support(
            truth, predicted, labels=labels, average=average, zero_division=0
        )
        names = [f"{metric}_{average}" for metric in ("precision", "recall", "f1")]
        metrics |= dict(zip(names, map(float, values[:3]), strict=True))
    return metrics


def _mean(values: Values) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _or_none(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
