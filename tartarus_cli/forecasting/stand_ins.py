"""Predictions of the right shape for what is not trained: random rows, to measure with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.plays import count_users, read_plays
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.models.manifest import UserSource
from tartarus_cli.models.user_vectors import HISTORY_EXPONENT
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.scoring.users import FactorRows, PlayedRows, UserRows

NEIGHBOURS = 100
"""Train items that an item is similar to."""


def random_rows(rows: int, columns: int) -> NDArray[np.float32]:
    """Return a matrix of random numbers that takes hardly more memory than one of its rows."""
    numbers = np.random.default_rng(0).standard_normal(rows + columns, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, columns)
    return np.asarray(windows[:rows])


def stand_in(
    dataset: Dataset,
    experiment: Experiment,
    settings: Sequence[str],
    form: PredictionForm,
    users: UserSource = "factors",
) -> Predictions:
    """Return random predictions for the test items, as a model of an experiment would make them.

    Parameters
    ----------
    dataset, experiment, settings
        What the model would be trained with.
    form
        What its rows are; not those of a blend, which has none.
    users
        For ``vectors``: what they are multiplied by.
    """
    items, train = len(dataset.ids("test")), len(dataset.ids("train"))
    spec = experiment.target_spec
    values: Any
    rows: UserRows | None = None
    if form == "neighbours":
        values = _random_neighbours(items, train)
    elif form == "vectors":
        rows = _user_rows(dataset, settings, users, spec.dim)
        values = random_rows(items, rows.shape[1])
    else:
        columns = {"weights": train, "scores": 1}.get(form, spec.dim)
        values = random_rows(items, columns)
    return _predictions(dataset, experiment, spec, values, form, rows)


def blended(dataset: Dataset, experiment: Experiment, parts: Sequence[Predictions]) -> Predictions:
    """Return the predictions of a blend of some parts, all of the same weight."""
    whole = _predictions(dataset, experiment, experiment.target_spec, None, "blend", None)
    weighed = tuple((1.0, part) for part in parts)
    return Predictions(**(vars(whole) | {"parts": weighed, "standardize": True}))


def _predictions(
    dataset: Dataset,
    experiment: Experiment,
    spec: TargetSpec,
    values: Any,
    form: PredictionForm,
    users: UserRows | None,
) -> Predictions:
    return Predictions(
        model=None,
        name="forecast",
        path=Path("forecast.npy"),
        experiment=experiment,
        dataset=dataset,
        targets=spec,
        values=values,
        absent=np.zeros(len(dataset.ids("test")), bool),
        form=form,
        users=users,
    )


def _random_neighbours(items: int, train: int) -> csr_array:
    nearest = min(NEIGHBOURS, train)
    rng = np.random.default_rng(0)
    columns = rng.integers(0, train, (items, nearest)).astype(np.int32)
    data = rng.random(items * nearest, np.float32)
    return csr_array((data, columns.ravel(), np.arange(items + 1) * nearest), (items, train))


def _user_rows(dataset: Dataset, settings: Sequence[str], users: UserSource, dim: int) -> UserRows:
    if users == "factors":
        return FactorRows(dataset.user_factors("als", dim), biased=True)
    if users == "own":
        return FactorRows(Matrix(Path(), random_rows(count_users(dataset), dim)), biased=True)
    plays = read_plays(dataset, "train").matrix.T.tocsr()
    if users == "features":
        vectors = tuple(dataset.features(name, "train") for name in settings)
        return PlayedRows(plays, vectors, biased=True)
    train = Matrix(Path(), random_rows(int(plays.shape[1]), dim))
    return PlayedRows(plays, (train,), HISTORY_EXPONENT, biased=True)
