"""Reading files, with errors that explain."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import IO

from tartarus_cli.encodings import decode, read_content
from tartarus_cli.errors import FileError, count_noun
from tartarus_cli.file_formats import compression_of, identify
from tartarus_cli.regular import open_regular

LOGGER = logging.getLogger(__name__)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of the system, while a file is read in the block, into one that explains.

    Raises
    ------
    FileError
        If the file is missing, may not be read, or the disk fails.
    """
    LOGGER.debug("reading %s", path)
    try:
        yield
    except OSError as problem:
        raise FileError(
            path,
            found=f"it cannot be read ({problem.strerror or problem})",
            expected="a file that may be read",
            hint="Look at its permissions, and at the disk.",
        ) from None


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """Read a file, of so many bytes at most.

    Raises
    ------
    FileError
        If it cannot be read, is no file, or is larger.
    """
    with readable(path), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise FileError(
                path,
                found=format_bytes(size),
                expected=f"{format_bytes(most)} at most",
                hint="Look whether it is the file that it should be.",
            )
        return file.read()


def read_text(path: Path, encoding: str | None = None, *, selectable: bool = False) -> str:
    """Read a text file, line ends as they are; a byte-order mark at its beginning is dropped.

    What is compressed with gzip, bzip2, xz or zip is decompressed, and UTF-16 and UTF-32 are read
    where a byte-order mark shows them.

    Parameters
    ----------
    path
        The file.
    encoding
        Its encoding, if it has no byte-order mark; None: UTF-8.
    selectable
        Whether the user can name another encoding, for the hint of an error.

    Raises
    ------
    FileError
        If the file cannot be read, is no text, or is of another encoding.
    """
    with readable(path):
        content = read_content(path, "a text file in UTF-8")
    return decode(path, content, encoding, selectable=selectable)


def decode_text(path: Path, content: bytes) -> str:
    """Decode the bytes of a text file, as :func:`read_text` does.

    Raises
    ------
    FileError
        If they are no text, or of another encoding.
    """
    if compression_of(content) or identify(content):
        return read_text(path)
    return decode(path, content, None, selectable=False)


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    return digest(one) == digest(other)


def digest(path: Path, stopped: Callable[[], bool] = lambda: False) -> str:
    """Return the BLAKE2b hash of a file's bytes, read in blocks; 32 hexadecimal digits.

    Parameters
    ----------
    path
        The file.
    stopped
        Asked before each block; once it is true, reading ends, and the hash means nothing.
    """
    with open_regular(path) as file:
        return digest_open(file, stopped)


def digest_open(file: IO[bytes], stopped: Callable[[], bool] = lambda: False) -> str:
    """Return the BLAKE2b hash of an open file, from its first byte on; as :func:`digest`."""
    hashed = blake2b(digest_size=16)
    file.seek(0)
    while not stopped() and (block := file.read(1 << 20)):
        hashed.update(block)
    return hashed.hexdigest()


def stat_signature(path: Path) -> tuple[int, ...]:
    """Return the inode, size and time of a file, one of which changes when it is written to."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def digest_in_background(
    path: Path, hashing: Callable[[Path, Callable[[], bool]], str] = digest
) -> Iterator[Callable[[], str]]:
    """Hash a file in another thread during the block; the function that is yielded waits for it."""
    from concurrent.futures import ThreadPoolExecutor

    stop = Event()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(hashing, path, stop.is_set)
        try:
            yield future.result
        finally:
            stop.set()


def format_bytes(count: int) -> str:
    """Write a number of bytes with a unit, in powers of 1,000.

    >>> format_bytes(999), format_bytes(1_500_000), format_bytes(12_000_000_000)
    ('999 bytes', '1.5 MB', '12.0 GB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return count_noun(count, "byte")
