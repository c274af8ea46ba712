"""The pictures of a classification."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tartarus_cli.evaluation.classification import ClassificationResult
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.calibration import Reliability
from tartarus_cli.metrics.classification import precision_by_recall
from tartarus_cli.pictures import Curve, draw_confusion, draw_precision_recall, draw_reliability
from tartarus_cli.pictures.canvas import Format, picture_format

MAX_CURVES = 8
"""Classes that have a curve: the largest."""


def draw_class_pictures(
    workspace: WorkspacePaths, name: str, title: str, result: ClassificationResult
) -> dict[Path, bytes]:
    """Draw confusion, precision by recall and reliability, as far as the task has them.

    Parameters
    ----------
    workspace
        The workspace that holds the results.
    name
        The name of the results.
    title
        Stands above each picture.
    result
        What to draw.

    Returns
    -------
    Path → picture.
    """
    pictures = {}
    confusion, curves, reliability = workspace.pictures_of(name)
    file_format = picture_format(confusion)
    if result.confusion:
        counts = np.array(result.confusion)
        pictures[confusion] = draw_confusion(counts, result.names, title, file_format=file_format)
    if result.truth.any():
        picture = draw_precision_recall(class_curves(result), title, file_format=file_format)
        pictures[curves] = picture
    if result.reliability is not None:
        pictures[reliability] = _draw_reliability(result, result.reliability, title, file_format)
    return pictures


def class_curves(result: ClassificationResult) -> list[Curve]:
    """Return the curve of all pairs of an item and a class, and those of the largest classes."""
    sizes = result.truth.sum(axis=0)
    largest = [n for n in np.argsort(-sizes, kind="stable")[:MAX_CURVES] if sizes[n]]
    pooled = precision_by_recall(result.scores.ravel(), result.truth.ravel())
    return [Curve("micro average", *pooled)] + [
        Curve(result.names[n], *precision_by_recall(result.scores[:, n], result.truth[:, n]))
        for n in largest
    ]


def _draw_reliability(
    result: ClassificationResult, reliability: Reliability, title: str, file_format: Format
) -> bytes:
    labels = ("predicted probability", "share that have the class", "share of pairs")
    if result.thresholds is None:
        labels = ("confidence in the predicted class", "accuracy", "share of items")
    return draw_reliability(
        reliability.confidence,
        reliability.accuracy,
        reliability.shares,
        said=labels,
        title=f"{title}\ncalibration error {reliability.error:.4f}",
        file_format=file_format,
    )
