"""Scores of validation items by models that are trained already, to which others are added."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.models.store import Model
from tartarus_cli.models.user_vectors import user_rows
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.scorers import BlendScorer, Scorer
from tartarus_cli.scoring.users import FactorRows
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.item_rows import model_rows


def validation_scorer(
    model: Model, subset: TrainingSubset, ranking: ValidationRanking, plays: csr_array
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

    Raises
    ------
    DataError
        If a file of the model is damaged, or its inputs have changed.
    """
    scorer = ranking.scorer(_item_rows(model, subset, ranking, ranking.of_users(plays)))
    others = tuple(
        (weight, validation_scorer(part, subset, ranking, plays)) for part, weight in model.parts
    )
    if not others:
        return scorer
    absent = np.zeros(len(ranking.ids), bool)
    return BlendScorer(ranking.budget, ((1.0, scorer), *others), standardize=False, absent=absent)


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
