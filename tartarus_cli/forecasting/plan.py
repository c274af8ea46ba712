"""The steps of a piece of work of several models, in the order in which they would be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.baseline_rows import baseline_request
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.forecast import ForecastStep
from tartarus_cli.forecasting.models import Forecaster, ModelCost
from tartarus_cli.forecasting.starting import start_seconds
from tartarus_cli.models.store import Model

AT_ONCE_S = 0.01
"""Seconds at least that a step of its own is written for."""
USUAL: Mapping[str, object] = {
    "ties": "drawn",
    "pool": "mean",
    "device": "auto",
    "memory": "1GiB",
    "pruner": "asha",
    "jobs": 1,
}
"""Parameter → its default, where that is a word."""


def given_words(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a call that are not the defaults, as they are written again.

    Parameters
    ----------
    given
        All arguments by name.
    names
        Those that count.

    Examples
    --------
    >>> given_words({"k": [], "seed": 0, "ties": "drawn", "users": "0:9"}, ["k", "seed", "users"])
    {'seed': 0, 'users': '0:9'}
    """
    values = {name: _written(given.get(name)) for name in names}
    return {
        name: value
        for name, value in values.items()
        if value is not None and value is not False and value != [] and value != USUAL.get(name)
    }


def _written(value: Any) -> Any:
    """Return an argument as a message can name it."""
    if isinstance(value, Mapping):
        return [f"{key}={each}" for key, each in value.items()]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    return value


@dataclass
class Plan:
    """The steps of a run, as they are found."""

    forecaster: Forecaster
    members: int = 1
    """How often what depends on a seed, or on a fold, is done."""
    steps: list[ForecastStep] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    trained: set[str] = field(default_factory=set)
    """Titles of models that a step trains already, and that others take."""

    def add(self, what: str, seconds: float, basis: str = "", *, times: int = 1) -> None:
        """Add a step whose time is known."""
        self.steps.append(ForecastStep(what, (seconds, seconds), basis=basis, times=times))

    def start(self, *modules: str) -> None:
        """Add the start of the command, which loads some modules; that is tried."""
        basis = "its libraries were just loaded by another process"
        self.add("start the command", start_seconds("tartarus_cli.cli.app", *modules), basis)

    def train(self, cost: ModelCost, *, label: str, reuse: bool) -> None:
        """Add the training of a model, that of its parts before it."""
        for part in cost.parts:
            self.train(part, label="", reuse=True)
        if reuse and cost.title in self.trained:
            return
        self.trained.add(cost.title)
        times = self.members if cost.drawn else 1
        low, high = cost.own
        verb = "choose the weights of" if cost.is_blend else "train"
        there = high == 0 and not cost.is_blend
        what = f"use {cost.title}" if there else f"{verb} {cost.title}"
        what += f" ({label})" if label else ""
        memory, disk = (0, 0) if there else (cost.memory, cost.own_disk)
        self.steps.append(ForecastStep(what, (low, high), memory, disk, cost.basis, times))

    def judge(self, cost: ModelCost, options: EvaluationOptions, *, label: str = "") -> None:
        """Add the predictions and the evaluation of a model."""
        times = self.members if cost.drawn else 1
        name = label or cost.title
        if cost.predict > AT_ONCE_S:
            self.add(f"predict with {name}", cost.predict, times=times)
        measured = self.forecaster.evaluation(cost, options)
        what = f"evaluate {name}"
        if measured is None:
            basis = "the dataset lacks what the predictions would be scored by"
            self.steps.append(ForecastStep(what, None, basis=basis, times=times))
            return
        seconds = (measured.seconds, measured.seconds)
        self.steps.append(
            ForecastStep(what, seconds, measured.memory, measured.disk, measured.basis, times)
        )


def add_compared(
    plan: Plan, label: str, request: TrainingRequest, options: EvaluationOptions
) -> None:
    """Add a model that another one is compared with; one that cannot be had is left out.

    Parameters
    ----------
    plan
        Gets the steps.
    label
        What the model is called there.
    request
        What trains it, with every size filled in.
    options
        How it is evaluated.
    """
    inner = Plan(plan.forecaster, trained=plan.trained)
    try:
        cost = plan.forecaster.training(request, reuse=True)
        inner.train(cost, label=label, reuse=True)
        inner.judge(cost, options, label=f"{cost.title} ({label})")
    except TartarusError as problem:
        plan.remarks.append(f"{label} would be left out: {problem}")
        return
    plan.steps += inner.steps


def add_baseline(
    plan: Plan, model: Model, name: str, settings: tuple[str, ...], options: EvaluationOptions
) -> None:
    """Add a baseline that a model is compared with."""
    try:
        request = plan.forecaster.sized(baseline_request(model, name, settings))
    except TartarusError as problem:
        plan.remarks.append(f"the baseline {name} would be left out: {problem}")
        return
    add_compared(plan, name, request, replace(options, references=False, baselines=False))
