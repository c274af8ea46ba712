"""Predictions for the test items of a dataset, wherever they were made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from tartarus_cli.baselines import BASELINES, PredictionForm
from tartarus_cli.data.arrays import open_csr
from tartarus_cli.data.dataset import Dataset, TargetSpec, unknown_dataset_error
from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.targets import infer_targets
from tartarus_cli.data.tasks import Task
from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.staleness import require_unchanged_inputs
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress


@dataclass(frozen=True)
class Predictions:
    """A row of factors, or of class scores, for each test item."""

    model: Model | None
    """None: they were made elsewhere."""
    name: str
    """What their results are called."""
    path: Path
    experiment: Experiment
    dataset: Dataset
    """Whose test items these are."""
    targets: TargetSpec
    """What was predicted."""
    values: Any
    """``(test items, dim)``, zero where there is none; a sparse array of neighbours."""
    absent: NDArray[np.bool_]
    """``(test items,)``: those without a prediction."""
    form: PredictionForm = "factors"
    """Or similarities ``(test items, train items)``, or scores ``(test items, 1)``."""

    @property
    def settings(self) -> tuple[str, ...]:
        """What the model learnt from; empty for predictions made elsewhere."""
        return tuple(self.model.manifest.settings) if self.model else ()

    @property
    def task(self) -> Task:
        """What they are for."""
        return self.experiment.dataset.task


def model_predictions(model: Model) -> Predictions:
    """Read what a model predicted for the test items.

    Raises
    ------
    DataError
        If it has not predicted yet, or its predictions do not fit the dataset, or no longer.
    """
    require_unchanged_inputs(model)
    workspace, form = model.workspace, model.manifest.form
    neighbours = form == "neighbours"
    place = workspace.predicted_neighbours if neighbours else workspace.predicted_factors
    path, ids = place(model.name), workspace.predicted_ids(model.name)
    for file in (path, ids):
        if not file.is_file():
            msg = f"{display_path(file)} is missing: {model.name} has not predicted the test items"
            raise DataError(msg, hint=f"Predict first: {call('predict', model.name)}")
    align = _align_neighbours if neighbours else align_predictions
    with _explained_as_other_items(model.name):
        values, absent = align(model.dataset, path, ids)
    return Predictions(
        model=model,
        name=model.name,
        path=path,
        experiment=model.experiment,
        dataset=model.dataset,
        targets=TargetSpec(model.experiment.targets.kind, model.manifest.target_dim),
        values=values,
        absent=absent,
        form=form,
    )


def file_predictions(
    path: Path, experiment: Experiment, dataset: Dataset, ids: Path | None, progress: Progress
) -> Predictions:
    """Read predictions that were made elsewhere.

    Parameters
    ----------
    path
        A ``.npy`` file, ``(items, dim)``.
    experiment
        Says what was predicted.
    dataset
        Whose items they are of: that of the experiment.
    ids
        Ids of its rows; if None, what ``predict`` wrote beside the file, else the test items in
        their order.
    progress
        Told what had to be decided.
    """
    for file in (path, *([ids] if ids else [])):
        if not file.is_file():
            msg = f"there is no file {file}"
            hint = "Name a .npy file of predicted factors, or a model."
            raise DataError(msg, hint=hint if file is path else "Name the file of its ids.")
    known = dataset.files.datasets()
    if dataset.name not in known:
        raise unknown_dataset_error(dataset, known, "Name one with `dataset`")
    spec = experiment.target_spec
    targets = infer_targets(dataset, spec)
    if targets != spec:
        sizes = f"{targets.kind} targets of {targets.dim}, not {spec.dim}"
        progress.say(f"{dataset.name} has {sizes}: taken")
    index = path.with_name(f"index_{path.stem}.tsv")
    if ids is None and index.is_file():
        progress.say(f"the rows are those of {display_path(index)}")
        ids = index
    values, absent = align_predictions(dataset, path, ids)
    if ids is not None:
        _warn_of_unknown_ids(dataset, ids, progress)
    return Predictions(
        model=None,
        name=result_name(path),
        path=path,
        experiment=experiment,
        dataset=dataset,
        targets=targets,
        values=values,
        absent=absent,
    )


def result_name(path: Path) -> str:
    """Return what the results of a file of predictions are called: never as a model or a baseline.

    >>> result_name(Path("als.npy")), result_name(Path("model_1.npy"))
    ('als', 'file_model_1')
    """
    taken = path.stem.startswith("model_") or path.stem in BASELINES.names()
    return f"file_{path.stem}" if taken else path.stem


def _warn_of_unknown_ids(dataset: Dataset, ids: Path, progress: Progress) -> None:
    unknown = sorted({*read_ids(ids)} - {*dataset.ids("test")})
    if unknown:
        examples = ", ".join(map(repr, unknown[:3])) + (", …" if len(unknown) > 3 else "")
        which = f"{len(unknown):,} ids of {display_path(ids)} are no test items of {dataset.name}"
        progress.warn(f"{which}: {examples}; their rows are not used")


def align_predictions(
    dataset: Dataset, path: Path, ids: Path | None, split: str = "test"
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Bring predictions into the order of the ids of a set; tell which items have none.

    Raises
    ------
    DataError
        If a file is missing or damaged, or they are of other items.
    """
    matrix = open_matrix(path)
    if matrix.sparse:
        hint = "Write it with numpy.save(path, array)."
        raise FileError(path, found="a sparse matrix", expected="a dense one (.npy)", hint=hint)
    rows = _rows_of(dataset, split, path, matrix.shape[0], ids)
    for block in matrix.blocks():
        require_finite(path, matrix.rows(block), block.start)
    if len(rows) == matrix.shape[0] and (rows == np.arange(len(rows))).all():
        return matrix.rows(slice(None)), rows < 0  # as they lie in the file, which stays mapped
    values = matrix.rows(np.maximum(rows, 0))
    values[rows < 0] = 0
    return values, rows < 0


def _align_neighbours(
    dataset: Dataset, path: Path, ids: Path
) -> tuple[csr_array, NDArray[np.bool_]]:
    """Bring similarities to train items into the order of the test ids."""
    similar = open_csr(path)
    rows = _rows_of(dataset, "test", path, similar.shape[0], ids)
    train = len(dataset.ids("train"))
    if similar.shape[1] != train or not np.isfinite(similar.data).all():
        raise FileError(
            path,
            found=f"{similar.shape[1]:,} columns, or values that are not finite",
            expected=f"similarities to {train:,} train items",
            hint="Predict again.",
        )
    aligned_rows = similar[np.maximum(rows, 0)].astype(np.float32)
    present = diags_array((rows >= 0).astype(np.float32), format="csr")
    return (present @ aligned_rows).tocsr(), rows < 0


class _OtherItemsError(FileError):
    """Predictions are of none of the items that there are."""


@contextmanager
def _explained_as_other_items(model: str) -> Iterator[None]:
    """Say what to do where a model has predicted other items than the test items of now."""
    try:
        yield
    except _OtherItemsError as problem:
        problem.hint = f"They are of other items: predict again, {call('predict', model)}"
        raise


def _rows_of(
    dataset: Dataset, split: str, path: Path, count: int, ids: Path | None
) -> NDArray[np.int64]:
    """Return in which row the prediction of each item of a set stands; -1 if it has none."""
    items = dataset.ids(split)
    row_ids = read_ids(ids) if ids is not None else items
    if len(row_ids) != count:
        raise FileError(
            path,
            found=f"{count:,} rows",
            expected=f"{len(row_ids):,}, one for each {'id' if ids else f'{split} item'}",
            hint=f"Predict again, or name the ids of its rows{'' if ids else ' with `ids`'}.",
        )
    row_of = {item: row for row, item in enumerate(row_ids)}
    rows = np.array([row_of.get(item, -1) for item in items])
    if (rows < 0).all():
        raise _OtherItemsError(
            ids or path,
            found=f"none of the {len(items):,} {split} items of {dataset.name}",
            expected=f"ids of {split} items",
            hint="Name the dataset that the predictions are for with `dataset`.",
        )
    return rows
