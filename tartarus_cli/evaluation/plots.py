"""The pictures of a classification."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tartarus_cli.evaluation.classification import ClassificationResult
from tartarus_cli.files import write_bytes
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.calibration import Reliability
from tartarus_cli.metrics.classification import precision_by_recall
from tartarus_cli.pictures import (
    Curve,
    Format,
    draw_confusion,
    draw_precision_recall,
    draw_reliability,
    picture_format,
)

MOST_CURVES = 8  # of classes, the largest


def draw_class_pictures(
    workspace: WorkspacePaths, name: str, title: str, judged: ClassificationResult
) -> list[Path]:
    """Draw what there is to see, remove pictures of an earlier evaluation of the same name.

    Parameters
    ----------
    workspace
        Where the pictures go.
    name
        Of the results.
    title
        Stands above each picture.
    judged
        What was found out.

    Returns
    -------
    The pictures, relative to the root of the workspace.
    """
    pictures = {}
    confusion, curves, reliability = paths = workspace.pictures_of(name)
    file_format = picture_format(confusion)
    if judged.confusion:
        counts = np.array(judged.confusion)
        pictures[confusion] = draw_confusion(counts, judged.names, title, file_format=file_format)
    if judged.truth.any():
        drawn = draw_precision_recall(class_curves(judged), title, file_format=file_format)
        pictures[curves] = drawn
    if judged.reliability is not None:
        pictures[reliability] = _draw_reliability(judged, judged.reliability, title, file_format)
    for path in paths:
        if path in pictures:
            write_bytes(path, pictures[path])
        else:
            path.unlink(missing_ok=True)
    return [Path(workspace.within(path)) for path in pictures]


def class_curves(judged: ClassificationResult) -> list[Curve]:
    """Return the curve of all pairs of an item and a class, and those of the largest classes."""
    sizes = judged.truth.sum(axis=0)
    largest = [n for n in np.argsort(-sizes, kind="stable")[:MOST_CURVES] if sizes[n]]
    together = precision_by_recall(judged.scores.ravel(), judged.truth.ravel())
    return [Curve("micro average", *together)] + [
        Curve(judged.names[n], *precision_by_recall(judged.scores[:, n], judged.truth[:, n]))
        for n in largest
    ]


def _draw_reliability(
    judged: ClassificationResult, reliability: Reliability, title: str, file_format: Format
) -> bytes:
    said = ("predicted probability", "share that have the class", "share of pairs")
    if judged.thresholds is None:
        said = ("confidence in the predicted class", "accuracy", "share of items")
    return draw_reliability(
        reliability.confidence,
        reliability.accuracy,
        reliability.shares,
        said=said,
        title=f"{title}\ncalibration error {reliability.error:.4f}",
        file_format=file_format,
    )
