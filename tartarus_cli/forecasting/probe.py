"""A few steps of a training in place of all of them, with the time that they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EPOCHS = 4
"""Epochs of a probe: one to compile, one to see how long steps take, and two to measure."""
FEW_STEPS, FEW_BATCHES = 4, 2
"""Training steps and validation batches of the second epoch."""


class LimitedFeed:
    """The first batches of an epoch; how many is changed from epoch to epoch.

    Parameters
    ----------
    batches
        All of them.
    """

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self.all = len(batches)
        self.chosen: Sequence[int] = sorted({0, self.all - 1})
        """The numbers of those of this epoch."""
        self.began = 0.0
        """When the first of them was asked for."""

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Any:
        if not index:
            batch = self._batches[self.chosen[0]]  # the first one may have to be read in advance
            self.began = time.perf_counter()
            return batch
        return self._batches[self.chosen[index]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


@dataclass
class StepProbe:
    """Limits the steps of a training, and measures them.

    The training is to have :data:`EPOCHS` epochs. The first of them compiles; then as many steps
    are measured as there is time for, the whole of an epoch if possible.
    """

    budget_s: float
    """Seconds of a measured epoch, about."""
    feed: LimitedFeed | None = None
    validation: LimitedFeed | None = None
    judging: list[tuple[float, float]] = field(default_factory=list)
    """Beginning and end of each validation that is one piece."""
    first_s: float = 0.0
    """Seconds of the first epoch, which compiles."""
    epochs: list[tuple[float, float]] = field(default_factory=list)
    """Seconds of training and validation of each later epoch, made up to whole ones."""
    measured_s: float = 0.0
    """Seconds of all epochs together, as they were."""
    steps: int = 0
    """Steps of the last epoch."""
    _began: float = 0.0

    def limit(
        self, batches: Any, validation: Any | Callable[[], float]
    ) -> tuple[Any, Any | Callable[[], float]]:
        """Return what a training is to be fed with, and judged by, in place of these."""
        self._began = time.perf_counter()
        self.feed = LimitedFeed(batches)
        if callable(validation):
            return self.feed, self._timed(validation)
        self.validation = LimitedFeed(validation)
        return self.feed, self.validation

    def epoch_ended(self, epoch: int, _figures: Mapping[str, float]) -> None:
        """Note the time of an epoch, and choose the steps of the next one."""
        now = time.perf_counter()
        whole = now - self._began
        self.measured_s += whole
        feed = self._feed
        if epoch == 1:
            self.first_s = whole
            self._choose(FEW_STEPS, FEW_BATCHES)
        else:
            judged = self.judging[-1][0] if self.judging else self._validation_began
            training = (judged - feed.began) * feed.all / len(feed)
            validating = now - judged
            if self.validation is not None:
                validating *= self.validation.all / len(self.validation)
            self.epochs.append((training, validating))
            self.steps = len(feed)
            if epoch == 2:
                self._choose_measured(training, validating)
        self._began = time.perf_counter()

    @property
    def epoch_s(self) -> float:
        """Seconds of a whole epoch."""
        measured = self.epochs[1:] or self.epochs
        return sum(sum(pair) for pair in measured) / len(measured)

    @property
    def compiling_s(self) -> float:
        """Seconds of the first epoch beyond those of its steps."""
        feed, batches = self._feed, 1.0
        training, validating = self.epochs[-1]
        if self.validation is not None:
            batches = min(2, self.validation.all) / self.validation.all
        steps = min(2, feed.all) / feed.all
        return max(0.0, self.first_s - training * steps - validating * batches)

    @property
    def _feed(self) -> LimitedFeed:
        if self.feed is None:
            msg = "the training has not begun"
            raise AssertionError(msg)
        return self.feed

    @property
    def _validation_began(self) -> float:
        return self.validation.began if self.validation else 0.0

    def _choose(self, steps: int, batches: int) -> None:
        self._feed.chosen = range(max(1, min(steps, self._feed.all)))
        if self.validation is not None:
            self.validation.chosen = range(max(1, min(batches, self.validation.all)))

    def _choose_measured(self, training: float, validating: float) -> None:
        """Choose so many steps that they take the time that there is."""
        feed, share = self._feed, min(1.0, self.budget_s / max(training + validating, 1e-9))
        batches = self.validation.all if self.validation else 1
        self._choose(max(FEW_STEPS, int(feed.all * share)), max(FEW_BATCHES, int(batches * share)))

    def _timed(self, judge: Callable[[], float]) -> Callable[[], float]:
        def timed() -> float:
            start = time.perf_counter()
            value = judge()
            self.judging.append((start, time.perf_counter()))
            return value

        return timed
