"""Ridge regression from features to targets: the best that a linear map can do.

Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems. The
intercept is not penalised: features and targets are centred, sparse features by algebra, so that
they stay sparse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    ChosenScoring,
    Examples,
    Features,
    FittedBaseline,
    Items,
    Parameters,
    TrainingExamples,
    Trial,
    from_log_norms,
    normalize_rows,
    with_log_norms,
)
from tartarus_cli.baselines.row_products import (
    CentredRows,
    FloatArray,
    gram,
    multiply,
    multiply_transposed,
    outer_gram,
    with_columns,
)
from tartarus_cli.baselines.search import is_better
from tartarus_cli.errors import SizeError, TrainingError

# The matrix takes 3 GiB, and its factor as much again.
MAX_UNKNOWNS = 20_000
"""Rows that the matrix of the equations may have."""

RELATIVE_STRENGTHS = tuple(10.0**power for power in range(-4, 4))
"""Strengths to try, relative to the mean of the diagonal of the matrix."""

VALIDATED = "validated"
"""The scoring that stands for the one of ``cosine``, ``dot`` and ``norm`` that ranks the validation
items best, and for ``cosine`` where nobody knows who played these."""

# With a strength that is far too low, predictions may be of any size.
MAX_LOG_NORM = 60.0
"""Largest logarithm of a norm that is judged: larger norms overflow."""
MAX_OUTPUT = 1e26
"""Largest factor that is judged."""


@dataclass(frozen=True)
class LinearMap:
    """A linear map: ``rows @ coefficients + intercept``."""

    coefficients: FloatArray
    """``(width, dim)``."""

    intercept: FloatArray
    """``(dim,)``."""

    def __call__(self, inputs: Sequence[Features]) -> FloatArray:
        """Map the joined rows of all settings, ``(items, dim)``."""
        return multiply(inputs, self.coefficients) + self.intercept

    def columns(self, columns: slice) -> LinearMap:
        """Return the map to some of the columns."""
        return LinearMap(self.coefficients[:, columns], self.intercept[columns])


class RidgeSystem:
    """The normal equations of a ridge regression, set up once and solved for any strength.

    Of two forms the smaller one is taken: ``(XᵀX + λI) W = XᵀY``, with as many rows as there are
    features, or ``W = Xᵀ (XXᵀ + λI)⁻¹ Y``, with as many rows as there are items.

    Parameters
    ----------
    inputs
        The rows of each setting, ``(items, width)``, dense or sparse; they are joined.
    targets
        ``(items, dim)``.

    Raises
    ------
    TrainingError
        If the matrix of the smaller form would take too much memory.

    Examples
    --------
    >>> system = RidgeSystem([np.array([[0.0], [1.0], [2.0]])], np.array([[1.0], [3.0], [5.0]]))
    >>> system.solve(0.0)([np.array([[10.0]])]).round(6).tolist()
    [[21.0]]
    """

    def __init__(self, inputs: Sequence[Features], targets: FloatArray) -> None:
        weights = np.full((len(targets), 1), 1 / len(targets))
        self._shift = multiply_transposed(inputs, weights)[:, 0]  # the mean row
        self._inputs = [
            CentredRows(rows, self._shift[columns]) if isinstance(rows, np.ndarray) else rows
            for rows, columns in with_columns(inputs)
        ]
        self._mean_target = targets.mean(axis=0)
        items, width = len(targets), sum(int(rows.shape[1]) for rows in inputs)
        self._primal = width <= items
        if min(items, width) > MAX_UNKNOWNS:
            msg = f"ridge would solve for {min(items, width):,} unknowns ({items:,} items, "
            msg += f"{width:,} features), but {MAX_UNKNOWNS:,} are the most"
            raise SizeError(msg, hint="Use settings with fewer columns, or the baseline knn.")
        self._mean = multiply_transposed(self._inputs, weights)[:, 0]  # of what was not shifted
        self._centred = targets - self._mean_target
        self._matrix = self._covariance(items) if self._primal else self._products()

    @property
    def scale(self) -> float:
        """Mean of the diagonal of the matrix; 1 if the features are constant."""
        return float(self._matrix.diagonal().mean()) or 1.0

    def solve(self, strength: float) -> LinearMap:
        """Return the map for a strength λ of the regularization.

        Raises
        ------
        TrainingError
            If the features vary so little that rounding leaves nothing of it.
        """
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        matrix = self._matrix.copy()
        matrix.flat[:: len(matrix) + 1] += strength
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            msg = "the features vary too little, compared with their size, for ridge"
            raise TrainingError(msg, hint="Subtract the mean of each column first.") from None
        if self._primal:
            coefficients = cho_solve(factor, self._right, check_finite=False)
        else:
            coefficients = self._multiply_centred(
                cho_solve(factor, self._centred, check_finite=False)
            )
        return LinearMap(coefficients, self._mean_target - self._shift @ coefficients)

    def _covariance(self, items: int) -> FloatArray:
        self._right = self._multiply_centred(self._centred)
        matrix = gram(self._inputs)
        matrix -= np.outer(items * self._mean, self._mean)
        return matrix

    def _products(self) -> FloatArray:
        matrix = outer_gram(self._inputs)
        with_mean = multiply(self._inputs, self._mean[:, None])  # of each row with the mean row
        matrix -= with_mean
        matrix -= with_mean.T
        matrix += self._mean @ self._mean
        return matrix

    def _multiply_centred(self, values: FloatArray) -> FloatArray:
        """Multiply the transpose of the centred features by a matrix ``(items, n)``."""
        product = multiply_transposed(self._inputs, values)
        product -= np.outer(self._mean, values.sum(axis=0))
        return product


def cosine_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the mean over rows of ``(1 - cosine) / 2``; a zero row costs 0.5."""
    cosines = (normalize_rows(targets) * normalize_rows(outputs)).sum(axis=1)
    return float(np.clip((1 - cosines) / 2, 0, 1).mean())


def direction_and_norm_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the cosine loss of all columns but the last, plus the squared error of the last."""
    direction = cosine_loss(targets[:, :-1], outputs[:, :-1])
    return direction + squared_loss(targets[:, -1], outputs[:, -1])


def squared_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Return the mean squared error of all values."""
    return float(np.square(targets - outputs).mean())


@dataclass(frozen=True)
class _Target:
    """What the factors of a ridge may be learnt for: some columns of its targets, and their loss.

    All are solved for together: no column of the solution depends on another.
    """

    scoring: ChosenScoring
    columns: slice
    loss: Callable[[FloatArray, FloatArray], float]


@dataclass(frozen=True)
class _Candidate:
    """A map that was tried."""

    trial: Trial
    target: _Target
    linear: LinearMap


def _fit(train: TrainingExamples, _options: Any) -> BaselineResult:
    """Choose the strength whose map has the lowest loss on the validation items.

    Where the scoring is to be chosen too, and validation items can be ranked, it is the scoring
    and the strength that rank them best.
    """
    targets = _targets(train)
    trials: list[Trial] = []
    best: _Candidate | None = None
    for candidate in _candidates(train, targets):
        trials.append(candidate.trial)
        if best is None or is_better(candidate.trial, best.trial):
            best = candidate
    if best is None:
        msg = "no strength was tried"
        raise AssertionError(msg)
    linear, target, held_out = best.linear, best.target, None
    if train.held_out:
        truth = _learnt(train, train.held_out, targets)[:, target.columns]
        held_out = target.loss(truth, linear(train.held_out.inputs))
    return BaselineResult(
        {"coefficients": linear.coefficients, "intercept": linear.intercept},
        trials=tuple(trials),
        best=best.trial,
        scoring=target.scoring if train.scoring == VALIDATED else "",
        held_out_loss=held_out,
    )


def _candidates(train: TrainingExamples, targets: Sequence[_Target]) -> Iterator[_Candidate]:
    """Try each strength for each target."""
    if train.validation is None:
        msg = "a strength is chosen by validation items, which are not given"
        raise AssertionError(msg)
    truth = _learnt(train, train.validation, targets)
    system = RidgeSystem(train.inputs, _learnt(train, train, targets))
    for relative in RELATIVE_STRENGTHS:
        strength = relative * system.scale
        solution = system.solve(strength)
        outputs = solution(train.validation.inputs)
        for target in targets:
            rows = outputs[:, target.columns]
            loss = target.loss(truth[:, target.columns], rows)
            trial = Trial({"strength": strength}, loss)
            if len(targets) > 1:
                parameters: Parameters = {"scoring": target.scoring, "strength": strength}
                trial = Trial(parameters, loss, _judge(train, target.scoring, rows))
            yield _Candidate(trial, target, solution.columns(target.columns))


def _targets(train: TrainingExamples) -> list[_Target]:
    """List what the factors may be learnt for: one thing, unless the best is to be chosen."""
    if train.scoring == VALIDATED and train.judge is not None:
        dim = train.targets.shape[1]
        return [
            _Target("cosine", slice(dim), cosine_loss),
            _Target("dot", slice(dim, 2 * dim), squared_loss),
            _Target("norm", slice(2 * dim, None), direction_and_norm_loss),
        ]
    loss = squared_loss if train.classes or train.scoring == "dot" else cosine_loss
    if train.scoring == "norm":
        loss = direction_and_norm_loss
    return [_Target("cosine", slice(None), loss)]


def _learnt(train: TrainingExamples, examples: Examples, targets: Sequence[_Target]) -> FloatArray:
    """Return what is learnt of items: the columns of all targets."""
    if len(targets) == 1:
        return train.prepare_targets(examples)
    factors = np.asarray(examples.targets, np.float64)
    return np.hstack([normalize_rows(factors), factors, with_log_norms(factors)])


def _judge(train: TrainingExamples, scoring: str, outputs: FloatArray) -> float:
    """Return how well predictions rank the validation items."""
    if train.judge is None:
        msg = "nobody knows who played the validation items"
        raise AssertionError(msg)
    if scoring == "norm":
        logs = np.clip(outputs[:, -1:], -MAX_LOG_NORM, MAX_LOG_NORM)
        rows = from_log_norms(np.hstack([outputs[:, :-1], logs]))
    else:
        rows = np.clip(outputs, -MAX_OUTPUT, MAX_OUTPUT).astype(np.float32)
    return train.judge(rows, "factors", scoring)


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    linear = LinearMap(baseline.arrays["coefficients"], baseline.arrays["intercept"])
    return linear(items.inputs).astype(np.float32)


def _shapes(width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"coefficients": (width, dim), "intercept": (dim,)}


BASELINES.register("ridge")(
    Baseline(
        _fit,
        _predict,
        shapes=_shapes,
        settings=(1, None),
        learns=True,
        validates=True,
        judged=True,
        scorings=("cosine", "dot", "norm", VALIDATED),
    )
)
