"""Recordings: decoding, spectrograms by name, and patches. Arrays in, arrays out.

:func:`~tartarus_cli.audio.decoding.decode` reads a file, :func:`cached_transform` returns the
function that computes spectrograms of one kind, and a
:class:`~tartarus_cli.audio.patches.PatchRecipe` does both steps from samples to the patches that
networks read. ``TRANSFORMS.names()`` lists the kinds of spectrograms.

Examples
--------
Samples come from ``decode(Path("song.mp3"), recipe.parameters.sample_rate)``; here they are a tone.

>>> from tartarus_cli.audio.patches import PatchRecipe
>>> recipe = PatchRecipe(transform="mel", parameters={"bins": 24}, per_item=2, seconds=1, seed=0)
>>> samples = np.sin(np.arange(36_000) * 0.2).astype(np.float32)
>>> magnitude = recipe.spectrogram(samples)
>>> magnitude.shape, recipe.cut(magnitude, "song 1").shape
((24, 141), (2, 46, 24))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tartarus_cli.registry import Registry

Samples = NDArray[np.float32]
"""Mono samples within -1 and 1, ``(samples,)``."""

Magnitude = NDArray[np.float32]
"""The magnitude of a spectrogram, ``(bins, frames)``."""

SpectrogramFunction = Callable[[Samples], Magnitude]
"""What computes the spectrogram of a recording."""

Count = Annotated[int, Field(ge=1, le=1 << 20, strict=True)]
SampleRate = Annotated[int, Field(ge=100, le=400_000, strict=True)]
"""Samples a second, Hz."""

Hertz = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TransformOptions(BaseModel):
    """Parameters that every transform has; each adds its own, and sets the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate: SampleRate = 22_050
    """Rate in Hz to which recordings are resampled first."""

    hop_length: Count = 1024
    """Samples from one frame to the next."""

    def frames_of(self, seconds: float) -> int:
        """Return the number of whole frames that a patch of this length has."""
        return int(seconds * self.sample_rate / self.hop_length)


@dataclass(frozen=True)
class Transform:
    """A registered way from samples to a spectrogram."""

    options: type[TransformOptions]
    """The pydantic model of its parameters."""

    plan: Callable[[Any], SpectrogramFunction]
    """Takes the parameters, and makes once what does not depend on the recording."""

    frequencies: Callable[[Any], NDArray[np.float64]]
    """Takes the parameters, and returns the frequency of each bin in Hz, ``(bins,)``."""


TRANSFORMS: Registry[Transform] = Registry(
    "transform", package=__name__, group="tartarus.transforms"
)


def transform(
    name: str,
    *,
    options: type[TransformOptions],
    frequencies: Callable[[Any], NDArray[np.float64]],
) -> Callable[[Callable[[Any], SpectrogramFunction]], Callable[[Any], SpectrogramFunction]]:
    """Register a function as the transform called ``name``.

    The function takes the options, makes filters and windows once, and returns what computes the
    magnitude ``(bins, frames)`` of one recording after another.

    Parameters
    ----------
    name
        The name by which a :class:`~tartarus_cli.audio.patches.PatchRecipe` selects it.
    options
        The pydantic model of its parameters.
    frequencies
        Takes the parameters, and returns the frequency of each bin in Hz.

    Raises
    ------
    ValueError
        By the function: if the parameters do not go together, such as bins above half the sample
        rate.
    """

    def keep(plan: Callable[[Any], SpectrogramFunction]) -> Callable[[Any], SpectrogramFunction]:
        TRANSFORMS.register(name)(Transform(options, plan, frequencies))
        return plan

    return keep


@cache
def cached_transform(name: str, options: TransformOptions) -> SpectrogramFunction:
    """Return the function that computes spectrograms; its filters are made once a process.

    Parameters
    ----------
    name
        A registered transform, such as ``cqt``, ``mel`` or ``stft``.
    options
        Its parameters, of the model ``TRANSFORMS.get(name).options``.

    Raises
    ------
    RequestError
        If there is no transform of this name.
    ValueError
        If the parameters do not go together.
    """
    compute: SpectrogramFunction = TRANSFORMS.get(name).plan(options)
    return compute
