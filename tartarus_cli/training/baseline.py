"""Baselines as models: what they are given of a dataset to learn from and to predict for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    Baseline,
    BaselineFit,
    Examples,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
)
from tartarus_cli.data.arrays import open_csr
from tartarus_cli.data.dataset import (
    ItemSet,
    TrainingData,
    TrainingSubset,
    open_items,
    open_training_data,
)
from tartarus_cli.data.features import Matrix, open_matrix, require_finite
from tartarus_cli.data.patches import Patches
from tartarus_cli.data.targets import TargetSpec
from tartarus_cli.errors import DataError, FileError, TrainingError, display_path
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment, ValidationSection
from tartarus_cli.models.predictors import read_known
from tartarus_cli.models.staleness import matches_training_input
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress
from tartarus_cli.workspace import Kind, WorkspaceFiles

BLOCK = 1024  # items that are predicted at a time


@dataclass(frozen=True)
class BaselineData:
    """What a baseline learns from."""

    items: ItemSet  # of train
    train: TrainingExamples
    files: list[Path]  # that were read
    counts: dict[str, int]  # fit, validation, held out


@dataclass(frozen=True)
class BaselineInputs:
    """What came of a training."""

    material: BaselineData
    fitted: BaselineFit


def fit_baseline(
    inventory: WorkspaceFiles, order: TrainingRequest, progress: Progress
) -> BaselineInputs:
    """Fit a baseline to the train items.

    Raises
    ------
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If there is not enough memory.
    """
    experiment = order.experiment
    baseline = _baseline(experiment)
    material = baseline_data(inventory, order, progress)
    try:
        with progress.task("training", 1) as task:
            fitted = baseline.fit(material.train, experiment.network)
            task.advance()
    except MemoryError:
        msg = f"there is not enough memory to fit {experiment.name}"
        raise TrainingError(msg, hint="Name settings that are narrower.") from None
    return BaselineInputs(material, fitted)


def _baseline(experiment: Experiment) -> Baseline:
    if experiment.baseline is None:
        msg = f"{experiment.name} is no baseline"
        raise TypeError(msg)
    return experiment.baseline


def baseline_data(
    inventory: WorkspaceFiles, order: TrainingRequest, progress: Progress
) -> BaselineData:
    """Open what a baseline learns from; no test item is in it."""
    experiment = order.experiment
    wanted = TargetSpec(experiment.dataset.name, experiment.targets.kind, experiment.targets.dim)
    if isinstance(experiment.training, ValidationSection):
        share = experiment.training.validation
        data = open_training_data(inventory, wanted, order.settings, validation=share)
        if data.remark:
            progress.say(data.remark)
        return _chosen(experiment, data)
    items = open_items(inventory, wanted.dataset, order.settings, "train")
    targets = open_matrix(inventory.require(Kind.TARGETS, split="train", **wanted.fields).path)
    plays = _plays(inventory, experiment, len(items.ids))
    train = TrainingExamples(
        inputs=_values(items),
        targets=targets.values,
        normalize=experiment.targets.normalize,
        classes=wanted.fact == "class",
        plays=plays[1] if plays else None,
    )
    files = [*(each.path for each in items.inputs), targets.path, *([plays[0]] if plays else [])]
    return BaselineData(items, train, files, {"fit": len(items.ids)})


def _chosen(experiment: Experiment, data: TrainingData) -> BaselineData:
    """Return what a baseline learns from that chooses something by validation items."""
    fit = _examples(data.fit)
    train = TrainingExamples(
        inputs=fit.inputs,
        targets=fit.targets,
        normalize=experiment.targets.normalize,
        classes=experiment.targets.kind == "class",
        validation=_examples(data.validation),
        held_out=_examples(data.held_out) if data.held_out else None,
    )
    parts = {"fit": data.fit, "validation": data.validation, "held out": data.held_out}
    counts = {name: len(part) if part else 0 for name, part in parts.items()}
    return BaselineData(data.fit.set, train, data.files, counts)


def _examples(part: TrainingSubset) -> Examples:
    rows = slice(int(part.samples[0]), int(part.samples[-1]) + 1)  # they lie side by side
    return Examples(tuple(each[rows] for each in _values(part.set)), part.targets.values[rows])


def _values(items: ItemSet) -> tuple[Features, ...]:
    return tuple(_rows(each) for each in items.inputs)


def _rows(matrix: Matrix | Patches) -> Features:
    if isinstance(matrix, Patches):
        msg = "a baseline reads no patches"
        raise TypeError(msg)
    return matrix.values


def _plays(
    inventory: WorkspaceFiles, experiment: Experiment, items: int
) -> tuple[Path, csr_array] | None:
    """Read who played the train items, if the baseline asks for it and the dataset knows it."""
    if experiment.dataset.task != "recommendation" or not _baseline(experiment).plays:
        return None
    file = inventory.find(Kind.TRAIN_MATRIX, dataset=experiment.dataset.name)
    if file is None:
        return None
    plays = open_csr(file.path)
    if plays.shape[0] != items:
        raise FileError(
            file.path,
            found=f"{plays.shape[0]:,} rows",
            expected=f"{items:,}, one for each train item",
            hint="Write it as (train items, users).",
        )
    return file.path, plays


def open_fitted(inventory: WorkspaceFiles, model: Model, progress: Progress) -> FittedBaseline:
    """Return all that a baseline predicts with.

    Raises
    ------
    DataError
        If what it learnt is damaged, or the train items that it remembers have changed.
    """
    experiment, settings = model.experiment, tuple(model.manifest.settings)
    baseline = _baseline(experiment)
    if not baseline.remembers:
        return read_known(model, baseline)
    material = baseline_data(
        inventory, TrainingRequest(experiment, settings, model.manifest.seed), progress
    )
    ids = inventory.require(Kind.ITEMS, split="train", dataset=model.manifest.dataset).path
    for path in (ids, *material.files):
        if not matches_training_input(model, path):
            msg = f"{display_path(path)} is not what {model.name} was trained on"
            again = join(["tartarus", "train", model.manifest.experiment, *settings])
            hint = f"Train it again: {again} --dataset {quote(model.manifest.dataset)}"
            raise DataError(msg, hint=hint)
    return read_known(model, baseline, material.train)


def predicted_blocks(
    inventory: WorkspaceFiles, model: Model, items: ItemSet, known: FittedBaseline
) -> Iterator[Any]:
    """Predict all items of a set, a block at a time and in order.

    Raises
    ------
    DataError
        If the features are not as in training, or the outcome is NaN or infinite.
    """
    baseline = _baseline(model.experiment)
    _check_widths(model, items)
    truth = _truth(inventory, model, items) if baseline.sees_truth else None
    inputs = _values(items)
    for first in range(0, len(items.ids), BLOCK):
        block = slice(first, first + BLOCK)
        some = tuple(each[block] for each in inputs)
        true = None if truth is None else truth[block]
        for matrix, rows in zip(items.inputs, some, strict=True):
            _check_finite(matrix.path, rows, first)
        rows = baseline.predict(known, Items(items.ids[block], some, true))
        _check_rows(model, items, rows, first)
        yield rows


def _check_widths(model: Model, items: ItemSet) -> None:
    for each, width in zip(items.inputs, model.manifest.widths, strict=True):
        if each.shape[1] != width:
            found = f"{each.path.name} is {each.shape[1]:,} wide"
            msg = f"{found}, but {model.name} was trained on {width:,}"
            raise DataError(msg, hint="Compute it as for the training, or train again.")


def _check_finite(path: Path, rows: Features, first: int) -> None:
    """Make sure that features hold no NaN, which would be similar to nothing."""
    if isinstance(rows, np.ndarray):
        require_finite(path, rows, first)
    elif not np.isfinite(rows.data).all():
        require_finite(path, rows.toarray(), first)


def _check_rows(model: Model, items: ItemSet, rows: Any, first: int) -> None:
    if isinstance(rows, np.ndarray):
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    else:
        bad = rows.nonzero()[0][~np.isfinite(rows.data)]
    if bad.size:
        item = items.ids[first + int(bad[0])]
        msg = f"{model.name} gives NaN or infinity for item {item!r} of {items.split}"
        raise DataError(msg, hint="Look for NaN or very large values in its features.")


def _truth(inventory: WorkspaceFiles, model: Model, items: ItemSet) -> NDArray[Any]:
    """Return the true factors of the items of a set."""
    targets = model.experiment.targets
    fields = TargetSpec(model.manifest.dataset, targets.kind, targets.dim).fields
    matrix = open_matrix(inventory.require(Kind.TARGETS, split=items.split, **fields).path)
    if matrix.shape[0] != len(items.ids):
        raise FileError(
            matrix.path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{len(items.ids):,}, one for each {items.split} item",
            hint="Run 'tartarus check-data' to see which file is out of step.",
        )
    values = matrix.rows(slice(None))
    require_finite(matrix.path, values)
    return values
