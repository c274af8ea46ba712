"""Mel spectrograms as models of others expect them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tartarus_cli.audio import Count, Samples, cached_transform
from tartarus_cli.audio.stft import StftOptions
from tartarus_cli.encoders import EncoderOptions

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

DYNAMIC_RANGE_DB = 80.0
"""Decibels below the loudest value that are told apart."""


class MelInputOptions(EncoderOptions):
    """How a mel spectrogram is computed, if a model takes one."""

    n_fft: Count = 1024
    """Samples of a frame."""
    hop_length: Count = 512
    """Samples from one frame to the next."""
    bins: Count = 96
    """Mel bands."""
    fmin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The lowest frequency, Hz."""
    fmax: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The highest frequency, Hz; 0: half the sample rate."""
    mel: Literal["slaney", "htk"] = "slaney"
    """Whose formula of the mel scale; ``htk`` without the norm of the bands."""
    power: Literal[1, 2] = 2
    """1: of the magnitude; 2: of the power."""
    scale: Literal["none", "ln", "log10", "db"] = "db"
    """Logarithm of multiplier × value + offset; ``db``: decibels below the loudest, -80 or more."""
    multiplier: Positive = 1.0
    offset: Positive = 1e-6
    mean: Number = 0.0
    """Taken off in the end."""
    std: Positive = 1.0
    """Divides in the end."""


def mel_input(
    options: MelInputOptions, sample_rate: int
) -> Callable[[Samples], NDArray[np.float32]]:
    """Return what computes the spectrogram of samples, ``(frames, bins)``.

    Raises
    ------
    ValueError
        If the highest frequency is not above the lowest, or above half the sample rate.
    """
    from tartarus_cli.compiled import load_librosa

    highest = options.fmax or sample_rate / 2
    if not options.fmin < highest <= sample_rate / 2:
        msg = f"fmax must be above fmin, and at most {sample_rate / 2:g}"
        raise ValueError(msg)
    htk = options.mel == "htk"
    bands = load_librosa().filters.mel(
        sr=sample_rate,
        n_fft=options.n_fft,
        n_mels=options.bins,
        fmin=options.fmin,
        fmax=highest,
        htk=htk,
        norm=None if htk else "slaney",
    )
    spectrum = StftOptions(
        sample_rate=sample_rate, hop_length=options.hop_length, n_fft=options.n_fft
    )
    magnitude = cached_transform("stft", spectrum)

    def compute(samples: Samples) -> NDArray[np.float32]:
        values = (bands @ magnitude(samples) ** options.power).T
        return np.asarray((_scaled(values, options) - options.mean) / options.std, np.float32)

    return compute


def _scaled(values: NDArray[np.float32], options: MelInputOptions) -> NDArray[np.float32]:
    if options.scale == "none":
        return values
    if options.scale == "db":
        factor = 10 if options.power == 2 else 20
        least = 10 ** (-DYNAMIC_RANGE_DB / factor)
        loudest = float(values.max()) or 1.0
        return np.asarray(factor * np.log10(np.maximum(values / loudest, least)), np.float32)
    logarithm = np.log if options.scale == "ln" else np.log10
    return np.asarray(logarithm(options.multiplier * values + options.offset), np.float32)
