"""The kernel of a ridge on plays, chosen by how well the validation items rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from tartarus_cli.baselines import (
    BaselineOptions,
    Examples,
    Features,
    Judge,
    Parameters,
    TrainingExamples,
    Trial,
    select_presence,
    weight_name,
)
from tartarus_cli.baselines.kernel_system import KernelSystem
from tartarus_cli.baselines.kernels import KernelName, Products, TrainFeatures, join_products
from tartarus_cli.baselines.search import Search, is_better
from tartarus_cli.baselines.setting_weights import (
    WEIGHTS,
    Choices,
    SettingWeights,
    as_list,
    draw_items,
    first_choice,
    is_weight,
    relative_weights,
    single_settings,
    weight_choices,
    weights_of,
)
from tartarus_cli.baselines.similarity import count_features
from tartarus_cli.errors import TrainingError

STEP = 3.0
"""Factor between a strength and the next one, beyond those that are tried in any case."""

EXTENSIONS = 4
"""How often a strength beyond the lowest or highest is tried, while it is the best."""

Numbers = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)], ...],
    BeforeValidator(as_list),
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

    weights: SettingWeights = (WEIGHTS,)
    """How much each setting counts: a weight for each, or for all; each may be several to choose
    from. Of many train items, a part is taken to choose them."""

    def choices(self, settings: int) -> dict[str, Sequence[float]]:
        """Return the values of each parameter to choose from, for a number of settings."""
        linear = self.kernel == "linear"
        return {
            "strength": self.strengths,
            "power": (1.0,) if linear else self.powers,
            "count_exponent": (0.0,) if linear else self.count_exponents,
            **weight_choices(self.weights, settings),
        }


@dataclass(frozen=True)
class ChosenKernel:
    """The kernel and the strength that rank the validation items best."""

    power: float
    count_exponent: float
    strength: float
    """λ, in the units of the kernel."""
    weights: list[float]
    """How much each setting counts."""
    trials: tuple[Trial, ...]
    best: Trial


def choose_kernel(train: TrainingExamples, options: PlaysRidgeOptions) -> ChosenKernel:
    """Choose weights of settings, the shape of the kernel and the strength of the regularization.

    Parameters
    ----------
    train
        Train items with their features, validation items, and what judges these.
    options
        What to choose from. Of many train items some are drawn to choose weights; with these
        weights, all else is then chosen with all train items.
    """
    if train.judge is None or train.validation is None:
        msg = "a kernel is chosen by validation items, whose plays are not known"
        raise AssertionError(msg)
    settings, new = len(train.inputs), train.validation.inputs
    choices = options.choices(settings) | _without_features(train.inputs)
    start = middle_choice(choices)
    items = int(train.inputs[0].shape[0])
    weighs = any(len(values) > 1 for name, values in choices.items() if is_weight(name))
    chosen = draw_items(items) if weighs else None
    if chosen is not None:
        some = Examples(
            tuple(rows[chosen] for rows in train.inputs),
            train.targets[:0],
            select_presence(train.present, chosen),
        )
        scores = _Scores(some, new, options.kernel, _of_some(train.judge, chosen, items))
        start = climb(Search(scores, relative_weights), start, choices, shape=False).parameters
        choices |= {name: (float(start[name]),) for name in choices if is_weight(name)}
        weighs = False
    fixed = () if weighs else weights_of(start, settings)
    scores = _Scores(train, new, options.kernel, train.judge, fixed)
    search = Search(scores, relative_weights)
    best = climb(search, start, choices)
    power, exponent = float(best.parameters["power"]), float(best.parameters["count_exponent"])
    strength = float(best.parameters["strength"]) * scores.scale(best.parameters)
    weights = weights_of(best.parameters, settings)
    return ChosenKernel(power, exponent, strength, weights, search.trials, best)


def _without_features(inputs: Sequence[Features]) -> dict[str, tuple[float]]:
    """Return a weight of 0 for each of several settings that no train item has a feature of."""
    empty = [not count_features(rows).any() for rows in inputs]
    if len(inputs) == 1 or all(empty):
        return {}
    chosen = {weight_name(number): (0.0,) for number, is_empty in enumerate(empty) if is_empty}
    if empty.count(False) == 1:  # there is nothing to choose
        chosen[weight_name(empty.index(False))] = (1.0,)
    return chosen


def middle_choice(choices: Choices) -> Parameters:
    """Return where a search begins: the middle of each parameter, equal weights."""
    middle = {name: values[len(values) // 2] for name, values in choices.items()}
    first = first_choice(choices)
    return {name: first[name] if is_weight(name) else value for name, value in middle.items()}


def climb(search: Search, start: Parameters, choices: Choices, *, shape: bool = True) -> Trial:
    """Find the best parameters, beginning with equal weights and with the best setting alone.

    Parameters
    ----------
    search
        What tries parameters.
    start
        Where to begin.
    choices
        Name of a parameter → the values to choose from.
    shape
        Whether all parameters are chosen, or the weights and the strength alone.
    """
    open_choices = {name: values for name, values in choices.items() if len(values) > 1}
    weights = {name: values for name, values in open_choices.items() if is_weight(name)}
    others = {name: values for name, values in open_choices.items() if not is_weight(name)}
    strengths = {"strength": choices["strength"]}
    alike = others if shape else strengths
    best = _extend(search, search.climb(start, alike), choices["strength"])
    if not weights:
        return best
    alone = [search.attempt(each) for each in single_settings(best.parameters, choices)]
    tried = sorted((trial for trial in alone if trial), key=lambda trial: trial.score or 0.0)
    if tried:  # with a strength of its own
        trial = _extend(search, search.climb(tried[-1].parameters, strengths), choices["strength"])
        best = trial if is_better(trial, best) else best
    best = search.climb(best.parameters, weights)
    return _extend(search, search.climb(best.parameters, alike), choices["strength"])


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


def _of_some(judge: Judge, chosen: NDArray[np.int64], items: int) -> Judge:
    """Return what judges weights of some of the train items."""

    def judge_some(rows: Any, form: Any, scoring: str) -> float:
        weights = np.zeros((len(rows), items), np.float32)
        weights[:, chosen] = rows
        return judge(weights, form, scoring)

    return judge_some


class _Scores:
    """How well validation items rank by kernels and strengths; the kernel last used stays.

    Parameters
    ----------
    train
        The train items.
    validation
        The features of the validation items, one for each setting.
    kernel
        What products are computed.
    judge
        Judges weights of the train items.
    weights
        The weights of the settings where there is no choice; they are then joined once.
    """

    def __init__(
        self,
        train: Examples,
        validation: Sequence[Features],
        kernel: KernelName,
        judge: Judge,
        weights: Sequence[float] = (),
    ) -> None:
        self._judge, self._cosine, self._fixed = judge, kernel == "cosine", [*weights]
        features = TrainFeatures(train.inputs, kernel, train.present)

        def products(inputs: Sequence[Features]) -> list[Products]:
            if weights:
                return [features.products(inputs, np.float32, weights)]
            return features.each_setting(inputs, np.float32)

        self._train, self._validation = products(train.inputs), products(validation)
        self._shape: tuple[float, ...] | None = None

    def scale(self, parameters: Parameters) -> float:
        """Return what strengths are relative to."""
        return self._system(parameters)[0].scale

    def __call__(self, parameters: Parameters) -> float:
        system, rows = self._system(parameters)
        try:
            weights = system.weights(rows, float(parameters["strength"]) * system.scale)
        except TrainingError:  # a power of cosines may be no kernel without more regularization
            return 0.0
        return self._judge(np.asarray(weights, np.float32), "weights", "")

    def _system(self, parameters: Parameters) -> tuple[KernelSystem, NDArray[Any]]:
        weights = [1.0] if self._fixed else weights_of(parameters, len(self._train))
        shape = float(parameters["power"]), float(parameters["count_exponent"]), *weights
        if shape != self._shape:
            self._current = (
                KernelSystem(self._join(self._train, weights).kernel(*shape[:2])),
                self._join(self._validation, weights).kernel(*shape[:2]),
            )
            self._shape = shape
        return self._current

    def _join(self, settings: Sequence[Products], weights: Sequence[float]) -> Products:
        return join_products(settings, weights, cosine=self._cosine)
