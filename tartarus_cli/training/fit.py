"""Fit a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.epochs import Epochs, Feed, network_input
from tartarus_cli.training.stopping import VALIDATION_MAP, EarlyStopping

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FitResult:
    """How a training ended."""

    epochs: int
    """Epochs that were run."""
    best_epoch: int
    """The epoch whose weights are kept, counted from 1."""
    validation_loss: float | None
    """Mean loss of the validation samples with these weights; None if there is none."""
    validation_map: float | None = None
    """Mean average precision of the validation items with these weights, where it stops."""


def fit(
    network: keras.Model,
    batches: Batches,
    validation: Batches,
    *,
    options: TrainingSection,
    course: TrainingCourse,
    progress: Progress,
) -> FitResult:
    """Fit a network with early stopping, and leave the best weights in it.

    Parameters
    ----------
    network
        Not compiled; it stays so, and therefore is saved without the optimizer's state.
    batches, validation
        Training samples, and the samples whose loss (or accuracy) stops the training.
    options
        Loss, optimizer and when to stop: the ``training`` section of an experiment.
    course
        Where it is recorded, and how it is run.
    progress
        Receives a task with a step for each batch.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    """
    import keras

    from tartarus_cli.losses import LOSSES

    trained = keras.Model(network.inputs, network.outputs)
    accuracy = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    metrics = accuracy if options.monitor == "val_accuracy" else []
    trained.compile(make_optimizer(options), LOSSES[options.loss], metrics=metrics)
    return fit_compiled(
        trained,
        batches,
        validation,
        options=options,
        course=course,
        progress=progress,
    )


def make_optimizer(options: TrainingSection) -> Any:
    """Return the optimizer that an experiment names, with its learning rate."""
    import keras

    optimizer = keras.optimizers.get(options.optimizer)
    optimizer.learning_rate = options.learning_rate
    return optimizer


def fit_compiled(
    trained: keras.Model,
    batches: Feed,
    validation: Batches | Callable[[], float],
    *,
    options: TrainingSection,
    course: TrainingCourse,
    progress: Progress,
) -> FitResult:
    """Fit a compiled network with early stopping, and leave the best weights in it.

    Parameters
    ----------
    trained
        The network, compiled.
    batches
        What it is trained with.
    validation
        The samples whose loss (or accuracy) stops the training; or what returns the mean average
        precision with the weights at the end of an epoch, which then stops it.
    options, course, progress
        As for :func:`fit`; the loss of ``options`` is not used.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    FileError
        If the checkpoint that it is to go on from is damaged.
    """
    if course.control.limit is not None:
        batches, validation = course.control.limit(batches, validation)
    monitor = VALIDATION_MAP if callable(validation) else options.monitor
    epochs = Epochs(
        trained,
        batches,
        validation,
        options=options,
        course=course,
        stopping=EarlyStopping(monitor, options.patience),
    )
    total = options.epochs * len(batches)
    with progress.task("training", total) as task, defer_interrupts() as check:
        epochs.run(task, check)
    record = epochs.history
    best = record.best(monitor)
    row = record.rows[best]
    return FitResult(len(record.rows), best + 1, row.get("val_loss"), row.get(VALIDATION_MAP))


def mean_loss(network: keras.Model, batches: Batches, loss: str) -> float:
    """Return the mean loss of a network over all samples.

    Parameters
    ----------
    network
        The network, compiled or not.
    batches
        The samples.
    loss
        Name of the loss, as ``training.loss`` of an experiment.
    """
    import keras

    from tartarus_cli.losses import LOSSES

    measure = keras.losses.get(LOSSES[loss])
    total, rows = 0.0, 0
    with defer_interrupts() as check:
        for index in range(len(batches)):
            check()
            inputs, targets = batches[index]
            outputs = network.predict_on_batch(network_input(inputs))
            total += float(np.sum(np.asarray(measure(targets, outputs), np.float64)))
            rows += len(targets)
    return total / rows
