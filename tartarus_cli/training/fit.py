"""Fit a network: the only place that calls ``fit``."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tartarus_cli.errors import TrainingError
from tartarus_cli.experiments.schema import TrainingSection
from tartarus_cli.progress import Progress, Task
from tartarus_cli.signals import between_steps
from tartarus_cli.training.batches import Batches

if TYPE_CHECKING:
    import keras

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
GLANCE_S = 0.5  # how often the running loss is read, which makes the device wait


@dataclass(frozen=True)
class Fitted:
    """What a training came to."""

    epochs: int
    best_epoch: int
    validation_loss: float


@dataclass
class _History:
    """Figures of each epoch, written as they come."""

    path: Path
    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, figures: dict[str, float]) -> None:
        self.rows.append(figures)
        fresh = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [c for c in COLUMNS if c in figures], lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow(figures)

    def best(self, monitor: str) -> int:
        """Index of the epoch whose weights are kept: the first of the best."""
        values = [row[monitor] for row in self.rows]
        return values.index(max(values) if monitor == "val_accuracy" else min(values))


def fit(
    network: keras.Model,
    batches: Batches,
    validation: Batches,
    *,
    options: TrainingSection,
    history: Path,
    progress: Progress,
) -> Fitted:
    """Fit a network with early stopping, and leave the best weights in it.

    Parameters
    ----------
    network
        Not compiled; it stays so, and therefore is saved without the optimizer's state.
    batches, validation
        What to learn from, and what to stop by.
    options
        Loss, optimizer and when to stop: the ``training`` section of an experiment.
    history
        The CSV file that gets a line an epoch.
    progress
        Told of each batch.

    Raises
    ------
    TrainingError
        If the loss turns NaN or infinite.
    """
    import keras

    from tartarus_cli.layers import LOSSES

    trained = keras.Model(network.inputs, network.outputs)
    optimizer = keras.optimizers.get(options.optimizer)
    optimizer.learning_rate = options.learning_rate
    accuracy = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    metrics = accuracy if options.monitor == "val_accuracy" else []
    trained.compile(optimizer, LOSSES[options.loss], metrics=metrics)
    kept = _History(history)
    stopping = keras.callbacks.EarlyStopping(
        options.monitor,
        patience=options.patience,
        mode="max" if options.monitor == "val_accuracy" else "min",
        restore_best_weights=True,
    )
    total = options.epochs * len(batches)
    with progress.task("training", total) as task, between_steps() as check:
        trained.fit(
            _feed(batches, check),
            validation_data=_feed(validation, check),
            epochs=options.epochs,
            verbose=0,
            shuffle=False,
            callbacks=[_watch(task, kept, options), stopping],
        )
    best = kept.best(options.monitor)
    return Fitted(len(kept.rows), best + 1, kept.rows[best]["val_loss"])


def mean_loss(network: keras.Model, batches: Batches, loss: str) -> float:
    """Return the loss of a network over all rows of a part."""
    import keras

    from tartarus_cli.layers import LOSSES

    measure = keras.losses.get(LOSSES[loss])
    total, rows = 0.0, 0
    with between_steps() as check:
        for index in range(len(batches)):
            check()
            inputs, targets = batches[index]
            outputs = network.predict_on_batch(_fed(inputs))
            total += float(np.sum(np.asarray(measure(targets, outputs), np.float64)))
            rows += len(targets)
    return total / rows


def _fed(inputs: Sequence[Any]) -> Any:
    """Keras wants a single input by itself."""
    return tuple(inputs) if len(inputs) > 1 else inputs[0]


def _feed(batches: Batches, check: Callable[[], None]) -> Any:
    import keras

    class Feed(keras.utils.PyDataset):  # type: ignore[misc]
        """Hands batches to Keras in the order that they are in."""

        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            check()
            inputs, targets = batches[index]
            return _fed(inputs), targets

        def on_epoch_end(self) -> None:
            batches.reshuffle()

    return Feed()


def _watch(task: Task, history: _History, options: TrainingSection) -> Any:
    """Make the callback that shows the course of the training and stops it when it goes wrong."""
    import keras

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        """Counts batches, keeps the history, and looks for a loss that is no number."""

        async_safe = True  # Keras then does not wait for the loss of each batch

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.epoch, self.began, self.glanced = epoch + 1, time.monotonic(), time.monotonic()
            task.describe(_course(self.epoch, options.epochs, history.rows, None))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            task.advance()
            if logs and time.monotonic() - self.glanced > GLANCE_S:
                task.describe(
                    _course(self.epoch, options.epochs, history.rows, float(logs["loss"]))
                )
                self.glanced = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            figures = {name: float(value) for name, value in (logs or {}).items()}
            took = round(time.monotonic() - self.began, 3)
            history.add({"epoch": epoch + 1, **figures, "seconds": took})
            _stop_if_diverged(epoch + 1, figures, options)

    return Watch()


def _stop_if_diverged(epoch: int, figures: dict[str, float], options: TrainingSection) -> None:
    wrong = [name for name in ("loss", "val_loss") if not math.isfinite(figures[name])]
    if wrong:
        msg = f"the training diverged: {wrong[0]} is {figures[wrong[0]]} in epoch {epoch}"
        lower = options.learning_rate / 10
        hint = "Most likely the learning rate is too high or the features are very large; try "
        hint += f"--set training.learning_rate={lower:g}, or scale the features."
        raise TrainingError(msg, hint=hint)


def _course(
    epoch: int, epochs: int, rows: Sequence[dict[str, float]], running: float | None
) -> str:
    text = f"epoch {epoch}/{epochs}"
    if running is not None:
        text += f" loss {running:.4f}"
    elif rows:
        text += f" loss {rows[-1]['loss']:.4f}"
    if rows:
        best = min(row["val_loss"] for row in rows)
        text += f" val {rows[-1]['val_loss']:.4f} best {best:.4f}"
    return text
