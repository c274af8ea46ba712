"""Recordings that FFmpeg reads, packet by packet: a damaged packet is skipped and counted.

Only containers of sound and video are tried, no playlists or scripts, and nothing but the file that
is given is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMATS = (
    *("aac", "ac3", "aea", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3"),
    *("flac", "flv", "iff", "loas", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts"),
    *("ogg", "oma", "rm", "shn", "tak", "truehd", "tta", "voc", "w64", "wav", "wv", "xwma"),
)
"""FFmpeg's names of the containers that are tried."""

_MEASURED = {"aiff", "ape", "asf", "au", "avi", "caf", "dsf", "flac", "iff", "mov", "tak", "tta"}
_MEASURED |= {"w64", "wav", "wv"}
"""Containers whose header says how long a stream is; of others FFmpeg guesses from the bit rate."""

_TIMED = {"matroska", "ogg", "mov", "asf", "flv", "avi"}
"""Containers in which each packet says when it is heard: a gap shows what is missing."""

_CHECKED = {"flac", "tta", "wavpack", "alac"}
"""Codecs whose packets have a checksum; else a damaged one becomes noise."""

LARGEST_FRAME = 1729
"""Bytes of the longest frame of MPEG audio; a longer packet contains something else too."""

TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")
"""What may stand between the frames of joined files and is no damage."""

BLOCK = 1 << 17
"""Samples that are handed on at once, at least."""


class UnknownFormatError(Exception):
    """It is no recording, or in a format that FFmpeg does not know."""


class NoSoundError(Exception):
    """It holds no sound that can be decoded; the message says why."""


@dataclass
class PacketReport:
    """What was seen while the packets of a recording were read."""

    seconds: float = 0
    """Length of the packets, as they say."""
    announced: float | None = None
    """Length that the header announces."""
    good: int = 0
    """Packets that were read."""
    damaged: int = 0
    """Packets that are damaged, or contain anything but sound."""
    problem: str = ""
    """Why reading ended before the end of the file."""
    codec: str = ""
    first: float | None = None
    """When the first packet is heard, seconds."""

    def note(self, packet: Any, *, timed: bool = False) -> None:
        """Take the length of a packet, and when it is heard if that is known."""
        unit = float(packet.time_base or 0)
        length = (packet.duration or 0) * unit
        self.seconds += length
        if timed and packet.pts is not None:
            start = packet.pts * unit
            self.first = start if self.first is None else min(self.first, start)
            self.announced = max(self.announced or 0, start + length - max(self.first, 0))


@contextmanager
def _opened(file: Any) -> Iterator[tuple[Any, Any]]:
    """Open the container and its best stream of sound."""
    import av

    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": ""}
    try:
        container = av.open(file, options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError) as problem:
        raise UnknownFormatError(str(problem)) from None
    with container:
        stream = container.streams.best("audio")
        if stream is None:
            kinds = " and ".join(sorted({s.type for s in container.streams})) or "nothing"
            msg = f"it holds no sound, but {kinds}"
            raise NoSoundError(msg)
        if getattr(stream, "codec_context", None) is None:
            msg = "its sound is in an unknown codec"
            raise NoSoundError(msg)
        yield container, stream


def count_packets(file: Any) -> PacketReport:
    """Read the frames of an MP3 without decoding them.

    Parameters
    ----------
    file
        A file that is open for reading.
    """
    report = PacketReport()
    with _opened(file) as (container, stream):
        for packet in _packets(container, stream, report):
            report.damaged += _is_damaged(packet)
            if report.good == 0:
                report.announced = _announced_by_xing(file, packet)
            report.good += 1
            report.note(packet)
    return report


def _announced(container: Any, stream: Any, names: set[str]) -> float | None:
    """Return the length that the header of a container announces, in seconds."""
    if names & _MEASURED and stream.duration:
        return float(stream.duration * stream.time_base)
    if "matroska" in names and container.duration and len(container.streams) == 1:
        return float(container.duration / 1_000_000)
    return None


def _announced_by_xing(file: Any, packet: Any) -> float | None:
    """Return the length that the frame before the first one announces, in seconds."""
    place = packet.pos or 0
    here = file.tell()
    file.seek(max(0, place - 4096))
    before = file.read(min(place, 4096))
    file.seek(here)
    mark = max(before.rfind(b"Xing"), before.rfind(b"Info"))
    if mark < 0 or not before[mark + 7 : mark + 8] or not before[mark + 7] & 1:
        return None
    frames = int.from_bytes(before[mark + 8 : mark + 12], "big")
    return frames * float(packet.duration * packet.time_base) or None


def _is_damaged(packet: Any) -> bool:
    return packet.size > LARGEST_FRAME and not any(tag in bytes(packet) for tag in TAGS)


def _packets(container: Any, stream: Any, report: PacketReport) -> Iterator[Any]:
    """Yield the packets of a stream that hold anything."""
    import av

    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except (av.FFmpegError, OSError) as problem:
        report.problem = str(getattr(problem, "strerror", None) or problem)


def read_blocks(file: Any, report: PacketReport) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode a recording to its end; yield blocks ``(samples, channels)`` and their rate in Hz.

    Parameters
    ----------
    file
        A file that is open for reading.
    report
        Is filled with what is seen.

    Raises
    ------
    UnknownFormatError
        If it is no recording.
    NoSoundError
        If it holds no sound that can be decoded.
    """
    with _opened(file) as (container, stream):
        codec = stream.codec_context
        report.codec = codec.name
        if codec.name in _CHECKED:
            codec.options = {"err_detect": "crccheck+explode"}
        codec.thread_count = 1
        names = {*container.format.name.split(",")}
        report.announced = _announced(container, stream, names)
        buffer = _Buffer()
        for packet in _packets(container, stream, report):
            if names == {"mp3"} and not report.seconds:
                report.announced = _announced_by_xing(file, packet)
            report.note(packet, timed=bool(names & _TIMED))
            yield from buffer.add(_decode(packet, report))
        yield from buffer.add(_decode(None, report, codec))
        yield from buffer.flush()


def _decode(packet: Any, report: PacketReport, codec: Any = None) -> list[Any]:
    """Decode a packet, or what is left in the decoder at the end; damaged ones give nothing."""
    import av

    try:
        frames: list[Any] = codec.decode(None) if packet is None else packet.decode()
    except (av.FFmpegError, ValueError) as problem:
        if packet is not None:
            report.damaged += 1
            report.problem = report.problem or str(getattr(problem, "strerror", None) or problem)
        return []
    report.good += packet is not None
    return frames


@dataclass
class _Buffer:
    """Frames that are handed on together."""

    frames: list[NDArray[np.float32]] = field(default_factory=list)
    rate: int = 0
    length: int = 0

    def add(self, frames: list[Any]) -> Iterator[tuple[NDArray[np.float32], int]]:
        for frame in frames:
            samples = _to_float(frame)
            same = self.frames and samples.shape[1] == self.frames[0].shape[1]
            if self.length >= BLOCK or not same or frame.sample_rate != self.rate:
                yield from self.flush()
            self.frames.append(samples)
            self.rate, self.length = frame.sample_rate, self.length + len(samples)

    def flush(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        if self.length and self.rate > 0:
            yield np.concatenate(self.frames), self.rate
        self.frames, self.length = [], 0


def _to_float(frame: Any) -> NDArray[np.float32]:
    """Return the samples of a frame within -1 and 1, ``(samples, channels)``."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    samples = array.T if frame.format.is_planar else array.reshape(-1, channels)
    if samples.dtype == np.uint8:
        return np.asarray((samples.astype(np.float32) - 128) / 128, np.float32)
    if samples.dtype.kind == "i":
        scale = float(1 << (8 * samples.dtype.itemsize - 1))
        return np.asarray(samples / scale, np.float32)
    return np.asarray(samples, np.float32)
