"""Recordings to samples: any format, rate and number of channels, to the real end of the file.

libsndfile decodes what it knows, FFmpeg the rest. FFmpeg also takes over where libsndfile fails on
its way, and where an MP3 holds more than libsndfile would read: its frames are counted, as its
header may be missing or wrong. Sizes of a WAV file that cannot be right are not believed, and files
that were joined are read one after another. What is shorter than its header announces, skips over
damage, or cancels out when its channels are averaged is read all the same; a remark says so.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import Samples, ffmpeg
from tartarus_cli.audio.containers import Piece, find_pieces
from tartarus_cli.audio.mixing import Mixer

BLOCK_FRAMES = 1 << 18
"""Frames that are read at a time."""

MAX_SECONDS = 3 * 3600
"""Length of a recording beyond which it is refused."""

MAX_AMPLITUDE = 1e6
"""A sample beyond this is damage, whatever the scale of the others."""

SLACK_S = 0.15
"""Seconds that a recording may be shorter than announced: what encoders add at its ends."""

ADDED_SAMPLES = 2304
"""Samples that encoders add, which last longer at the lowest rates."""

PCM_SLACK_S = 0.02
"""The same of formats to which encoders add nothing."""

EXACT_CODECS = ("flac", "tta", "wavpack", "pcm_")
"""How FFmpeg's names of such formats begin."""

LEAST_CANCELLED_S = 0.5
"""Seconds for which channels must cancel each other before it is said."""

RECORDING_EXTENSIONS = frozenset(
    {
        *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2", ".mp1"),
        *(".mpga", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf"),
        *(".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".3g2", ".aac", ".adts", ".ac3", ".eac3"),
        *(".dts", ".wma", ".asf", ".webm", ".mka", ".mkv", ".weba", ".avi", ".flv", ".mpg"),
        *(".mpeg", ".m4v", ".ogv", ".ogx", ".amr", ".ape", ".wv", ".tta", ".tak", ".mpc", ".dsf"),
        *(".voc", ".ra", ".rm"),
    }
)
"""Extensions of the files of a folder that are taken for recordings, in lower case."""

APPLE_DOUBLE = b"\0\x05\x16\x07"
"""First bytes of what a Mac writes beside a file (``._name``): its attributes, not its content."""


class RecordingError(Exception):
    """A recording cannot be used; the message says why."""


@dataclass(frozen=True)
class DecodedRecording:
    """The samples of a recording, and what was not as it should be."""

    samples: Samples
    """Mono samples, ``(samples,)``."""
    remark: str = ""
    """What was missing, damaged or cancelled; empty if nothing was."""


@dataclass
class _Attempt:
    """What a decoder made of a piece of a file."""

    mixer: Mixer
    announced: float | None = None
    """Seconds that the piece should have, by its header."""
    length: float | None = None
    """Seconds that it has in comparison with that; None: as decoded."""
    slack: float = SLACK_S
    """Seconds that it may be shorter."""
    damaged: int = 0
    """Places that were skipped."""


@dataclass
class _Totals:
    """What was seen in all pieces of a file."""

    mixer: Mixer
    found: float = 0
    announced: float = 0
    damaged: int = 0
    remarks: list[str] = field(default_factory=list)

    def include(self, attempt: _Attempt) -> None:
        found = attempt.mixer.seconds if attempt.length is None else attempt.length
        is_short = attempt.announced is not None and found < attempt.announced - attempt.slack
        seconds = attempt.mixer.seconds
        self.found += seconds
        self.announced += attempt.announced if is_short and attempt.announced else seconds
        self.damaged += attempt.damaged
        self.mixer.include(attempt.mixer)


def decode(path: Path, sample_rate: int) -> Samples:
    """Read a recording as mono samples, ``(samples,)``: the mean of its channels, resampled.

    As :func:`read_recording`, without the remark.
    """
    return read_recording(path, sample_rate).samples


def read_recording(path: Path, sample_rate: int) -> DecodedRecording:
    """Read a recording as mono samples: the mean of its channels, resampled.

    It is read in blocks, so that its channels are never all in memory. The samples are those of
    ``librosa.load(path, sr=sample_rate, res_type="soxr_hq")``. If the channels cancel each other
    out (left = -right), the loudest of them alone is taken.

    Parameters
    ----------
    path
        The file; its format is recognised by its content, not by its extension.
    sample_rate
        Samples a second to which the recording is resampled, Hz.

    Raises
    ------
    RecordingError
        If it is missing, no plain file, empty, too long, holds no sound, or is damaged so that
        nothing can be decoded.
    """
    require_file(path)
    totals = _read(path, Mixer(sample_rate))
    if totals.mixer.cancels_out:
        channel = totals.mixer.loudest_channel
        totals = _read(path, Mixer(sample_rate, channel))
        totals.remarks.append("its channels cancel each other out: the loudest one alone is used")
    elif totals.mixer.cancelled >= LEAST_CANCELLED_S:
        share = f"{totals.mixer.cancelled:.1f} of {totals.mixer.seconds:.1f} s"
        totals.remarks.append(f"its channels cancel each other for {share}, silent in their mean")
    return DecodedRecording(_require_sound(totals.mixer.finish()), "; ".join(totals.remarks))


def require_file(path: Path) -> None:
    """Make sure that a path is that of a plain file that is not empty; nothing is opened.

    Raises
    ------
    RecordingError
        If it is missing, a folder, a pipe, a device or the like.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        link = "a link to what does not exist" if path.is_symlink() else "no such file or directory"
        raise RecordingError(link) from None
    except OSError as problem:
        msg = problem.strerror or str(problem)
        raise RecordingError(msg[:1].lower() + msg[1:]) from None
    except ValueError:
        msg = "no possible name of a file"
        raise RecordingError(msg) from None
    reason = "" if stat.S_ISREG(status.st_mode) else f"{_kind(status.st_mode)}, not a file"
    if not reason and status.st_size == 0:
        reason = "an empty file"
    if reason:
        raise RecordingError(reason)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _read(path: Path, mixer: Mixer) -> _Totals:
    """Read all pieces of a file."""
    totals = _Totals(mixer)
    pieces, size = find_pieces(path), path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) == APPLE_DOUBLE:
            msg = "what a Mac writes beside a file (._), not a recording"
            raise RecordingError(msg)
        for piece in pieces:
            is_whole = size == piece.stop - piece.start and not piece.patches
            try:
                totals.include(_read_piece(path if is_whole else None, file, piece, mixer))
            except RecordingError:
                if piece is pieces[0]:
                    raise
                # Those before it can be used.
                totals.damaged += 1
            _limit(totals.mixer)
    totals.remarks += _damage(totals, pieces[-1])
    return totals


def _damage(totals: _Totals, last: Piece) -> Iterator[str]:
    """Say what is missing at the end, or was skipped."""
    found = f"{totals.found:.1f}"
    if totals.found < totals.announced:
        announced = f"{found} of {totals.announced:.1f} s announced"
        yield f"only {announced} can be read: cut short or damaged"
    elif totals.damaged:
        places = "a place" if totals.damaged == 1 else f"{totals.damaged:,} places"
        yield f"damaged in {places}, skipped: {found} s can be read"
    elif last.unfinished:
        yield f"cut short after {found} s: the mark of its end is missing"


def _limit(mixer: Mixer) -> None:
    if mixer.seconds > MAX_SECONDS:
        msg = f"longer than {MAX_SECONDS // 3600} hours"
        raise RecordingError(msg)


def _read_piece(path: Path | None, file: BinaryIO, piece: Piece, mixer: Mixer) -> _Attempt:
    """Read a piece with libsndfile, or with FFmpeg if that fails or would read too little.

    Parameters
    ----------
    path
        The file, if the piece is all of it: libsndfile reads it faster than an open one.
    file, piece, mixer
        The open file, the piece, and what says how samples are made.
    """
    try:
        attempt = _read_by_libsndfile(path, file, piece, mixer)
        if attempt.length and attempt.mixer.seconds < attempt.length - attempt.slack:
            # It stops at damage without a word.
            attempt = _read_longer(attempt, piece.open(file), mixer)
    except (RuntimeError, ValueError, TypeError, OSError) as problem:
        try:
            attempt = _read_by_ffmpeg(piece.open(file), mixer)
        except ffmpeg.UnknownFormatError:
            raise RecordingError(_reason(problem, piece.open(file).read(8))) from None
        except ffmpeg.NoSoundError as why:
            raise RecordingError(str(why)) from None
    if piece.announced:
        expected = attempt.mixer.seconds / piece.announced
        attempt.announced = max(attempt.announced or 0, expected)
    return attempt


def _read_longer(attempt: _Attempt, file: Any, mixer: Mixer) -> _Attempt:
    """Read by FFmpeg what libsndfile read in part; return the longer one."""
    try:
        other = _read_by_ffmpeg(file, mixer)
    except (ffmpeg.UnknownFormatError, ffmpeg.NoSoundError, RecordingError):
        return attempt
    if other.mixer.seconds > attempt.mixer.seconds + attempt.slack:
        return other
    attempt.damaged = max(attempt.damaged, other.damaged)
    return attempt


def _reason(problem: Exception, head: bytes) -> str:
    """Say why neither decoder reads a file."""
    text = str(problem)
    if "Error : " in text:
        return f"damaged ({text.rpartition('Error : ')[2].rstrip('.')})"
    if head[4:] == b"ftyp":
        return "damaged or cut short: the index of this MP4 file (moov) cannot be read"
    return "not a recording, damaged, or in an unknown format"


class _TooShortError(ValueError):
    """libsndfile would not read all."""


def _read_by_libsndfile(path: Path | None, file: BinaryIO, piece: Piece, mixer: Mixer) -> _Attempt:
    import soundfile

    attempt = _Attempt(Mixer(mixer.target_rate, mixer.channel))
    with soundfile.SoundFile(path or piece.open(file)) as sound:
        seconds = sound.frames / sound.samplerate
        if sound.format in ("MP3", "MPEG"):
            report, attempt.slack = _count(piece.open(file)), _slack(sound.samplerate)
            if report.seconds - seconds > attempt.slack:
                raise _TooShortError
            attempt.announced, attempt.length = report.announced, report.seconds or None
            attempt.damaged = report.damaged
        else:
            attempt.slack = PCM_SLACK_S
            if sound.format in ("OGG", "FLAC") and seconds <= MAX_SECONDS:
                attempt.announced = seconds
        for block in _blocks(sound):
            attempt.mixer.add(block, sound.samplerate)
            _limit(attempt.mixer)
    return attempt


def _slack(rate: int) -> float:
    """Seconds that a compressed recording of this rate, in Hz, may be shorter than announced."""
    return max(SLACK_S, ADDED_SAMPLES / rate) if rate else SLACK_S


def _count(file: Any) -> ffmpeg.PacketReport:
    """Count the frames of an MP3; none if FFmpeg does not take it for one."""
    try:
        return ffmpeg.count_packets(file)
    except (ffmpeg.UnknownFormatError, ffmpeg.NoSoundError):
        return ffmpeg.PacketReport()


def _blocks(sound: Any) -> Iterator[NDArray[np.float32]]:
    """Read until a block comes short: the length in the header of a file may be wrong."""
    length = size = BLOCK_FRAMES
    while length == size:
        block = sound.read(size, dtype="float32", always_2d=True)
        length = len(block)
        yield block


def _read_by_ffmpeg(file: Any, mixer: Mixer) -> _Attempt:
    attempt = _Attempt(Mixer(mixer.target_rate, mixer.channel))
    report, rate = ffmpeg.PacketReport(), 0
    for block, rate in ffmpeg.read_blocks(file, report):
        attempt.mixer.add(block, rate)
        _limit(attempt.mixer)
    if report.damaged and not attempt.mixer.seconds:
        msg = f"damaged or encrypted: nothing of its sound ({report.codec}) can be decoded"
        raise RecordingError(msg)
    attempt.announced = report.announced
    attempt.slack = PCM_SLACK_S if report.codec.startswith(EXACT_CODECS) else _slack(rate)
    attempt.damaged = report.damaged + bool(report.problem and not report.damaged)
    return attempt


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
