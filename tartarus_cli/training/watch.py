"""What is shown of a training while it runs, and when it has diverged."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tartarus_cli.errors import TrainingError, parameter
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.progress import ProgressTask
from tartarus_cli.training.stopping import VALIDATION_MAP, Figures, History

LOSS_INTERVAL_S = 0.5
"""Time between two readings of the running loss, each of which makes the device wait."""


class TrainingWatch:
    """Shows the progress of a training, records its losses, and stops it if it diverges."""

    def __init__(self, task: ProgressTask, history: History, options: TrainingSection) -> None:
        self._task, self._history, self._options = task, history, options
        self._epoch, self._epoch_start, self._loss_read = 0, 0.0, 0.0

    @property
    def epoch_s(self) -> float:
        """Seconds since the epoch began."""
        return time.monotonic() - self._epoch_start

    def epoch_begins(self, epoch: int, before_s: float) -> None:
        """Show the number of the epoch, counted from 1, which took so many seconds already."""
        self._epoch = epoch
        self._loss_read = time.monotonic()
        self._epoch_start = self._loss_read - before_s
        self._describe(None)

    def batch_ends(self, logs: Mapping[str, Any]) -> None:
        """Count a batch; wait for its loss only now and then."""
        self._task.advance()
        if time.monotonic() - self._loss_read > LOSS_INTERVAL_S:
            loss = float(logs["loss"])
            self.require_finite({"loss": loss})
            self._describe(loss)
            self._loss_read = time.monotonic()

    def epoch_ends(self, figures: Figures) -> Figures:
        """Record the figures of the epoch; return its line in the history."""
        row = {"epoch": self._epoch, **figures, "seconds": round(self.epoch_s, 3)}
        self._history.add(row)
        self.require_finite(figures)
        rows = self._history.rows
        self._task.record(_describe(self._epoch, self._options.epochs, rows, figures["loss"]))
        return row

    def require_finite(self, figures: Figures) -> None:
        """Stop the training if a loss is no number.

        Raises
        ------
        DivergedError
            If it is NaN or infinite.
        """
        losses = {name: value for name, value in figures.items() if name in ("loss", "val_loss")}
        invalid = [name for name, value in losses.items() if not math.isfinite(value)]
        if invalid:
            value = figures[invalid[0]]
            msg = f"the training diverged: {invalid[0]} is {value} in epoch {self._epoch}"
            lower = self._options.learning_rate / 10
            override = parameter("overrides", f"training.learning_rate={lower:g}")
            hint = "The learning rate may be too high, or the features very large: try "
            hint += f"{override}, or scale the features."
            raise DivergedError(msg, hint=hint)

    def _describe(self, running_loss: float | None) -> None:
        rows = self._history.rows
        self._task.describe(_describe(self._epoch, self._options.epochs, rows, running_loss))


class DivergedError(TrainingError):
    """A loss has become infinite or no number: to go on with the training would come to nothing."""


def _describe(epoch: int, epochs: int, rows: Sequence[Figures], running_loss: float | None) -> str:
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
