"""How a training that takes steps is to be run: it changes nothing of what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tartarus_cli.models.manifest import WholeRequest
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress

CHECKPOINT_S = 600.0
"""Seconds between two checkpoints, if nothing else is asked for."""


CommandName = Literal["train", "run"]
"""A function that trains, and that goes on with a training that was stopped."""


@dataclass(frozen=True)
class TrainingControl:
    """How a training is run: how often it can be gone on with, and who is told of its epochs."""

    checkpoint_every: float = CHECKPOINT_S
    """Seconds between two checkpoints; 0: none is written, not even when it is stopped."""
    epoch_ended: Callable[[int, Mapping[str, float]], None] | None = None
    """Called after each epoch, with its number, counted from 1, and the figures of its line in the
    history, which is written by then. What it raises ends the training as an error does. Of a
    blend, it is not told of the parts."""
    measure: Callable[[Any], Mapping[str, float]] | None = None
    """From the Keras network of an experiment, after each epoch, to further figures, which
    ``epoch_ended`` is told of; the history and the training know nothing of them. Networks that
    learn plays are not measured: they are judged by rankings anyway."""
    command: CommandName = "train"
    """Function that is named where a training was stopped and can be gone on with."""
    limit: Callable[[Any, Any], tuple[Any, Any]] | None = None
    """Returns what a training is fed with, and judged by, in place of its batches and its
    validation: fewer of them, to measure how long they take."""

    def of_part(self) -> TrainingControl:
        """Return how a model is trained that is only a part of what was asked for."""
        return replace(self, epoch_ended=None, measure=None)


DEFAULT_CONTROL = TrainingControl()
"""How a training is run if nothing is said."""


@dataclass(frozen=True)
class Circumstances:
    """What a training is for, where it goes on, and how it is run."""

    evaluated: bool = False
    """Whether an evaluation follows."""
    compared_with: str = ""
    """The model that this one is trained to be compared with; empty if none."""
    part_of: WholeRequest | None = None
    """What was asked for, if not this training alone."""
    resumed: Model | None = None
    """The model whose training goes on; None: it begins, with a new number."""
    control: TrainingControl = DEFAULT_CONTROL
    progress: Progress = UNWATCHED

    def quiet(self) -> Circumstances:
        """Return the same for another model that this one needs, of which less is said."""
        control, progress = self.control.of_part(), QuietProgress(self.progress)
        return replace(self, resumed=None, evaluated=False, control=control, progress=progress)


@dataclass(frozen=True)
class TrainingCourse:
    """The course of a training: where it is recorded, how it is run, and where it goes on."""

    history: Path
    """The CSV file that gets a line an epoch."""
    control: TrainingControl = DEFAULT_CONTROL
    checkpoint: Path | None = None
    """The file of its checkpoint; None: it has none. If the file is there, it goes on from it."""
