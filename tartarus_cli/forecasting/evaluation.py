"""What it takes to evaluate predictions, from a few blocks of users that are ranked for."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tartarus_cli.evaluation.classification import evaluate_classes
from tartarus_cli.evaluation.evaluator import merge_cut_offs
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.evaluation.relevance import scored_users
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.evaluation.user_metrics import mean_metrics, user_values
from tartarus_cli.forecasting.extrapolation import extrapolate, measure_pieces
from tartarus_cli.forecasting.forecast import BASE_MEMORY
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import UNWATCHED

FIRST_USERS = 1024
"""Users of the first piece."""
VALUES_A_USER = 25
"""Figures that the results have of each user, 8 bytes each."""
BYTES_A_PLAY = 12
"""Of what the results have of each relevant item."""


@dataclass(frozen=True)
class EvaluationCost:
    """What an evaluation takes."""

    seconds: float
    memory: int
    disk: int
    basis: str


def measure_evaluation(
    predictions: Predictions, options: EvaluationOptions, *, budget_s: float
) -> EvaluationCost:
    """Measure what it takes to evaluate predictions; nothing is written, and no figure is kept.

    Parameters
    ----------
    predictions
        Those of a model, or random ones of the same shape.
    options
        How they are to be evaluated.
    budget_s
        Seconds for the measurement, about.

    Raises
    ------
    DataError
        If the truth is missing or damaged, or does not fit the predictions.
    RequestError
        If the users do not exist.
    """
    if predictions.task != "recommendation":
        return _measure_classes(predictions, options)
    k = merge_cut_offs(predictions.experiment, options)
    wanted = range(*options.users.indices(scored_users(predictions)))
    first = wanted.start if wanted else 0
    ranking = RankingOptions(
        k=k,
        seed=options.seed or 0,
        ties=options.ties,
        memory=options.memory,
        references=options.references,
        checkpoints=False,
    )

    def evaluate(users: int) -> None:
        ranked = rank_items(
            predictions, replace(ranking, users=slice(first, first + users)), UNWATCHED
        )
        for system, summary in ranked.summaries.items():
            values = user_values(ranked, system, k=k, published=options.published)
            mean_metrics(values, summary)

    total = max(len(wanted), 1)
    pieces = measure_pieces(evaluate, total, first=FIRST_USERS, budget_s=budget_s)
    test = predictions.dataset.plays("test")
    items, relevant = int(test.shape[0]), int(test.nnz)
    disk = 8 * VALUES_A_USER * total + BYTES_A_PLAY * relevant
    memory = BASE_MEMORY + min(options.memory, 8 * total * items) + 3 * BYTES_A_PLAY * relevant
    measured = int(pieces[-1].size)
    basis = f"{measured:,} of {total:,} users ranked for"
    return EvaluationCost(extrapolate(pieces, total), memory, disk, basis)


def _measure_classes(predictions: Predictions, options: EvaluationOptions) -> EvaluationCost:
    start = time.perf_counter()
    k = merge_cut_offs(predictions.experiment, options)
    evaluate_classes(predictions, k=k, published=options.published, seed=options.seed or 0)
    seconds = time.perf_counter() - start
    items, classes = predictions.values.shape
    size = 8 * items * classes
    basis = f"random scores of {items:,} items"
    return EvaluationCost(seconds, BASE_MEMORY + 10 * size, 8 * VALUES_A_USER * items, basis)
