"""What it takes to choose the weights of a blend, from random scores of a few users."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import TrainingExamples
from tartarus_cli.baselines.blend import BlendOptions, choose_weights
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import has_plays, read_plays
from tartarus_cli.data.training_data import hold_out_rows
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.extrapolation import extrapolate, measure_pieces
from tartarus_cli.forecasting.stand_ins import random_rows
from tartarus_cli.metrics.classification import class_areas
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.blend_parts import validation_share
from tartarus_cli.training.judging import validation_ranking

FIRST_USERS = 512
"""Users of the first piece."""
SCORINGS = 2
"""Judgements that it takes about as long as to score and standardise the items by a part."""


def measure_choice(
    dataset: Dataset, request: TrainingRequest, parts: int, *, budget_s: float
) -> float:
    """Return the seconds to choose the weights of so many parts.

    Parameters
    ----------
    dataset
        The dataset; its validation items are ranked, or those that would be held out.
    request
        The blend.
    parts
        Number of its parts.
    budget_s
        Seconds for it, about.

    Raises
    ------
    DataError
        If nobody played the items that validate.
    """
    if request.experiment.dataset.task == "recommendation":
        each = judging_users(dataset, request, parts, budget_s)
    else:
        each = _judging_classes(dataset, request, parts)
    options = request.experiment.network
    weights = options.weights if isinstance(options, BlendOptions) else (0.0, 1.0)
    return each * (_trials(parts, weights) + SCORINGS * parts)


def _trials(parts: int, weights: tuple[float, ...]) -> int:
    """Return how many weights are tried where the best ones lie somewhere between."""
    names = [f"part {number}" for number in range(parts)]
    best = np.random.default_rng(0).choice(weights, parts)
    tried = 0

    def judge(chosen: NDArray[np.float64], *_: object) -> float:
        nonlocal tried
        tried += 1
        return -float(((chosen - best / max(best.max(), 1e-9)) ** 2).sum())

    examples = TrainingExamples((), np.empty((0, 0)), judge=judge, parts=names)
    choose_weights(names, weights, examples)
    return tried


def judging_users(dataset: Dataset, request: TrainingRequest, parts: int, budget_s: float) -> float:
    """Return the seconds of one judgement by how validation items rank for users."""
    split, rows = "val", None
    if not has_plays(dataset, "val"):
        share = validation_share(request.experiment)
        split, rows = "train", hold_out_rows(len(dataset.ids("train")), share, measured=False)[1]
    ranking = validation_ranking(dataset, split, rows, request.seed)
    users, items = len(ranking.users), len(ranking.ids)
    plays = read_plays(dataset, split).matrix
    plays = plays if rows is None else plays[rows]
    numbers = random_rows(users + parts, items)

    def judge(count: int) -> None:
        some = replace(ranking, plays=plays[:, ranking.users[:count]])
        total = _Sum(some, numbers, parts)
        some.mean_average_precision(total)

    pieces = measure_pieces(judge, users, first=FIRST_USERS, budget_s=budget_s)
    return extrapolate(pieces, users)


class _Sum:
    """Adds the scores of several parts."""

    def __init__(
        self, ranking: ValidationRanking, numbers: NDArray[np.float32], parts: int
    ) -> None:
        self._items, self._numbers, self._parts = len(ranking.ids), numbers, parts

    def __call__(self, users: slice) -> NDArray[np.float32]:
        result = np.zeros((users.stop - users.start, self._items), np.float32)
        for part in range(self._parts):
            rows = slice(users.start + part, users.stop + part)
            result += np.float32(0.5) * self._numbers[rows]
        return result


def _judging_classes(dataset: Dataset, request: TrainingRequest, parts: int) -> float:
    """Return the seconds of one judgement by the classes of validation items."""
    targets = dataset.targets(
        "class", request.experiment.targets.dim, "val" if "val" in dataset.splits else "train"
    )
    truth = targets.rows(slice(None)) > 0
    numbers = random_rows(len(truth) + parts, truth.shape[1])
    start = time.perf_counter()
    total = sum(numbers[part : part + len(truth)] for part in range(parts))
    class_areas(np.asarray(total), truth)
    return time.perf_counter() - start
