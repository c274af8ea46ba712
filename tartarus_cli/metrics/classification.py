"""Figures of a classification: items stand where users stand in a ranking, and classes for items.

What scikit-learn defines is computed by scikit-learn, or compared with it in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.metrics import METRICS, Values, in_order
from tartarus_cli.metrics.calibration import Reliability, reliability
from tartarus_cli.metrics.ranks import first_items, relevant_ranks

Scores = NDArray[np.floating[Any]]  # (items, classes)
ClassMembership = NDArray[np.bool_]  # (items, classes)
KnownItems = NDArray[np.bool_]  # (items,): those whose scores are probabilities

THRESHOLD = 0.5  # where nothing else has been chosen
NOT_PER_ITEM = ("MAP", "MAP (users with relevant items)", "ROC-AUC", "PR-AUC")
LOWER_IS_BETTER = ("coverage_error", "calibration_error")
MOST_POINTS = 1000  # of a curve


@dataclass(frozen=True)
class Figures:
    """What there is to say of the scores of a set of items."""

    overall: dict[str, float]
    by_item: dict[str, Values]  # (items,); their means are the figures of the same names
    areas: dict[str, Values]  # (classes,): ROC-AUC and PR-AUC, NaN where they have no value
    reliability: Reliability | None  # None where scores are no probabilities


@dataclass(frozen=True)
class ClassReport:
    """One class: how well it is told from the others. What has no value is None."""

    name: str
    support: int  # test items of this class
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    pr_auc: float | None
    threshold: float | None  # None where an item has one class, that of the highest score


def multilabel(
    scores: Scores,
    truth: ClassMembership,
    *,
    thresholds: Values | float = THRESHOLD,
    k: Sequence[int] = (),
    published: bool = False,
    known: KnownItems | None = None,
) -> Figures:
    """Return the figures of a task where an item may have many classes.

    ``ROC-AUC`` and ``PR-AUC`` are means over the classes that have test items (and, for the first,
    items without it too); P@k, nDCG@k, C@k and so on are means over the items.

    Parameters
    ----------
    scores
        ``(items, classes)``; higher is more likely.
    truth
        ``(items, classes)``.
    thresholds
        A class is predicted where its score is at least this, ``(classes,)``.
    k
        Cut-offs beside the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    known
        Items whose scores are probabilities; None where they are none.
    """
    by_item = _by_item(scores, truth, tuple(k), published=published)
    areas = class_areas(scores, truth)
    overall = {name: _mean(values) for name, values in (areas | by_item).items()}
    overall |= _coverage(scores, tuple(k)) | _averages(truth, scores >= thresholds)
    kept = None
    if known is not None:
        kept = reliability(scores[known].ravel(), truth[known].ravel())
        overall["calibration_error"] = kept.error
    return Figures(in_order(overall), by_item, areas, kept)


def multiclass(
    scores: Scores, classes: NDArray[np.integer], *, known: KnownItems | None = None
) -> Figures:
    """Return the figures of a task where an item has one class: that of the highest score.

    Parameters
    ----------
    scores
        ``(items, classes)``.
    classes
        The true class of each item, ``(items,)``.
    known
        Items whose scores are probabilities; None where they are none.
    """
    areas = class_areas(scores, classes[:, None] == np.arange(scores.shape[1]))
    predicted = scores.argmax(axis=1)
    right = predicted == classes
    by_item = {"accuracy": right.astype(np.float64)}
    overall = {name: _mean(values) for name, values in (by_item | areas).items()}
    overall |= _averages(classes, predicted)
    kept = None
    if known is not None:
        kept = reliability(scores[known].max(axis=1), right[known])
        overall["calibration_error"] = kept.error
    return Figures(in_order(overall), by_item, areas, kept)


def class_areas(scores: Scores, truth: ClassMembership) -> dict[str, Values]:
    """Return ROC-AUC and PR-AUC of each class, ``(classes,)``.

    A class that no item has, has neither; one that every item has, no ROC-AUC: they are NaN.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    present = truth.any(axis=0)
    both = present & ~truth.all(axis=0)
    areas = {"ROC-AUC": roc_auc_score, "PR-AUC": average_precision_score}
    found = {}
    for (name, measure), usable in zip(areas.items(), (both, present), strict=True):
        found[name] = np.full(truth.shape[1], np.nan)
        for column in np.flatnonzero(usable):
            found[name][column] = measure(truth[:, column], scores[:, column])
    return found


def class_reports(
    truth: ClassMembership,
    chosen: ClassMembership,
    areas: dict[str, Values],
    names: Sequence[str],
    thresholds: Values | None = None,
) -> list[ClassReport]:
    """Return the figures of each class.

    Parameters
    ----------
    truth, chosen
        True and predicted classes, ``(items, classes)``.
    areas
        ROC-AUC and PR-AUC, as :func:`class_areas` returns them.
    names
        What the classes are called.
    thresholds
        From which score on each was predicted, ``(classes,)``.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        truth, chosen, average=None, zero_division=0
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


def confusion(classes: NDArray[np.integer], scores: Scores) -> NDArray[np.int64]:
    """Count items by true class (row) and predicted class (column)."""
    from sklearn.metrics import confusion_matrix

    labels = np.arange(scores.shape[1])
    return np.asarray(confusion_matrix(classes, scores.argmax(axis=1), labels=labels))


def precision_by_recall(scores: Scores, truth: ClassMembership) -> tuple[float, Values, Values]:
    """Return the average precision, and recall and precision wherever the recall rises.

    Parameters
    ----------
    scores, truth
        ``(n,)``; at least one is true.

    Returns
    -------
    The average precision is the area below the steps: the precision of a point holds from the
    recall of the one before it. The first point is of recall 0, and of a long curve a thousand
    points are kept.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    rising, first = np.unique(recall[::-1], return_index=True)
    reached = precision[::-1][first]
    kept = np.unique(np.linspace(0, len(rising) - 1, MOST_POINTS).round().astype(int))
    return float(np.diff(rising) @ reached[1:]), rising[kept], reached[kept]


def _by_item(
    scores: Scores, truth: ClassMembership, k: tuple[int, ...], *, published: bool
) -> dict[str, Values]:
    ranks = relevant_ranks(scores, csr_array(truth))
    values = {}
    for name in METRICS.names():
        metric = METRICS.get(name)
        if name not in NOT_PER_ITEM and (published or not metric.published):
            for label, cut in metric.names(name, k).items():
                values[label] = metric.measure(ranks, cut)
    ordered = np.sort(scores, axis=1)
    rows = zip(scores, ordered, truth, strict=True)
    values["LRAP"] = np.array([_ranking_precision(*each) for each in rows])
    values["coverage_error"] = _classes_needed(scores, truth)
    return values


def _ranking_precision(scores: Scores, ordered: Scores, truth: ClassMembership) -> float:
    """Label-ranking average precision of an item; equal scores all stand at their worst rank."""
    own = np.sort(scores[truth])
    if not 0 < len(own) < len(scores):
        return 1.0
    above = len(scores) - np.searchsorted(ordered, own)
    return float(((len(own) - np.searchsorted(own, own)) / above).mean())


def _classes_needed(scores: Scores, truth: ClassMembership) -> Values:
    """Count, for each item, the classes down to the last true one, equal scores included."""
    lowest = np.where(truth, scores, np.inf).min(axis=1, keepdims=True)
    return np.asarray((scores >= lowest).sum(axis=1), np.float64)


def _coverage(scores: Scores, k: tuple[int, ...]) -> dict[str, float]:
    """Return the share of the classes that stand among some item's first k."""
    cuts = sorted({*METRICS.get("P").at, *k})
    return {f"C@{k}": np.unique(first_items(scores, k)).size / scores.shape[1] for k in cuts}


def _averages(truth: NDArray[Any], chosen: NDArray[Any]) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support

    figures: dict[str, float] = {}
    for average in ("macro", "micro"):
        values = precision_recall_fscore_support(truth, chosen, average=average, zero_division=0)
        names = [f"{each}_{average}" for each in ("precision", "recall", "f1")]
        figures |= dict(zip(names, map(float, values[:3]), strict=True))
    return figures


def _mean(values: Values) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _or_none(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
