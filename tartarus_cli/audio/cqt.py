"""The constant-Q transform, with librosa's filters, made once for all recordings.

Brown (1991); computed by octaves, each at half the sample rate of the one above (Schörkhuber and
Klapuri, 2010), with the filters, the resampling and the scaling of ``librosa.cqt``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import (
    Count,
    Hertz,
    Magnitude,
    Samples,
    SpectrogramFunction,
    TransformOptions,
    transform,
)

SPARSITY = 0.01
"""Share of each filter's weight that is dropped, as librosa does."""

MAX_FILTER_SAMPLES = 1 << 26
"""Samples that all filters of an octave may have together."""


class CqtOptions(TransformOptions):
    """Bins in equal steps of pitch, from ``fmin`` upwards."""

    bins: Count = 96
    bins_per_octave: Count = 12
    fmin: Hertz = 440 * 2 ** (-45 / 12)
    """Frequency of the lowest bin in Hz; C1, 32.7 Hz, unless it is given."""


@dataclass(frozen=True)
class _Octave:
    halvings: int
    """How often the sample rate is halved since the octave above."""

    hop: int
    kernel: NDArray[np.float32]
    """``(samples, 2 × bins)``: the real parts, then the imaginary ones."""


def _frequencies(options: CqtOptions) -> NDArray[np.float64]:
    steps = np.arange(options.bins) / options.bins_per_octave
    return np.asarray(options.fmin * 2.0**steps)


@transform("cqt", options=CqtOptions, frequencies=_frequencies)
def cqt(options: CqtOptions) -> SpectrogramFunction:
    """Plan a constant-Q transform: the magnitude of ``librosa.cqt``.

    Raises
    ------
    ValueError
        If the highest bin lies above half the sample rate.
    """
    from tartarus_cli.compiled import load_librosa

    resample = load_librosa().resample
    octaves, scale = _plan_octaves(options)

    def compute(samples: Samples) -> Magnitude:
        magnitudes = []
        for octave in octaves:
            if octave.halvings:
                ratio = 2**octave.halvings
                samples = resample(
                    samples, orig_sr=ratio, target_sr=1, res_type="soxr_hq", scale=True
                )
            magnitudes.append(_correlate(samples, octave))
        frames = min(magnitude.shape[1] for magnitude in magnitudes)
        return np.concatenate([m[:, :frames] for m in reversed(magnitudes)]) * scale

    return compute


def _plan_octaves(options: CqtOptions) -> tuple[list[_Octave], NDArray[np.float32]]:
    """Make the filters of each octave, from the highest, and the scale of each bin."""
    from tartarus_cli.compiled import load_librosa

    filters = load_librosa().filters
    frequencies = _frequencies(options)
    step = 2 ** (2 / options.bins_per_octave)
    bandwidth = (step - 1) / (step + 1)  # relative to the frequency
    rate, hop = float(options.sample_rate), options.hop_length
    lengths, highest = filters.wavelet_lengths(freqs=frequencies, sr=rate, alpha=bandwidth)
    if highest > rate / 2:
        msg = (
            f"its filters reach up to {highest:,.6g} Hz, above half the sample rate of {rate:,.0f}"
        )
        raise ValueError(msg)
    count = math.ceil(options.bins / options.bins_per_octave)
    halvings = _first_halvings(rate / 2 / highest, hop, count)
    rate, hop = rate / 2**halvings, hop >> halvings
    scale = (1 / np.sqrt(lengths / 2**halvings)).astype(np.float32)[:, None]
    octaves, top_rate = [], rate
    for number in range(count):
        stop = options.bins - number * options.bins_per_octave
        bins = slice(max(0, stop - options.bins_per_octave), stop)
        kernel = _make_kernel(frequencies[bins], bandwidth, rate) * math.sqrt(top_rate / rate)
        octaves.append(_Octave(halvings, hop, kernel))
        halvings = int(hop % 2 == 0)
        rate, hop = rate / 2**halvings, hop >> halvings
    return octaves, scale


def _first_halvings(headroom: float, hop: int, octaves: int) -> int:
    """Return how often the rate may be halved before the first octave.

    ``headroom`` is half the sample rate over the highest frequency of the filters.
    """
    hop_halvings = (hop & -hop).bit_length() - 1
    rate_halvings = max(0, math.ceil(math.log2(headroom)) - 2)
    return min(rate_halvings, max(0, hop_halvings - octaves + 1))


def _make_kernel(
    frequencies: NDArray[np.float64], bandwidth: float, rate: float
) -> NDArray[np.float32]:
    """Make the filters of one octave as kernels in time.

    librosa keeps the largest coefficients of a filter's spectrum and multiplies them with the
    spectrum of each frame. The filter that these coefficients stand for does the same in time,
    without a Fourier transform for each frame.
    """
    from tartarus_cli.compiled import load_librosa

    filters, util = load_librosa().filters, load_librosa().util
    longest = filters.wavelet_lengths(freqs=frequencies, sr=rate, alpha=bandwidth)[0].max()
    if longest * len(frequencies) > MAX_FILTER_SAMPLES:
        msg = f"its filters are too long: {longest:.3g} samples for {frequencies[0]:.3g} Hz"
        raise ValueError(msg)
    waves, lengths = filters.wavelet(freqs=frequencies, sr=rate, alpha=bandwidth)
    size = waves.shape[1]
    spectrum = np.fft.fft(waves * (lengths[:, None] / size))[:, : size // 2 + 1]
    sparse = util.sparsify_rows(spectrum.astype(np.complex64), quantile=SPARSITY).toarray()
    kernel = np.fft.fft(sparse, n=size)
    return np.concatenate([kernel.real, kernel.imag]).T.astype(np.float32)


def _correlate(samples: Samples, octave: _Octave) -> Magnitude:
    """Correlate the kernels with the frames around every ``hop``-th sample: (bins, frames)."""
    size = len(octave.kernel)
    padded = np.pad(samples, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: octave.hop]
    real, imaginary = np.split((frames @ octave.kernel).T, 2)
    return np.asarray(np.hypot(real, imaginary), np.float32)
