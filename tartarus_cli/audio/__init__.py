"""Recordings: decoding, spectrograms by name, and patches. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.registry import Registry

Samples = NDArray[np.float32]  # (samples,), mono, within -1 and 1
Magnitude = NDArray[np.float32]  # (bins, frames)
Compute = Callable[[Samples], Magnitude]

Count = Annotated[int, Field(ge=1, le=1 << 20, strict=True)]
Rate = Annotated[int, Field(ge=100, le=400_000, strict=True)]  # Hz
Hertz = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TransformOptions(BaseModel):
    """What every transform is told; each adds its own parameters and defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate: Rate = 22_050
    hop_length: Count = 1024  # samples from one frame to the next

    def frames_of(self, seconds: float) -> int:
        """Return the number of frames that a patch of so many seconds has."""
        return int(seconds * self.sample_rate / self.hop_length)


@dataclass(frozen=True)
class Transform:
    """A way from samples to a spectrogram that experiments can name."""

    options: type[TransformOptions]
    plan: Callable[[Any], Compute]  # makes what does not depend on the recording
    frequencies: Callable[[Any], NDArray[np.float64]]  # (bins,) Hz


TRANSFORMS: Registry[Transform] = Registry(
    "transform", package=__name__, group="tartarus.transforms"
)


def transform(
    name: str,
    *,
    options: type[TransformOptions],
    frequencies: Callable[[Any], NDArray[np.float64]],
) -> Callable[[Callable[[Any], Compute]], Callable[[Any], Compute]]:
    """Register a function as the transform called ``name``.

    The function takes the options, makes filters and windows once, and returns what computes the
    magnitude ``(bins, frames)`` of one recording after another.

    Parameters
    ----------
    name
        What ``patches --transform`` says.
    options
        The pydantic model of its parameters.
    frequencies
        Tells the frequency of each bin in Hz.

    Raises
    ------
    ValueError
        By the function: if the parameters do not go together, such as bins above half the sample
        rate.
    """

    def keep(plan: Callable[[Any], Compute]) -> Callable[[Any], Compute]:
        TRANSFORMS.register(name)(Transform(options, plan, frequencies))
        return plan

    return keep


@cache
def cached_transform(name: str, options: TransformOptions) -> Compute:
    """Return what computes spectrograms; its filters are made once a process."""
    compute: Compute = TRANSFORMS.get(name).plan(options)
    return compute
