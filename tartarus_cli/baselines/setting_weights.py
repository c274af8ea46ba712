"""How much each setting counts, chosen by validation items: all equal, one alone, or between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from tartarus_cli.baselines import Parameters, weight_name
from tartarus_cli.errors import RequestError, count_noun

T = TypeVar("T")

WEIGHTS = (1.0, 0.0, 0.25, 0.5)
"""Weights of a setting to choose from."""

WEIGHT_ITEMS = 2048
"""Train items with which weights of settings are chosen, at most."""

Choices = Mapping[str, Sequence[float]]
"""Name of a parameter → the values to choose from."""


def as_list(value: Any) -> Any:
    """Take one value for a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def _as_lists(values: Any) -> Any:
    return tuple(map(as_list, as_list(values)))


Several: TypeAlias = Annotated[
    tuple[T, ...], Field(min_length=1, max_length=100), BeforeValidator(as_list)
]
"""Values to choose from; a single one stands for a list of one."""
Weight: TypeAlias = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
SettingWeights: TypeAlias = Annotated[Several[Several[Weight]], BeforeValidator(_as_lists)]
"""A weight for each setting, or for all; each may be several to choose from."""


def weight_choices(weights: SettingWeights, settings: int) -> dict[str, tuple[float, ...]]:
    """Return the weights to choose from, of each setting; none for a single one.

    Raises
    ------
    RequestError
        If they are not those of so many settings, or all are zero.

    Examples
    --------
    >>> weight_choices(((1.0, 0.0),), 2)
    {'weight_1': (1.0, 0.0), 'weight_2': (1.0, 0.0)}
    """
    each = weights * settings if len(weights) == 1 else weights
    if len(each) != settings:
        given = f"{count_noun(len(each), 'weight')} for {count_noun(settings, 'setting')}"
        hint = "Give one for each setting; write values to choose from as a list in the list: "
        hint += "network.weights=[[1,0,0.5]]"
        msg = f"network.weights: {given}"
        raise RequestError(msg, hint=hint)
    if not any(max(values) > 0 for values in each):
        msg = "network.weights: all weights are 0, so that no train item is similar to another"
        raise RequestError(msg, hint="Give at least one setting a weight above 0.")
    if settings == 1:  # it would scale everything alike
        return {}
    return {weight_name(number): values for number, values in enumerate(each)}


def draw_items(items: int) -> NDArray[np.int64] | None:
    """Draw the train items with which weights are chosen, always the same; None: all of them."""
    if items <= WEIGHT_ITEMS:
        return None
    return np.sort(np.random.default_rng(0).choice(items, WEIGHT_ITEMS, replace=False))


def weights_of(parameters: Parameters, settings: int) -> list[float]:
    """Return the weight of each setting; 1 where it is no parameter."""
    return [float(parameters.get(weight_name(number), 1)) for number in range(settings)]


def is_weight(name: str) -> bool:
    """Whether a parameter is the weight of a setting."""
    return name.startswith("weight_")


def relative_weights(parameters: Parameters) -> Parameters | None:
    """Divide the weights by the largest, since their ratios alone count; None if all are 0.

    >>> relative_weights({"strength": 3.0, "weight_1": 0.5, "weight_2": 0.25})
    {'strength': 3.0, 'weight_1': 1.0, 'weight_2': 0.5}
    """
    weights = {name: float(value) for name, value in parameters.items() if is_weight(name)}
    largest = max(weights.values(), default=1.0)
    if largest == 0:
        return None
    return {**parameters, **{name: weight / largest for name, weight in weights.items()}}


def first_choice(choices: Choices) -> Parameters:
    """Return the first value of each parameter; of weights, the first that is not all zero."""
    first = {name: values[0] for name, values in choices.items()}
    positive = {name: max(values) for name, values in choices.items() if is_weight(name)}
    return relative_weights(first) or relative_weights(first | positive) or first


def single_settings(start: Parameters, choices: Choices) -> Iterator[Parameters]:
    """Yield the start with the weight of one setting alone, where the others may be 0.

    A search that begins with each of them finds nothing worse than the best setting alone.
    """
    names = [name for name in start if is_weight(name)]
    values = {name: choices.get(name, (float(start[name]),)) for name in names}
    for name in names:
        if max(values[name]) > 0 and all(0 in values[n] for n in names if n != name):
            yield {**start, **dict.fromkeys(names, 0.0), name: 1.0}
