"""Statistics over time of our own log spectrograms: ``mel-stats`` and ``cqt-stats``.

Mean and standard deviation of each bin, and of its change from frame to frame (its deltas): the
pooled features that audio networks are usually compared with. They need no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from tartarus_cli.audio import TRANSFORMS, Count, Magnitude, SampleRate, Samples, cached_transform
from tartarus_cli.audio.cqt import CqtOptions
from tartarus_cli.audio.patches import decibels
from tartarus_cli.audio.stft import MelOptions
from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, Vectors, encoder, window_starts

Statistic = Literal["mean", "std", "delta_mean", "delta_std"]
"""What is computed of each bin over time; a delta is the change from one frame to the next."""

_ALL: tuple[Statistic, ...] = ("mean", "std", "delta_mean", "delta_std")


class MelStatisticsOptions(EncoderOptions, MelOptions):
    """Parameters of the mel spectrogram, and what is computed of it."""

    sample_rate: SampleRate = 22_050
    hop_length: Count = 512
    n_fft: Count = 1024
    statistics: tuple[Statistic, ...] = _ALL


class CqtStatisticsOptions(EncoderOptions, CqtOptions):
    """Parameters of the constant-Q transform, and what is computed of it."""

    statistics: tuple[Statistic, ...] = _ALL


def _width(options: Any, _layer: str) -> int:
    return int(options.bins) * len(options.statistics)


def _sample_rate(options: Any) -> int:
    return int(options.sample_rate)


@encoder(
    "mel-stats",
    kind="audio",
    summary="mean and deviation over time of a log mel spectrogram and its deltas",
    width=_width,
    sample_rate=_sample_rate,
    options=MelStatisticsOptions,
)
def load_mel(options: MelStatisticsOptions, _weights: Path | None, _layer: str) -> LoadedEncoder:
    """Plan statistics of mel bands in decibels below the loudest value of a recording."""
    return _load("mel", options, options.statistics)


@encoder(
    "cqt-stats",
    kind="audio",
    summary="mean and deviation over time of a log constant-Q spectrogram and its deltas",
    width=_width,
    sample_rate=_sample_rate,
    options=CqtStatisticsOptions,
)
def load_cqt(options: CqtStatisticsOptions, _weights: Path | None, _layer: str) -> LoadedEncoder:
    """Plan statistics of constant-Q bins in decibels below the loudest value of a recording."""
    return _load("cqt", options, options.statistics)


def _load(
    transform: str,
    options: MelStatisticsOptions | CqtStatisticsOptions,
    statistics: tuple[Statistic, ...],
) -> LoadedEncoder:
    parameters = options.model_dump(exclude={"statistics"})
    compute = cached_transform(transform, TRANSFORMS.get(transform).options(**parameters))

    def encode(samples: Samples, window_s: float | None, hop_s: float | None) -> Vectors:
        levels = decibels(compute(samples))
        total = levels.shape[1]
        size = total if window_s is None else max(1, options.frames_of(window_s))
        hop = size if hop_s is None else max(1, options.frames_of(hop_s))
        starts = window_starts(total, size, hop)
        windows = [_statistics(levels[:, start : start + size], statistics) for start in starts]
        return np.stack(windows)

    return LoadedEncoder(_width(options, ""), encode)


def _statistics(levels: Magnitude, statistics: tuple[Statistic, ...]) -> Vectors:
    """Compute what is chosen of each bin, ``(statistics × bins,)``, of levels ``(bins, frames)``.

    >>> _statistics(np.array([[1, 3, 1, 3]], np.float32), ("mean", "std", "delta_std")).tolist()
    [2.0, 1.0, 1.8856180906295776]
    """
    deltas = np.diff(levels, axis=1)
    if not deltas.size:
        deltas = np.zeros((len(levels), 1), np.float32)
    values = {
        "mean": lambda: levels.mean(axis=1, dtype=np.float64),
        "std": lambda: levels.std(axis=1, dtype=np.float64),
        "delta_mean": lambda: deltas.mean(axis=1, dtype=np.float64),
        "delta_std": lambda: deltas.std(axis=1, dtype=np.float64),
    }
    chosen = [values[statistic]() for statistic in statistics]
    return np.concatenate(chosen).astype(np.float32)
