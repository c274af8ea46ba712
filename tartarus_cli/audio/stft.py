"""Spectrograms from the short-time Fourier transform: linear in frequency, and in mel bands."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import (
    Count,
    Magnitude,
    SampleRate,
    Samples,
    SpectrogramFunction,
    TransformOptions,
    transform,
)

MAX_MEL_WEIGHTS = 1 << 27
"""Numbers that the matrix of the mel bands may have."""


class StftOptions(TransformOptions):
    """Bins from 0 to half the sample rate, ``n_fft // 2 + 1`` of them."""

    sample_rate: SampleRate = 12_000
    hop_length: Count = 256
    n_fft: Count = 512
    """Samples of a frame."""


class MelOptions(StftOptions):
    """Bands in equal steps of the mel scale (Slaney's)."""

    bins: Count = 96


def _linear_frequencies(options: StftOptions) -> NDArray[np.float64]:
    return np.asarray(np.fft.rfftfreq(options.n_fft, 1 / options.sample_rate), float)


def _mel_frequencies(options: MelOptions) -> NDArray[np.float64]:
    from tartarus_cli.compiled import load_librosa

    mel_frequencies = load_librosa().mel_frequencies
    return np.asarray(mel_frequencies(options.bins + 2, fmax=options.sample_rate / 2)[1:-1])


@transform("stft", options=StftOptions, frequencies=_linear_frequencies)
def stft(options: StftOptions) -> SpectrogramFunction:
    """Plan a short-time Fourier transform: the magnitude of ``librosa.stft``."""
    from tartarus_cli.compiled import load_librosa

    librosa = load_librosa()
    size, hop = options.n_fft, options.hop_length

    def compute(samples: Samples) -> Magnitude:
        padded = np.pad(samples, (0, max(0, size - len(samples))))
        frames = 1 + (len(samples) - size % 2) // hop
        spectrum = librosa.stft(padded, n_fft=size, hop_length=hop)[:, :frames]
        return np.asarray(np.abs(spectrum), np.float32)

    return compute


@transform("mel", options=MelOptions, frequencies=_mel_frequencies)
def mel(options: MelOptions) -> SpectrogramFunction:
    """Plan mel bands: the square root of ``librosa.feature.melspectrogram``, a magnitude too.

    Raises
    ------
    ValueError
        If there are so many bands that some hold no frequency at all.
    """
    bands = _mel_bands(options)
    linear = stft(StftOptions(**options.model_dump(exclude={"bins"})))

    def compute(samples: Samples) -> Magnitude:
        return np.asarray(np.sqrt(bands @ np.square(linear(samples))), np.float32)

    return compute


def _mel_bands(options: MelOptions) -> NDArray[np.float32]:
    from tartarus_cli.compiled import load_librosa

    if options.bins * options.n_fft > MAX_MEL_WEIGHTS:
        msg = f"{options.bins:,} bands of {options.n_fft:,} samples take too much memory"
        raise ValueError(msg)
    # librosa warns of bands without a frequency; they are an error below.
    with warnings.catch_warnings(action="ignore"):
        bands = load_librosa().filters.mel(
            sr=options.sample_rate, n_fft=options.n_fft, n_mels=options.bins
        )
    empty = int((bands.max(axis=1) == 0).sum())
    if empty:
        msg = f"{empty} of {options.bins} mel bands hold no frequency at all: n_fft is too small"
        raise ValueError(msg)
    return np.asarray(bands, np.float32)
