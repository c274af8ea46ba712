"""Fit a network: the only place that calls ``fit``."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tartarus_cli.errors import TrainingError, parameter
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import Progress, ProgressTask
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingControl, TrainingCourse

if TYPE_CHECKING:
    import keras

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_map", "seconds")
"""Columns that the history of a training may have, in their order."""
LOSS_INTERVAL_S = 0.5
"""Time between two readings of the running loss, each of which makes the device wait."""


VALIDATION_MAP = "val_map"
"""Monitor: mean average precision of the rankings of the validation items."""
INCREASING = ("val_accuracy", VALIDATION_MAP)
"""Monitors of which more is better."""


class Feed(Protocol):
    """The batches of an epoch: inputs and targets by number."""

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""

    def __getitem__(self, index: int) -> tuple[Sequence[Any], Any]:
        """Return one array for each input, and the targets."""

    def reshuffle(self) -> None:
        """Begin the next epoch."""


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


@dataclass
class _History:
    """Figures of each epoch, written as they come."""

    path: Path
    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, figures: dict[str, float]) -> None:
        self.rows.append(figures)
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [c for c in COLUMNS if c in figures], lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(figures)

    def best(self, monitor: str) -> int:
        """Index of the epoch whose weights are kept: the first of the best."""
        values = [row[monitor] for row in self.rows]
        return values.index(max(values) if monitor in INCREASING else min(values))


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
    """
    import keras

    judged = callable(validation)
    monitor = VALIDATION_MAP if judged else options.monitor
    record = _History(course.history)
    stopping = keras.callbacks.EarlyStopping(
        monitor,
        patience=options.patience,
        mode="max" if monitor in INCREASING else "min",
        restore_best_weights=True,
    )
    total = options.epochs * len(batches)
    with progress.task("training", total) as task, defer_interrupts() as check:
        watch = _TrainingWatch(task, record, options, course.control)
        judge = validation if callable(validation) else None
        trained.fit(
            _feed(batches, check),
            validation_data=None if callable(validation) else _feed(validation, check),
            epochs=options.epochs,
            verbose=0,
            shuffle=False,
            callbacks=_callbacks(trained, stopping, watch, judge),
        )
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
            outputs = network.predict_on_batch(_network_input(inputs))
            total += float(np.sum(np.asarray(measure(targets, outputs), np.float64)))
            rows += len(targets)
    return total / rows


def _network_input(inputs: Sequence[Any]) -> Any:
    """Return inputs as Keras takes them: a single one not in a tuple."""
    return tuple(inputs) if len(inputs) > 1 else inputs[0]


def _feed(batches: Feed, check: Callable[[], None]) -> Any:
    import keras

    class Feed(keras.utils.PyDataset):  # type: ignore[misc]
        """Gives batches to Keras in their order."""

        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            check()
            inputs, targets = batches[index]
            return _network_input(inputs), targets

        def on_epoch_end(self) -> None:
            batches.reshuffle()

    return Feed()


class _TrainingWatch:
    """Shows the progress of a training, records its losses, and stops it if it diverges."""

    def __init__(
        self,
        task: ProgressTask,
        history: _History,
        options: TrainingSection,
        control: TrainingControl,
    ) -> None:
        self._task, self._history, self._options = task, history, options
        self._epoch_ended, self._measure = control.epoch_ended, control.measure
        self._epoch, self._epoch_start, self._loss_read = 0, 0.0, 0.0

    def epoch_begins(self, epoch: int) -> None:
        """Show the number of the epoch, counted from 1."""
        self._epoch = epoch
        self._epoch_start = self._loss_read = time.monotonic()
        self._describe(None)

    def batch_ends(self, logs: Mapping[str, Any]) -> None:
        """Count a batch; wait for its loss only now and then."""
        self._task.advance()
        if time.monotonic() - self._loss_read > LOSS_INTERVAL_S:
            loss = float(logs["loss"])
            self.require_finite({"loss": loss})
            self._describe(loss)
            self._loss_read = time.monotonic()

    def epoch_ends(self, figures: dict[str, float], network: keras.Model) -> None:
        """Record the losses of the epoch."""
        duration = round(time.monotonic() - self._epoch_start, 3)
        self._history.add({"epoch": self._epoch, **figures, "seconds": duration})
        self.require_finite(figures)
        rows = self._history.rows
        self._task.record(_describe(self._epoch, self._options.epochs, rows, figures["loss"]))
        if self._epoch_ended is not None:
            further = {} if self._measure is None else self._measure(network)
            self._epoch_ended(self._epoch, {**rows[-1], **further})

    def require_finite(self, figures: Mapping[str, float]) -> None:
        """Stop the training if a loss is no number.

        Raises
        ------
        TrainingError
            If it is NaN or infinite.
        """
        _stop_if_diverged(self._epoch, figures, self._options)

    def _describe(self, running_loss: float | None) -> None:
        rows = self._history.rows
        self._task.describe(_describe(self._epoch, self._options.epochs, rows, running_loss))


def _callbacks(
    network: keras.Model, stopping: Any, watch: _TrainingWatch, judge: Callable[[], float] | None
) -> Any:
    """Return callbacks of Keras that pass each batch and epoch on to ``watch``.

    What ``judge`` returns at the end of an epoch is added to its figures.

    Keras' own list of callbacks converts the losses of every batch, which makes each step wait
    for the device, or hands them to a pool of threads; this one does neither.
    """
    import keras

    class Watched(keras.callbacks.Callback):  # type: ignore[misc]
        """Passes the epochs on."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            watch.epoch_begins(epoch + 1)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            logs = {} if logs is None else logs
            if judge is not None:
                watch.require_finite({"loss": float(logs["loss"])})
                logs[VALIDATION_MAP] = judge()  # where the next callback reads it
            watch.epoch_ends({name: float(value) for name, value in logs.items()}, self.model)

    class Callbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
        """Passes the batches on."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            watch.batch_ends(logs)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            pass

    return Callbacks([Watched(), stopping], add_history=True, model=network)


def _stop_if_diverged(epoch: int, figures: Mapping[str, float], options: TrainingSection) -> None:
    losses = {name: value for name, value in figures.items() if name in ("loss", "val_loss")}
    invalid = [name for name, value in losses.items() if not math.isfinite(value)]
    if invalid:
        msg = f"the training diverged: {invalid[0]} is {figures[invalid[0]]} in epoch {epoch}"
        lower = options.learning_rate / 10
        override = parameter("overrides", f"training.learning_rate={lower:g}")
        hint = "The learning rate may be too high, or the features very large: try "
        hint += f"{override}, or scale the features."
        raise TrainingError(msg, hint=hint)


def _describe(
    epoch: int, epochs: int, rows: Sequence[dict[str, float]], running_loss: float | None
) -> str:
    """Write how far a training is: epoch, loss, the last and the best of validation loss or MAP."""
    text = f"epoch {epoch}/{epochs}"
    if running_loss is not None:
        text += f" loss {running_loss:.4f}"
    elif rows:
        text += f" loss {rows[-1]['loss']:.4f}"
    if rows:
        judged = VALIDATION_MAP in rows[-1]
        values = [row[VALIDATION_MAP if judged else "val_loss"] for row in rows]
        best = max(values) if judged else min(values)
        text += f" val{' MAP' * judged} {values[-1]:.4f} best {best:.4f}"
    return text
