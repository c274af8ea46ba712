"""Scores of validation items by models that are trained already, to which others are added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.models.store import Model
from tartarus_cli.models.user_vectors import user_rows
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.scorers import BlendPart, BlendScorer, Scorer
from tartarus_cli.scoring.users import FactorRows
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.item_rows import model_rows


def validation_scorer(
    model: Model,
    subset: TrainingSubset,
    ranking: ValidationRanking,
    plays: csr_array,
    places: NDArray[np.int64] | None = None,
) -> Scorer:
    """Return what a trained model scores the validation items by, for the ranked users.

    Parameters
    ----------
    model
        The model, of any form.
    subset
        The samples that validate, with the inputs of the model.
    ranking
        The validation items and the users that they are ranked for.
    plays
        Who played the train items, ``(train items, users)``; rows of those that validate are empty.
    places
        Which of the ranked items are those of the subset, in their order; None: all of them. The
        others have scores that mean nothing.

    Raises
    ------
    DataError
        If a file of the model is damaged, or its inputs have changed.
    """
    rows = _item_rows(model, subset, ranking, ranking.of_users(plays))
    if places is not None and len(places) < len(ranking.ids):
        rows = replace(rows, values=_spread(rows.values, places, len(ranking.ids)))
    scorer = ranking.scorer(rows)
    others = tuple(
        BlendPart(weight, validation_scorer(part, subset, ranking, plays, places))
        for part, weight in model.parts
    )
    if not others:
        return scorer
    absent = np.zeros(len(ranking.ids), bool)
    parts = (BlendPart(1.0, scorer), *others)
    return BlendScorer(ranking.budget, parts, standardize=False, absent=absent)


def _spread(rows: Any, places: NDArray[np.int64], count: int) -> Any:
    """Put rows at their places among ``count`` rows, of which the others are zero."""
    if isinstance(rows, np.ndarray):
        spread = np.zeros((count, rows.shape[1]), rows.dtype)
        spread[places] = rows
        return spread
    lengths = np.zeros(count + 1, np.int64)
    lengths[places + 1] = np.diff(rows.indptr)
    shape = (count, rows.shape[1])
    return csr_array((rows.data, rows.indices, np.cumsum(lengths)), shape)


def _item_rows(
    model: Model, subset: TrainingSubset, ranking: ValidationRanking, plays: csr_array
) -> ItemRows:
    form, rows = model.manifest.form, model_rows(model, subset)
    if form == "vectors":
        return ItemRows(form, rows, user_rows(model, plays, ranking.users))
    if form != "factors":
        return ItemRows(form, rows, plays=plays)
    experiment = model.experiment
    kind, dim = experiment.targets.kind, model.manifest.target_dim
    if kind == PLAYS_KIND:
        msg = f"{model.name} has no factors"
        raise AssertionError(msg)
    scoring = model.manifest.scoring or experiment.scoring
    factors = ranking.rows_of_users(model.dataset.user_factors(kind, dim))
    unit_items = kind == "pmi" or scoring in ("cosine", "validated")
    return ItemRows(form, rows, FactorRows(factors, unit=kind == "pmi"), unit_items=unit_items)
