"""Music for the example's songs: a few bars in each of three styles, made of sines and noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]  # between -1 and 1

RATE = 22_050  # samples a second
STEPS = 2**10  # loudness levels on each side of zero: few, so that the files are small
TURN = 2**13  # points on one turn of a wave
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)  # semitones above the key note
PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 3), (5, 3, 0, 4), (0, 4, 5, 3), (0, 2, 3, 4))


def perform(style: str, rng: np.random.Generator) -> Samples:
    """Play a song of a style: mono, 15.5 to 17.5 seconds, another tune at each call.

    Parameters
    ----------
    style
        One of ``STYLES``.
    rng
        Draws the key, the tempo, the chords, the notes and the colour of the sounds.
    """
    played = np.zeros(round(rng.uniform(15.5, 17.5) * RATE))
    STYLES[style](played, rng)
    hiss = rng.uniform(0.0002, 0.001) * rng.standard_normal(len(played))
    loud = rng.uniform(0.5, 0.9) * played / np.abs(played).max() + hiss
    return np.asarray(np.round(np.clip(loud, -1, 1) * (STEPS - 1)) / STEPS)


def _slow_chords(played: Samples, rng: np.random.Generator) -> None:
    """Let chords swell and fade into each other, over a low breath of noise."""
    bar = 4 * 60 / rng.uniform(54, 76)
    falling, breath = rng.uniform(1.3, 2.2), rng.uniform(0.02, 0.08)
    for start, chord in _chords(len(played), bar, key=int(rng.integers(43, 55)), rng=rng):
        for note in (*chord, chord[0] + 12):
            sung = _tone(note + rng.uniform(-0.06, 0.06), 1.15 * bar, falling=falling)
            _add(played, start, sung * np.sin(np.linspace(0, np.pi, len(sung))) ** 2)
    played += breath * np.convolve(rng.standard_normal(len(played)), np.hanning(64) / 8, "same")


def _steady_drum(played: Samples, rng: np.random.Generator) -> None:
    """Play a drum on each beat, claps between, and a bass that walks on the eighths."""
    beat = 60 / rng.uniform(112, 130)
    drum, clap = _drum(rng), _burst(rng.uniform(18, 30), rng)
    for start in _every(beat, len(played)):
        _add(played, start, drum)
    for start in _every(2 * beat, len(played), first=beat):
        _add(played, start, rng.uniform(0.25, 0.4) * clap)
    falling, rhythm = rng.uniform(0.8, 1.2), rng.random(8) < 0.75
    for start, chord in _chords(len(played), 4 * beat, key=int(rng.integers(33, 43)), rng=rng):
        for eighth in np.flatnonzero(rhythm):
            note = chord[0] + 12 * (rng.random() < 0.25)
            _add(played, start + eighth * beat / 2, 0.5 * _pluck(note, 0.2, falling, fading=9))


def _fast_plucks(played: Samples, rng: np.random.Generator) -> None:
    """Break chords on bright strings, four notes a beat, with hats of noise off the beat."""
    beat = 60 / rng.uniform(138, 168)
    falling, fading = rng.uniform(0.7, 1.1), rng.uniform(6, 12)
    hat, order = np.diff(_burst(rng.uniform(60, 90), rng)), rng.permutation(16) % 4
    for start, chord in _chords(len(played), 4 * beat, key=int(rng.integers(62, 72)), rng=rng):
        strings = (*chord, chord[0] + 12)
        for step, string in enumerate(order):
            plucked = _pluck(strings[string], 0.35, falling, fading=fading)
            _add(played, start + step * beat / 4, rng.uniform(0.6, 1) * plucked)
    for start in _every(beat, len(played), first=beat / 2):
        _add(played, start, rng.uniform(0.3, 0.5) * hat)


STYLES: Mapping[str, Callable[[Samples, np.random.Generator], None]] = MappingProxyType(
    {"Slowglow": _slow_chords, "Thumpline": _steady_drum, "Glasspick": _fast_plucks}
)


def _chords(
    samples: int, bar: float, *, key: int, rng: np.random.Generator
) -> Iterator[tuple[float, Sequence[int]]]:
    """Go through a progression again and again: when each chord starts, and its three notes."""
    scale = MAJOR if rng.random() < 0.5 else MINOR
    degrees = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    for number, start in enumerate(_every(bar, samples)):
        third = [degrees[number % len(degrees)] + step for step in (0, 2, 4)]
        yield start, [key + scale[degree % 7] + 12 * (degree // 7) for degree in third]


def _every(step: float, samples: int, *, first: float = 0) -> Iterator[float]:
    yield from np.arange(first, samples / RATE, step)


def _add(played: Samples, start: float, sound: Samples) -> None:
    there = played[round(start * RATE) :][: len(sound)]
    there += sound[: len(there)]


def _seconds(length: float) -> Samples:
    return np.asarray(np.arange(round(length * RATE)) / RATE)


def _tone(note: float, length: float, *, falling: float) -> Samples:
    """Sing a note (69 is the A of 440 Hz), whose overtones grow weaker by this power."""
    pitch = 440 * 2 ** ((note - 69) / 12)
    turned = (pitch * TURN * _seconds(length)).astype(int) % TURN
    return np.asarray(_turn(min(8, int(RATE / 2 / pitch)), falling)[turned])


@lru_cache(maxsize=4)
def _turn(overtones: int, falling: float) -> Samples:
    number = np.arange(1, 1 + overtones)
    waves = np.sin(2 * np.pi * number[:, None] * np.arange(TURN) / TURN)
    return np.asarray(number**-falling @ waves)


def _pluck(note: float, length: float, falling: float, *, fading: float) -> Samples:
    return np.asarray(_tone(note, length, falling=falling) * np.exp(-fading * _seconds(length)))


def _drum(rng: np.random.Generator) -> Samples:
    time = _seconds(0.3)
    pitch = rng.uniform(42, 55) + rng.uniform(80, 130) * np.exp(-time * 35)
    return np.asarray(1.6 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-time * 9))


def _burst(fading: float, rng: np.random.Generator) -> Samples:
    time = _seconds(0.15)
    return np.asarray(rng.standard_normal(len(time)) * np.exp(-fading * time))
