"""The pictures of a classification."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tartarus_cli.evaluation.classification import ClassificationResult
from tartarus_cli.metrics.calibration import Reliability
from tartarus_cli.metrics.classification import precision_by_recall
from tartarus_cli.pictures import Curve, draw_confusion, draw_precision_recall, draw_reliability
from tartarus_cli.workspace import Workspace

MOST_CURVES = 8  # of classes, the largest


def draw_class_pictures(
    workspace: Workspace, name: str, title: str, judged: ClassificationResult
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
    drawn = []
    confusion, curves, reliability = workspace.pictures_of(name)
    if judged.confusion:
        draw_confusion(confusion, np.array(judged.confusion), judged.names, title)
        drawn.append(confusion)
    if judged.truth.any():
        draw_precision_recall(curves, class_curves(judged), title)
        drawn.append(curves)
    if judged.reliability is not None:
        _draw_reliability(reliability, judged, judged.reliability, title)
        drawn.append(reliability)
    for path in workspace.pictures_of(name):
        if path not in drawn:
            path.unlink(missing_ok=True)
    return [Path(workspace.within(path)) for path in drawn]


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
    path: Path, judged: ClassificationResult, found: Reliability, title: str
) -> None:
    said = ("predicted probability", "share that have the class", "share of pairs")
    if judged.thresholds is None:
        said = ("confidence in the predicted class", "accuracy", "share of items")
    told = f"{title}\ncalibration error {found.error:.4f}"
    draw_reliability(path, found.confidence, found.accuracy, found.shares, said=said, title=told)
