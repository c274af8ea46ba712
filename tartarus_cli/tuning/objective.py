"""What a search makes as good as it can: a figure of the validation items."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from tartarus_cli.data.tasks import PLAYS_KIND, Task
from tartarus_cli.errors import RequestError, nearest, parameter
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.metrics import METRICS
from tartarus_cli.metrics.classification import (
    LOWER_IS_BETTER,
    multiclass_metrics,
    multilabel_metrics,
)
from tartarus_cli.scoring.validation import CUT

LOSS = "val_loss"
"""The loss of the validation items, as the training measures it."""
MAP = f"MAP@{CUT}"
USUAL: dict[Task, str] = {
    "recommendation": MAP,
    "multilabel": "PR-AUC",
    "multiclass": "accuracy",
}
"""Task → the figure if none is named; for classes, means over the classes."""

_CHANGES_LOSS = ("targets.", "training.loss", "scoring", "network.output", "network.contrast")


@dataclass(frozen=True)
class Objective:
    """A figure of the validation items."""

    name: str
    """As evaluations call it, or ``val_loss``."""

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.name not in (LOSS, *LOWER_IS_BETTER)

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another."""
        return one > other if self.maximize else one < other


def choose_objective(name: str | None, experiment: Experiment, tuned: Collection[str]) -> Objective:
    """Return the figure that is asked for, or that of the task.

    Parameters
    ----------
    name
        Of the figure; None: MAP@500 of recommendations, PR-AUC (macro) of items with several
        classes, accuracy of those with one; for a blend, what its weights are chosen by.
    experiment
        The experiment.
    tuned
        The parameters that are varied.

    Raises
    ------
    RequestError
        If there is no such figure, or it means another thing in each trial.
    """
    task, baseline = experiment.dataset.task, experiment.baseline
    blends = baseline is not None and baseline.blends
    usual = USUAL[task] if not blends or task == "recommendation" else "PR-AUC"
    if name is None:
        return Objective(usual)
    known = [usual] if blends else [*_names(task, name)]
    if experiment.targets.kind != PLAYS_KIND and not blends:
        known.append(LOSS)
    if name not in known:
        msg = f"{parameter('objective', name)}: {experiment.name} has no such figure of validation "
        msg += "items"
        raise RequestError(msg, hint=nearest(name, known))
    changing = [key for key in tuned if key.startswith(_CHANGES_LOSS)]
    if name == LOSS and changing:
        msg = f"{parameter('objective', name)}: losses cannot be compared where {changing[0]} "
        msg += "differs"
        option = parameter("objective", usual)
        raise RequestError(msg, hint=f"Choose {option}, or one value of {changing[0]}.")
    return Objective(name)


def _names(task: Task, name: str) -> Iterable[str]:
    """List the figures that there are, with the k that a name has."""
    match = re.search(r"@(\d{1,6})(?!\d)", name)
    k = (int(match[1]),) if match and int(match[1]) else ()
    if task == "recommendation":
        metrics = ((each, METRICS.get(each)) for each in METRICS.names())
        return [
            label
            for each, metric in metrics
            if not metric.published
            for label in metric.names(each, k)
        ]
    scores, truth = np.array([[0.9, 0.2], [0.1, 0.6]]), np.eye(2) > 0
    if task == "multiclass":
        return multiclass_metrics(scores, np.array([0, 1])).overall
    return multilabel_metrics(scores, truth, k=k).overall


def metric_of(name: str) -> tuple[str, int]:
    """Return the metric of a ranking that a figure is of, and its k.

    >>> metric_of("nDCG@5"), metric_of("MRR")
    (('nDCG', 5), ('MRR', 0))
    """
    match = re.search(r"@(\d+)", name)
    return re.sub(r"@\d+", "", name), int(match[1]) if match else 0
