"""How the learning rate changes in a training; import it inside functions, as it imports Keras."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
from keras import ops

FIRST_SHARE = 1 / 25
"""Share of the learning rate that one cycle begins with (Smith and Topin 2019, as in PyTorch)."""


class StepSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that follows from the number of the step alone.

    It rises in the first steps, in a line, or of one cycle as half a cosine; then it stays, or
    falls to 0 as half a cosine.

    Parameters
    ----------
    kind
        ``constant``, ``cosine`` or ``one_cycle``.
    rate
        The highest learning rate.
    steps
        Steps of the whole training.
    warmup
        Share of them in which it rises.

    Examples
    --------
    >>> cosine = StepSchedule("cosine", 1.0, steps=8, warmup=0.25)
    >>> [round(float(cosine(step)), 3) for step in range(8)]
    [0.5, 1.0, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067]
    >>> cycle = StepSchedule("one_cycle", 1.0, steps=8, warmup=0.5)
    >>> [round(float(cycle(step)), 3) for step in (0, 3, 4, 6)]
    [0.181, 1.0, 1.0, 0.5]
    """

    def __init__(
        self,
        kind: Literal["constant", "cosine", "one_cycle"],
        rate: float,
        *,
        steps: int,
        warmup: float,
    ) -> None:
        self._kind, self._rate = kind, rate
        self._rising = round(steps * warmup)
        self._falling = max(1, steps - self._rising)

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        share = ops.minimum((step + 1) / max(1, self._rising), 1.0)
        if self._kind == "one_cycle":
            share = FIRST_SHARE + (1 - FIRST_SHARE) * (1 - ops.cos(math.pi * share)) / 2
        if self._kind == "constant":
            return self._rate * share
        place = ops.clip((step - self._rising) / self._falling, 0.0, 1.0)
        return self._rate * share * (1 + ops.cos(math.pi * place)) / 2
