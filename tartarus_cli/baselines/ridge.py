"""Ridge regression from features to targets: the best that a linear map can do.

Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems. The
intercept is not penalised: features and targets are centred, sparse features by algebra, so that
they stay sparse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineFit,
    Examples,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
    Trial,
    normalize_rows,
    row_blocks,
)
from tartarus_cli.errors import TrainingError

MAX_UNKNOWNS = (
    20_000  # rows of the matrix that is solved: it takes 3 GiB, and its factor as much again
)
RELATIVE_STRENGTHS = tuple(
    10.0**power for power in range(-4, 4)
)  # times the mean of the matrix's diagonal
PRODUCT_ROWS = 1024  # rows of a product of sparse matrices that are made dense at a time

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LinearMap:
    """A linear map: ``rows @ coefficients + intercept``."""

    coefficients: FloatArray  # (width, dim)
    intercept: FloatArray  # (dim,)

    def __call__(self, inputs: Sequence[Features]) -> FloatArray:
        """Apply it to rows of joined settings, ``(items, dim)``."""
        return multiply(inputs, self.coefficients) + self.intercept


@dataclass(frozen=True)
class CentredRows:
    """Dense rows less their mean: what is left of it would drown a small spread in rounding."""

    values: NDArray[Any]
    mean: FloatArray  # (width,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return tuple(self.values.shape)

    def __getitem__(self, rows: slice) -> FloatArray:
        return np.asarray(self.values[rows], np.float64) - self.mean


class RidgeSystem:
    """The normal equations of a ridge regression, made once and solved for any strength.

    Of two forms the smaller one is taken: ``(XᵀX + λI) W = XᵀY``, which is as large as the
    features are wide, or ``W = Xᵀ (XXᵀ + λI)⁻¹ Y``, as large as there are items.

    Parameters
    ----------
    inputs
        The rows of each setting, ``(items, width)``, dense or sparse; they are joined.
    targets
        ``(items, dim)``.

    Raises
    ------
    TrainingError
        If the smaller form is larger than memory should be asked to hold.
    """

    def __init__(self, inputs: Sequence[Features], targets: FloatArray) -> None:
        ones = np.full((len(targets), 1), 1 / len(targets))
        self._shift = multiply_transposed(inputs, ones)[:, 0]  # the mean row
        self._inputs = [
            CentredRows(each, self._shift[columns]) if isinstance(each, np.ndarray) else each
            for each, columns in _with_columns(inputs)
        ]
        self._mean_target = targets.mean(axis=0)
        items, width = len(targets), sum(int(each.shape[1]) for each in inputs)
        self._primal = width <= items
        if min(items, width) > MAX_UNKNOWNS:
            msg = f"ridge would solve for {min(items, width):,} unknowns ({items:,} items, "
            msg += f"{width:,} features); {MAX_UNKNOWNS:,} are the most"
            raise TrainingError(msg, hint="Name settings that are narrower, or use knn.")
        self._mean = multiply_transposed(self._inputs, ones)[:, 0]  # of what was not shifted
        self._centred = targets - self._mean_target
        self._matrix = self._covariance(items) if self._primal else self._products()

    @property
    def scale(self) -> float:
        """Mean of the diagonal of the matrix that is solved; 1 if the features are constant."""
        return float(self._matrix.diagonal().mean()) or 1.0

    def solve(self, strength: float) -> LinearMap:
        """Return the map for a strength λ.

        Raises
        ------
        TrainingError
            If rounding has left nothing of how the features vary.
        """
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        matrix = self._matrix.copy()
        matrix.flat[:: len(matrix) + 1] += strength
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            msg = "the features vary too little, for their size, to be told apart by ridge"
            raise TrainingError(msg, hint="Subtract the mean of each column first.") from None
        if self._primal:
            coefficients = cho_solve(factor, self._right, check_finite=False)
        else:
            coefficients = self._back(cho_solve(factor, self._centred, check_finite=False))
        return LinearMap(coefficients, self._mean_target - self._shift @ coefficients)

    def _covariance(self, items: int) -> FloatArray:
        self._right = self._back(self._centred)
        matrix = gram(self._inputs)
        matrix -= np.outer(items * self._mean, self._mean)
        return matrix

    def _products(self) -> FloatArray:
        matrix = outer_gram(self._inputs)
        across = multiply(self._inputs, self._mean[:, None])  # of each row with the mean row
        matrix -= across
        matrix -= across.T
        matrix += self._mean @ self._mean
        return matrix

    def _back(self, values: FloatArray) -> FloatArray:
        """Multiply by the transpose of the centred features."""
        made = multiply_transposed(self._inputs, values)
        made -= np.outer(self._mean, values.sum(axis=0))
        return made


SettingRows: TypeAlias = Features | CentredRows
R = TypeVar("R", Features, SettingRows)


def multiply(inputs: Sequence[SettingRows], right: FloatArray) -> FloatArray:
    """Multiply joined rows by a matrix ``(width, n)``; what is dense is read in blocks."""
    rows = int(inputs[0].shape[0])
    made = np.zeros((rows, right.shape[1]))
    for each, columns in _with_columns(inputs):
        for block in _row_slices(each):
            made[block] += _as_float64(each[block]) @ right[columns]
    return made


def multiply_transposed(inputs: Sequence[SettingRows], right: FloatArray) -> FloatArray:
    """Multiply the transpose of joined rows by a matrix ``(items, n)``."""
    made = np.zeros((sum(int(each.shape[1]) for each in inputs), right.shape[1]))
    for each, columns in _with_columns(inputs):
        for block in _row_slices(each):
            made[columns] += _as_float64(each[block]).T @ right[block]
    return made


def gram(inputs: Sequence[SettingRows]) -> FloatArray:
    """Return the products of all columns of the joined settings, ``(width, width)``."""
    placed = _with_columns(inputs)
    width = placed[-1][1].stop
    made = np.zeros((width, width))
    for block in row_blocks(int(inputs[0].shape[0]), _dense_width(inputs)):
        rows = [(_as_float64(each[block]), columns) for each, columns in placed]
        for number, (left, down) in enumerate(rows):
            for right, across in rows[: number + 1]:
                _add_product(made[down, across], left.T, right)
    for number, (_, down) in enumerate(placed):
        for _, across in placed[:number]:
            made[across, down] = made[down, across].T
    return made


def outer_gram(inputs: Sequence[SettingRows]) -> FloatArray:
    """Return the products of all joined rows, ``(items, items)``."""
    items = int(inputs[0].shape[0])
    made = np.zeros((items, items))
    cuts = row_blocks(items, _dense_width(inputs))
    for each in inputs:
        for one in cuts:
            left = _as_float64(each[one])
            for other in cuts:
                _add_product(made[one, other], left, _as_float64(each[other]).T)
    return made


def _add_product(to: FloatArray, left: Any, right: Any) -> None:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        to += left @ right
        return
    left, right = left.tocsr(), right.tocsr()
    for first in range(0, left.shape[0], PRODUCT_ROWS):
        to[first : first + PRODUCT_ROWS] += (left[first : first + PRODUCT_ROWS] @ right).toarray()


def _with_columns(inputs: Sequence[R]) -> list[tuple[R, slice]]:
    """Return each setting with the columns that it has among all."""
    ends = np.cumsum([int(each.shape[1]) for each in inputs]).tolist()
    return [
        (each, slice(end - int(each.shape[1]), end)) for each, end in zip(inputs, ends, strict=True)
    ]


def _row_slices(rows: SettingRows) -> list[slice]:
    """Cut rows so that each slice may be read at once; sparse ones are in memory already."""
    return [slice(None)] if isinstance(rows, csr_array) else row_blocks(*rows.shape)


def _dense_width(inputs: Sequence[SettingRows]) -> int:
    return sum(int(each.shape[1]) for each in inputs if not isinstance(each, csr_array))


def _as_float64(rows: Features) -> Any:
    return np.asarray(rows, np.float64) if isinstance(rows, np.ndarray) else rows.astype(np.float64)


def cosine_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Mean over rows of ``(1 - cosine) / 2``; a zero row costs 0.5."""
    cosines = (normalize_rows(targets) * normalize_rows(outputs)).sum(axis=1)
    return float(np.clip((1 - cosines) / 2, 0, 1).mean())


def squared_loss(targets: FloatArray, outputs: FloatArray) -> float:
    """Mean squared error of all values."""
    return float(np.square(targets - outputs).mean())


def _fit(train: TrainingExamples, _options: Any) -> BaselineFit:
    """Choose the strength whose map has the lowest loss on the validation items."""
    problem = RidgeSystem(train.inputs, train.wanted)
    judge = _loss_function(train)
    trials: list[Trial] = []
    best: tuple[Trial, LinearMap] | None = None
    for step in RELATIVE_STRENGTHS:
        found = problem.solve(step * problem.scale)
        trials.append(Trial(step * problem.scale, judge(found, train.validation)))
        if best is None or trials[-1].loss < best[0].loss:
            best = trials[-1], found
    if best is None:
        msg = "no strength was tried"
        raise AssertionError(msg)
    chosen, found = best
    arrays = {"coefficients": found.coefficients, "intercept": found.intercept}
    held_out = judge(found, train.held_out) if train.held_out else None
    return BaselineFit(arrays, trials=tuple(trials), best=chosen, held_out_loss=held_out)


def _loss_function(train: TrainingExamples) -> Callable[[LinearMap, Examples | None], float]:
    loss = squared_loss if train.classes else cosine_loss

    def judge(found: LinearMap, part: Examples | None) -> float:
        if part is None:
            msg = "a strength is chosen by validation items, which are not given"
            raise AssertionError(msg)
        return loss(train.wanted_of(part), found(part.inputs))

    return judge


def _predict(known: FittedBaseline, items: Items) -> NDArray[np.float32]:
    found = LinearMap(known.arrays["coefficients"], known.arrays["intercept"])
    return found(items.inputs).astype(np.float32)


def _shapes(width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"coefficients": (width, dim), "intercept": (dim,)}


BASELINES.register("ridge")(
    Baseline(_fit, _predict, shapes=_shapes, settings=(1, None), learns=True, validates=True)
)
