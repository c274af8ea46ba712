"""What choices are made by: how well validation items rank for the users that have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import Features, Judge, PredictionForm
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.plays import count_users, has_plays, read_plays
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData
from tartarus_cli.errors import DataError, FileError, call, parameter
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.users import FactorRows, PlayedRows, UserRows
from tartarus_cli.scoring.validation import ValidationRanking

CHOICE_SEED = 0
"""Of the ranking by which models choose that draw nothing else."""


def validation_ranking(
    dataset: Dataset, split: str, rows: NDArray[np.int64] | None, seed: int = CHOICE_SEED
) -> ValidationRanking:
    """Return the ranking of validation items, which may be train items that were held out.

    Parameters
    ----------
    dataset
        The dataset.
    split
        The set that they are of.
    rows
        The numbers of the items in this set; None: all of them.
    seed
        Of the users that are drawn, if there are very many, and of the order of equal scores.
        What is fitted in closed form has always the same, so that all its seeds are one model.

    Raises
    ------
    DataError
        If the plays of the items are damaged, of other users than those of the train items, or if
        there are none.
    """
    plays, ids = read_plays(dataset, split), dataset.ids(split)
    users = count_users(dataset)
    if plays.matrix.shape[1] != users:
        raise FileError(
            plays.files[0],
            found=f"{plays.matrix.shape[1]:,} users",
            expected=f"{users:,}, as {dataset.name} has",
            hint=f"See which file is out of step: {call('check', dataset.name)}",
        )
    rows = np.arange(len(ids)) if rows is None else rows
    played = plays.matrix[rows]
    if not played.nnz:
        msg = f"nobody played any of the {len(rows):,} {split} items that validate"
        example = parameter("overrides", "training.validation=0.5")
        hint = "Give the dataset val items that users played"
        hint += f", or hold out more train items: {example}" if split == "train" else ""
        raise DataError(msg, hint=f"{hint}.")
    return ValidationRanking([ids[row] for row in rows], played, seed)


def can_judge(dataset: Dataset, experiment: Experiment, split: str) -> bool:
    """Whether it is known who played the items of a set that validate.

    Plays that were rebuilt from factors count only where plays are learnt.
    """
    if experiment.dataset.task != "recommendation":
        return False
    if experiment.targets.kind == PLAYS_KIND:
        return has_plays(dataset, split)
    kind = {"train": Kind.TRAIN_MATRIX, "val": Kind.VAL_MATRIX}[split]
    return dataset.find(kind) is not None


def build_judge(
    dataset: Dataset,
    experiment: Experiment,
    ranking: ValidationRanking,
    fit: csr_array,
    inputs: Sequence[Features] = (),
) -> Judge:
    """Return what says how well predictions rank the validation items.

    Parameters
    ----------
    dataset, experiment
        The dataset, and the experiment that is fitted to it.
    ranking
        The validation items.
    fit
        Who played the items that are fitted to, ``(items, users)``.
    inputs
        The features of these items, ``(items, width)`` each, where they stand for users too.
    """
    plays = ranking.of_users(fit)
    spec = experiment.target_spec
    pmi = spec.kind == "pmi"
    factors: UserRows | None = None
    if spec.kind != PLAYS_KIND:
        matrix = dataset.user_factors(spec.kind, spec.dim)
        factors = FactorRows(ranking.rows_of_users(matrix), unit=pmi)
    elif inputs:
        matrices = tuple(Matrix(Path(), rows) for rows in inputs)
        factors = PlayedRows(plays, matrices, biased=True)

    def judge(rows: Any, form: PredictionForm, scoring: str) -> float:
        unit_items = pmi or scoring == "cosine"
        items = ItemRows(form, rows, factors, plays, unit_items=unit_items)
        return ranking.mean_average_precision(ranking.scorer(items))

    return judge


def fit_only(plays: csr_array, data: TrainingData) -> csr_array:
    """Empty the rows of train items that were held out.

    Parameters
    ----------
    plays
        Who played the train items, ``(train items, users)``.
    data
        Which of them are fitted to.
    """
    if data.validation.set.split != "train":
        return plays
    kept = np.isin(np.arange(plays.shape[0]), data.fit.set.items[data.fit.samples])
    present = np.repeat(kept, np.diff(plays.indptr))
    starts = np.concatenate([[0], np.cumsum(np.where(kept, np.diff(plays.indptr), 0))])
    return csr_array((plays.data[present], plays.indices[present], starts), plays.shape)


def expand_columns(rows: Any, columns: int) -> Any:
    """Put columns of zeros behind rows, for train items that were held out.

    >>> expand_columns(np.ones((1, 1)), 3).tolist()
    [[1.0, 0.0, 0.0]]
    """
    items, width = rows.shape
    if width == columns:
        return rows
    if not isinstance(rows, np.ndarray):
        return csr_array((rows.data, rows.indices, rows.indptr), shape=(items, columns))
    return np.hstack([rows, np.zeros((items, columns - width), rows.dtype)])
