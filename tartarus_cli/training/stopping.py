"""When a training stops by itself, and which weights are kept then."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tartarus_cli.files import write_text

if TYPE_CHECKING:
    import keras

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_map", "seconds")
"""Columns that the history of a training may have, in their order."""
VALIDATION_MAP = "val_map"
"""Monitor: mean average precision of the rankings of the validation items."""
INCREASING = ("val_accuracy", VALIDATION_MAP)
"""Monitors of which more is better."""

Figures = Mapping[str, int | float]
"""The figures of an epoch, by column."""


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

    def best(self, monitor: str) -> int:
        """Index of the epoch whose weights are kept: the first of the best."""
        values = [row[monitor] for row in self.rows]
        return values.index(max(values) if monitor in INCREASING else min(values))


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
    monitor
        The figure.
    patience
        Epochs without a better one.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        self._monitor, self._patience = monitor, patience
        self.best: float | None = None
        self.waited = 0
        self.weights: list[NDArray[Any]] = []
        """Those of the best epoch."""
        self.over = False
        """Whether the training is to stop."""

    def epoch_ends(self, epoch: int, figures: Figures, network: keras.Model) -> None:
        """Compare the figures of an epoch, counted from 1, with those of the best."""
        value = float(figures[self._monitor])
        if self.best is None or self._is_better(value, self.best):
            self.best, self.waited = value, 0
            self.weights = network.get_weights()
            return
        self.waited += 1
        self.over = self.waited >= self._patience and epoch > 1

    def _is_better(self, value: float, other: float) -> bool:
        return value > other if self._monitor in INCREASING else value < other
