"""Locks, so that no two commands do the same work."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from tartarus_cli.errors import FileError, RequestError, display_path
from tartarus_cli.files.writing import remove_leftovers

PATIENCE_S = 60.0
"""How long a command waits for another one that writes to the same folder."""
FOLDER_LOCK = ".lock"
"""The file that stands for its folder, where folders cannot be locked."""
_PAUSE_S = 0.02
# Errors of a file system that has no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def locked(path: Path, patience: float = 0) -> Iterator[None]:
    """Hold a lock during the block, so that no two processes do the same work.

    The lock ends with the process, in whatever way that ends. On a file system without locks, the
    work goes on without one.

    Parameters
    ----------
    path
        The file that is locked; it is made.
    patience
        Seconds to wait for another process that holds it.

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
    lock = FileLock(path, timeout=patience, poll_interval=_PAUSE_S, fallback_to_soft=False)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock)
        except Timeout:
            raise _busy_error() from None
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        yield


@contextmanager
def locked_together(path: Path) -> Iterator[None]:
    """Hold a lock during the block that others may hold too, if none holds it as ``locked`` does.

    On a system or a file system without locks, the work goes on without one.

    Raises
    ------
    RequestError
        If another process holds the lock alone.
    FileError
        If the path is a link, a folder, a pipe or the like.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _require_plain_or_absent(path)
    if find_spec("fcntl") is None:
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        if not _flock(descriptor, shared=True):
            raise _busy_error()
        yield
    finally:
        os.close(descriptor)


def _busy_error() -> RequestError:
    msg = "another command is doing this work already"
    return RequestError(msg, hint="Wait until it ends, or stop it.")


def is_locked(path: Path) -> bool:
    """Whether a process holds a lock; where a file system has no locks, one that is there is held.

    Raises
    ------
    FileError
        If the path is a link, a folder, a pipe or the like.
    """
    from filelock import FileLock, Timeout

    _require_plain_or_absent(path)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, fallback_to_soft=False):
            return False
    except Timeout:
        return True
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise
        return True


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


@contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold the lock of a folder during the block, which is short; wait for whoever holds it.

    Where folders cannot be locked, as on NFS, a hidden file in it is. On a system or a file system
    without locks, the work goes on without one.

    Raises
    ------
    RequestError
        If another process holds it for a minute.
    """
    path.mkdir(parents=True, exist_ok=True)
    if find_spec("fcntl") is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    with ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            _lock_folder(path, descriptor)
        except OSError as problem:
            if problem.errno != errno.EBADF:  # NFS locks what is open for writing alone
                raise
            stack.enter_context(locked(path / FOLDER_LOCK, PATIENCE_S))
        yield


def _lock_folder(path: Path, descriptor: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while not _flock(descriptor):
        if time.monotonic() > end:
            msg = f"another command is writing to {display_path(path)}"
            raise RequestError(msg, hint="Wait until it ends, or stop it.")
        time.sleep(_PAUSE_S)


def _flock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file or folder that is open; False if another process holds the lock."""
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise
    return True


@contextmanager
def shared_folder(path: Path) -> Iterator[None]:
    """Make a folder that several processes write to; the last one to leave removes leftovers."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        remove_leftovers(path)
        yield
    finally:
        with suppress(OSError):
            remove_leftovers(path)
