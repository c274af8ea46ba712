"""What factors can at best achieve: the figures of the test items' true factors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tartarus_cli.data.dataset import Dataset, TargetSpec
from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.provenance import InteractionKind
from tartarus_cli.errors import parameter
from tartarus_cli.evaluation.classification import evaluate_classes
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.evaluation.user_metrics import mean_metrics, user_values
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress

Figures = dict[str, float | None]
EXPERIMENTS: Mapping[InteractionKind, str] = {
    "plays": "rec_dense",
    "labels": "cosine_multilabel_vector",
}

JUDGED_BY: Mapping[InteractionKind, str] = {"plays": "MAP@500", "labels": "ROC-AUC"}


@dataclass(frozen=True)
class UpperBound:
    """All metrics of the true factors, and of a random order; empty where there is no truth."""

    oracle: Figures = field(default_factory=dict)
    random: Figures = field(default_factory=dict)


def upper_bound(
    dataset: Dataset,
    targets: TargetSpec,
    source: InteractionKind,
    *,
    true: Path,
    seed: int,
    progress: Progress,
) -> UpperBound:
    """Judge the test items' true factors as if a model had predicted them.

    Parameters
    ----------
    dataset
        With the factors of the users or labels, and the truth.
    targets
        Which factors.
    source
        Users are ranked for where there are plays; labels are classes.
    true
        The factors of the test items, ``(test items, dim)``.
    seed
        Of the random order.
    progress
        Told of each block of users.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    """
    values = open_matrix(true).rows(slice(None))
    predictions = Predictions(
        model=None,
        name="oracle",
        path=true,
        experiment=resolve(EXPERIMENTS[source], dataset=dataset.name),
        dataset=dataset,
        targets=targets,
        values=values,
        absent=np.zeros(len(values), np.bool_),
    )
    if source == "labels":
        judged = evaluate_classes(predictions, seed=seed, progress=progress)
        return UpperBound(_plain(judged.metrics), _plain(judged.rows["random"]))
    ranking = rank_items(predictions, RankingOptions(seed=seed, keep=False), progress)
    found = {
        system: _plain(mean_metrics(user_values(ranking, system), tally))
        for system, tally in ranking.tallies.items()
    }
    return UpperBound(found["model"], found["random"])


def worse_than_chance(
    oracle: Mapping[str, float | None],
    random: Mapping[str, float | None],
    source: InteractionKind,
    dim: int,
) -> str:
    """Say that true factors do worse than a random order, and what that means; else nothing.

    >>> worse_than_chance({"MAP@500": 0.2}, {"MAP@500": 0.1}, "plays", 50)
    ''
    """
    name = JUDGED_BY[source]
    best, chance = oracle.get(name), random.get(name)
    if best is None or chance is None or not best < chance:
        return ""
    fewer = f"; try fewer: {parameter('dim', dim // 2)}" if dim > 1 else ""
    return (
        f"the test items' true factors do worse than chance ({name} {best:.4f}, at random "
        f"{chance:.4f}), and no model that learns such factors can be trusted to do better: there "
        f"are too few {source} for {dim} factors{fewer}"
    )


def _plain(found: Mapping[str, float]) -> Figures:
    return {name: None if math.isnan(value) else float(value) for name, value in found.items()}
