"""When a training stops by itself, and which weights are kept then."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.files import write_text

if TYPE_CHECKING:
    import keras

COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_map",
    "learning_rate",
    "seconds",
)
"""Columns that the history of a training may have, in their order."""
VALIDATION_MAP = "val_map"
"""Monitor: mean average precision of the rankings of the validation items."""
INCREASING = ("val_accuracy", VALIDATION_MAP)
"""Monitors of which more is better."""

Figures = Mapping[str, int | float]
"""The figures of an epoch, by column."""


@dataclass(frozen=True)
class BestRule:
    """Which figures of two epochs are the better ones."""

    monitor: str
    """The figure that decides."""
    ties: Literal["first", "loss"] = "first"
    """Of equal ones, the earlier is kept (``first``) or that with the lower validation loss."""

    def is_better(self, figures: Figures, other: Figures) -> bool:
        """Whether figures are better than those of an earlier epoch."""
        value, before = figures[self.monitor], other[self.monitor]
        if value == before and self.ties == "loss" and "val_loss" in figures:
            return figures["val_loss"] < other["val_loss"]
        return value > before if self.monitor in INCREASING else value < before


def patience_epochs(options: TrainingSection, batches: int) -> int:
    """Return after how many epochs without a better one a training of so many batches stops.

    >>> options = TrainingSection(loss="cosine", monitor="val_loss", patience=4, patience_steps=90)
    >>> patience_epochs(options, 30), patience_epochs(options, 8)
    (4, 12)
    """
    return max(options.patience, -(-options.patience_steps // batches))


class History:
    """Figures of each epoch, written as they come.

    Parameters
    ----------
    path
        The CSV file; what it held is replaced.
    rows
        The figures of the epochs that are over.
    """

    def __init__(self, path: Path, rows: Sequence[Figures] = ()) -> None:
        self._path, self.rows = path, [dict(row) for row in rows]
        if self.rows:
            write_text(path, _as_csv(self.rows, header=True))
        else:
            path.unlink(missing_ok=True)

    def add(self, figures: Figures) -> None:
        """Add the figures of an epoch."""
        self.rows.append(dict(figures))
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_as_csv(self.rows[-1:], header=len(self.rows) == 1))

    def best(self, rule: BestRule) -> int:
        """Index of the epoch whose weights are kept: the first of the best."""
        best = 0
        for index, row in enumerate(self.rows):
            if rule.is_better(row, self.rows[best]):
                best = index
        return best


def _as_csv(rows: Sequence[Figures], *, header: bool) -> str:
    text = io.StringIO()
    columns = [name for name in COLUMNS if name in rows[0]]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class EarlyStopping:
    """Stops a training once a figure has not become better for some epochs.

    Parameters
    ----------
    rule
        Which figures are better.
    patience
        Epochs without a better one.
    """

    def __init__(self, rule: BestRule, patience: int) -> None:
        self.rule, self._patience = rule, patience
        self.best: float | None = None
        self.best_figures: Figures = {}
        """Those of the best epoch."""
        self.waited = 0
        self.weights: list[NDArray[Any]] = []
        """Those of the best epoch."""
        self.over = False
        """Whether the training is to stop."""

    def epoch_ends(self, epoch: int, figures: Figures, network: keras.Model) -> None:
        """Compare the figures of an epoch, counted from 1, with those of the best."""
        if self.best is None or self.rule.is_better(figures, self.best_figures):
            self.best, self.waited = float(figures[self.rule.monitor]), 0
            self.best_figures, self.weights = dict(figures), network.get_weights()
            return
        self.waited += 1
        self.over = self.waited >= self._patience and epoch > 1
