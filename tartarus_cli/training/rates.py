"""The learning rates of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.training.stopping import BestRule, Figures


def step_schedule(options: TrainingSection, batches: int) -> Any:
    """Return the learning rate of each step, as Keras takes it; None if steps do not decide it.

    Parameters
    ----------
    options
        The ``training`` section.
    batches
        Those of an epoch.
    """
    from tartarus_cli.schedules import StepSchedule

    if options.schedule == "plateau" or not options.changes_rate:
        return None
    return StepSchedule(
        options.schedule,
        options.learning_rate,
        steps=options.epochs * batches,
        warmup=options.warmup,
    )


def plateau_rate(rows: Sequence[Figures], rule: BestRule, rate: float, patience: int) -> float:
    """Return the learning rate after some epochs: halved wherever they were no better for a while.

    Parameters
    ----------
    rows
        The figures of the epochs that are over.
    rule
        Which figures are better.
    rate
        The learning rate at the beginning.
    patience
        Epochs after which a training stops that gets no better; half as many halve the rate.

    >>> rows = [{"val_loss": value} for value in (3, 2, 2, 2, 1, 1, 1)]
    >>> plateau_rate(rows, BestRule("val_loss"), 8.0, 4)
    2.0
    """
    best, waited = 0, 0
    for index, row in enumerate(rows):
        if rule.is_better(row, rows[best]):
            best, waited = index, 0
            continue
        waited += index > 0
        if waited and waited % max(1, patience // 2) == 0:
            rate, waited = rate / 2, 0
    return rate
