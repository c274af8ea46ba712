"""Fit a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tartarus_cli.data.crops import CropPredictor
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.epochs import Epochs, Feed, JudgeFunction
from tartarus_cli.training.rates import step_schedule
from tartarus_cli.training.stopping import (
    VALIDATION_MAP,
    BestRule,
    EarlyStopping,
    Figures,
    patience_epochs,
)

if TYPE_CHECKING:
    import keras

Loss = Any
"""A loss as Keras takes it: its name, or a function of targets and outputs to a number a sample."""


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


def fit(  # noqa: PLR0913 — what a training consists of
    network: keras.Model,
    batches: Batches,
    validation: Batches,
    *,
    options: TrainingSection,
    course: TrainingCourse,
    progress: Progress,
    loss: Loss = None,
) -> FitResult:
    """Fit a network with early stopping, and leave the best weights in it.

    Parameters
    ----------
    network
        Not compiled; it stays so, and therefore is saved without the optimizer's state.
    batches, validation
        Training samples, and the samples whose loss (or accuracy) stops the training: patches that
        are longer than what the network reads are judged by the mean over their crops.
    options
        Loss, optimizer and when to stop: the ``training`` section of an experiment.
    course
        Where it is recorded, and how it is run.
    progress
        Receives a task with a step for each batch.
    loss
        What is minimised, if not the loss of ``options``.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    """
    import keras

    from tartarus_cli.losses import LOSSES

    loss = loss or LOSSES[options.loss]
    trained = keras.Model(network.inputs, network.outputs)
    by_accuracy = options.monitor == "val_accuracy"
    metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")] if by_accuracy else []
    trained.compile(make_optimizer(options, trained, len(batches)), loss, metrics=metrics)
    judge = Judge(trained, validation, loss, by_accuracy=by_accuracy)
    return fit_compiled(
        trained,
        batches,
        judge if judge.crops else validation,
        options=options,
        course=course,
        progress=progress,
    )


def make_optimizer(options: TrainingSection, network: keras.Model, batches: int) -> Any:
    """Return the optimizer that an experiment names, with its learning rate and weight decay.

    Parameters
    ----------
    options
        The ``training`` section.
    network
        What it optimizes: biases, and what layers of normalization learn, do not decay.
    batches
        Those of an epoch, from which the steps of the whole training follow.
    """
    import keras

    optimizer = keras.optimizers.get(options.optimizer)
    optimizer.learning_rate = options.learning_rate
    schedule = step_schedule(options, batches)
    if schedule is not None:
        optimizer.learning_rate = schedule
    optimizer.weight_decay = options.weight_decay or None
    if options.weight_decay:
        lasting = [v for v in network.trainable_variables if len(v.shape) < 2 or "bias" in v.name]
        optimizer.exclude_from_weight_decay(var_list=lasting)
    return optimizer


class Judge:
    """Measures a network by samples: loss and accuracy of the mean over the crops of patches.

    Parameters
    ----------
    network
        The network, compiled or not.
    batches
        The samples, with their whole patches.
    loss
        Name of a loss of Keras, or the loss itself.
    by_accuracy
        Whether the share of samples whose highest output is that of their class is measured.
    """

    def __init__(
        self, network: keras.Model, batches: Batches, loss: Loss, *, by_accuracy: bool = False
    ) -> None:
        import keras

        self._batches, self._by_accuracy = batches, by_accuracy
        self._measure = keras.losses.get(loss)
        self._predict = CropPredictor(network)

    @property
    def crops(self) -> bool:
        """Whether the network reads less at a time than the patches have."""
        frames = [shape[0] for shape in self._batches.shapes]
        return any(
            size is not None and size < length
            for size, length in zip(self._predict.sizes, frames, strict=True)
        )

    def __call__(self, batch_ended: Callable[[], None]) -> Figures:
        """Return the figures; ``batch_ended`` is called after each batch, and may end it."""
        total, right, rows = 0.0, 0, 0
        for index in range(len(self._batches)):
            inputs, targets = self._batches[index]
            lengths = self._batches.lengths(index)
            outputs = self._predict(inputs, lengths)
            total += float(np.sum(np.asarray(self._measure(targets, outputs), np.float64)))
            right += int((targets.argmax(axis=-1) == outputs.argmax(axis=-1)).sum())
            rows += len(targets)
            batch_ended()
        figures = {"val_loss": total / rows}
        return figures | ({"val_accuracy": right / rows} if self._by_accuracy else {})


def fit_compiled(
    trained: keras.Model,
    batches: Feed,
    validation: Batches | JudgeFunction,
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
        The samples whose loss (or accuracy) stops the training; or what returns the figures with
        the weights at the end of an epoch, by column of the history.
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
    rule = BestRule(options.monitor, options.ties)
    epochs = Epochs(
        trained,
        batches,
        validation,
        options=options,
        course=course,
        stopping=EarlyStopping(rule, patience_epochs(options, len(batches))),
    )
    total = options.epochs * len(batches)
    with progress.task("training", total) as task, defer_interrupts() as check:
        epochs.run(task, check)
    record = epochs.history
    best = record.best(rule)
    row = record.rows[best]
    return FitResult(len(record.rows), best + 1, row.get("val_loss"), row.get(VALIDATION_MAP))


def mean_loss(network: keras.Model, batches: Batches, loss: Loss) -> float:
    """Return the mean loss of a network over all samples, of patches over their crops.

    Parameters
    ----------
    network
        The network, compiled or not.
    batches
        The samples.
    loss
        The loss, as Keras takes it.
    """
    with defer_interrupts() as check:
        return float(Judge(network, batches, loss)(check)["val_loss"])
