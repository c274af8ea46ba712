"""Recordings to samples: any format, rate and number of channels that libsndfile reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.audio import Samples

BLOCK_FRAMES = 1 << 18
LONGEST_S = 3 * 3600
LOUDEST = 1e6  # a sample beyond this is damage, whatever the scale
ENDINGS = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"})


class RecordingError(Exception):
    """A recording cannot be used; the message says why."""


def decode(path: Path, sample_rate: int) -> Samples:
    """Read a recording as mono, resampled: ``(samples,)``, the mean of its channels.

    It is read in blocks, so that its channels are never all in memory.

    Parameters
    ----------
    path
        Its content tells the format, not its ending.
    sample_rate
        Wanted, in Hz.

    Raises
    ------
    RecordingError
        If it is missing, damaged, empty, too long, or in a format that libsndfile does not read.
    """
    import soundfile

    _require_file(path)
    opened = False
    try:
        with soundfile.SoundFile(path) as file:
            opened = True
            samples = _resampled(_mono(file), file.samplerate, sample_rate)
    except (RuntimeError, ValueError, TypeError, OSError) as problem:
        said = str(problem).rpartition("Error : ")[2].rstrip(".")
        reason = f"damaged ({said})" if opened else "no recording, damaged, or in another format"
        raise RecordingError(reason) from None
    return _sound(samples)


def _resampled(blocks: Iterable[Samples], rate: int, wanted: int) -> Samples:
    """Resample block by block to the length that ``librosa.resample`` gives."""
    import soxr

    stream = soxr.ResampleStream(rate, wanted, 1, "float32", quality="HQ")
    read, parts = 0, []
    for block in blocks:
        read += len(block)
        parts.append(stream.resample_chunk(block))
    parts.append(stream.resample_chunk(np.empty(0, np.float32), last=True))
    length = math.ceil(read * (wanted / rate))
    short = length - sum(map(len, parts))
    return np.concatenate([*parts, np.zeros(max(0, short), np.float32)])[:length]


def _require_file(path: Path) -> None:
    reason = ""
    if not path.exists():
        reason = "there is no such file"
    elif path.is_dir():
        reason = "a folder"
    elif path.is_file() and path.stat().st_size == 0:
        reason = "an empty file"
    if reason:
        raise RecordingError(reason)


def _mono(file: Any) -> Iterator[Samples]:
    """Read until a block comes short: how long a file says that it is need not be true."""
    most, wanted = LONGEST_S * file.samplerate, BLOCK_FRAMES
    read = wanted
    while read == wanted:
        block = file.read(wanted, dtype="float32", always_2d=True)
        read = len(block)
        most -= read
        if most < 0:
            msg = f"longer than {LONGEST_S // 3600} hours"
            raise RecordingError(msg)
        yield block.mean(axis=1)


def _sound(samples: Samples) -> Samples:
    if not samples.size:
        msg = "it holds no sound, not one sample"
        raise RecordingError(msg)
    if not np.isfinite(samples).all():
        msg = "it holds NaN or infinity"
        raise RecordingError(msg)
    if np.abs(samples).max() > LOUDEST:
        msg = f"its samples reach {np.abs(samples).max():.3g}, not about 1"
        raise RecordingError(msg)
    return samples
