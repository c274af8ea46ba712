"""Blocks of several channels to mono samples of one rate, and whether the channels cancel out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import Samples

WINDOW = 8192
"""Samples over which the power of the channels is compared with that of their mean."""

CANCELLED = 1e-2
"""Share of the channels' power below which their mean is what coding and rounding left of them."""

SILENCED = 1e-4
"""The same of a moment, which stereo may have now and then."""


@dataclass
class Mixer:
    """Takes blocks one after another, and returns their mean, resampled, at the end.

    The blocks are never all in memory. Where the rate changes, another recording begins.
    """

    target_rate: int
    """Samples a second, Hz."""
    channel: int | None = None
    """The only channel to take; None: the mean of all."""
    seconds: float = 0
    """Length of what was taken."""
    cancelled: float = 0
    """Seconds in which the channels cancel each other."""
    _power: float = 0
    """Power of the channels, a mean over them, times the samples."""
    _mean_power: float = 0
    """The same of their mean."""
    _channels: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """The same of each channel, ``(channels,)``, where they cancel each other."""
    _rate: int = 0
    _total: int = 0
    _length: int = 0
    _stream: Any = None
    _parts: list[Samples] = field(default_factory=list)

    def add(self, block: NDArray[np.float32], rate: int) -> None:
        """Take the next block, ``(samples, channels)``, of a rate in Hz."""
        import soxr

        if rate != self._rate or self._stream is None:
            self._end_stream()
            self._stream = soxr.ResampleStream(rate, self.target_rate, 1, "float32", quality="HQ")
            self._rate = rate
        mono = _mean(block)
        if block.shape[1] > 1:
            self._compare(block, mono)
        if self.channel is not None:
            mono = np.ascontiguousarray(block[:, min(self.channel, block.shape[1] - 1)])
        self._total += len(mono)
        self.seconds += len(mono) / rate
        self._keep(self._stream.resample_chunk(mono))

    def include(self, other: Mixer) -> None:
        """Take what another one took, as what comes next."""
        self._end_stream()
        self._parts.append(other.finish())
        self.seconds += other.seconds
        self.cancelled += other.cancelled
        self._power += other._power
        self._mean_power += other._mean_power
        self._add_channels(other._channels)

    def finish(self) -> Samples:
        """Return all samples, ``(samples,)``."""
        self._end_stream()
        parts = [part for part in self._parts if len(part)] or [np.empty(0, np.float32)]
        self._parts = parts if len(parts) == 1 else [np.concatenate(parts)]
        return self._parts[0]

    @property
    def cancels_out(self) -> bool:
        """Whether hardly anything of the sound is left in the mean of the channels."""
        return self._mean_power < CANCELLED * self._power

    @property
    def loudest_channel(self) -> int:
        """The channel of the greatest power."""
        return int(self._channels.argmax())

    def _compare(self, block: NDArray[np.float32], mono: Samples) -> None:
        """Compare the power of the channels with that of their mean, in short windows."""
        whole, is_quiet = len(block) - len(block) % WINDOW, False
        for part in (slice(0, whole), slice(whole, None)):
            windows = max(1, len(mono[part]) // WINDOW)
            channels = _powers(block[part], windows) / block.shape[1]
            mean = _powers(mono[part], windows)
            seconds = len(mono[part]) / windows / self._rate
            share = mean / np.where(channels > 0, channels, np.inf)
            is_audible = channels > 0
            self._power += float(channels.sum())
            self._mean_power += float(mean.sum())
            self.cancelled += seconds * int((is_audible & (share < SILENCED)).sum())
            is_quiet |= bool((is_audible & (share < CANCELLED)).any())
        if is_quiet:
            self._add_channels(np.square(block).sum(axis=0, dtype=np.float64))

    def _add_channels(self, power: NDArray[np.float64]) -> None:
        self._channels = np.pad(self._channels, (0, max(0, len(power) - len(self._channels))))
        self._channels[: len(power)] += power

    def _end_stream(self) -> None:
        """Fill up or cut the samples of one rate to the length that ``librosa.resample`` gives."""
        if self._stream is None:
            return
        self._keep(self._stream.resample_chunk(np.empty(0, np.float32), last=True))
        excess = self._length - math.ceil(self._total * (self.target_rate / self._rate))
        self._parts.append(np.zeros(max(0, -excess), np.float32))
        while excess > 0:
            last = self._parts.pop()
            self._parts += [last[:-excess]] if len(last) > excess else []
            excess -= len(last)
        self._total = self._length = 0
        self._stream = None

    def _keep(self, part: Samples) -> None:
        self._parts.append(part)
        self._length += len(part)


def _mean(block: NDArray[np.float32]) -> Samples:
    """Return the mean of the channels, ``(samples,)``; of two without NumPy's loop over axes."""
    if block.shape[1] == 1:
        return block[:, 0]
    if block.shape[1] == 2:
        return np.asarray((block[:, 0] + block[:, 1]) / np.float32(2), np.float32)
    return np.asarray(block.mean(axis=1), np.float32)


def _powers(values: NDArray[np.float32], windows: int) -> NDArray[np.float32]:
    """Return the sum of squares in each of so many windows of equal length."""
    flat = values.reshape(windows, -1)
    return np.asarray(np.einsum("ij,ij->i", flat, flat), np.float32)
