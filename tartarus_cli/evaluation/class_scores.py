"""The scores of classes, and the classes that items really have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix, require_finite, unit_rows
from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.evaluation.relevance import CHECK_FILES
from tartarus_cli.file_names import DataFile, Kind
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import Predictions, align_predictions
from tartarus_cli.progress import Progress


@dataclass(frozen=True)
class ClassTruth:
    """The classes of the items of a split."""

    matrix: Matrix
    """The same as stored: over 0 where an item has a class."""
    classes: NDArray[np.bool_]
    """``(items, classes)``."""
    names: list[str]
    """Of the classes."""


@dataclass(frozen=True)
class ValidationScores:
    """Validation items that have classes and a prediction."""

    scores: NDArray[np.float32]
    """``(items, classes)``."""
    truth: NDArray[np.bool_]
    """``(items, classes)``."""


def read_truth(dataset: Dataset) -> ClassTruth:
    """Read the classes of the test items.

    Raises
    ------
    DataError
        If the file is missing, damaged, or out of step with the names of the classes.
    """
    file = dataset.class_truth
    if file is None:
        msg = f"{display_path(dataset.class_truth_path)} is missing"
        raise DataError(msg, hint=f"See what it needs: {call('check', dataset.name)}")
    matrix = dataset.matrix(file.path)
    classes = matrix.rows(slice(None)) > 0
    if classes.shape[1] < 2:
        raise FileError(
            matrix.path,
            found="a single class",
            expected="two classes or more",
            hint="Give the items without the class a class of their own.",
        )
    names = dataset.label_names or [str(n + 1) for n in range(classes.shape[1])]
    if len(names) != classes.shape[1]:
        raise FileError(
            matrix.path,
            found=f"{classes.shape[1]} classes",
            expected=f"{len(names)}, as in genre_labels_{dataset.name}.tsv",
            hint=f"See what it needs: {call('check', dataset.name)}",
        )
    return ClassTruth(matrix, classes, names)


def class_scores(
    predictions: Predictions, values: NDArray[np.float32], truth: Matrix
) -> NDArray[np.float32]:
    """Return a score for each class: as predicted, or the cosine with the labels' factors.

    Parameters
    ----------
    predictions
        What was predicted, and on which dataset.
    values
        The predictions of the items of a split, ``(items, dim)``.
    truth
        The classes of the same items, ``(items, classes)``.

    Returns
    -------
    Scores ``(items, classes)``.

    Raises
    ------
    DataError
        If there are not as many classes, or items, as in the truth.
    """
    scores, source = values, truth.path
    if predictions.targets.kind == "pmi":
        factors = _label_factors(predictions)
        source = factors.path
        scores = unit_rows(scores) @ unit_rows(factors.rows(slice(None))).T
    if scores.shape != truth.shape:
        raise FileError(
            source,
            found=f"scores of {scores.shape[0]:,} items × {scores.shape[1]:,} classes",
            expected=f"{truth.shape[0]:,} × {truth.shape[1]:,}, as in {truth.path.name}",
            hint=CHECK_FILES,
        )
    return scores


def single_classes(truth: ClassTruth) -> NDArray[np.int64]:
    """Return the number of the one class of each item, ``(items,)``.

    Raises
    ------
    FileError
        If an item has none, or several.
    """
    wrong = np.flatnonzero(truth.classes.sum(axis=1) != 1)
    if wrong.size:
        raise FileError(
            truth.matrix.path,
            found=f"{wrong.size:,} items with no class, or with several (row {wrong[0]})",
            expected="one class for each item of a multiclass task",
            hint="Correct these rows, or evaluate with `overrides='dataset.task=multilabel'`.",
        )
    return np.asarray(truth.classes.argmax(axis=1))


def read_validation(predictions: Predictions, progress: Progress) -> ValidationScores | None:
    """Read what a model predicted for the validation items, and their classes.

    None if the predictions were made elsewhere, or there are no validation items with classes, or
    the model has not predicted them.

    Raises
    ------
    DataError
        If a file is damaged, or out of step with the others.
    """
    model, dataset = predictions.model, predictions.dataset
    if model is None:
        return None
    file = val_truth_file(dataset)
    if file is None:
        progress.say(f"{dataset.name} has no val items with classes, which would choose thresholds")
        return None
    workspace = dataset.workspace
    name = model.name
    paths = workspace.predicted_factors(name, "val"), workspace.predicted_ids(name, "val")
    if not all(path.is_file() for path in paths):
        gap = f"{name} has not predicted the val items, which choose the threshold of each class"
        progress.say(f"{gap}: {call('predict', name, split='val')}, then evaluate again")
        return None
    values, absent = align_predictions(dataset, *paths, "val")
    matrix = dataset.matrix(file.path)
    truth = matrix.rows(slice(None)) > 0
    scores = class_scores(predictions, values, matrix)
    return ValidationScores(scores[~absent], truth[~absent]) if truth[~absent].any() else None


def required_splits(model: Model) -> list[str]:
    """Return the splits that an evaluation of a model reads.

    These are the test items and, where they can choose thresholds, the validation items.
    """
    multilabel = model.experiment.dataset.task == "multilabel"
    if multilabel and val_truth_file(model.dataset) is not None:
        return ["val", "test"]
    return ["test"]


def val_truth_file(dataset: Dataset) -> DataFile | None:
    """Return the file of the classes of the validation items, if there is one."""
    test = dataset.class_truth
    if test is None or dataset.find(Kind.ITEMS, split="val") is None:
        return None
    return dataset.find(Kind.TARGETS, **{**test.fields, "split": "val"})


def _label_factors(predictions: Predictions) -> Matrix:
    dataset, spec = predictions.dataset, predictions.targets
    file = dataset.label_factors(spec)
    factors = dataset.matrix((file or dataset.require(Kind.CLASS_FACTORS, **spec.fields)).path)
    if factors.shape[1] != predictions.values.shape[1]:
        raise FileError(
            factors.path,
            found=f"{factors.shape[1]} factors",
            expected=f"{predictions.values.shape[1]}, as in the predictions of {predictions.name}",
            hint="Predict factors of the same kind and number as the labels'.",
        )
    require_finite(factors.path, factors.rows(slice(None)))
    return factors
