"""Figures of a classification: items stand where users stand in a ranking, and classes for items.

Everything that scikit-learn defines is computed by scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.metrics import METRICS, in_order
from tartarus_cli.metrics.ranks import first_items, relevant_ranks

Scores = NDArray[np.floating[Any]]  # (items, classes)
Truth = NDArray[np.bool_]  # (items, classes)

THRESHOLD = 0.5  # a class is predicted where its score is at least this
NOT_PER_ITEM = ("MAP", "MAP (users with relevant items)", "ROC-AUC", "PR-AUC")


@dataclass(frozen=True)
class ClassReport:
    """One class: how well it is told from the others."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int  # test items of this class


def multilabel(
    scores: Scores, truth: Truth, *, k: Sequence[int] = (), published: bool = False
) -> dict[str, float]:
    """Return the figures of a task where an item may have many classes.

    ``ROC-AUC`` and ``PR-AUC`` are means over the classes that have test items (and, for the first,
    items without it too); P@k, nDCG@k, C@k and so on are means over the items.

    Parameters
    ----------
    scores
        ``(items, classes)``; higher is more likely.
    truth
        ``(items, classes)``.
    k
        Cut-offs beside the usual ones.
    published
        Add the figures that exist only to compare with the papers.
    """
    from sklearn.metrics import coverage_error, label_ranking_average_precision_score

    figures = _areas(scores, truth)
    figures |= _ranked(scores, truth, tuple(k), published=published)
    figures |= _averages(truth, scores >= THRESHOLD)
    figures["LRAP"] = float(label_ranking_average_precision_score(truth, scores))
    figures["coverage_error"] = float(coverage_error(truth, scores))
    return in_order(figures)


def multiclass(scores: Scores, classes: NDArray[np.integer]) -> dict[str, float]:
    """Return the figures of a task where an item has one class: that of the highest score.

    Parameters
    ----------
    scores
        ``(items, classes)``.
    classes
        The true class of each item, ``(items,)``.
    """
    from sklearn.metrics import accuracy_score

    truth = classes[:, None] == np.arange(scores.shape[1])
    predicted = scores.argmax(axis=1)
    figures = {"accuracy": float(accuracy_score(classes, predicted))}
    return in_order(figures | _averages(classes, predicted) | _areas(scores, truth))


def class_reports(truth: Truth, chosen: Truth, names: Sequence[str]) -> list[ClassReport]:
    """Return precision, recall and F1 of each class.

    Parameters
    ----------
    truth, chosen
        True and predicted classes, ``(items, classes)``.
    names
        What the classes are called.
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(truth, chosen, average=None, zero_division=0)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return [ClassReport(name, p, r, f, int(n)) for name, p, r, f, n in rows]


def confusion(classes: NDArray[np.integer], scores: Scores) -> NDArray[np.int64]:
    """Count items by true class (row) and predicted class (column)."""
    from sklearn.metrics import confusion_matrix

    labels = np.arange(scores.shape[1])
    return np.asarray(confusion_matrix(classes, scores.argmax(axis=1), labels=labels))


def _areas(scores: Scores, truth: Truth) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    present = truth.any(axis=0)
    both = present & ~truth.all(axis=0)
    areas = {"ROC-AUC": roc_auc_score, "PR-AUC": average_precision_score}
    figures = {}
    for (name, measure), usable in zip(areas.items(), (both, present), strict=True):
        columns = np.flatnonzero(usable)
        each = [measure(truth[:, c], scores[:, c]) for c in columns]
        figures[name] = float(np.mean(each)) if each else float("nan")
    return figures


def _ranked(
    scores: Scores, truth: Truth, k: tuple[int, ...], *, published: bool
) -> dict[str, float]:
    ranks = relevant_ranks(scores, csr_array(truth))
    figures = {}
    for name in METRICS.names():
        metric = METRICS.get(name)
        if name not in NOT_PER_ITEM and (published or not metric.published):
            for label, cut in metric.names(name, k).items():
                figures[label] = float(np.nanmean(metric.measure(ranks, cut)))
    for cut in sorted({*METRICS.get("P").at, *k}):
        figures[f"C@{cut}"] = len(first_items(scores, cut)) / scores.shape[1]
    return figures


def _averages(truth: NDArray[Any], chosen: NDArray[Any]) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support

    figures: dict[str, float] = {}
    for average in ("macro", "micro"):
        values = precision_recall_fscore_support(truth, chosen, average=average, zero_division=0)
        names = [f"{each}_{average}" for each in ("precision", "recall", "f1")]
        figures |= dict(zip(names, map(float, values[:3]), strict=True))
    return figures
