"""What it takes to fit a baseline and to predict with it, from fits to a part of the items."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tartarus_cli.baselines import (
    Baseline,
    BaselineResult,
    FittedBaseline,
    Items,
    PredictionForm,
    TrainingExamples,
    select_presence,
)
from tartarus_cli.baselines.ridge_plays import MAX_ITEMS
from tartarus_cli.baselines.setting_weights import WEIGHT_ITEMS, is_weight
from tartarus_cli.data.artists import read_artists
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import TartarusError
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.extrapolation import Piece, extrapolate
from tartarus_cli.forecasting.forecast import BASE_MEMORY
from tartarus_cli.forecasting.sampling import SampledDataset
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training.baseline import BLOCK, fit_baseline

FIRST_ITEMS = 600
"""Train items of the first fit: with fewer, nothing may be chosen."""
CHOLESKY_SIZE = 1024
"""Rows of the matrix whose factorization is timed."""
FLOAT = 4
"""Bytes of a predicted number."""
POWERS = {"knn": 2, "ridge_plays": 2}
"""Baseline → power of the number of items that its time grows with, beside what is solved."""


@dataclass(frozen=True)
class BaselineCost:
    """What it takes to fit a baseline and to predict the test items with it."""

    seconds: float
    memory: int
    disk: int
    form: PredictionForm
    """What it predicts."""
    basis: str


@dataclass(frozen=True)
class _Fit:
    """A fit to a part of the items."""

    items: int
    seconds: float
    solving: float
    """Operations of matrices that are solved: they grow with the third power of the items."""
    fitted: BaselineResult


def measure_baseline(
    dataset: Dataset, request: TrainingRequest, *, budget_s: float
) -> BaselineCost:
    """Fit a baseline to more and more of the train items, and say what all of them will take.

    Nothing is written. Instead of test items, train items are predicted.

    Parameters
    ----------
    dataset
        The dataset.
    request
        The experiment, with every size filled in.
    budget_s
        Seconds for it, about.

    Raises
    ------
    TartarusError
        If it cannot be fitted to these items.
    """
    items, test = len(dataset.ids("train")), len(dataset.ids("test"))
    fits = _measure_fits(dataset, request, budget_s)
    last = fits[-1]
    rate = _solving_speed() if last.items < items and last.solving else 1.0
    seconds = last.seconds
    if last.items < items:
        seconds = _whole(request, fits, items, rate)
        seconds += _solving(request, last.fitted, items, test) / rate
    width = sum(dataset.features(name, "train").shape[1] for name in request.settings)
    columns = {"weights": items, "scores": 1, "vectors": width, "neighbours": 200}
    disk = FLOAT * test * columns.get(last.fitted.form, request.experiment.targets.dim)
    basis = f"a fit to {last.items:,} of {items:,} items"
    memory = BASE_MEMORY + _memory(dataset, request, items, width, last.fitted.form)
    return BaselineCost(seconds, memory, disk, last.fitted.form, basis)


def _whole(request: TrainingRequest, fits: Sequence[_Fit], items: int, rate: float) -> float:
    """Return the seconds of a fit to all items, but for what is solved.

    Every fit tries about as much, and takes as long for each trial. Weights of several settings are
    chosen with so many items at most, and all else again with all of them.
    """
    last = fits[-1]
    tried = max(len(last.fitted.trials), 1)
    pieces = []
    for fit in fits:
        seconds = max(fit.seconds - fit.solving / rate, fit.seconds / 10)
        pieces.append(Piece(fit.items, seconds * tried / max(len(fit.fitted.trials), 1)))
    power = _power(request, pieces)
    weighs = len(request.settings) > 1 and last.items <= WEIGHT_ITEMS < items
    if not weighs or not last.fitted.trials:
        return extrapolate(pieces, items, power=power)
    again = _with_best_weights(last.fitted) / tried
    weighing = extrapolate(pieces, WEIGHT_ITEMS, power=power)
    return weighing + again * extrapolate(pieces, items, power=power)


def _with_best_weights(fitted: BaselineResult) -> int:
    """Return how many trials have the weights of the best one."""
    best = fitted.best.parameters if fitted.best else {}
    weights = {name: value for name, value in best.items() if is_weight(name)}
    return sum(
        all(trial.parameters.get(name) == value for name, value in weights.items())
        for trial in fitted.trials
    )


def _measure_fits(dataset: Dataset, request: TrainingRequest, budget_s: float) -> list[_Fit]:
    """Fit to more and more items; a sample that is too small for a choice is passed over."""
    items = len(dataset.ids("train"))
    size, fits = min(items, FIRST_ITEMS), list[_Fit]()
    begun = time.perf_counter()
    while True:
        try:
            if not fits:  # what is loaded or compiled once is no part of the growth
                _measure_fit(dataset, request, size / items)
                begun = time.perf_counter()
            fits.append(_measure_fit(dataset, request, size / items))
        except TartarusError:
            if size == items:
                raise
        if size == items:
            return fits
        growth = 8 if fits and fits[-1].solving else 4
        left = budget_s - (time.perf_counter() - begun)
        if len(fits) > 1 and fits[-1].seconds * growth > left:
            return fits
        size = min(items, 2 * size)


def _measure_fit(dataset: Dataset, request: TrainingRequest, share: float) -> _Fit:
    sample = SampledDataset.of(dataset, share)
    start = time.perf_counter()
    fit = fit_baseline(sample, replace(request, experiment=request.experiment), UNWATCHED)
    _predict(sample, request, fit.fitted, fit.data.train)
    seconds = time.perf_counter() - start
    items, test = len(sample.ids("train")), len(sample.ids("test"))
    return _Fit(items, seconds, _solving(request, fit.fitted, items, test), fit.fitted)


def _predict(
    dataset: Dataset, request: TrainingRequest, fitted: BaselineResult, train: TrainingExamples
) -> None:
    """Predict train items, as many as there are test items."""
    experiment, baseline = request.experiment, _baseline(request)
    if baseline.sees_truth or not len(train.ids):
        return
    known = FittedBaseline(
        options=experiment.network,
        arrays=fitted.arrays,
        form=fitted.form,
        dim=experiment.targets.dim,
        seed=request.seed,
        classes=experiment.targets.kind == "class",
        single=experiment.dataset.task == "multiclass",
        train=train if baseline.remembers else None,
    )
    rows = np.arange(len(dataset.ids("test"))) % len(train.ids)
    artists = read_artists(dataset, train.ids)[1] if baseline.artists else None
    for first in range(0, len(rows), BLOCK):
        block = rows[first : first + BLOCK]
        items = Items(
            [train.ids[row] for row in block],
            tuple(values[block] for values in train.inputs),
            None,
            None if artists is None else [artists[row] for row in block],
            select_presence(train.present, block),
        )
        baseline.predict(known, items)


def _baseline(request: TrainingRequest) -> Baseline:
    baseline = request.experiment.baseline
    if baseline is None:
        msg = f"{request.experiment.name} is not a baseline"
        raise TypeError(msg)
    return baseline


def _solving(request: TrainingRequest, fitted: BaselineResult, items: int, test: int) -> float:
    """Return the operations of a ridge on plays that solves for the items."""
    if request.experiment.network.name != "ridge_plays" or fitted.form != "weights":
        return 0.0
    items = min(items, MAX_ITEMS)
    validating = 0.1 * items
    tried = max(1, _with_best_weights(fitted)) * (items**3 / 3 + 2 * items**2 * validating)
    return tried + 2 * (items**3 / 3 + 2 * items**2 * test)  # predictions: in double precision


def _solving_speed() -> float:
    """Return the operations a second of a Cholesky factorization, in single precision."""
    from scipy.linalg import cho_factor

    matrix = np.eye(CHOLESKY_SIZE, dtype=np.float32) + np.float32(0.5 / CHOLESKY_SIZE)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        cho_factor(matrix, check_finite=False)
        seconds.append(time.perf_counter() - start)
    return CHOLESKY_SIZE**3 / 3 / min(seconds)


def _power(request: TrainingRequest, pieces: Sequence[Piece]) -> float:
    """Return how the time grows with the items; of a baseline not known here, as it was measured.

    One of the package grows linearly, if nothing else is said.
    """
    name = request.experiment.network.name
    if name in POWERS:
        return POWERS[name]
    if _baseline(request).fit.__module__.startswith("tartarus_cli.") or len(pieces) < 2:
        return 1
    before, last = pieces[-2:]
    growth = math.log(last.seconds / before.seconds) / math.log(last.size / before.size)
    return min(3.0, max(1.0, growth))


def _memory(
    dataset: Dataset, request: TrainingRequest, items: int, width: int, form: PredictionForm
) -> int:
    """Return the bytes that a fit holds, beside the libraries: features, and what is solved."""
    features = 0
    for name in request.settings:
        matrix = dataset.features(name, "train")
        features += int(8 * matrix.density * matrix.shape[0] * matrix.shape[1])
    if form == "weights":
        return features + 16 * min(items, MAX_ITEMS) ** 2
    if form == "neighbours":
        return features + FLOAT * items * min(items, 4096)
    return features + 16 * min(width, 1 << 15) ** 2
