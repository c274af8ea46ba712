"""Judge predicted classes by those that the test items have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.data.features import Matrix, open_matrix, require_finite, unit_rows
from tartarus_cli.data.targets import (
    Wanted,
    label_factors_file,
    label_names,
    truth_file,
    truth_place,
)
from tartarus_cli.errors import DataError, FileError, shown
from tartarus_cli.metrics import classification
from tartarus_cli.metrics.classification import THRESHOLD
from tartarus_cli.steps.predictions import Predictions
from tartarus_cli.workspace import Inventory, Kind


def classify(
    inventory: Inventory,
    predictions: Predictions,
    *,
    k: Sequence[int] = (),
    published: bool = False,
) -> dict[str, Any]:
    """Compute the figures of a classification, as fields of an evaluation.

    Parameters
    ----------
    inventory
        The workspace's files.
    predictions
        Predicted class scores, or factors, of the test items.
    k
        Cut-offs beside the usual ones.
    published
        Add the figures that exist only to compare with the papers.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    dataset = predictions.wanted.dataset
    file = truth_file(inventory, dataset)
    if file is None:
        msg = f"{shown(truth_place(inventory, dataset))} is missing"
        raise DataError(msg, hint=f"Run 'tartarus check-data {dataset}'.")
    truth = open_matrix(file.path)
    classes = truth.rows(slice(None)) > 0
    if classes.shape[1] < 2:
        raise FileError(
            truth.path,
            found="a single class",
            expected="two classes or more",
            hint="Give the items without the class a class of their own.",
        )
    scores = _class_scores(inventory, predictions, truth)
    names = label_names(inventory, dataset) or [str(n + 1) for n in range(classes.shape[1])]
    if len(names) != classes.shape[1]:
        raise FileError(
            truth.path,
            found=f"{classes.shape[1]} classes",
            expected=f"{len(names)}, as in genre_labels_{dataset}.tsv",
            hint=f"Run 'tartarus check-data {dataset}'.",
        )
    scores[predictions.absent] = _worst(classes[predictions.absent], scores)
    if predictions.experiment.dataset.task == "multilabel":
        return {
            "metrics": classification.multilabel(scores, classes, k=k, published=published),
            "classes": classification.class_reports(classes, scores >= THRESHOLD, names),
        }
    true = _single_classes(truth, classes)
    chosen = scores.argmax(axis=1)[:, None] == np.arange(classes.shape[1])
    return {
        "metrics": classification.multiclass(scores, true),
        "classes": classification.class_reports(classes, chosen, names),
        "confusion": classification.confusion(true, scores).tolist(),
    }


def _class_scores(
    inventory: Inventory, predictions: Predictions, truth: Matrix
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a score for each class: as predicted, or the cosine with the labels' factors."""
    scores, made_from = predictions.values, truth.path
    if predictions.wanted.fact == "pmi":
        factors = open_matrix(_label_factors(inventory, predictions.wanted))
        made_from = factors.path
        if factors.shape[1] != scores.shape[1]:
            raise FileError(
                made_from,
                found=f"{factors.shape[1]} factors",
                expected=f"{scores.shape[1]}, as in the predictions of {predictions.name}",
                hint="Predict factors of the same kind and number as the labels'.",
            )
        values = factors.rows(slice(None))
        require_finite(factors.path, values)
        scores = unit_rows(scores) @ unit_rows(values).T
    if scores.shape != truth.shape:
        raise FileError(
            made_from,
            found=f"scores of {scores.shape[0]:,} items × {scores.shape[1]:,} classes",
            expected=f"{truth.shape[0]:,} × {truth.shape[1]:,}, as in {truth.path.name}",
            hint="Run 'tartarus check-data' to see which file is out of step.",
        )
    return scores


def _worst(classes: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> Any:
    """Score items without a prediction so that their classes come last, behind all others."""
    lowest = min(float(scores.min(initial=0)), 0.0) - 1
    return np.where(classes, lowest - 1, lowest)


def _label_factors(inventory: Inventory, wanted: Wanted) -> Path:
    file = label_factors_file(inventory, wanted)
    return (file or inventory.require(Kind.CLASS_FACTORS, **wanted.fields)).path


def _single_classes(truth: Matrix, classes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    wrong = np.flatnonzero(classes.sum(axis=1) != 1)
    if wrong.size:
        raise FileError(
            truth.path,
            found=f"{wrong.size:,} items with no class, or with several (row {wrong[0]})",
            expected="one class for each item of a multiclass task",
            hint="Correct these rows, or evaluate with --set dataset.task=multilabel.",
        )
    return np.asarray(classes.argmax(axis=1))
