"""The parameters that a search varies, each with its values; all are checked before it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tartarus_cli.errors import RequestError, TartarusError, call, parameter
from tartarus_cli.experiments.ranges import Choices, Interval, parse_range, write_number
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.options import parse_value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 4
"""Significant digits of a number that is drawn, and of the range that it is drawn from."""
FIXED = ("dataset.", "evaluation.", "training.validation", "shuffled", "targets.kind", "tune.")
"""Beginnings of the parameters without which figures could not be compared."""

Resolve = Callable[[Sequence[str]], Experiment]
"""From overrides to the experiment that they make."""
Value = float | int | str
"""A value of a parameter: a number, or a choice as TOML writes it."""


@dataclass(frozen=True)
class Dimension:
    """A parameter, and the values to try."""

    key: str
    """Such as ``network.dropout``."""
    text: str
    """As it was written."""
    range: Interval | Choices
    whole: bool
    """Whether its numbers are whole ones."""

    @cached_property
    def distribution(self) -> BaseDistribution:
        """The same for Optuna."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if isinstance(self.range, Choices):
            return CategoricalDistribution(self.range.values)
        low, high, log, step = self.range.low, self.range.high, self.range.log, self.range.step
        if step is not None:
            high = low + ((self.count or 1) - 1) * step  # the last value, which may be lower
        if self.whole:
            return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
        return FloatDistribution(float(low), float(high), log=log, step=step)

    @property
    def count(self) -> int | None:
        """Number of its values; None if they are not counted."""
        if isinstance(self.range, Choices):
            return len(self.range.values)
        step = self.range.step or (1 if self.whole else None)
        return None if step is None else int((self.range.high - self.range.low) / step + 1e-9) + 1

    def values(self) -> list[Value]:
        """List its values, where they are counted."""
        if isinstance(self.range, Choices):
            return [*self.range.values]
        step, low = self.range.step or 1, self.range.low
        numbers = (low + place * step for place in range(self.count or 0))
        return [int(number) if self.whole else self.rounded(number) for number in numbers]

    def rounded(self, value: Any) -> Value:
        """Return a value with few digits, within the ends."""
        if isinstance(self.range, Choices) or self.whole:
            return value if isinstance(value, int | str) else int(value)
        low, high = float(self.range.low), float(self.range.high)
        sizes = [size for size in (abs(float(value)), high - low) if size > 0]
        decimals = max(DIGITS - 1 - math.floor(math.log10(size)) for size in sizes)
        return min(max(round(float(value), decimals), low), high)

    def value_of(self, experiment: Experiment) -> Value | None:
        """Return the value that an experiment has; None if it is none of those to try."""
        value: Any = experiment.model_dump(mode="json")
        for name in self.key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(self.range, Choices):
            return next(
                (each for each in self.range.values if _same(parse_value(each), value)), None
            )
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        number = type(value) in (int, float) and self.range.low <= value <= self.range.high
        if not number or not self.distribution._contains(value):
            return None
        return int(value) if self.whole else float(value)


def write_override(key: str, value: Value) -> str:
    """Write a value of a parameter as an override.

    >>> write_override("network.dropout", 0.25), write_override("network.hidden", "[512]")
    ('network.dropout=0.25', 'network.hidden=[512]')
    """
    return f"{key}={value if isinstance(value, str) else write_number(value)}"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same parameter; a single one stands for a list of one."""
    lists = [[*each] if isinstance(each, list | tuple) else [each] for each in (one, other)]
    return lists[0] == lists[1]


def search_space(
    ranges: Mapping[str, str], resolve: Resolve, source: str = ""
) -> tuple[Dimension, ...]:
    """Return the parameters of a search, once every end and every choice is a valid value.

    Parameters
    ----------
    ranges
        Parameter → its range as text.
    resolve
        Returns the experiment with some overrides more.
    source
        Where the ranges stand, for messages; empty: on the command line.

    Raises
    ------
    RequestError
        If there is no such parameter, or a value of a range is not one of its values, or the
        parameter cannot be varied.
    """
    return tuple(_dimension(key, text, resolve, source) for key, text in ranges.items())


def _dimension(key: str, text: str, resolve: Resolve, source: str) -> Dimension:
    subject = f"{source}: {key} = {text!r}" if source else parameter("overrides", f"{key}={text}")
    if key.startswith(FIXED):
        msg = f"{subject}: figures of different {key} cannot be compared"
        raise RequestError(msg, hint="Give it one value, and search once for each.")
    parsed = parse_range(text)
    if parsed is None:
        msg = f"{subject}: a single value is nothing to search"
        raise RequestError(msg, hint="Write LOW..HIGH, or several values.")
    if isinstance(parsed, Choices):
        _check_values(key, parsed.values, resolve, subject)
        return Dimension(key, text, parsed, whole=False)
    whole = parsed.whole or not _takes_fractions(key, parsed, resolve)
    ends = (parsed.low, parsed.high, parsed.step or 1)
    if whole and any(end != int(end) for end in ends):
        _check_values(key, (write_number(int(parsed.low) + 1),), resolve, subject)
        msg = f"{subject}: {key} takes whole numbers"
        example = f"{key}={int(parsed.low)}..{int(parsed.high) + 1}"
        raise RequestError(msg, hint=f"For example {parameter('overrides', example)}.")
    _check_values(key, parsed.ends, resolve, subject)
    return Dimension(key, text, parsed, whole)


def _takes_fractions(key: str, interval: Interval, resolve: Resolve) -> bool:
    """Whether a number between the ends that is not whole is a value of the parameter."""
    between = interval.low + (interval.high - interval.low) * 0.618034
    if between == int(between):
        between += 0.25
    try:
        resolve([write_override(key, float(between))])
    except TartarusError:
        return False
    return True


def _check_values(key: str, values: Sequence[str], resolve: Resolve, subject: str) -> None:
    """Make sure that each value is one of the parameter."""
    for value in values:
        try:
            resolve([f"{key}={value}"])
        except TartarusError as problem:
            reason = str(problem).removeprefix(f"{parameter('overrides')}: ")
            msg = f"{subject}: {value} does not fit: {reason}"
            raise RequestError(msg, hint=problem.hint) from None


def require_something(experiment: Experiment, space: Sequence[Dimension]) -> None:
    """Make sure that there is something to vary.

    Raises
    ------
    RequestError
        If there is not.
    """
    options = type(experiment.network).model_fields
    if not space and experiment.baseline is not None and [*options] == ["name"]:
        msg = f"{experiment.name} has no parameters that could be tuned"
        raise RequestError(msg, hint="Choose another experiment, such as ridge_plays or rec_multi.")
    if not space:
        msg = f"{experiment.name} has no ranges to search: its section [tune] is empty"
        example = parameter("overrides", "network.dropout=0.1..0.7")
        hint = f"Name some, for example {example}; its parameters: "
        raise RequestError(msg, hint=hint + call("show_experiment", experiment.name))
