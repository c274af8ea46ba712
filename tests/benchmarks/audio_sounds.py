"""A set of short recordings of ten classes, synthesised: events whose course in time is the class.

Each clip has 5 s at 22,050 Hz, and in it a few events of one class:

- ``rising``, ``falling`` and ``arched`` calls: glides of 4 to 10 semitones, up, down, or both;
- ``regular``, ``irregular`` and ``quickening`` knocks: equal, drawn, or shrinking gaps;
- ``high-low`` and ``low-high`` pairs of notes, 3 to 8 semitones apart;
- ``swelling`` and ``fading`` noises: a slow beginning and a sudden end, or the reverse.

The classes of one line have the same ranges of loudness, and of number and length of events. Each
class has a usual pitch, as sounds in the world have, but those of a line overlap: what tells them
apart for certain is in what order things happen. A line has a timbre of its own (calls are tones,
knocks are short noises, pairs are bells, swells are noise), but some clips have that of another.
Pitch, timbre, length, place, level, reverberation, background (noise, 5 to 25 dB below the events)
and one or two distractors (beeps, clicks, bursts, hums, 6 to 18 dB below) are drawn anew for each
clip, in the same way for all classes and sets. Each clip has its own generator.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 22_050
SECONDS = 5.0
USUAL_PITCH = {
    "rising": 1500,
    "falling": 1000,
    "arched": 700,
    "regular": 1800,
    "irregular": 1100,
    "quickening": 700,
    "high-low": 700,
    "low-high": 1100,
    "swelling": 700,
    "fading": 1200,
}
"""Class → the median of its pitch, Hz; two clips in three lie within a quarter of an octave."""
CLASSES = tuple(USUAL_PITCH)
PITCH_OCTAVES = 0.25
"""Standard deviation of the pitch of a class."""
OWN_TIMBRE = 0.9
"""Share of the clips that have the timbre of their line."""

Sound = NDArray[np.float64]
Rng = np.random.Generator
Timbre = Callable[[Sound], Sound]
"""From the frequency at each sample, Hz, to a sound of that length, of about unit power."""


def make_clip(kind: str, rng: Rng) -> NDArray[np.float32]:
    """Synthesise a clip of a class, ``(samples,)`` within -1 and 1."""
    events = LINES[kind](kind, rng)
    length = int(SECONDS * RATE)
    foreground = np.zeros(length)
    first = rng.integers(max(length - len(events), 0) + 1)
    events = events[:length]
    foreground[first : first + len(events)] = events
    foreground = _reverberate(foreground / _loudness(foreground), rng)
    mixed = foreground + _decibels(-rng.uniform(5, 25)) * _background(length, rng)
    for _ in range(rng.integers(1, 3)):
        distractor = _distractor(rng)[:length]
        place = rng.integers(length - len(distractor) + 1)
        mixed[place : place + len(distractor)] += _decibels(-rng.uniform(6, 18)) * distractor
    peak = np.abs(mixed).max()
    return np.asarray(mixed / peak * _decibels(-rng.uniform(1, 20)), np.float32)


def write_clips(folder: Path, counts: dict[str, int], seed: int = 0) -> dict[str, str]:
    """Write the recordings of each set, as 16-bit WAV; return id → class.

    Parameters
    ----------
    folder
        Where they go, as ``{set}-{number}.wav``.
    counts
        Set → its number of clips; each class has a tenth of them.
    seed
        Of all of them.
    """
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    classes = dict[str, str]()
    for which, (split, count) in enumerate(counts.items()):
        for number in range(count):
            kind = CLASSES[number % len(CLASSES)]
            clip = make_clip(kind, np.random.default_rng([seed, which, number]))
            item = f"{split}-{number:03}"
            soundfile.write(folder / f"{item}.wav", clip, RATE, subtype="PCM_16")
            classes[item] = kind
    return classes


def _calls(kind: str, rng: Rng) -> Sound:
    timbre = _timbre("tone", rng)
    base, interval = _pitch(kind, rng), rng.uniform(4, 10)
    seconds = rng.uniform(0.25, 0.7)
    parts = []
    for _ in range(rng.integers(2, 6)):
        length = int(seconds * rng.uniform(0.8, 1.2) * RATE)
        course = np.linspace(0, 1, length) ** rng.uniform(0.7, 1.4)
        if kind == "falling":
            course = course[::-1]
        elif kind == "arched":
            course = 1 - np.abs(2 * course - 1)
        frequencies = base * 2 ** ((course * interval + rng.normal(0, 0.3)) / 12)
        parts += [_shaped(timbre(frequencies), 0.03, 0.03), _gap(rng.uniform(0.05, 0.4))]
    return np.concatenate(parts)


def _knocks(kind: str, rng: Rng) -> Sound:
    timbre = _timbre("burst", rng)
    count = int(rng.integers(6, 12))
    mean = rng.uniform(0.15, 0.38)
    if kind == "regular":
        gaps: Sound = mean * rng.normal(1, 0.03, count)
    elif kind == "irregular":
        gaps = mean * (0.25 + rng.exponential(0.75, count))
    else:
        gaps = np.power(rng.uniform(0.75, 0.86), np.arange(count, dtype=float))
        gaps *= mean * count / gaps.sum()
    starts = np.concatenate([[0], np.cumsum(np.maximum(gaps, 0.05))[:-1]])
    seconds, frequency = rng.uniform(0.04, 0.1), _pitch(kind, rng)
    sound = np.zeros(int((starts[-1] + 0.3) * RATE))
    for start in starts:
        length = int(seconds * RATE)
        knock = timbre(np.full(length, frequency * 2 ** (rng.normal(0, 0.3) / 12)))
        knock = knock * np.exp(-5 * np.arange(length) / length) * _decibels(rng.normal(0, 1.5))
        first = int(start * RATE)
        sound[first : first + length] += knock
    return sound


def _pairs(kind: str, rng: Rng) -> Sound:
    timbre = _timbre("bell", rng)
    base, interval = _pitch(kind, rng), rng.uniform(3, 8)
    seconds = rng.uniform(0.18, 0.4)
    order = (1, 0) if kind == "high-low" else (0, 1)
    parts = []
    for _ in range(rng.integers(2, 5)):
        for note in order:
            length = int(seconds * RATE)
            frequency = base * 2 ** ((note * interval + rng.normal(0, 0.2)) / 12)
            decay = np.exp(-rng.uniform(1, 3) * np.arange(length) / length)
            parts.append(_shaped(timbre(np.full(length, frequency)) * decay, 0.01, 0.04))
        parts.append(_gap(rng.uniform(0.6, 1.6) * seconds + 0.1))
    return np.concatenate(parts)


def _swells(kind: str, rng: Rng) -> Sound:
    timbre = _timbre("noise", rng)
    frequency, seconds = _pitch(kind, rng), rng.uniform(0.35, 0.9)
    parts = []
    for _ in range(rng.integers(2, 5)):
        length = int(seconds * rng.uniform(0.8, 1.2) * RATE)
        course = _decibels(30 * (np.linspace(0, 1, length) - 1))
        if kind == "fading":
            course = course[::-1]
        sound = timbre(np.full(length, frequency * 2 ** (rng.normal(0, 1) / 12))) * course
        parts += [_shaped(sound, 0.01, 0.01), _gap(rng.uniform(0.1, 0.5))]
    return np.concatenate(parts)


LINES: dict[str, Callable[[str, Rng], Sound]] = {
    **dict.fromkeys(CLASSES[:3], _calls),
    **dict.fromkeys(CLASSES[3:6], _knocks),
    **dict.fromkeys(CLASSES[6:8], _pairs),
    **dict.fromkeys(CLASSES[8:], _swells),
}


def _timbre(own: str, rng: Rng) -> Timbre:
    """Draw the timbre of a clip: mostly that of its line."""
    names = ("tone", "burst", "bell", "noise")
    name = own if rng.random() < OWN_TIMBRE else names[rng.integers(len(names))]
    if name == "tone":
        partials = 1.0 + np.arange(rng.integers(1, 8))[:: 1 + int(rng.random() < 0.3)]
        levels = partials ** -rng.uniform(0.5, 2.5)
    elif name == "bell":
        partials = np.concatenate([[1], np.sort(rng.uniform(1.3, 6, 4))])
        levels = rng.uniform(0.2, 1, 5)
    else:
        octaves = rng.uniform(0.2, 0.6) if name == "noise" else rng.uniform(0.5, 1.5)
        return lambda frequencies: _band(frequencies, octaves, rng)
    phases = rng.uniform(0, 2 * np.pi, len(partials))

    def sum_partials(frequencies: Sound) -> Sound:
        angle = 2 * np.pi * np.cumsum(frequencies) / RATE
        waves = [
            level
            * np.where(frequencies * partial < 0.45 * RATE, np.sin(partial * angle + phase), 0)
            for partial, level, phase in zip(partials, levels, phases, strict=True)
        ]
        return np.asarray(np.sum(waves, axis=0) / np.sqrt(np.square(levels).sum() / 2))

    return sum_partials


def _band(frequencies: Sound, octaves: float, rng: Rng) -> Sound:
    """Return noise around frequencies that may glide: narrow noise that modulates a tone."""
    length = len(frequencies)
    width = float(frequencies.mean()) * octaves
    smooth = max(1, int(RATE / width))
    noise = rng.standard_normal((2, length + 2 * smooth))
    kernel = np.hanning(2 * smooth + 1)
    slow = np.array(
        [np.convolve(row, kernel / np.sqrt(np.square(kernel).sum()), "same") for row in noise]
    )
    angle = 2 * np.pi * np.cumsum(frequencies) / RATE
    return np.asarray(
        slow[0, smooth : smooth + length] * np.cos(angle)
        + slow[1, smooth : smooth + length] * np.sin(angle)
    )


def _background(length: int, rng: Rng) -> Sound:
    """Return noise of unit power, whose spectrum falls by 0 to 6 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    slope = rng.uniform(0, 1)
    spectrum *= np.maximum(np.arange(len(spectrum)), 20) ** -slope
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / noise.std())


def _distractor(rng: Rng) -> Sound:
    kind = rng.integers(4)
    if kind == 0:  # a beep
        length = int(rng.uniform(0.1, 0.5) * RATE)
        sound = np.sqrt(2) * np.sin(2 * np.pi * _any_pitch(rng) / RATE * np.arange(length))
    elif kind == 1:  # a click
        sound = rng.standard_normal(int(0.02 * RATE)) * 3
    elif kind == 2:  # a burst
        length = int(rng.uniform(0.1, 0.6) * RATE)
        sound = _band(np.full(length, _any_pitch(rng)), 1.0, rng)
    else:  # a hum
        length = int(rng.uniform(1, 3) * RATE)
        angle = 2 * np.pi * rng.uniform(60, 240) / RATE * np.arange(length)
        sound = np.sin(angle) + 0.5 * np.sin(2 * angle) + 0.3 * np.sin(3 * angle)
    return _shaped(sound, 0.005, 0.005)


def _reverberate(sound: Sound, rng: Rng) -> Sound:
    """Add reverberation of 0.1 to 0.8 s, to every second sound."""
    if rng.random() < 0.5:
        return sound
    length = int(rng.uniform(0.1, 0.8) * RATE)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    size = len(sound) + length
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    mixed = sound + rng.uniform(0.1, 0.6) * wet / _loudness(wet)
    return np.asarray(mixed / _loudness(mixed))


def _pitch(kind: str, rng: Rng) -> float:
    """Draw the frequency of a clip of a class, Hz."""
    return float(USUAL_PITCH[kind] * 2 ** rng.normal(0, PITCH_OCTAVES))


def _any_pitch(rng: Rng) -> float:
    """Draw a frequency, 300 to 2,400 Hz."""
    return float(300 * 8 ** rng.random())


def _gap(seconds: float) -> Sound:
    return np.zeros(int(seconds * RATE))


def _shaped(sound: Sound, attack: float, release: float) -> Sound:
    """Let a sound begin and end softly, within so many seconds."""
    rise, fall = (max(1, min(int(s * RATE), len(sound) // 2)) for s in (attack, release))
    shape = np.ones(len(sound))
    shape[:rise] = np.linspace(0, 1, rise)
    shape[-fall:] *= np.linspace(1, 0, fall)
    return sound * shape


def _loudness(sound: Sound) -> float:
    """Return the root mean square of the loudest tenth of a sound's stretches of 50 ms."""
    size = RATE // 20
    power = np.square(sound[: len(sound) // size * size]).reshape(-1, size).mean(axis=1)
    return float(np.sqrt(np.sort(power)[-max(1, len(power) // 10) :].mean()) + 1e-9)


def _decibels(level: float | Sound) -> Sound:
    return np.asarray(10 ** (np.asarray(level) / 20))
