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
    Presence,
    TrainingExamples,
    Trial,
    from_log_norms,
    normalize_rows,
    presence_matrix,
    row_blocks,
    with_log_norms,
)
from tartarus_cli.baselines.row_products import (
    CentredRows,
    FloatArray,
    SettingRows,
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

    absent: FloatArray
    """What the mean row of each setting is mapped to, which stands for that of an item that lacks
    it, ``(settings, dim)``."""

    def __call__(self, inputs: Sequence[Features], present: Presence = ()) -> FloatArray:
        """Map the joined rows of all settings, ``(items, dim)``."""
        rows = multiply(inputs, self.coefficients) + self.intercept
        has = presence_matrix(present, len(rows))
        return rows if has is None else rows + ~has @ self.absent

    def columns(self, columns: slice) -> LinearMap:
        """Return the map to some of the columns."""
        parts = (self.coefficients, self.intercept, self.absent)
        return LinearMap(*(part[..., columns] for part in parts))


class _Means:
    """The mean row of each setting, subtracted by algebra from the rows of items that have it.

    ``X`` being the joined rows, in which absent ones are zeros, ``P`` (items, groups) which items
    have the settings of a group, and ``M`` (groups, width) the means, the centred rows are
    ``X - PM``. There is one group where all items have all settings.
    """

    def __init__(self, inputs: Sequence[SettingRows], present: NDArray[np.bool_] | None) -> None:
        items = int(inputs[0].shape[0])
        columns = [where for _, where in with_columns(inputs)]
        groups = [slice(columns[0].start, columns[-1].stop)] if present is None else columns
        self._inputs = inputs
        self._present = np.ones((items, 1)) if present is None else present.astype(np.float64)
        self._sums = multiply_transposed(inputs, self._present).T  # PᵀX
        counts = np.maximum(self._present.sum(axis=0), 1)
        self._means = np.zeros_like(self._sums)
        for number, group in enumerate(groups):
            self._means[number, group] = self._sums[number, group] / counts[number]

    def multiply_transposed(self, values: FloatArray) -> FloatArray:
        """Multiply the transpose of the centred rows by a matrix ``(items, n)``."""
        product = multiply_transposed(self._inputs, values)
        product -= self._means.T @ (self._present.T @ values)
        return product

    def gram(self) -> FloatArray:
        """Return the products of all centred columns, ``(width, width)``."""
        both = self._means.T @ (self._present.T @ self._present)
        return self._subtract(gram(self._inputs), self._means.T, self._sums.T, both)

    def outer_gram(self) -> FloatArray:
        """Return the products of all centred rows, ``(items, items)``."""
        with_means = multiply(self._inputs, self._means.T)
        both = self._present @ (self._means @ self._means.T)
        return self._subtract(outer_gram(self._inputs), self._present, with_means, both)

    @staticmethod
    def _subtract(
        matrix: FloatArray, left: FloatArray, right: FloatArray, both: FloatArray
    ) -> FloatArray:
        """Return ``matrix - left rightᵀ - right leftᵀ + both leftᵀ``, a few rows at a time."""
        for block in row_blocks(*matrix.shape):
            matrix[block] -= left[block] @ right.T
            matrix[block] -= (right[block] - both[block]) @ left.T
        return matrix


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
    present
        Which items have each setting; the means are those of these, and the rows of others are
        zeros once they are centred: they say nothing.

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

    def __init__(
        self, inputs: Sequence[Features], targets: FloatArray, present: Presence = ()
    ) -> None:
        items, width = len(targets), sum(int(rows.shape[1]) for rows in inputs)
        has = presence_matrix(present, items)
        counts = [items] * len(inputs) if has is None else has.sum(axis=0).tolist()
        self._columns = [columns for _, columns in with_columns(inputs)]
        self._shift = multiply_transposed(inputs, np.ones((items, 1)))[:, 0]  # the mean rows
        for columns, count in zip(self._columns, counts, strict=True):
            self._shift[columns] /= max(count, 1)
        centred = [
            CentredRows(rows, self._shift[columns], None if has is None else has[:, number])
            if isinstance(rows, np.ndarray)
            else rows
            for number, (rows, columns) in enumerate(with_columns(inputs))
        ]
        self._mean_target = targets.mean(axis=0)
        self._primal = width <= items
        if min(items, width) > MAX_UNKNOWNS:
            msg = f"ridge would solve for {min(items, width):,} unknowns ({items:,} items, "
            msg += f"{width:,} features), but {MAX_UNKNOWNS:,} are the most"
            raise SizeError(msg, hint="Use settings with fewer columns, or the baseline knn.")
        self._means = _Means(centred, has)  # of what was not shifted
        self._centred = targets - self._mean_target
        self._matrix = self._means.gram() if self._primal else self._means.outer_gram()
        # A setting that no item has takes no part.
        unused = sum(c.stop - c.start for c, n in zip(self._columns, counts, strict=True) if not n)
        self._unknowns = width - unused if self._primal else items
        if self._primal:
            self._right = self._means.multiply_transposed(self._centred)

    @property
    def scale(self) -> float:
        """Mean of the diagonal of the matrix; 1 if the features are constant."""
        return float(self._matrix.trace()) / max(self._unknowns, 1) or 1.0

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
            coefficients = self._means.multiply_transposed(
                cho_solve(factor, self._centred, check_finite=False)
            )
        absent = np.stack([self._shift[c] @ coefficients[c] for c in self._columns])
        intercept = self._mean_target - self._shift @ coefficients
        return LinearMap(coefficients, intercept, absent)


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
        held_out = target.loss(truth, linear(train.held_out.inputs, train.held_out.present))
    return BaselineResult(
        {
            "coefficients": linear.coefficients,
            "intercept": linear.intercept,
            "absent": linear.absent,
        },
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
    system = RidgeSystem(train.inputs, _learnt(train, train, targets), train.present)
    for relative in RELATIVE_STRENGTHS:
        strength = relative * system.scale
        solution = system.solve(strength)
        outputs = solution(train.validation.inputs, train.validation.present)
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
    arrays, settings = baseline.arrays, len(items.inputs)
    # Models of earlier versions have no rows of absent settings: theirs are zeros.
    absent = arrays.get("absent", np.zeros((settings, len(arrays["intercept"]))))
    linear = LinearMap(arrays["coefficients"], arrays["intercept"], absent)
    return linear(items.inputs, items.present).astype(np.float32)


def _shapes(width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"coefficients": (width, dim), "intercept": (dim,), "absent": (-1, dim)}


BASELINES.register("ridge")(
    Baseline(
        _fit,
        _predict,
        shapes=_shapes,
        optional=("absent",),
        settings=(1, None),
        learns=True,
        validates=True,
        judged=True,
        scorings=("cosine", "dot", "norm", VALIDATED),
    )
)
