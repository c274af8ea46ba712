"""Baselines as models: their training data, and predictions for all items of a set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    Baseline,
    BaselineResult,
    Examples,
    Features,
    FittedBaseline,
    Items,
    Presence,
    TrainingExamples,
    from_log_norms,
    select_presence,
)
from tartarus_cli.data.artists import read_artists
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix, require_finite
from tartarus_cli.data.items import ItemSet, open_items
from tartarus_cli.data.plays import Plays, read_plays
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import (
    TrainingData,
    TrainingSubset,
    hold_out_rows,
    open_training_data,
)
from tartarus_cli.errors import DataError, FileError, SizeError, call, display_path
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.experiments.sections import ValidationSection
from tartarus_cli.file_names import Kind
from tartarus_cli.models.predictors import learns_norms, read_known
from tartarus_cli.models.staleness import changed_masks, train_command
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress
from tartarus_cli.training.judging import (
    build_judge,
    can_judge,
    expand_columns,
    validation_ranking,
)
from tartarus_cli.training.reuse import is_unchanged

HELD_OUT = 0.2
"""Share of the train items of which half validates while a baseline chooses, without val items."""

FEWEST_VALIDATING = 50
"""Items by which anything is chosen; fewer would choose by chance."""

BLOCK = 1024
"""Items that are predicted at a time."""


@dataclass(frozen=True)
class BaselineData:
    """The training data of a baseline."""

    items: ItemSet
    """The train items, and the matrices of their features."""
    train: TrainingExamples
    """Features and targets of these items, in memory."""
    files: list[Path]
    """The files that they were read from."""
    counts: dict[str, int]
    """Number of items by use: ``fit``, ``validation``, ``held out``."""


@dataclass(frozen=True)
class BaselineFit:
    """A fitted baseline, with its training data."""

    data: BaselineData
    fitted: BaselineResult
    """The arrays that it learnt, and the losses of what it tried."""


def fit_baseline(dataset: Dataset, request: TrainingRequest, progress: Progress) -> BaselineFit:
    """Fit a baseline to the train items.

    Parameters
    ----------
    dataset
        The dataset; its test items are never opened, except for their truth by an oracle.
    request
        The experiment, which names the baseline, the settings and the seed.
    progress
        Receives a task of one step, and a message of how items are held out.

    Raises
    ------
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If there is not enough memory.
    """
    experiment = request.experiment
    baseline = _baseline(experiment)
    data = baseline_data(dataset, request, progress)
    try:
        with progress.task("training", 1) as task:
            fitted = baseline.fit(_choosing(dataset, request, data.train), experiment.network)
            task.advance()
    except MemoryError:
        msg = f"there is not enough memory to fit {experiment.name}"
        raise SizeError(msg, hint="Use settings with fewer columns.") from None
    return BaselineFit(data, fitted)


def _choosing(
    dataset: Dataset, request: TrainingRequest, train: TrainingExamples
) -> TrainingExamples:
    """Return what a baseline is fitted to: where nothing validates, the last train items do.

    They do so only while it chooses: it predicts by all train items. Where they would be fewer than
    :data:`FEWEST_VALIDATING`, nothing is chosen.
    """
    experiment, plays = request.experiment, train.plays
    chooses = _baseline(experiment).judged and not _baseline(experiment).validates
    if not chooses or train.judge is not None or plays is None:
        return train
    items = len(train.ids)
    if int(items * HELD_OUT) // 2 < FEWEST_VALIDATING:
        return train
    fit, last = hold_out_rows(items, HELD_OUT, measured=False)
    rows, behind = slice(len(fit)), slice(len(fit), None)
    if not plays[behind].nnz:
        return train
    ranking = validation_ranking(dataset, "train", last)
    first = train.select(rows)
    return replace(
        train,
        inputs=first.inputs,
        targets=first.targets,
        present=first.present,
        ids=train.ids[rows],
        plays=plays[rows],
        validation=train.select(behind),
        judge=build_judge(dataset, experiment, ranking, plays[rows]),
    )


def _baseline(experiment: Experiment) -> Baseline:
    if experiment.baseline is None:
        msg = f"{experiment.name} is not a baseline"
        raise TypeError(msg)
    return experiment.baseline


def baseline_data(dataset: Dataset, request: TrainingRequest, progress: Progress) -> BaselineData:
    """Open the training data of a baseline; no test item is in it.

    Raises
    ------
    DataError
        If a file is missing or damaged, or its rows are not those of the items.
    """
    experiment = request.experiment
    spec = experiment.target_spec
    if isinstance(experiment.training, ValidationSection):
        share = experiment.training.validation
        sources = input_sources(experiment, request.settings)
        data = open_training_data(dataset, spec, sources, validation=share)
        for remark in data.remarks:
            progress.say(remark)
        return _with_validation(dataset, request, data)
    known = _train_data(dataset, experiment, request.settings)
    plays = known.train.plays
    if plays is None or not _baseline(experiment).judged:
        return known
    if not can_judge(dataset, experiment, "val"):
        return known
    val = open_items(dataset, input_sources(experiment, request.settings), "val")
    ranking = validation_ranking(dataset, "val", None)
    train = replace(
        known.train,
        validation=Examples(_values(val), np.empty((len(val.ids), 0)), _presence(val)),
        judge=build_judge(dataset, experiment, ranking, plays),
    )
    files = [*known.files, *(m.path for m in val.inputs), *read_plays(dataset, "val").files]
    counts = known.counts | {"validation": len(val.ids)}
    return BaselineData(known.items, train, files, counts)


def _train_data(
    dataset: Dataset, experiment: Experiment, settings: Sequence[str], fit: int | None = None
) -> BaselineData:
    """Return the train items of a baseline: the first ``fit`` of them, if that is given."""
    spec = experiment.target_spec
    items = open_items(dataset, input_sources(experiment, settings), "train")
    targets = None
    if spec.kind != PLAYS_KIND:
        targets = dataset.targets(spec.kind, spec.dim)
    plays = _read_plays(dataset, experiment)
    artists = read_artists(dataset, items.ids) if _baseline(experiment).artists else None
    rows = slice(fit)
    train = TrainingExamples(
        inputs=tuple(values[rows] for values in _values(items)),
        present=select_presence(_presence(items), rows),
        targets=np.empty((len(items.ids), 0))[rows] if targets is None else targets.values[rows],
        ids=items.ids[rows],
        normalize=experiment.targets.normalize,
        scoring=experiment.scoring,
        classes=spec.kind == "class",
        single=experiment.dataset.task == "multiclass",
        plays=plays.matrix[rows] if plays else None,
        artists=artists[1][rows] if artists else None,
    )
    files = [m.path for m in items.inputs] + ([targets.path] if targets else [])
    files += [*(plays.files if plays else ()), *([artists[0]] if artists else [])]
    return BaselineData(items, train, files, {"fit": len(items.ids)})


def _with_validation(
    dataset: Dataset, request: TrainingRequest, data: TrainingData
) -> BaselineData:
    """Return the training data of a baseline that selects a parameter by validation items."""
    experiment = request.experiment
    fit, files = _examples(data.fit), data.files
    plays, judge = None, None
    split = data.validation.set.split
    if experiment.targets.kind == PLAYS_KIND:
        plays = data.fit.targets.values[data.fit.samples]
    if _baseline(experiment).judged and can_judge(dataset, experiment, split):
        train_plays = read_plays(dataset, "train")
        ranking = validation_ranking(dataset, split, data.validation.samples)
        fitted = train_plays.matrix[data.fit.samples]
        judge = build_judge(dataset, experiment, ranking, fitted, fit.inputs)
        files += [*train_plays.files, *read_plays(dataset, split).files]
    train = TrainingExamples(
        inputs=fit.inputs,
        targets=fit.targets,
        present=fit.present,
        ids=[data.fit.set.ids[row] for row in data.fit.samples],
        normalize=experiment.targets.normalize,
        scoring=experiment.scoring,
        classes=experiment.targets.kind == "class",
        single=experiment.dataset.task == "multiclass",
        plays=plays,
        validation=_examples(data.validation),
        held_out=_examples(data.held_out) if data.held_out else None,
        judge=judge,
    )
    subsets = {"fit": data.fit, "validation": data.validation, "held out": data.held_out}
    counts = {name: len(subset) if subset else 0 for name, subset in subsets.items()}
    return BaselineData(data.fit.set, train, [*dict.fromkeys(files)], counts)


def _examples(subset: TrainingSubset) -> Examples:
    # Without patches, the samples of a subset are a run of rows.
    rows = slice(int(subset.samples[0]), int(subset.samples[-1]) + 1)
    targets: Any = subset.targets.values
    if subset.targets.sparse:  # plays, which are read elsewhere
        targets = np.empty((targets.shape[0], 0))
    return Examples(_values(subset.set), targets, _presence(subset.set)).select(rows)


def _values(items: ItemSet) -> tuple[Features, ...]:
    return tuple(matrix.values for matrix in items.inputs if isinstance(matrix, Matrix))


def _presence(items: ItemSet) -> Presence:
    return tuple(matrix.present for matrix in items.inputs if isinstance(matrix, Matrix))


def _read_plays(dataset: Dataset, experiment: Experiment) -> Plays | None:
    """Read who played the train items, if the baseline uses it and the dataset has it.

    They are rebuilt from factors only where plays are what is learnt.
    """
    if experiment.dataset.task != "recommendation" or not _baseline(experiment).plays:
        return None
    rebuild = experiment.targets.kind == PLAYS_KIND
    if not rebuild and dataset.find(Kind.TRAIN_MATRIX) is None:
        return None
    return read_plays(dataset, "train")


def open_fitted(model: Model) -> FittedBaseline:
    """Return all that a baseline predicts with: its arrays, and the train items if it uses them.

    Raises
    ------
    DataError
        If its file is damaged, or the train items that it uses have changed.
    """
    experiment, settings = model.experiment, tuple(model.manifest.settings)
    baseline = _baseline(experiment)
    if not baseline.remembers:
        return read_known(model, baseline)
    # Only what it was fitted to: what else validated, then or now, has no say in predictions.
    data = _train_data(model.dataset, experiment, settings, model.manifest.items.get("fit"))
    ids = model.dataset.require(Kind.ITEMS, split="train").path
    masks = [file.path for file in changed_masks(model, ["train"])]
    for path in (ids, *data.files, *masks):
        if path in masks or not is_unchanged(model, path):
            msg = f"{display_path(path)} is not what it was when {model.name} was trained"
            raise DataError(msg, hint=f"Train it again: {train_command(model)}")
    return read_known(model, baseline, data.train)


def predicted_blocks(model: Model, items: ItemSet, fitted: FittedBaseline) -> Iterator[Any]:
    """Predict all items of a set, in their order, a block at a time.

    Yields
    ------
    Rows of factors, scores or (sparse) similarities to train items, ``(≤ BLOCK, width)``.

    Raises
    ------
    DataError
        If features have another width than in training, or are NaN or infinite, or predictions
        are.
    """
    baseline = _baseline(model.experiment)
    check_widths(model, items)
    truth = _truth(model, items) if baseline.sees_truth else None
    artists = read_artists(model.dataset, items.ids)[1] if baseline.artists else None
    inputs = _values(items)
    for first in range(0, len(items.ids), BLOCK):
        block = slice(first, first + BLOCK)
        block_inputs = tuple(values[block] for values in inputs)
        block_truth = None if truth is None else truth[block]
        for matrix, rows in zip(items.inputs, block_inputs, strict=True):
            _check_finite(matrix.path, rows, first)
        block_artists = None if artists is None else artists[block]
        present = select_presence(_presence(items), block)
        block_items = Items(items.ids[block], block_inputs, block_truth, block_artists, present)
        rows = baseline.predict(fitted, block_items)
        if learns_norms(model):
            rows = from_log_norms(rows)
        if model.manifest.form in ("weights", "neighbours"):
            rows = expand_columns(rows, len(model.dataset.ids("train")))
        _check_rows(model, items, rows, first)
        yield rows


def check_widths(model: Model, items: ItemSet) -> None:
    """Make sure that features are as wide as those that a baseline was fitted to.

    Raises
    ------
    DataError
        If they are not.
    """
    for matrix, width in zip(items.inputs, model.manifest.widths, strict=True):
        if matrix.shape[1] != width:
            msg = f"{matrix.path.name} is {matrix.shape[1]:,} wide, but {model.name} was trained "
            msg += f"on {width:,}"
            raise DataError(msg, hint="Extract this setting as for the training, or train again.")


def _check_finite(path: Path, rows: Features, first: int) -> None:
    """Make sure that features hold no NaN, which is similar to nothing."""
    if isinstance(rows, np.ndarray):
        require_finite(path, rows, first)
    elif not np.isfinite(rows.data).all():
        require_finite(path, rows.toarray(), first)


def _check_rows(model: Model, items: ItemSet, rows: Any, first: int) -> None:
    if isinstance(rows, np.ndarray):
        invalid_rows = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    else:
        invalid_rows = rows.nonzero()[0][~np.isfinite(rows.data)]
    if invalid_rows.size:
        item = items.ids[first + int(invalid_rows[0])]
        msg = f"{model.name} gives NaN or infinity for item {item!r} of {items.split}"
        raise DataError(msg, hint="Look for NaN or very large values in its features.")


def _truth(model: Model, items: ItemSet) -> NDArray[Any]:
    """Return the true factors of the items of a set, ``(items, dim)``."""
    targets = model.experiment.targets
    matrix = model.dataset.targets(targets.kind, targets.dim, items.split)
    if matrix.shape[0] != len(items.ids):
        raise FileError(
            matrix.path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{len(items.ids):,}, one for each {items.split} item",
            hint=f"See which file is out of step: {call('check', model.manifest.dataset)}",
        )
    values = matrix.rows(slice(None))
    require_finite(matrix.path, values)
    return values
