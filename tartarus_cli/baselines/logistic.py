"""Logistic regression from features to classes: the usual linear classifier.

Of an item with one class each (multinomial) ``softmax(xW + b)`` is learnt, of one with several (one
against the rest) ``sigmoid(xW + b)``; ``C Σ loss + ‖W‖² / 2`` is minimised by L-BFGS, as
scikit-learn's ``LogisticRegression`` does, whose ``C`` it is. All classes are solved for at once.
Features are standardised by the train items: dense ones column by column; sparse ones, the columns
of which are weighed against each other already, by one deviation, and by algebra, so that they stay
sparse.
"""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    Examples,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
    Trial,
    presence_matrix,
    row_blocks,
)
from tartarus_cli.baselines.ridge_system import LinearMap
from tartarus_cli.baselines.row_products import (
    CentredRows,
    FloatArray,
    SettingRows,
    multiply,
    multiply_transposed,
    with_columns,
)
from tartarus_cli.baselines.setting_weights import Several
from tartarus_cli.progress import warn

STRENGTHS = tuple(10.0**power for power in range(-5, 4))
"""Values of C to choose from, ascending."""

MAX_STEPS = 500
"""Steps of the solver, at most."""

GRADIENT, ROUGH_GRADIENT = 1e-6, 1e-5
"""Largest entry of the gradient of the mean loss at which the solver has converged; while C is
chosen."""

GAIN, ROUGH_GAIN = 1e-9, 1e-5
"""Relative gain of a step below which it has converged as well; while C is chosen."""

MEMORY_BYTES = 512 << 20
"""Size of dense settings, as float64, up to which they are standardised once, in memory."""

CERTAIN = 1e4
"""Logit of a class that all train items have; of one that none has, with a minus."""

SMALLEST = 1e-7
"""Probability that lower ones count as in a loss, such as that of a class without train items."""

Strength: TypeAlias = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class LogisticOptions(BaselineOptions):
    """How much it is held back."""

    C: Several[Strength] = STRENGTHS
    """Inverse of the strength of the regularization, as scikit-learn has it: one, or several of
    which the one with the lowest loss on the validation items is taken; larger ones are not tried
    once that rises."""


def _fit(train: TrainingExamples, options: LogisticOptions) -> BaselineResult:
    """Choose the C whose map has the lowest loss on the validation items."""
    if train.validation is None:
        msg = "C is chosen by validation items, which are not given"
        raise AssertionError(msg)
    problem, trials = _Problem(train), list[Trial]()
    start, best = problem.start, (math.inf, problem.start)
    values = sorted(options.C)
    for inverse in values if len(values) > 1 else ():
        start, _ = problem.solve(inverse, start, ROUGH_GRADIENT, ROUGH_GAIN)
        loss = _loss(train, train.validation, problem.linear(start))
        trials.append(Trial({"C": inverse}, loss))
        if loss >= best[0]:
            break
        best, values = (loss, start), [inverse]
    inverse = values[0]
    solution, converged = problem.solve(inverse, best[1], GRADIENT, GAIN)
    if not converged:
        msg = f"logistic has not converged after {MAX_STEPS} steps with C = {inverse:g}"
        warn(f"{msg}: C is too large, or the features hold numbers of very different sizes")
    linear = problem.linear(solution)
    chosen = Trial({"C": inverse}, _loss(train, train.validation, linear))
    trials = [trial for trial in trials if trial.parameters != chosen.parameters]
    arrays = {"coefficients": linear.coefficients, "intercept": linear.intercept}
    return BaselineResult(
        {**arrays, "absent": linear.absent},
        trials=(*trials, chosen),
        best=chosen,
        held_out_loss=_loss(train, train.held_out, linear) if train.held_out else None,
    )


class _Problem:
    """Train items, standardised, and their classes."""

    def __init__(self, train: TrainingExamples) -> None:
        self._single = train.single
        classes = np.asarray(train.targets) > 0
        shares = classes.mean(axis=0)
        # Of the others, the best intercept is infinite.
        self._open = (shares > 0) & ((shares < 1) | train.single)
        self._constant = np.where(shares > 0, CERTAIN, -CERTAIN)
        self._truth = _shares(classes[:, self._open], single=train.single)
        self._weight = self._truth.sum(axis=1, keepdims=True)
        self._rows = _StandardRows(train)

    @property
    def start(self) -> FloatArray:
        """Coefficients and, in the last row, intercepts, all of them 0, flat."""
        return np.zeros((self._rows.width + 1) * int(self._open.sum()))

    def solve(
        self, inverse: float, start: FloatArray, gradient: float, gain: float
    ) -> tuple[FloatArray, bool]:
        """Return what solves it for C, from a start on, and whether the solver has converged.

        Parameters
        ----------
        inverse
            C.
        start
            Coefficients and intercepts, as :attr:`start`.
        gradient, gain
            Where it has converged: as :data:`GRADIENT` and :data:`GAIN`.
        """
        if not start.size:
            return start, True
        from scipy.optimize import minimize

        items, classes = self._truth.shape
        decay = 1 / (inverse * items)

        def objective(flat: FloatArray) -> tuple[float, FloatArray]:
            weights = flat.reshape(-1, classes)
            loss, slopes = self._slopes(self._rows.multiply(weights[:-1]) + weights[-1])
            slope = np.vstack([self._rows.multiply_transposed(slopes), slopes.sum(axis=0)])
            slope /= items
            slope[:-1] += decay * weights[:-1]
            penalty = decay / 2 * float(np.square(weights[:-1]).sum())
            return loss / items + penalty, slope.ravel()

        limits = {"maxiter": MAX_STEPS, "gtol": gradient, "ftol": gain}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=limits)
        return np.asarray(found.x), bool(found.success)

    def _slopes(self, logits: FloatArray) -> tuple[float, FloatArray]:
        """Return the sum of the losses of all items, and its gradient by the logits."""
        from scipy.special import expit, log_softmax

        if not self._single:
            loss = np.logaddexp(0, logits).sum() - (self._truth * logits).sum()
            return float(loss), expit(logits) - self._truth
        logs = log_softmax(logits, axis=1)
        return -float((self._truth * logs).sum()), np.exp(logs) * self._weight - self._truth

    def linear(self, flat: FloatArray) -> LinearMap:
        """Return the map of features as they are to the logits of all classes."""
        weights = flat.reshape(self._rows.width + 1, -1)
        coefficients = np.zeros((self._rows.width, len(self._open)))
        coefficients[:, self._open] = weights[:-1] / self._rows.scale[:, None]
        intercept = self._constant.copy()
        intercept[self._open] = weights[-1]
        return self._rows.linear(coefficients, intercept)


class _StandardRows:
    """The joined rows of all settings, each column with mean 0 and, on average, deviation 1.

    Rows of items that lack a setting are zero in it: as its mean.
    """

    def __init__(self, examples: Examples) -> None:
        items = len(examples.targets)
        has = presence_matrix(examples.present, items)
        everyone = np.ones((items, len(examples.inputs)))
        self._present: FloatArray = everyone if has is None else has.astype(np.float64)
        self._counts = np.maximum(self._present.sum(axis=0), 1)
        self._columns = [columns for _, columns in with_columns(examples.inputs)]
        self.width = self._columns[-1].stop
        self._mean = np.zeros(self.width)
        self.scale = np.ones(self.width)
        dense = sum(r.shape[0] * r.shape[1] for r in examples.inputs if isinstance(r, np.ndarray))
        self._rows = list[SettingRows]()
        for number, (rows, columns) in enumerate(with_columns(examples.inputs)):
            mask = None if has is None else has[:, number]
            count = float(self._counts[number])
            ones = self._present[:, [number]]
            self._mean[columns] = multiply_transposed([rows], ones)[:, 0] / count
            centred = self._centred(rows, columns, mask)
            variance = _square_sums(centred) / count
            if isinstance(rows, csr_array):
                variance = variance - np.square(self._mean[columns])
            self.scale[columns] = _deviation(variance, alike=isinstance(rows, csr_array))
            small = isinstance(centred, CentredRows) and 8 * dense <= MEMORY_BYTES
            self._rows.append(centred[slice(None)] if small else centred)
        # The means of dense rows are subtracted from the rows, those of sparse ones from products.
        self._shift = self._mean.copy()
        for rows, columns in with_columns(examples.inputs):
            if isinstance(rows, np.ndarray):
                self._shift[columns] = 0

    def _centred(
        self, rows: Features, columns: slice, mask: NDArray[np.bool_] | None
    ) -> SettingRows:
        if isinstance(rows, csr_array):
            return rows
        return CentredRows(rows, self._mean[columns], mask)

    def multiply(self, weights: FloatArray) -> FloatArray:
        """Multiply by a matrix ``(width, n)``."""
        scaled = weights / self.scale[:, None]
        product = multiply(self._rows, scaled)
        if self._shift.any():
            product -= self._present @ self._of_means(scaled, self._shift)
        return product

    def multiply_transposed(self, values: FloatArray) -> FloatArray:
        """Multiply the transpose by a matrix ``(items, n)``."""
        product = multiply_transposed(self._rows, values)
        if self._shift.any():
            sums = self._present.T @ values
            for number, columns in enumerate(self._columns):
                product[columns] -= self._shift[columns, None] * sums[number]
        return product / self.scale[:, None]

    def linear(self, coefficients: FloatArray, intercept: FloatArray) -> LinearMap:
        """Return the map of rows as they are that has these coefficients and, of means, values."""
        absent = self._of_means(coefficients, self._mean)
        return LinearMap(coefficients, intercept - absent.sum(axis=0), absent)

    def _of_means(self, coefficients: FloatArray, means: FloatArray) -> FloatArray:
        """Return what the mean row of each setting is mapped to, ``(settings, n)``."""
        return np.stack([means[c] @ coefficients[c] for c in self._columns])


def _square_sums(rows: SettingRows) -> FloatArray:
    """Return the sum of the squares of each column, ``(width,)``."""
    if isinstance(rows, csr_array):
        squares = csr_array(
            (np.square(rows.data, dtype=float), rows.indices, rows.indptr), rows.shape
        )
        return np.asarray(squares.sum(axis=0), np.float64).ravel()
    total = np.zeros(rows.shape[1])
    for block in row_blocks(*rows.shape):
        total += np.square(rows[block]).sum(axis=0)
    return total


def _deviation(variance: FloatArray, *, alike: bool) -> FloatArray:
    """Return what each column is divided by: its deviation; of all, if they are to be alike.

    It is 1 where a column is constant.
    """
    variance = np.maximum(variance, 0)
    constant = variance <= 1e-14 * max(float(variance.max(initial=0)), 1e-300)
    if alike and not constant.all():
        return np.full_like(variance, np.sqrt(variance.mean()))
    return np.sqrt(np.where(constant, 1, variance))


def _shares(classes: NDArray[np.bool_], *, single: bool) -> FloatArray:
    """Return which classes items have; of items with one class each, their shares of an item."""
    truth = classes.astype(np.float64)
    return truth / np.maximum(truth.sum(axis=1, keepdims=True), 1) if single else truth


def _probabilities(logits: FloatArray, *, single: bool) -> FloatArray:
    """Return the probability of each class, ``(items, classes)``."""
    from scipy.special import expit, softmax

    return np.asarray(softmax(logits, axis=1) if single else expit(logits))


def _loss(train: TrainingExamples, examples: Examples, linear: LinearMap) -> float:
    """Return the mean cross entropy of items; of several classes each, over these as well."""
    truth = _shares(np.asarray(examples.targets) > 0, single=train.single)
    rows = _probabilities(linear(examples.inputs, examples.present), single=train.single)
    logs = np.log(np.maximum(rows, SMALLEST))
    if train.single:
        return -float((truth * logs).sum() / max(truth.sum(), 1))
    others = np.log(np.maximum(1 - rows, SMALLEST))
    return -float((truth * logs + (1 - truth) * others).mean())


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    arrays = baseline.arrays
    linear = LinearMap(arrays["coefficients"], arrays["intercept"], arrays["absent"])
    logits = linear(items.inputs, items.present)
    return _probabilities(logits, single=baseline.single).astype(np.float32)


def _shapes(width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"coefficients": (width, dim), "intercept": (dim,), "absent": (-1, dim)}


BASELINES.register("logistic")(
    Baseline(
        _fit,
        _predict,
        LogisticOptions,
        shapes=_shapes,
        settings=(1, None),
        tasks=("multilabel", "multiclass"),
        kinds=("class",),
        validates=True,
        draws=False,
    )
)
