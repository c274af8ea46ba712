"""Ridge regression from features to plays: what every user would play, learnt in closed form.

The scores of new items are ``K_new (K + λI)⁻¹ R``, K being how alike the train items are, and R
who played them, neither of them centred. With products of features as the kernel this is ridge
regression of each user's plays (Hoerl and Kennard, 1970), with another kernel its dual form
(Saunders, Gammerman and Vovk, ICML 1998). No users × items matrix is made: the rows
``K_new (K + λI)⁻¹`` say how much the plays of each train item count for a new one. Where there are
fewer features than items, the same is solved for the features (see
:mod:`~tartarus_cli.baselines.feature_ridge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    Features,
    FittedBaseline,
    Items,
    Judge,
    Parameters,
    TrainingExamples,
    Trial,
    row_blocks,
)
from tartarus_cli.baselines.feature_ridge import (
    FeatureSystem,
    factor_regularized,
    item_rows,
    total_width,
)
from tartarus_cli.baselines.kernels import KernelName, Products, TrainFeatures
from tartarus_cli.baselines.search import Search
from tartarus_cli.errors import SizeError, TrainingError
from tartarus_cli.progress import warn

MAX_ITEMS = 20_000
"""Train items whose kernel is solved for; it takes 3 GiB, and its factor as much again."""

STEP = 3.0
"""Factor between a strength and the next one, beyond those that are tried in any case."""

EXTENSIONS = 4
"""How often a strength beyond the lowest or highest is tried, while it is the best."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else value


Numbers = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)], ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1),
]
"""Values to choose from; a single number stands for a list of one."""


class PlaysRidgeOptions(BaselineOptions):
    """The kernel, and what is tried on validation items."""

    kernel: KernelName = "cosine"
    """``cosine``: powers of cosines; ``linear``: products of the features as they are."""

    powers: Numbers = (1.0, 1.25, 1.5)
    """Powers of the cosine to choose from."""

    count_exponents: Numbers = (0.0, 0.25, 0.5)
    """Exponents of the product of both items' numbers of features to choose from."""

    strengths: Annotated[Numbers, Field(min_length=1)] = (0.3, 1.0, 3.0)
    """Strengths of the regularization to choose from, relative to the mean of the kernel's
    diagonal; further ones are tried while the lowest or the highest is the best."""


class KernelSystem:
    """The equations ``(K + λI) A = B`` of train items, solved for any strength.

    Parameters
    ----------
    kernel
        ``(train items, train items)``, symmetric.
    """

    def __init__(self, kernel: NDArray[Any]) -> None:
        self._kernel = kernel

    @property
    def scale(self) -> float:
        """Mean of the diagonal; 1 if it is 0."""
        return float(self._kernel.diagonal().mean()) or 1.0

    def weights(self, rows: NDArray[Any], strength: float) -> NDArray[Any]:
        """Return ``rows (K + λI)⁻¹``: how much the plays of each train item count for items.

        Parameters
        ----------
        rows
            How alike the items are to the train items, ``(items, train items)``.
        strength
            λ.

        Raises
        ------
        TrainingError
            If the equations have no certain solution: λ is too small.
        """
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve(self.factor(strength), rows.T, check_finite=False).T)

    def factor(self, strength: float) -> tuple[NDArray[Any], bool]:
        """Return the Cholesky factor of ``K + λI``, as SciPy has it.

        Raises
        ------
        TrainingError
            As :meth:`weights`.
        """
        return factor_regularized(self._kernel, strength)


def leave_one_out(kernel: NDArray[Any], strength: float) -> NDArray[np.float32]:
    """Return the weights by which each train item is predicted from all others.

    With ``C = (K + λI)⁻¹`` they are ``-C_ij / C_ii``, and 0 on the diagonal: exactly what a ridge
    regression fitted without the item would say (Pahikkala, Boberg and Salakoski, SCAI 2006).

    Parameters
    ----------
    kernel
        ``(train items, train items)``.
    strength
        λ.

    Returns
    -------
    ``(train items, train items)``; times the plays, the predictions.
    """
    from scipy.linalg import lapack

    factor, _ = KernelSystem(kernel).factor(strength)
    invert = lapack.get_lapack_funcs("potri", (factor,))
    inverse, info = invert(factor, lower=True, overwrite_c=True)
    if info:
        msg = "ridge on plays has no inverse"
        raise TrainingError(msg, hint="Give larger strengths: network.strengths.")
    weights = np.tril(inverse).astype(np.float32)
    weights += np.tril(weights, -1).T
    weights /= -weights.diagonal()[:, None]
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


def leave_one_out_weights(baseline: FittedBaseline) -> NDArray[np.float32]:
    """Return the weights of :func:`leave_one_out` for the train items of a fitted baseline."""
    if baseline.train is None:
        msg = "ridge on plays predicts by the train items, which are not given"
        raise AssertionError(msg)
    if baseline.form != "weights":
        items, width = int(baseline.train.inputs[0].shape[0]), total_width(baseline.train.inputs)
        msg = f"a network can learn what a ridge on plays leaves over of at most {MAX_ITEMS:,} "
        msg += f"train items, by cosines; there are {items:,}, of {width:,} features"
        raise SizeError(msg, hint="Leave out two_tower.residual.")
    arrays = baseline.arrays
    shape = float(arrays["power"]), float(arrays["count_exponent"])
    train = baseline.train
    features = TrainFeatures(train.inputs, baseline.options.kernel, train.present)
    kernel = features.among_train(np.float64).kernel(*shape)
    return leave_one_out(kernel, float(arrays["strength"]))


def _fit(train: TrainingExamples, options: PlaysRidgeOptions) -> BaselineResult:
    """Choose kernel and strength by how well the validation items rank."""
    if train.judge is None or train.validation is None or train.plays is None:
        msg = "ridge on plays needs plays, and validation items to choose by"
        raise AssertionError(msg)
    if solves_for_features(train.inputs, options.kernel):
        return _fit_features(train.inputs, train.validation.inputs, train.judge, options)
    features = TrainFeatures(train.inputs, options.kernel, train.present)
    pair = features.among_train(np.float32), features.products(train.validation.inputs, np.float32)
    search = Search(_Scores(*pair, train.judge))
    choices = _choices(options)
    middle = {name: values[len(values) // 2] for name, values in choices.items()}
    best = _extend(search, search.climb(middle, choices), choices["strength"])
    chosen = best.parameters
    power, exponent = float(chosen["power"]), float(chosen["count_exponent"])
    scale = KernelSystem(pair[0].kernel(power, exponent)).scale
    arrays = {
        "power": np.array(power),
        "count_exponent": np.array(exponent),
        "strength": np.array(float(chosen["strength"]) * scale),
    }
    return BaselineResult(arrays, "weights", trials=search.trials, best=best)


def solves_for_features(inputs: Sequence[Features], kernel: KernelName) -> bool:
    """Whether the equations are those of the features, not of the train items.

    They are where products of features are the kernel and there are fewer features than items, and
    where there are more items than :data:`MAX_ITEMS`, whatever the kernel was to be.
    """
    items = int(inputs[0].shape[0])
    return items > MAX_ITEMS or (kernel == "linear" and total_width(inputs) < items)


def _fit_features(
    inputs: Sequence[Features],
    validation: Sequence[Features],
    judge: Judge,
    options: PlaysRidgeOptions,
) -> BaselineResult:
    """Choose the strength by how well the validation items rank, in the space of the features."""
    if options.kernel != "linear":
        items = int(inputs[0].shape[0])
        reason = f"the {items:,} train items are more than {MAX_ITEMS:,}"
        warn(f"ridge on plays takes the products of features, not cosines: {reason}")
    system = FeatureSystem(inputs)

    def score(parameters: Parameters) -> float:
        try:
            factor = system.factor(float(parameters["strength"]) * system.scale)
        except TrainingError:
            return 0.0
        blocks = row_blocks(int(validation[0].shape[0]), total_width(validation))
        rows = [item_rows(factor, [rows[block] for rows in validation]) for block in blocks]
        return judge(np.concatenate(rows), "vectors", "")

    search = Search(score)
    choices = {"strength": options.strengths}
    middle = {"strength": options.strengths[len(options.strengths) // 2]}
    best = _extend(search, search.climb(middle, choices), options.strengths)
    strength = float(best.parameters["strength"]) * system.scale
    arrays = {
        "power": np.array(1.0),
        "count_exponent": np.array(0.0),
        "strength": np.array(strength),
    }
    return BaselineResult(arrays, "vectors", trials=search.trials, best=best)


def _choices(options: PlaysRidgeOptions) -> dict[str, Sequence[float]]:
    linear = options.kernel == "linear"
    return {
        "strength": options.strengths,
        "power": (1.0,) if linear else options.powers,
        "count_exponent": (0.0,) if linear else options.count_exponents,
    }


def _extend(search: Search, best: Trial, strengths: Sequence[float]) -> Trial:
    """Try strengths beyond the lowest and the highest while they are better."""
    if len(strengths) == 1:
        return best
    for _ in range(EXTENSIONS):
        strength = float(best.parameters["strength"])
        if min(strengths) < strength < max(strengths):
            return best
        beyond = strength * STEP if strength >= max(strengths) else strength / STEP
        better = search.climb(dict(best.parameters), {"strength": (beyond,)})
        if better is best:
            return best
        best = better
    return best


class _Scores:
    """How well validation items rank by kernels and strengths; the kernel last used stays."""

    def __init__(self, train: Products, validation: Products, judge: Judge) -> None:
        self._train, self._validation, self._judge = train, validation, judge
        self._shape: tuple[float, float] | None = None

    def __call__(self, parameters: Parameters) -> float:
        shape = float(parameters["power"]), float(parameters["count_exponent"])
        if shape != self._shape:
            self._shape = shape
            self._system = KernelSystem(self._train.kernel(*shape))
            self._rows = self._validation.kernel(*shape)
        try:
            strength = float(parameters["strength"]) * self._system.scale
            weights = self._system.weights(self._rows, strength)
        except TrainingError:  # a power of cosines may be no kernel without more regularization
            return 0.0
        return self._judge(np.asarray(weights, np.float32), "weights", "")


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    solved = baseline.cache.get("solved")
    if solved is None:
        solved = baseline.cache["solved"] = _Solved(baseline)
    return np.asarray(solved.weights(items), np.float32)


class _Solved:
    """The train items, their kernel factorised."""

    def __init__(self, baseline: FittedBaseline) -> None:
        if baseline.train is None:
            msg = "ridge on plays predicts by the train items, which are not given"
            raise AssertionError(msg)
        arrays = baseline.arrays
        self._system: FeatureSystem | None = None
        if baseline.form == "vectors":
            self._system = FeatureSystem(baseline.train.inputs)
            self._factor = self._system.factor(float(arrays["strength"]))
            return
        self._shape = float(arrays["power"]), float(arrays["count_exponent"])
        train = baseline.train
        self._features = TrainFeatures(train.inputs, baseline.options.kernel, train.present)
        kernel = self._features.among_train(np.float64).kernel(*self._shape)
        self._factor = KernelSystem(kernel).factor(float(arrays["strength"]))

    def weights(self, items: Items) -> NDArray[Any]:
        from scipy.linalg import cho_solve

        if self._system is not None:
            return item_rows(self._factor, items.inputs)
        rows = self._features.products(items.inputs, np.float64).kernel(*self._shape)
        return np.asarray(cho_solve(self._factor, rows.T, check_finite=False).T)


def _shapes(_width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {"power": (), "count_exponent": (), "strength": ()}


BASELINES.register("ridge_plays")(
    Baseline(
        _fit,
        _predict,
        PlaysRidgeOptions,
        _shapes,
        settings=(1, None),
        tasks=("recommendation",),
        kinds=("plays",),
        validates=True,
        judged=True,
        plays=True,
        remembers=True,
    )
)
