"""Files written in one step, so that nobody ever sees half of one."""

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
from shlex import quote
from threading import Event
from typing import IO

from tartarus_cli.errors import FileError, RequestError, count_noun, display_path

LOGGER = logging.getLogger(__name__)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Explain why a file cannot be opened, such as a missing permission."""
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


def read_text(path: Path) -> str:
    """Read a UTF-8 file, line ends as they are; a byte-order mark at its beginning is dropped.

    Raises
    ------
    FileError
        If the file cannot be read or is not UTF-8.
    """
    with readable(path):
        content = path.read_bytes()
    return decode_text(path, content)


def decode_text(path: Path, content: bytes) -> str:
    """Decode the bytes of a UTF-8 file, as :func:`read_text` does.

    Raises
    ------
    FileError
        If they are not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        command = f"iconv -f LATIN1 -t UTF-8 {quote(display_path(path))}"
        raise FileError(
            path,
            found=f"bytes that are not UTF-8 in line {line}",
            expected="UTF-8 text",
            hint=f"Convert it: {command} > converted{path.suffix}",
        ) from None


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    return digest(one) == digest(other)


def digest(path: Path, stopped: Callable[[], bool] = lambda: False) -> str:
    """BLAKE2b hash of a file's bytes, read in blocks; 32 hexadecimal digits."""
    with path.open("rb") as file:
        return digest_open(file, stopped)


def digest_open(file: IO[bytes], stopped: Callable[[], bool] = lambda: False) -> str:
    """BLAKE2b hash of an open file, from its first byte on; 32 hexadecimal digits."""
    hashed = blake2b(digest_size=16)
    file.seek(0)
    while not stopped() and (block := file.read(1 << 20)):
        hashed.update(block)
    return hashed.hexdigest()


def stat_signature(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file has been written to."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def digest_in_background(path: Path) -> Iterator[Callable[[], str]]:
    """Hash a file beside other work; what is yielded waits for the hash."""
    from concurrent.futures import ThreadPoolExecutor

    stop = Event()
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(digest, path, stop.is_set)
        try:
            yield found.result
        finally:
            stop.set()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; only when the block succeeds does it become ``path``.

    The file written lies beside ``path``, so that it can take its place in one step, and nobody
    ever sees half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield beside
        beside.replace(path)
        LOGGER.debug("wrote %s", path)
    finally:
        beside.unlink(missing_ok=True)


_LEFT = re.compile(r"\.[0-9a-f]{8}-(.+)", re.DOTALL)  # of a writer that was killed


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> None:
    """Delete what killed writers of some files, or of any, left in a folder; nobody may write."""
    for path in folder.glob(".*"):
        match = _LEFT.fullmatch(path.name)
        if match and (names is None or match[1] in names):
            path.unlink(missing_ok=True)


@contextmanager
def shared_folder(path: Path) -> Iterator[None]:
    """Make a folder to write into, as others may do now; the last to leave tidies it up."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    folder = os.open(path, os.O_RDONLY)

    def tidy_up_alone() -> None:
        with suppress(OSError):  # somebody else writes, or there are no such locks
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_leftovers(path)
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH)

    try:
        tidy_up_alone()
        yield
    finally:
        tidy_up_alone()
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, in UTF-8 and with the same line ends on every system."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with atomic_write(path) as beside:
        beside.write_bytes(content)


# What a file system says that has no locks.
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make sure that nobody else does the same work; the lock ends with the process, however.

    On a file system without locks, the work goes on without one.

    Raises
    ------
    RequestError
        If somebody does.
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
            msg = "another command is at this work already"
            raise RequestError(msg, hint="Wait for it, or stop it.") from None
        except OSError as problem:
            if problem.errno not in _WITHOUT_LOCKS:
                raise
        yield


def _require_plain_or_absent(path: Path) -> None:
    """Make sure that a lock opens no file but its own: no link leads away from it."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "a folder, a pipe or the like"
        expected = "a plain file, which is locked while the command runs, or none"
        raise FileError(path, found=kind, expected=expected, hint="Remove it, and try again.")


def remove_folder(path: Path) -> None:
    """Delete a folder so that no half of it is ever seen: it loses its name first."""
    away = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    path.replace(away)
    LOGGER.debug("deleting %s", path)
    shutil.rmtree(away)


def format_bytes(count: int) -> str:
    """Write a number of bytes shortly.

    >>> format_bytes(999), format_bytes(1_500_000), format_bytes(12_000_000_000)
    ('999 bytes', '1.5 MB', '12.0 GB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return count_noun(count, "byte")
