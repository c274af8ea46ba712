"""What factors can at best achieve: the figures of the test items' true factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.provenance import InteractionKind
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import parameter
from tartarus_cli.evaluation.classification import evaluate_classes
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.evaluation.user_metrics import json_metrics, mean_metrics, user_values
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress

MetricValues = dict[str, float | None]
"""Metric → value; None where it has none."""

EXPERIMENTS: Mapping[InteractionKind, str] = {
    "plays": "rec_dense",
    "labels": "cosine_multilabel_vector",
}
"""What was factorized → the experiment that evaluates such factors."""

MAIN_METRIC: Mapping[InteractionKind, str] = {"plays": "MAP@500", "labels": "ROC-AUC"}
"""What was factorized → the metric by which factors are compared with chance."""


@dataclass(frozen=True)
class UpperBound:
    """All metrics of the true factors, and of a random order; empty where there is no truth."""

    oracle: MetricValues = field(default_factory=dict)
    """The figures of the true factors."""
    random: MetricValues = field(default_factory=dict)
    """The figures of a random order."""


def upper_bound(
    dataset: Dataset,
    targets: TargetSpec,
    source: InteractionKind,
    *,
    true: Path,
    seed: int,
    progress: Progress,
) -> UpperBound:
    """Evaluate the test items' true factors as if a model had predicted them.

    Parameters
    ----------
    dataset
        A dataset that has factors of the users or labels, and the truth.
    targets
        The kind and number of the factors.
    source
        What was factorized: plays, to rank for users, or labels, to classify.
    true
        The file of the factors of the test items, ``(test items, dim)``.
    seed
        Of the random order.
    progress
        Reports each block of users.

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
        result = evaluate_classes(predictions, seed=seed, progress=progress)
        return UpperBound(json_metrics(result.metrics), json_metrics(result.rows["random"]))
    ranking = rank_items(predictions, RankingOptions(seed=seed, checkpoints=False), progress)
    metrics = {
        system: json_metrics(mean_metrics(user_values(ranking, system), summary))
        for system, summary in ranking.summaries.items()
    }
    return UpperBound(metrics["model"], metrics["random"])


def worse_than_chance(
    oracle: Mapping[str, float | None],
    random: Mapping[str, float | None],
    source: InteractionKind,
    dim: int,
) -> str:
    """Return a warning if true factors do worse than a random order; else an empty text.

    Parameters
    ----------
    oracle, random
        The figures of the true factors, and of a random order.
    source
        What was factorized.
    dim
        Number of factors.

    >>> worse_than_chance({"MAP@500": 0.2}, {"MAP@500": 0.1}, "plays", 50)
    ''
    """
    name = MAIN_METRIC[source]
    best, chance = oracle.get(name), random.get(name)
    if best is None or chance is None or not best < chance:
        return ""
    fewer = f"; try fewer: {parameter('dim', dim // 2)}" if dim > 1 else ""
    return (
        f"the test items' true factors do worse than chance ({name} {best:.4f}, at random "
        f"{chance:.4f}), and no model that learns such factors can be trusted to do better: there "
        f"are too few {source} for {dim} factors{fewer}"
    )
