"""Music for the example's songs: a few bars in one of three styles, made of sines and noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.floating[Any]]
"""``(samples,)`` mono sound."""

RATE = 22_050
"""Samples a second."""
LEVELS = 2**10
"""Levels on each side of zero: few, so that the files are small."""
CYCLE_POINTS = 2**13
"""Points of one cycle of a wave."""
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
"""Semitones of the scale above the key note."""
PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 3), (5, 3, 0, 4), (0, 4, 5, 3), (0, 2, 3, 4))
"""Degrees of the scale that four chords in a row are built on."""


def perform(style: str, rng: np.random.Generator) -> Waveform:
    """Play a song of a style: mono, 15.5 to 17.5 seconds, between -1 and 1.

    Parameters
    ----------
    style
        One of ``STYLES``.
    rng
        Draws the key, the tempo, the chords, the notes and the timbre: each call another tune.
    """
    song = np.zeros(round(rng.uniform(15.5, 17.5) * RATE))
    STYLES[style](song, rng)
    hiss = rng.uniform(0.0002, 0.001) * rng.standard_normal(len(song))
    scaled = rng.uniform(0.5, 0.9) * song / np.abs(song).max() + hiss
    return np.asarray(np.round(np.clip(scaled, -1, 1) * (LEVELS - 1)) / LEVELS)


def _slow_chords(song: Waveform, rng: np.random.Generator) -> None:
    """Let chords swell and fade into each other, over a low breath of noise."""
    bar = 4 * 60 / rng.uniform(54, 76)
    rolloff, breath = rng.uniform(1.3, 2.2), rng.uniform(0.02, 0.08)
    for start, chord in _chords(len(song), bar, key=int(rng.integers(43, 55)), rng=rng):
        for note in (*chord, chord[0] + 12):
            tone = _tone(note + rng.uniform(-0.06, 0.06), 1.15 * bar, rolloff=rolloff)
            _add(song, start, tone * np.sin(np.linspace(0, np.pi, len(tone))) ** 2)
    song += breath * np.convolve(rng.standard_normal(len(song)), np.hanning(64) / 8, "same")


def _steady_drum(song: Waveform, rng: np.random.Generator) -> None:
    """Play a drum on each beat, claps between, and a bass that walks on the eighths."""
    beat = 60 / rng.uniform(112, 130)
    drum, clap = _drum(rng), _burst(rng.uniform(18, 30), rng)
    for start in _beats(beat, len(song)):
        _add(song, start, drum)
    for start in _beats(2 * beat, len(song), first=beat):
        _add(song, start, rng.uniform(0.25, 0.4) * clap)
    rolloff, rhythm = rng.uniform(0.8, 1.2), rng.random(8) < 0.75
    for start, chord in _chords(len(song), 4 * beat, key=int(rng.integers(33, 43)), rng=rng):
        for eighth in np.flatnonzero(rhythm):
            note = chord[0] + 12 * (rng.random() < 0.25)
            _add(song, start + eighth * beat / 2, 0.5 * _pluck(note, 0.2, rolloff, decay=9))


def _fast_plucks(song: Waveform, rng: np.random.Generator) -> None:
    """Break chords on bright strings, four notes a beat, with hats of noise off the beat."""
    beat = 60 / rng.uniform(138, 168)
    rolloff, decay = rng.uniform(0.7, 1.1), rng.uniform(6, 12)
    hat, order = np.diff(_burst(rng.uniform(60, 90), rng)), rng.permutation(16) % 4
    for start, chord in _chords(len(song), 4 * beat, key=int(rng.integers(62, 72)), rng=rng):
        strings = (*chord, chord[0] + 12)
        for step, string in enumerate(order):
            note = _pluck(strings[string], 0.35, rolloff, decay=decay)
            _add(song, start + step * beat / 4, rng.uniform(0.6, 1) * note)
    for start in _beats(beat, len(song), first=beat / 2):
        _add(song, start, rng.uniform(0.3, 0.5) * hat)


STYLES: Mapping[str, Callable[[Waveform, np.random.Generator], None]] = MappingProxyType(
    {"Slowglow": _slow_chords, "Thumpline": _steady_drum, "Glasspick": _fast_plucks}
)


def _chords(
    samples: int, bar: float, *, key: int, rng: np.random.Generator
) -> Iterator[tuple[float, Sequence[int]]]:
    """Go through a progression again and again: when each chord starts, and its three notes."""
    scale = MAJOR if rng.random() < 0.5 else MINOR
    degrees = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    for number, start in enumerate(_beats(bar, samples)):
        triad = [degrees[number % len(degrees)] + step for step in (0, 2, 4)]
        yield start, [key + scale[degree % 7] + 12 * (degree // 7) for degree in triad]


def _beats(step: float, samples: int, *, first: float = 0) -> Iterator[float]:
    """Yield times in seconds, one each ``step`` seconds."""
    yield from np.arange(first, samples / RATE, step)


def _add(song: Waveform, start: float, sound: Waveform) -> None:
    """Mix a sound into a song, from a time in seconds on."""
    passage = song[round(start * RATE) :][: len(sound)]
    passage += sound[: len(passage)]


def _seconds(length: float) -> Waveform:
    """Return the time of each sample of a sound, in seconds."""
    return np.asarray(np.arange(round(length * RATE)) / RATE)


def _tone(note: float, length: float, *, rolloff: float) -> Waveform:
    """Play a MIDI note (69 is the A of 440 Hz) for some seconds.

    Overtone n has the amplitude 1 / n to the power of ``rolloff``.
    """
    pitch = 440 * 2 ** ((note - 69) / 12)
    points = (pitch * CYCLE_POINTS * _seconds(length)).astype(int) % CYCLE_POINTS
    return np.asarray(_wave(min(8, int(RATE / 2 / pitch)), rolloff)[points])


@lru_cache(maxsize=4)
def _wave(overtones: int, rolloff: float) -> Waveform:
    """Return one cycle of a wave, ``(CYCLE_POINTS,)``."""
    number = np.arange(1, 1 + overtones)
    waves = np.sin(2 * np.pi * number[:, None] * np.arange(CYCLE_POINTS) / CYCLE_POINTS)
    return np.asarray(number**-rolloff @ waves)


def _pluck(note: float, length: float, rolloff: float, *, decay: float) -> Waveform:
    return np.asarray(_tone(note, length, rolloff=rolloff) * np.exp(-decay * _seconds(length)))


def _drum(rng: np.random.Generator) -> Waveform:
    time = _seconds(0.3)
    pitch = rng.uniform(42, 55) + rng.uniform(80, 130) * np.exp(-time * 35)
    return np.asarray(1.6 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-time * 9))


def _burst(decay: float, rng: np.random.Generator) -> Waveform:
    time = _seconds(0.15)
    return np.asarray(rng.standard_normal(len(time)) * np.exp(-decay * time))
