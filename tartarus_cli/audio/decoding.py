"""Recordings to samples: any format, rate and number of channels that libsndfile reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.audio import Samples

BLOCK_FRAMES = 1 << 18
"""Frames that are read at a time."""

MAX_SECONDS = 3 * 3600
"""Length of a recording beyond which it is refused."""

MAX_AMPLITUDE = 1e6
"""A sample beyond this is damage, whatever the scale of the others."""

RECORDING_EXTENSIONS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"}
)
"""Extensions of the files of a folder that are taken for recordings, in lower case."""


class RecordingError(Exception):
    """A recording cannot be used; the message says why."""


def decode(path: Path, sample_rate: int) -> Samples:
    """Read a recording as mono samples, ``(samples,)``: the mean of its channels, resampled.

    It is read in blocks, so that its channels are never all in memory. The samples are those of
    ``librosa.load(path, sr=sample_rate, res_type="soxr_hq")``.

    Parameters
    ----------
    path
        The file; its format is recognised by its content, not by its extension.
    sample_rate
        Samples a second to which the recording is resampled, Hz.

    Raises
    ------
    RecordingError
        If it is missing, damaged, empty, too long, or in a format that libsndfile does not read.
    """
    import soundfile

    _require_file(path)
    is_audio = False
    try:
        with soundfile.SoundFile(path) as file:
            is_audio = True
            samples = _resample(_read_mono(file), file.samplerate, sample_rate)
    except (RuntimeError, ValueError, TypeError, OSError) as problem:
        reason = "not a recording, damaged, or in an unknown format"
        if is_audio:
            reason = f"damaged ({str(problem).rpartition('Error : ')[2].rstrip('.')})"
        raise RecordingError(reason) from None
    return _require_sound(samples)


def _resample(blocks: Iterable[Samples], rate: int, target_rate: int) -> Samples:
    """Resample block by block to the length that ``librosa.resample`` gives."""
    import soxr

    stream = soxr.ResampleStream(rate, target_rate, 1, "float32", quality="HQ")
    total, parts = 0, []
    for block in blocks:
        total += len(block)
        parts.append(stream.resample_chunk(block))
    parts.append(stream.resample_chunk(np.empty(0, np.float32), last=True))
    length = math.ceil(total * (target_rate / rate))
    missing = length - sum(map(len, parts))
    return np.concatenate([*parts, np.zeros(max(0, missing), np.float32)])[:length]


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


def _read_mono(file: Any) -> Iterator[Samples]:
    """Read until a block comes short: the length in the header of a file may be wrong."""
    remaining, size = MAX_SECONDS * file.samplerate, BLOCK_FRAMES
    length = size
    while length == size:
        block = file.read(size, dtype="float32", always_2d=True)
        length = len(block)
        remaining -= length
        if remaining < 0:
            msg = f"longer than {MAX_SECONDS // 3600} hours"
            raise RecordingError(msg)
        yield block.mean(axis=1)


def _require_sound(samples: Samples) -> Samples:
    if not samples.size:
        msg = "it does not hold a single sample"
        raise RecordingError(msg)
    if not np.isfinite(samples).all():
        msg = "it holds NaN or infinity"
        raise RecordingError(msg)
    if np.abs(samples).max() > MAX_AMPLITUDE:
        msg = f"its samples reach {np.abs(samples).max():.3g}, not about 1"
        raise RecordingError(msg)
    return samples
