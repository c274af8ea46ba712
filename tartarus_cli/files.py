"""Reading files with errors that explain, and writing them in one step, never by halves."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import IO

from tartarus_cli.encodings import decode, read_content
from tartarus_cli.errors import FileError, RequestError, count_noun
from tartarus_cli.file_formats import compression_of, identify

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
    with path.open("rb") as file:
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


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; only when the block succeeds does it become ``path``.

    The temporary file lies in the same folder, so that it can replace ``path`` in one step, and
    nobody ever sees half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
        LOGGER.debug("wrote %s", path)
    finally:
        temporary.unlink(missing_ok=True)


# The name of a temporary file, which stays if its writer is killed.
_TEMPORARY_NAME = re.compile(r"\.[0-9a-f]{8}-(.+)", re.DOTALL)


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> None:
    """Delete the temporary files that killed writers left in a folder.

    Parameters
    ----------
    folder
        The folder, which nobody may be writing to.
    names
        The files whose temporary ones are deleted; None: any.
    """
    for path in folder.glob(".*"):
        match = _TEMPORARY_NAME.fullmatch(path.name)
        if match and (names is None or match[1] in names):
            path.unlink(missing_ok=True)


@contextmanager
def shared_folder(path: Path) -> Iterator[None]:
    """Make a folder that several processes write to; the last one to leave removes leftovers."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        # A system without such locks.
        yield
        return
    folder = os.open(path, os.O_RDONLY)

    def remove_leftovers_if_alone() -> None:
        # Another process writes, or the file system has no such locks.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_leftovers(path)
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH)

    try:
        remove_leftovers_if_alone()
        yield
    finally:
        remove_leftovers_if_alone()
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, in UTF-8 and with the same line ends on every system."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


# Errors of a file system that has no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock during the block, so that no two processes do the same work.

    The lock ends with the process, in whatever way that ends. On a file system without locks, the
    work goes on without one.

    Raises
    ------
    RequestError
        If another process holds the lock.
    FileError
        If the path is a link, a folder, a pipe or the like.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    _require_plain_or_absent(path)
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock)
        except Timeout:
            msg = "another command is doing this work already"
            raise RequestError(msg, hint="Wait until it ends, or stop it.") from None
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        yield


def _require_plain_or_absent(path: Path) -> None:
    """Make sure that a lock opens no file but its own: that its path is no link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "a folder, a pipe or the like"
        expected = "a plain file, which is locked while the command runs, or none"
        raise FileError(path, found=kind, expected=expected, hint="Remove it, and try again.")


def remove_folder(path: Path) -> None:
    """Delete a folder so that nobody ever sees half of it: it is renamed first."""
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    path.replace(temporary)
    LOGGER.debug("deleting %s", path)
    shutil.rmtree(temporary)


def format_bytes(count: int) -> str:
    """Write a number of bytes with a unit, in powers of 1,000.

    >>> format_bytes(999), format_bytes(1_500_000), format_bytes(12_000_000_000)
    ('999 bytes', '1.5 MB', '12.0 GB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return count_noun(count, "byte")
