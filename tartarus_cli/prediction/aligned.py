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
from tartarus_cli.data.dataset import unknown_dataset_error
from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.targets import TargetSpec, infer_dim
from tartarus_cli.errors import DataError, FileError, display_path
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.staleness import require_unchanged_inputs
from tartarus_cli.models.store import Store
from tartarus_cli.progress import Progress
from tartarus_cli.workspace import Kind, Workspace, WorkspaceFiles


@dataclass(frozen=True)
class Predictions:
    """A row of factors, or of class scores, for each test item."""

    model: str | None  # None: made elsewhere
    name: str  # of the results
    path: Path
    experiment: Experiment
    settings: tuple[str, ...]
    wanted: TargetSpec
    seed: int | None  # of the training
    values: Any  # NDArray (test items, dim), zero where there is none; csr_array of neighbours
    absent: NDArray[np.bool_]  # (test items,): those without a prediction
    form: PredictionForm = (
        "factors"  # or similarities (test items, train items), or scores (test items, 1)
    )


def model_predictions(
    workspace: Workspace, name: str | None, inventory: WorkspaceFiles
) -> Predictions:
    """Read what a model predicted for the test items.

    Raises
    ------
    DataError
        If it has not predicted yet, or its predictions do not fit the dataset, or no longer.
    """
    model = Store(workspace).get(name)
    manifest = model.manifest
    require_unchanged_inputs(inventory, model)
    near = manifest.form == "neighbours"
    place = workspace.predicted_neighbours if near else workspace.predicted_factors
    path, ids = place(model.name), workspace.predicted_ids(model.name)
    for each in (path, ids):
        if not each.is_file():
            msg = f"{display_path(each)} is missing: {model.name} has not predicted the test items"
            raise DataError(msg, hint=f"Run 'tartarus predict {model.name}' first.")
    align = _aligned_neighbours if near else align_predictions
    with _predicted_for_others(model.name):
        values, absent = align(inventory, manifest.dataset, path, ids)
    return Predictions(
        model=model.name,
        name=model.name,
        path=path,
        experiment=model.experiment,
        settings=tuple(manifest.settings),
        wanted=TargetSpec(manifest.dataset, model.experiment.targets.kind, manifest.target_dim),
        seed=manifest.seed,
        values=values,
        absent=absent,
        form=manifest.form,
    )


def file_predictions(
    path: Path,
    experiment: Experiment,
    inventory: WorkspaceFiles,
    ids: Path | None,
    progress: Progress,
) -> Predictions:
    """Read predictions that were made elsewhere.

    Parameters
    ----------
    path
        A ``.npy`` file, ``(items, dim)``.
    experiment
        Says what was predicted, and for which dataset.
    inventory
        The workspace's files.
    ids
        Ids of its rows; if None, what ``predict`` wrote beside the file, else the test items in
        their order.
    progress
        Told what had to be decided.
    """
    for each in (path, *([ids] if ids else [])):
        if not each.is_file():
            msg = f"there is no file {each}"
            hint = "Name a .npy file of predicted factors, or a model."
            raise DataError(msg, hint=hint if each is path else "Name the file of its ids.")
    asked = TargetSpec(experiment.dataset.name, experiment.targets.kind, experiment.targets.dim)
    known = inventory.datasets()
    if asked.dataset not in known:
        raise unknown_dataset_error(inventory, asked.dataset, known, "Name one with --dataset")
    wanted = infer_dim(inventory, asked)
    if wanted != asked:
        progress.say(
            f"{wanted.dataset} has {wanted.fact} targets of {wanted.dim}, not {asked.dim}: taken"
        )
    beside = path.with_name(f"index_{path.stem}.tsv")
    if ids is None and beside.is_file():
        progress.say(f"the rows are those of {display_path(beside)}")
        ids = beside
    values, absent = align_predictions(inventory, wanted.dataset, path, ids)
    if ids is not None:
        _tell_of_strangers(inventory, wanted.dataset, ids, progress)
    return Predictions(
        model=None,
        name=result_name(path),
        path=path,
        experiment=experiment,
        settings=(),
        wanted=wanted,
        seed=None,
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


def _tell_of_strangers(
    inventory: WorkspaceFiles, dataset: str, ids: Path, progress: Progress
) -> None:
    test = inventory.require(Kind.ITEMS, split="test", dataset=dataset).path
    strangers = sorted({*read_ids(ids)} - {*read_ids(test)})
    if strangers:
        some = ", ".join(map(repr, strangers[:3])) + (", …" if len(strangers) > 3 else "")
        told = (
            f"{len(strangers):,} ids of {display_path(ids)} are no test items of {dataset}: {some}"
        )
        progress.warn(f"{told}; their rows are not used")


def align_predictions(
    inventory: WorkspaceFiles, dataset: str, path: Path, ids: Path | None, split: str = "test"
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
    fields = {"split": split, "dataset": dataset}
    rows = _rows_of(inventory, fields, path, matrix.shape[0], ids)
    for block in matrix.blocks():
        require_finite(path, matrix.rows(block), block.start)
    if len(rows) == matrix.shape[0] and (rows == np.arange(len(rows))).all():
        return matrix.rows(slice(None)), rows < 0  # as they lie in the file, which stays mapped
    values = matrix.rows(np.maximum(rows, 0))
    values[rows < 0] = 0
    return values, rows < 0


def _aligned_neighbours(
    inventory: WorkspaceFiles, dataset: str, path: Path, ids: Path
) -> tuple[csr_array, NDArray[np.bool_]]:
    """Bring similarities to train items into the order of the test ids."""
    similar = open_csr(path)
    rows = _rows_of(inventory, {"split": "test", "dataset": dataset}, path, similar.shape[0], ids)
    train = len(read_ids(inventory.require(Kind.ITEMS, split="train", dataset=dataset).path))
    if similar.shape[1] != train or not np.isfinite(similar.data).all():
        raise FileError(
            path,
            found=f"{similar.shape[1]:,} columns, or values that are not finite",
            expected=f"similarities to {train:,} train items",
            hint="Predict again.",
        )
    aligned_rows = similar[np.maximum(rows, 0)].astype(np.float32)
    kept = diags_array((rows >= 0).astype(np.float32), format="csr")
    return (kept @ aligned_rows).tocsr(), rows < 0


class _OtherItemsError(FileError):
    """Predictions are of none of the items that there are."""


@contextmanager
def _predicted_for_others(model: str) -> Iterator[None]:
    """Say what to do where a model has predicted other items than the test items of now."""
    try:
        yield
    except _OtherItemsError as problem:
        problem.hint = f"They are of other items: run 'tartarus predict {model}' again."
        raise


def _rows_of(
    inventory: WorkspaceFiles, fields: dict[str, str], path: Path, count: int, ids: Path | None
) -> NDArray[np.int64]:
    """Return in which row the prediction of each item of a set stands; -1 if it has none."""
    split, dataset = fields["split"], fields["dataset"]
    known = read_ids(inventory.require(Kind.ITEMS, **fields).path)
    named = read_ids(ids) if ids is not None else known
    if len(named) != count:
        raise FileError(
            path,
            found=f"{count:,} rows",
            expected=f"{len(named):,}, one for each {'id' if ids else f'{split} item'}",
            hint=f"Predict again, or name the ids of its rows{'' if ids else ' with --ids'}.",
        )
    row_of = {each: row for row, each in enumerate(named)}
    rows = np.array([row_of.get(each, -1) for each in known])
    if (rows < 0).all():
        raise _OtherItemsError(
            ids or path,
            found=f"none of the {len(known):,} {split} items of {dataset}",
            expected=f"ids of {split} items",
            hint="Name the dataset that the predictions are for with --dataset.",
        )
    return rows
