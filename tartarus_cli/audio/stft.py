"""Spectrograms from the short-time Fourier transform: linear in frequency, and in mel bands."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import (
    Compute,
    Count,
    Magnitude,
    Rate,
    Samples,
    TransformOptions,
    transform,
)

MOST_WEIGHTS = 1 << 27  # of mel bands


class StftOptions(TransformOptions):
    """Bins from 0 to half the sample rate, ``n_fft // 2 + 1`` of them."""

    sample_rate: Rate = 12_000
    hop_length: Count = 256
    n_fft: Count = 512  # samples of a frame


class MelOptions(StftOptions):
    """Bands in equal steps of the mel scale (Slaney's)."""

    bins: Count = 96


def _linear(options: StftOptions) -> NDArray[np.float64]:
    return np.asarray(np.fft.rfftfreq(options.n_fft, 1 / options.sample_rate), float)


def _mel(options: MelOptions) -> NDArray[np.float64]:
    from librosa import mel_frequencies

    return np.asarray(mel_frequencies(options.bins + 2, fmax=options.sample_rate / 2)[1:-1])


@transform("stft", options=StftOptions, frequencies=_linear)
def stft(options: StftOptions) -> Compute:
    """Plan a short-time Fourier transform: the magnitude of ``librosa.stft``."""
    from librosa import stft as transformed

    size, hop = options.n_fft, options.hop_length

    def compute(samples: Samples) -> Magnitude:
        enough = np.pad(samples, (0, max(0, size - len(samples))))
        frames = 1 + (len(samples) - size % 2) // hop
        spectrum = transformed(enough, n_fft=size, hop_length=hop)[:, :frames]
        return np.asarray(np.abs(spectrum), np.float32)

    return compute


@transform("mel", options=MelOptions, frequencies=_mel)
def mel(options: MelOptions) -> Compute:
    """Plan mel bands: the root of ``librosa.feature.melspectrogram``, a magnitude as the others.

    Raises
    ------
    ValueError
        If there are so many bands that some hold no frequency at all.
    """
    bands = _bands(options)
    linear = stft(StftOptions(**options.model_dump(exclude={"bins"})))

    def compute(samples: Samples) -> Magnitude:
        return np.asarray(np.sqrt(bands @ np.square(linear(samples))), np.float32)

    return compute


def _bands(options: MelOptions) -> NDArray[np.float32]:
    from librosa import filters

    if options.bins * options.n_fft > MOST_WEIGHTS:
        msg = f"{options.bins:,} bands of {options.n_fft:,} samples take too much memory"
        raise ValueError(msg)
    with warnings.catch_warnings(action="ignore"):  # of bands that hold nothing: an error below
        bands = filters.mel(sr=options.sample_rate, n_fft=options.n_fft, n_mels=options.bins)
    empty = int((bands.max(axis=1) == 0).sum())
    if empty:
        msg = f"{empty} of {options.bins} mel bands hold no frequency at all: n_fft is too small"
        raise ValueError(msg)
    return np.asarray(bands, np.float32)
