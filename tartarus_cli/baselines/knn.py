"""The nearest train items: whoever played them will like the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_array, vstack

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    Examples,
    Features,
    FittedBaseline,
    Items,
    Judge,
    NamedArrays,
    Parameters,
    PredictionForm,
    Presence,
    TrainingExamples,
    Trial,
    presence_matrix,
    select_presence,
    weight_name,
)
from tartarus_cli.baselines.search import Search, is_better
from tartarus_cli.baselines.setting_weights import (
    WEIGHTS,
    SettingWeights,
    Several,
    as_list,
    first_choice,
    is_weight,
    relative_weights,
    single_settings,
    weight_choices,
    weights_of,
)
from tartarus_cli.baselines.similarity import (
    average_targets,
    count_features,
    find_neighbours,
    keep_nearest,
)
from tartarus_cli.errors import DataError

NEIGHBOURS = (50, 10, 20, 100, 200, 500)
"""Numbers of neighbours to choose from; the first one where there is no choice."""

EXPONENTS = (0.0, -0.25, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
"""Powers of the number of features to choose from."""

CHOSEN = ("neighbours", "feature_exponent", "weights", "mean_counts")
"""Names of the arrays of what was chosen; models from before there was a choice have none."""

BLOCK_ITEMS = 1024
"""Validation items whose neighbours are sought at a time."""


Neighbours: TypeAlias = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Exponent: TypeAlias = Annotated[float, Field(ge=-4, le=4, allow_inf_nan=False)]


class NeighbourOptions(BaselineOptions):
    """Which train items count as near, and for how much.

    Of several values, the one is taken that ranks the validation items best; the first one where
    nobody knows who played these. Where ``neighbours`` is one number, the others are not chosen
    unless they are given: the exponent is 0 and the weights are equal.
    """

    neighbours: Several[Neighbours] = NEIGHBOURS
    """Number of the most similar train items: one, or several to choose from."""

    feature_exponent: Several[Exponent] = EXPONENTS
    """The similarities of an item are multiplied by the number of its features that are not zero,
    relative to the mean of the train items, to this power: one, or several to choose from."""

    weights: SettingWeights = (WEIGHTS,)
    """How much each setting counts: a weight for each, or for all; each may be several to choose
    from."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """Choose nothing that is not asked for where the number of neighbours is given."""
        if isinstance(values, Mapping) and len(as_list(values.get("neighbours", NEIGHBOURS))) == 1:
            return {"feature_exponent": 0.0, "weights": 1.0, **values}
        return values

    def choices(self, settings: int) -> dict[str, tuple[float, ...]]:
        """Return the values of each parameter, for a number of settings; the first is the start.

        Raises
        ------
        RequestError
            If the weights are not those of so many settings, or all are zero.
        """
        choices: dict[str, tuple[float, ...]] = {
            "neighbours": self.neighbours,
            "feature_exponent": self.feature_exponent,
        }
        return choices | weight_choices(self.weights, settings)


@dataclass(frozen=True)
class _Neighbourhood:
    """What rows of items depend on, beside their features: parameters and train items."""

    parameters: Parameters
    train: TrainingExamples
    form: PredictionForm
    mean: NDArray[Any]
    """The mean of the targets, ``(dim,)``; not used for neighbours."""
    mean_counts: NDArray[np.float64]
    """Features that are not zero, on the average of the train items, ``(settings,)``."""

    @property
    def neighbours(self) -> int:
        """Number of neighbours of an item."""
        return int(self.parameters["neighbours"])

    @property
    def exponent(self) -> float:
        """Power of the number of features."""
        return float(self.parameters["feature_exponent"])

    @property
    def weights(self) -> list[float]:
        """How much each setting counts."""
        return weights_of(self.parameters, len(self.train.inputs))

    def arrays(self) -> NamedArrays:
        """Return what is stored."""
        stored = {
            "neighbours": np.array(self.neighbours),
            "feature_exponent": np.array(self.exponent),
            "weights": np.array(self.weights),
            "mean_counts": self.mean_counts,
        }
        return stored | ({"mean": self.mean} if self.form == "factors" else {})

    def find(self, inputs: Sequence[Features], present: Presence, neighbours: int) -> csr_array:
        """Return the similarities of items to so many of the nearest train items."""
        train = self.train
        has = presence_matrix(present, int(inputs[0].shape[0]))
        return find_neighbours(inputs, train.inputs, neighbours, train.turns, self.weights, has)

    def rows(self, similarities: csr_array, inputs: Sequence[Features], present: Presence) -> Any:
        """Return what is predicted, from the similarities to the nearest train items."""
        if self.form != "neighbours":
            rows = average_targets(similarities, self.train.prepared_targets, self.mean)
            return rows.astype(np.float32)
        factors = self._feature_factors(inputs, present)
        data = similarities.data * np.repeat(factors, np.diff(similarities.indptr))
        parts = (data.astype(np.float32), similarities.indices, similarities.indptr)
        return csr_array(parts, shape=similarities.shape)

    def _feature_factors(
        self, inputs: Sequence[Features], present: Presence
    ) -> NDArray[np.float64]:
        """Return by what the similarities of each item are multiplied, ``(items,)``."""
        if self.exponent == 0:
            return np.ones(int(inputs[0].shape[0]))
        counts = np.stack([count_features(rows) for rows in inputs], axis=1)
        means = np.where(self.mean_counts > 0, self.mean_counts, 1)
        has = presence_matrix(present, len(counts))
        total = sum(self.weights) if has is None else has @ np.array(self.weights)
        relative = (counts / means) @ np.array(self.weights) / np.where(total, total, 1)
        return np.asarray(np.where(relative > 0, relative, 1) ** self.exponent)


class _Chooser:
    """Chooses the parameters that rank the validation items best."""

    def __init__(
        self,
        start: _Neighbourhood,
        choices: Mapping[str, Sequence[float]],
        judge: Judge,
        validation: Examples,
    ) -> None:
        self._start, self._judge = start, judge
        self._inputs = inputs = validation.inputs
        self._present = validation.present
        self._choices = {name: values for name, values in choices.items() if len(values) > 1}
        counts = [count_features(rows) for rows in inputs]
        if start.form == "factors" or not any(np.ptp(each) for each in counts):
            self._choices.pop("feature_exponent", None)  # it would change nothing
        self._most = int(max(choices["neighbours"]))
        self._found: tuple[list[float], csr_array] | None = None
        self._search = Search(self._score, relative_weights)

    def choose(self) -> tuple[Trial, tuple[Trial, ...]]:
        """Return the best trial, and all of them.

        The search begins at the first value of each parameter and, beside it, with each setting
        alone: so all settings together are never worse than one of them.
        """
        alike = {name: values for name, values in self._choices.items() if not is_weight(name)}
        best: Trial | None = None
        first = self._start.parameters
        for start in (first, *single_settings(first, self._choices)):
            trial = self._search.climb(start, alike)
            best = trial if best is None or is_better(trial, best) else best
        if best is None:
            msg = "nothing was tried"
            raise AssertionError(msg)
        return self._search.climb(best.parameters, self._choices), self._search.trials

    def _score(self, parameters: Parameters) -> float:
        tried = replace(self._start, parameters=parameters)
        if self._found is None or self._found[0] != tried.weights:
            self._found = tried.weights, self._find(tried)
        near = keep_nearest(self._found[1], tried.neighbours, self._start.train.turns)
        rows = tried.rows(near, self._inputs, self._present)
        return self._judge(rows, tried.form, self._start.train.scoring)

    def _find(self, tried: _Neighbourhood) -> csr_array:
        """Return the similarities of validation items to the most train items that may count."""
        items = int(self._inputs[0].shape[0])
        blocks = [slice(first, first + BLOCK_ITEMS) for first in range(0, items, BLOCK_ITEMS)]
        found = [
            tried.find(
                [rows[block] for rows in self._inputs],
                select_presence(self._present, block),
                self._most,
            )
            for block in blocks
        ]
        return csr_array(vstack(found, format="csr"))


def _mean_counts(train: TrainingExamples) -> list[float]:
    """Return the features that are not zero, on the average of the items with each setting."""
    masks = train.present or (None,) * len(train.inputs)
    counts = [
        count_features(rows) if mask is None else count_features(rows)[mask]
        for rows, mask in zip(train.inputs, masks, strict=True)
    ]
    return [float(each.mean()) if len(each) else 0.0 for each in counts]


def _fit(train: TrainingExamples, options: NeighbourOptions) -> BaselineResult:
    """Choose the parameters that rank the validation items best, where that can be judged."""
    choices = options.choices(len(train.inputs))
    form: PredictionForm = "factors" if train.plays is None else "neighbours"
    counts = np.ones(len(train.inputs))
    if form == "neighbours" and any(choices["feature_exponent"]):
        counts = np.array(_mean_counts(train))
    mean = train.prepared_targets.mean(axis=0) if form == "factors" else np.zeros(0)
    start = _Neighbourhood(first_choice(choices), train, form, mean, counts)
    is_open = any(len(values) > 1 for values in choices.values())
    if train.judge is None or train.validation is None or not is_open:
        return BaselineResult(start.arrays(), form)
    best, trials = _Chooser(start, choices, train.judge, train.validation).choose()
    chosen = replace(start, parameters=best.parameters)
    return BaselineResult(chosen.arrays(), form, trials, best)


def _predict(baseline: FittedBaseline, items: Items) -> Any:
    train, arrays = baseline.train, baseline.arrays
    if train is None:
        msg = "neighbours are found among the train items, which are not given"
        raise AssertionError(msg)
    if not _are_sound(arrays, baseline.form):
        msg = "what the nearest neighbours were fitted to is missing, or makes no sense"
        raise DataError(msg, hint="Train them again.")
    parameters, counts = first_choice(baseline.options.choices(len(train.inputs))), np.ones(1)
    if "neighbours" in arrays:  # what was chosen: not in models from before there was a choice
        names = ("neighbours", "feature_exponent")
        parameters = {name: float(arrays[name]) for name in names}
        parameters |= {weight_name(n): float(w) for n, w in enumerate(arrays["weights"])}
        counts = arrays["mean_counts"]
    mean = arrays.get("mean", np.zeros(0))
    fitted = _Neighbourhood(parameters, train, baseline.form, mean, counts)
    near = fitted.find(items.inputs, items.present, fitted.neighbours)
    return fitted.rows(near, items.inputs, items.present)


def _are_sound(arrays: NamedArrays, form: PredictionForm) -> bool:
    """Whether arrays that were stored, which may be damaged, are those of a fit."""
    present = [name in arrays for name in CHOSEN]
    if (form == "factors" or not any(present)) and "mean" not in arrays:
        return False
    if not all(present):
        return not any(present)
    weights = arrays["weights"]
    return bool(arrays["neighbours"] >= 1 and (weights >= 0).all() and weights.any())


def _shapes(_width: int, dim: int) -> dict[str, tuple[int, ...]]:
    chosen: dict[str, tuple[int, ...]] = {"neighbours": (), "feature_exponent": ()}
    return {"mean": (dim,), **chosen, "weights": (-1,), "mean_counts": (-1,)}


BASELINES.register("knn")(
    Baseline(
        _fit,
        _predict,
        NeighbourOptions,
        _shapes,
        settings=(1, None),
        learns=True,
        optional=("mean", *CHOSEN),
        kinds=("als", "pmi", "class", "plays"),
        plays=True,
        judged=True,
        remembers=True,
        draws=False,
    )
)
