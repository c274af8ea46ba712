"""What the headers of a recording announce, and where a file joined of several ones is to be split.

Decoders believe a header. A recorder that was cut off writes a size of 0, a download that was cut
off announces more than there is, and of files that were joined (``cat a.flac b.flac``) only the
first one is read. This module looks at the sizes and signatures alone; it decodes nothing.
"""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 1 << 16
"""Bytes at the beginning of a file in which its sizes stand."""

MAX_PIECES = 10_000
"""Pieces of a joined file beyond which the rest is one piece."""

LEAST_REST = 1 << 15
"""Bytes after the samples of a WAV file, if they are no chunk, that are taken for more of them."""

_OGG_PAGE, _OGG_FIRST, _OGG_LAST = b"OggS\0", 2, 4
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_RIFF = {b"RIFF": "little", b"RIFX": "big", b"RF64": "little", b"BW64": "little"}
_CHUNK_NAME = re.compile(rb"[A-Za-z0-9_ ]{4}")


class FileView(io.RawIOBase):
    """A part of a file that can be read as a file, some of its bytes replaced by others."""

    def __init__(self, file: BinaryIO, start: int, stop: int, patches: dict[int, bytes]) -> None:
        super().__init__()
        self._file, self._start, self._length, self._patches = file, start, stop - start, patches
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, from the beginning, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or all that are left."""
        left = max(0, self._length - self._at)
        size = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._at)
        block = bytearray(self._file.read(size))
        for place, replacement in self._patches.items():
            for number, byte in enumerate(replacement, place - self._at):
                if 0 <= number < len(block):
                    block[number] = byte
        self._at += len(block)
        return bytes(block)

    def readinto(self, buffer: object, /) -> int:
        """Read into a buffer; return the number of bytes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        block = self.read(len(view))
        view[: len(block)] = block
        return len(block)


@dataclass(frozen=True)
class Piece:
    """One of the recordings that a file holds; nearly always the only one."""

    start: int
    stop: int
    """Bytes of the file."""
    announced: float | None = None
    """Share of what the sizes in its header announce that is there: below 1 if it is cut short;
    None: they announce nothing."""
    patches: tuple[tuple[int, bytes], ...] = ()
    """Bytes to read instead of a size that cannot be right, by place."""
    unfinished: bool = False
    """Whether the mark at its end is missing."""

    def open(self, file: BinaryIO) -> FileView:
        """Return what reads as a file of this recording alone."""
        return FileView(file, self.start, self.stop, dict(self.patches))


def find_pieces(path: Path) -> list[Piece]:
    """Return the recordings that were joined in a file, in order; at least one.

    Parameters
    ----------
    path
        A file that is not empty.
    """
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        head = content[:12]
        if head.startswith(b"OggS"):
            starts = [0, *_ogg_starts(content)]
            pieces = [Piece(a, b) for a, b in _spans(starts, size)]
            last = pieces[-1]
            pieces[-1] = Piece(last.start, size, unfinished=not _ogg_ends(content, last.start))
            return pieces
        if head.startswith(b"fLaC"):
            starts = [match.start() for match in _FLAC.finditer(content)]
            return [Piece(a, b) for a, b in _spans([0, *starts], size)]
        if head[:4] in _RIFF and head[8:12] == b"WAVE":
            return [*_wav_pieces(content)]
        patches: tuple[tuple[int, bytes], ...] = ()
        if head.startswith(b".snd") and not any(head[8:12]):
            patches = ((8, b"\xff" * 4),)
        return [Piece(0, size, _share(content), patches)]


def _spans(starts: list[int], size: int) -> list[tuple[int, int]]:
    starts = sorted({*starts})[:MAX_PIECES]
    return [*zip(starts, [*starts[1:], size], strict=True)]


def _ogg_starts(content: mmap.mmap) -> Iterator[int]:
    """Yield the places where a new stream begins: a first page that follows no other first page."""
    mark = _OGG_PAGE + bytes([_OGG_FIRST])
    place, follows = content.find(mark), 0
    while place >= 0:
        if place != follows:
            yield place
        follows = place + _ogg_page_length(content, place)
        place = content.find(mark, place + 1)


def _ogg_page_length(content: mmap.mmap, place: int) -> int:
    segments = content[place + 26] if place + 26 < len(content) else 0
    return 27 + segments + sum(content[place + 27 : place + 27 + segments])


def _ogg_ends(content: mmap.mmap, start: int) -> bool:
    """Whether the last page is whole, and marked as the last one."""
    place = content.rfind(_OGG_PAGE, start)
    if place < 0 or place + 27 > len(content):
        return False
    whole = place + _ogg_page_length(content, place) <= len(content)
    return whole and bool(content[place + 5] & _OGG_LAST)


def _wav_pieces(content: mmap.mmap) -> Iterator[Piece]:
    """Yield the recordings of a WAV file, sizes that cannot be right replaced by the largest one.

    libsndfile reads to the end of the file then.
    """
    start, size = 0, len(content)
    for _ in range(MAX_PIECES):
        place, length = _wav_data(content, start)
        if not place:
            yield Piece(start, size)
            return
        after = _next_riff(content, start, place + length, least=LEAST_REST if length else 1)
        stop = size if after is None else after or size
        there = stop - place
        if after is None and _is_size(length) and length > there:
            yield Piece(start, size, there / length)
            return
        patches: list[tuple[int, bytes]] = []
        if after is None:
            # Bytes from the beginning of the piece: RF64 becomes RIFF, which has sizes of 32 bits.
            patches = [(0, b"RIFX" if content[start : start + 4] == b"RIFX" else b"RIFF")]
            patches += [(4, b"\xff" * 4), (place - start - 4, b"\xff" * 4)]
        yield Piece(start, stop, 1.0, tuple(patches))
        if stop >= size:
            return
        start = stop


def _wav_data(content: mmap.mmap, start: int) -> tuple[int, int]:
    """Return the place and the announced length of the samples; 0 if there are none."""
    order = _RIFF[content[start : start + 4]]
    place, large = start + 12, None
    for _ in range(MAX_PIECES):
        name = content[place : place + 4]
        if place + 8 > len(content):
            break
        length = int.from_bytes(content[place + 4 : place + 8], order)  # type: ignore[arg-type]
        if name == b"ds64":
            large = int.from_bytes(content[place + 16 : place + 24], "little")
        if name == b"data":
            return place + 8, large if large is not None and length == 0xFFFFFFFF else length
        place += 8 + length + length % 2
    return 0, 0


def _next_riff(content: mmap.mmap, start: int, end: int, *, least: int) -> int | None:
    """Return where another RIFF begins after the samples, 0 if none does.

    None if neither a chunk nor the end of the file follows, but so many bytes at least: then the
    length of the samples is wrong.
    """
    order = _RIFF[content[start : start + 4]]
    size = len(content)
    # Some writers forget the byte that makes a length even.
    padded = (end - start) % 2 and not _CHUNK_NAME.fullmatch(content[end : end + 4])
    first = place = end + bool(padded)
    while place + 8 <= size:
        name = content[place : place + 4]
        if name in _RIFF and content[place + 8 : place + 12] == b"WAVE":
            return place
        if not _CHUNK_NAME.fullmatch(name):
            is_sound = place == first and size - place >= least
            return None if is_sound and content[place : place + HEAD_BYTES].strip(b"\0") else 0
        length = int.from_bytes(content[place + 4 : place + 8], order)  # type: ignore[arg-type]
        place += 8 + length + length % 2
    return None if end > size else 0


def _share(content: mmap.mmap) -> float | None:
    """Return the share of the announced bytes that is there, of other uncompressed formats."""
    head = content[:24]
    before, length = 0, None
    if head[:4] == b"FORM":
        before, length = 8, int.from_bytes(head[4:8], "big")
    elif head[:4] == b".snd":
        before, length = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    elif head[:4] == b"riff":
        length = int.from_bytes(head[16:24], "little")
    elif head[:4] == b"caff":
        before, length = _caf_data(content)
    if length is None or not _is_size(length):
        return None
    return max(0.0, min(1.0, (len(content) - before) / length))


def _caf_data(content: mmap.mmap) -> tuple[int, int | None]:
    """Return the place and the announced length of the samples of a CAF file."""
    place = 8
    while place + 12 <= min(len(content), HEAD_BYTES):
        length = int.from_bytes(content[place + 4 : place + 12], "big")
        if content[place : place + 4] == b"data":
            return place + 12, length
        place += 12 + length
    return 0, None


def _is_size(length: int) -> bool:
    """Whether a size was written for a file of known length, not for one still to be written."""
    return 8 < length < 1 << 62 and length >> 16 not in (0x7FFF, 0x8000, 0xFFFF)
