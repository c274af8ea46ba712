"""When a training writes a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from tartarus_cli.files import DiskFullError
from tartarus_cli.models.checkpoint import CheckpointState, write_checkpoint
from tartarus_cli.progress import warn
from tartarus_cli.training.control import TrainingCourse

SHARE = 1 / 40
"""Of the time of a training that its checkpoints may take: large ones are written less often."""
LAST_SHARE = 1 / 10
"""Of the interval after which the end of the last epoch is worth a checkpoint, too."""


class CheckpointWriter:
    """Writes the checkpoints of one training, and knows when the next one is due."""

    def __init__(self, course: TrainingCourse) -> None:
        self._path, self._every = course.checkpoint, course.control.checkpoint_every
        self._last, self._took = time.monotonic(), 0.0

    @property
    def writes(self) -> bool:
        """Whether there are to be any."""
        return self._path is not None and self._every > 0

    def is_due(self, *, at_the_end: bool = False) -> bool:
        """Whether the time for the next one has come; after the last epoch it comes earlier."""
        interval = max(self._every * (LAST_SHARE if at_the_end else 1), self._took / SHARE)
        return self.writes and time.monotonic() - self._last >= interval

    def write(self, state: CheckpointState, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
        """Write one; that the disk has no room for it does not end the training."""
        if self._path is None or not self._path.parent.is_dir():  # the model was deleted meanwhile
            return
        start = time.monotonic()
        try:
            write_checkpoint(self._path, state, arrays)
        except DiskFullError as problem:
            warn(f"the training has no new checkpoint: {problem}")
        self._last = time.monotonic()
        self._took = self._last - start

    def remove(self) -> None:
        """Delete it: going on from it would come to nothing."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
