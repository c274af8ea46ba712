"""Predictions for the test items of a dataset, wherever they were made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.targets import Wanted, settle_dim
from tartarus_cli.errors import DataError, FileError, RequestError, nearest, shown
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models import Store
from tartarus_cli.progress import Progress
from tartarus_cli.workspace import Inventory, Kind, Workspace


@dataclass(frozen=True)
class Predictions:
    """A row of factors, or of class scores, for each test item."""

    model: str | None  # None: made elsewhere
    name: str  # of the results
    path: Path
    experiment: Experiment
    settings: tuple[str, ...]
    wanted: Wanted
    seed: int | None  # of the training
    values: NDArray[np.float32]  # (test items, dim), zero where there is none
    absent: NDArray[np.bool_]  # (test items,): those without a prediction


def of_model(workspace: Workspace, name: str | None, inventory: Inventory) -> Predictions:
    """Read what a model predicted for the test items.

    Raises
    ------
    DataError
        If it has not predicted yet, or its predictions do not fit the dataset.
    """
    model = Store(workspace).get(name)
    manifest = model.manifest
    path, ids = workspace.predicted_factors(model.name), workspace.predicted_ids(model.name)
    for each in (path, ids):
        if not each.is_file():
            msg = f"{shown(each)} is missing: {model.name} has not predicted the test items"
            raise DataError(msg, hint=f"Run 'tartarus predict {model.name}' first.")
    values, absent = _aligned(inventory, manifest.dataset, path, ids)
    return Predictions(
        model=model.name,
        name=model.name,
        path=path,
        experiment=model.experiment,
        settings=tuple(manifest.settings),
        wanted=Wanted(manifest.dataset, model.experiment.targets.kind, manifest.target_dim),
        seed=manifest.seed,
        values=values,
        absent=absent,
    )


def of_file(
    path: Path, experiment: Experiment, inventory: Inventory, ids: Path | None, progress: Progress
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
        Ids of its rows; the test items in their order if None.
    progress
        Told what had to be decided.
    """
    for each in (path, *([ids] if ids else [])):
        if not each.is_file():
            msg = f"there is no file {each}"
            hint = "Name a .npy file of predicted factors, or a model."
            raise DataError(msg, hint=hint if each is path else "Name the file of its ids.")
    asked = Wanted(experiment.dataset.name, experiment.targets.kind, experiment.targets.dim)
    if asked.dataset not in inventory.datasets():
        msg = f"there is no dataset called {asked.dataset!r} in {inventory.workspace.root}"
        hint = f"{nearest(asked.dataset, inventory.datasets())} Name one with --dataset."
        raise RequestError(msg, hint=hint)
    wanted = settle_dim(inventory, asked)
    if wanted != asked:
        progress.say(
            f"{wanted.dataset} has {wanted.fact} targets of {wanted.dim}, not {asked.dim}: taken"
        )
    values, absent = _aligned(inventory, wanted.dataset, path, ids)
    if ids is not None:
        _tell_of_strangers(inventory, wanted.dataset, ids, progress)
    taken = path.stem.startswith("model_")
    return Predictions(
        model=None,
        name=f"file_{path.stem}" if taken else path.stem,
        path=path,
        experiment=experiment,
        settings=(),
        wanted=wanted,
        seed=None,
        values=values,
        absent=absent,
    )


def _tell_of_strangers(inventory: Inventory, dataset: str, ids: Path, progress: Progress) -> None:
    test = inventory.require(Kind.ITEMS, split="test", dataset=dataset).path
    strangers = sorted({*read_ids(ids)} - {*read_ids(test)})
    if strangers:
        some = ", ".join(map(repr, strangers[:3])) + (", …" if len(strangers) > 3 else "")
        told = f"{len(strangers):,} ids of {shown(ids)} are no test items of {dataset}: {some}"
        progress.warn(f"{told}; their rows are not used")


def _aligned(
    inventory: Inventory, dataset: str, path: Path, ids: Path | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Bring predictions into the order of the test ids."""
    matrix = open_matrix(path)
    if matrix.sparse:
        hint = "Write it with numpy.save(path, array)."
        raise FileError(path, found="a sparse matrix", expected="a dense one (.npy)", hint=hint)
    test = read_ids(inventory.require(Kind.ITEMS, split="test", dataset=dataset).path)
    named = read_ids(ids) if ids is not None else test
    if len(named) != matrix.shape[0]:
        raise FileError(
            path,
            found=f"{matrix.shape[0]:,} rows",
            expected=f"{len(named):,}, one for each {'id' if ids else 'test item'}",
            hint=f"Predict again, or name the ids of its rows{'' if ids else ' with --ids'}.",
        )
    require_finite(path, matrix.rows(slice(None)))
    row_of = {each: row for row, each in enumerate(named)}
    rows = np.array([row_of.get(each, -1) for each in test])
    if (rows < 0).all():
        raise FileError(
            ids or path,
            found=f"none of the {len(test):,} test items of {dataset}",
            expected="ids of test items",
            hint="Name the dataset that the predictions are for with --dataset.",
        )
    values = matrix.rows(np.maximum(rows, 0))
    values[rows < 0] = 0
    return values, rows < 0
