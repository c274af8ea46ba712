"""Predictions for the test items of a dataset, by a model or from a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from tartarus_cli.baselines import BASELINES, PredictionForm
from tartarus_cli.data.arrays import open_csr
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.items import open_items
from tartarus_cli.data.plays import read_plays
from tartarus_cli.data.targets import scored_targets
from tartarus_cli.data.tasks import Scoring, TargetSpec, Task
from tartarus_cli.data.unknown import unknown_dataset_error
from tartarus_cli.errors import DataError, FileError, call, display_path
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.staleness import require_unchanged_inputs
from tartarus_cli.models.store import Model
from tartarus_cli.models.user_vectors import user_rows, vector_files
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.users import UserRows


@dataclass(frozen=True)
class Predictions:
    """A row of factors, scores or similarities for each test item, in the order of the ids."""

    model: Model | None
    """The model that predicted; None for a file of predictions."""
    name: str
    """Name of their results."""
    path: Path
    """The file that they were read from."""
    experiment: Experiment
    """The experiment that they are predictions of."""
    dataset: Dataset
    """The dataset that the items belong to."""
    targets: TargetSpec
    """Kind and number of the factors or classes that were predicted."""
    values: Any
    """Dense ``(test items, dim)``, or sparse ``(test items, train items)``; 0 where absent. None
    for a blend, which has no rows of its own."""
    absent: NDArray[np.bool_]
    """``(test items,)``: whether an item has no prediction."""
    form: PredictionForm = "factors"
    """What the rows are."""
    users: UserRows | None = None
    """What the rows are multiplied by, if not by the factors of the dataset's users."""
    user_files: tuple[Path, ...] = ()
    """Files of the model that ``users`` are read from."""
    parts: tuple[tuple[float, Predictions], ...] = ()
    """Weight and predictions of other models that are added, or blended."""
    standardize: bool = False
    """Whether the scores of each part are standardised for a user before they are added."""
    only: NDArray[np.bool_] | None = None
    """Of a part, ``(test items,)``: the items that it is used for; None: all."""
    ids: Path | None = None
    """Of a file of predictions, the list of the ids of its rows; None: the test items in order."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings that feed the model; empty for a file of predictions."""
        return tuple(self.model.manifest.settings) if self.model else ()

    @property
    def scoring(self) -> Scoring | None:
        """How the factors rank for users; None where no factors do."""
        ranks = self.task == "recommendation" and self.form == "factors"
        if not ranks or self.values is None or self.targets.kind == "plays":
            return None
        chosen = self.model.manifest.scoring if self.model else ""
        scoring = self.experiment.scoring
        return chosen or ("cosine" if scoring == "validated" else scoring)

    @property
    def task(self) -> Task:
        """The task of the experiment."""
        return self.experiment.dataset.task


def model_predictions(model: Model) -> Predictions:
    """Read the predictions of a model for the test items.

    Raises
    ------
    DataError
        If it has not predicted yet, or its predictions do not fit the dataset, or the files that
        give them meaning have changed since the training.
    """
    require_unchanged_inputs(model)
    workspace, form = model.workspace, model.manifest.form
    neighbours = form == "neighbours"
    path_of = workspace.predicted_neighbours if neighbours else workspace.predicted_factors
    ids = workspace.predicted_ids(model.name)
    path = ids if form == "blend" else path_of(model.name)
    for file in (path, ids):
        if not file.is_file():
            msg = f"{display_path(file)} is missing: {model.name} has not predicted the test items"
            raise DataError(msg, hint=f"Predict first: {call('predict', model.name)}")
    parts = _part_predictions(model)
    if form == "blend":
        values, absent = None, np.logical_and.reduce([_unused(part) for _, part in parts])
    else:
        align = _align_neighbours if neighbours else align_predictions
        with _hint_to_predict_again(model.name):
            values, absent = align(model.dataset, path, ids)
        _require_columns(model, path, values)
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
        users=_own_users(model),
        user_files=vector_files(model),
        parts=parts,
        standardize=form == "blend",
    )


def _part_predictions(model: Model) -> tuple[tuple[float, Predictions], ...]:
    """Read the predictions of the models that a model adds or blends.

    Those of weight 0 are used for items that the others know nothing of.
    """
    parts = model.parts
    used = [(part, weight) for part, weight in parts if weight] or parts
    rows = [(weight, _part_rows(model, part)) for part, weight in used]
    left = np.logical_and.reduce([part.absent for _, part in rows]) if rows else np.zeros(0, bool)
    if model.manifest.form != "blend" or not left.any():
        return tuple(rows)
    others = [_part_rows(model, part) for part, weight in parts if not weight]
    rows += [(1.0, replace(part, only=left)) for part in others if (left & ~part.absent).any()]
    return tuple(rows)


def _unused(part: Predictions) -> NDArray[np.bool_]:
    return part.absent if part.only is None else part.absent | ~part.only


def _part_rows(model: Model, part: Model) -> Predictions:
    """Read what a part predicted; for a blend, an item that it knows nothing of has no row."""
    predictions = model_predictions(part)
    if model.manifest.form != "blend":
        return predictions
    return replace(predictions, absent=predictions.absent | undescribed_items(part, "test"))


def undescribed_items(model: Model, split: str) -> NDArray[np.bool_]:
    """Return which items of a set lack everything that a model reads, ``(items,)``.

    They have no patch, and no feature that is not 0.
    """
    sources = input_sources(model.experiment, model.manifest.settings)
    return ~open_items(model.dataset, sources, split).described


def _own_users(model: Model) -> UserRows | None:
    if model.manifest.form != "vectors":
        return None
    plays = None
    if model.manifest.users in ("history", "features"):
        plays = read_plays(model.dataset, "train").matrix.T.tocsr()
    return user_rows(model, plays)


def _require_columns(model: Model, path: Path, values: Any) -> None:
    """Make sure that weights of train items are those of all of them."""
    if model.manifest.form != "weights":
        return
    train = len(model.dataset.ids("train"))
    if values.shape[1] != train:
        raise FileError(
            path,
            found=f"{values.shape[1]:,} columns",
            expected=f"weights of {train:,} train items",
            hint="Predict again.",
        )


def file_predictions(
    path: Path, experiment: Experiment, dataset: Dataset, ids: Path | None, progress: Progress
) -> Predictions:
    """Read predictions that were computed elsewhere.

    Parameters
    ----------
    path
        A ``.npy`` file, ``(items, dim)``.
    experiment
        Its targets are what was predicted.
    dataset
        The dataset that the items belong to: that of the experiment.
    ids
        A list of the ids of its rows. If None: the list that ``predict`` wrote into the same
        folder, else the test items in their order.
    progress
        Receives messages: which ids are used, and which are unknown.

    Raises
    ------
    RequestError
        If there is no such dataset.
    DataError
        If a file is missing or damaged, or does not fit the test items.
    """
    for file in (path, *([ids] if ids else [])):
        if not file.is_file():
            msg = f"there is no file {file}"
            hint = "Name a .npy file of predicted factors, or a model."
            raise DataError(msg, hint=hint if file is path else "Name the file of its ids.")
    known = dataset.files.datasets()
    if dataset.name not in known:
        raise unknown_dataset_error(
            dataset.name, dataset.workspace, known, "Name another one with `dataset`"
        )
    spec = experiment.target_spec
    targets = scored_targets(dataset, spec, open_matrix(path).shape[1])
    if targets != spec:
        sizes = f"{targets.kind} targets of {targets.dim}, not {spec.dim}"
        progress.say(f"{dataset.name} has {sizes}: {targets.dim} is used")
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
        ids=ids,
    )


def result_name(path: Path) -> str:
    """Return the name of the results of a file of predictions: never that of a model or baseline.

    >>> result_name(Path("als.npy")), result_name(Path("model_1.npy"))
    ('als', 'file_model_1')
    """
    reserved = path.stem.startswith("model_") or path.stem in BASELINES.names()
    return f"file_{path.stem}" if reserved else path.stem


def _warn_of_unknown_ids(dataset: Dataset, ids: Path, progress: Progress) -> None:
    unknown = sorted({*read_ids(ids)} - {*dataset.ids("test")})
    if unknown:
        examples = ", ".join(map(repr, unknown[:3])) + (", …" if len(unknown) > 3 else "")
        subject = f"{len(unknown):,} ids of {display_path(ids)}"
        progress.warn(
            f"{subject} are no test items of {dataset.name}: {examples}; their rows are not used"
        )


def align_predictions(
    dataset: Dataset, path: Path, ids: Path | None, split: str = "test"
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Bring predictions into the order of the ids of a set.

    Parameters
    ----------
    dataset
        The dataset.
    path
        A dense matrix, ``(rows, dim)``.
    ids
        A list of the ids of its rows; None: those of the set, in order.
    split
        The set.

    Returns
    -------
    Rows ``(items, dim)``, zero where an item has none, and whether it has none ``(items,)``.

    Raises
    ------
    DataError
        If a file is missing or damaged, or they are of other items.
    """
    matrix = open_matrix(path)
    if matrix.sparse:
        hint = "Write it with numpy.save(path, array)."
        raise FileError(path, found="a sparse matrix", expected="a dense one (.npy)", hint=hint)
    rows = _find_rows(dataset, split, path, matrix.shape[0], ids)
    for block in matrix.blocks():
        require_finite(path, matrix.rows(block), block.start)
    if len(rows) == matrix.shape[0] and (rows == np.arange(len(rows))).all():
        # In the order of the file, which stays mapped into memory.
        return matrix.rows(slice(None)), rows < 0
    values = matrix.rows(np.maximum(rows, 0))
    values[rows < 0] = 0
    return values, rows < 0


def _align_neighbours(
    dataset: Dataset, path: Path, ids: Path
) -> tuple[csr_array, NDArray[np.bool_]]:
    """Bring similarities to train items into the order of the test ids."""
    similar = open_csr(path)
    rows = _find_rows(dataset, "test", path, similar.shape[0], ids)
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
    """Predictions have no row for any item of the set."""


@contextmanager
def _hint_to_predict_again(model: str) -> Iterator[None]:
    """Give the error of a model's predictions for other items the hint to predict again."""
    try:
        yield
    except _OtherItemsError as problem:
        problem.hint = f"They are of other items; predict again: {call('predict', model)}"
        raise


def _find_rows(
    dataset: Dataset, split: str, path: Path, count: int, ids: Path | None
) -> NDArray[np.int64]:
    """Return the row of the prediction of each item of a set, ``(items,)``; -1 if it has none."""
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
