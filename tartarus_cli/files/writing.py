"""Writing files in one step, never by halves, and removing what killed writers left."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tartarus_cli.errors import FileError
from tartarus_cli.files.disk import TARGETS, room_for
from tartarus_cli.regular import require_regular
from tartarus_cli.signals import defer_interrupts

LOGGER = logging.getLogger(__name__)

_PREFIX = ".tartarus-"
_TEMPORARY_NAME = re.compile(r"\.tartarus-[0-9a-f]{8}(?:-(.+))?", re.DOTALL)
"""The name of a temporary file or folder, which stays if its writer is killed."""
_EARLIER_NAME = re.compile(r"\.[0-9a-f]{8}-(.+)", re.DOTALL)
"""How earlier versions called them."""
_LONGEST_NAME = 255
"""Bytes of a name, at most."""
_OWN_FILE = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
_LOOK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def atomic_write(path: Path, *, one_of_many: bool = False) -> Iterator[Path]:
    """Yield a path to write to; only when the block succeeds does it become ``path``.

    The temporary file lies in the same folder, so that it can replace ``path`` in one step, and
    nobody ever sees half of it. What killed writers left in the folder is removed.

    Parameters
    ----------
    path
        The file.
    one_of_many
        Whether so many files are written into the folder that it would take long to look for
        leftovers each time, and to wait for the disk; they can be made again.

    Raises
    ------
    DiskFullError
        If the disk has no room.
    """
    _require_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not one_of_many:
        remove_leftovers(path.parent)
    with _temporary_file(path) as temporary, room_for(temporary):
        yield temporary
        _place(temporary, path, durable=not one_of_many)
    if not one_of_many:
        _sync(path.parent)


@contextmanager
def write_together(
    paths: Sequence[Path], *, outdated: Iterable[Path] = (), delete_first: bool = True
) -> Iterator[Mapping[Path, Path]]:
    """Yield a temporary file for each path; when the block succeeds, all take their places.

    The old files are deleted first, the last one first, and the new ones take their places in
    order. Whoever is killed meanwhile leaves some of them missing, and never old and new ones
    together; the last one is there only if all are.

    Parameters
    ----------
    paths
        The files; those that say that the others are whole come last.
    outdated
        Other files, which are deleted with the old ones.
    delete_first
        Whether the old files are deleted; if not, the caller sees to it that nobody reads old and
        new ones together.

    Raises
    ------
    DiskFullError
        If the disk has no room.
    """
    for path in paths:
        _require_replaceable(path)
    folders = [*dict.fromkeys(path.parent for path in paths)]
    with ExitStack() as stack:
        for folder in folders:
            if not folder.is_dir():
                stack.enter_context(_removed_on_failure(folder))
            remove_leftovers(folder)
        temporary = {path: stack.enter_context(_temporary_file(path)) for path in paths}
        with room_for(folders[0]):
            yield temporary
        for path in paths:
            with room_for(temporary[path]):
                _sync(temporary[path])
        with defer_interrupts():
            for path in dict.fromkeys([*reversed(paths), *outdated]) if delete_first else ():
                path.unlink(missing_ok=True)
            for path in paths:
                _place(temporary[path], path, durable=False)
    for folder in folders:
        _sync(folder)


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it if the block fails and nothing else is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def _require_replaceable(path: Path) -> None:
    """Make sure that there is nothing but a file in the place of one, or nothing at all."""
    with suppress(FileNotFoundError):
        require_regular(path)


def _place(temporary: Path, path: Path, *, durable: bool) -> None:
    if durable:
        _sync(temporary)
    temporary.replace(path)
    LOGGER.debug("wrote %s", path)


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Make an empty hidden file beside a path, which nobody takes for a leftover in the block."""
    with ExitStack() as stack:
        while True:
            temporary = path.with_name(_temporary_name(path.name))
            descriptor = os.open(temporary, _OWN_FILE, 0o666)
            if _is_ours(descriptor, temporary):
                break
            os.close(descriptor)
        # Closing it ends the lock, so the file goes first.
        stack.callback(os.close, descriptor)
        stack.callback(temporary.unlink, missing_ok=True)
        TARGETS[temporary] = TARGETS.get(path, path)
        stack.callback(TARGETS.pop, temporary)
        yield temporary


def _temporary_name(target: str) -> str:
    name = f"{_PREFIX}{secrets.token_hex(4)}-{target}"
    excess = len(os.fsencode(name)) - _LONGEST_NAME
    return name if excess <= 0 else f"{_PREFIX}{secrets.token_hex(4)}-{Path(target).suffix[:20]}"


def temporary_target(name: str) -> str | None:
    """Return the name of the file that a temporary one was to become; None if it is none.

    >>> temporary_target(".tartarus-0123abcd-x.npy"), temporary_target(".0123abcd-x.npy")
    ('x.npy', 'x.npy')
    >>> temporary_target(".tartarus-0123abcd"), temporary_target(".profile")
    ('', None)
    """
    match = _TEMPORARY_NAME.fullmatch(name) or _EARLIER_NAME.fullmatch(name)
    return (match[1] or "") if match else None


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in another one, and delete it after the block."""
    with ExitStack() as stack:
        while True:
            folder = parent / f"{_PREFIX}{secrets.token_hex(4)}"
            folder.mkdir()
            try:
                descriptor = os.open(folder, _LOOK)
            except FileNotFoundError:  # taken for a leftover
                continue
            if _is_ours(descriptor, folder):
                break
            os.close(descriptor)
        stack.callback(os.close, descriptor)
        stack.callback(_remove_tree, folder)
        yield folder


def _is_ours(descriptor: int, path: Path) -> bool:
    """Lock a new file or folder; False if somebody took it for a leftover before."""
    if not _lock(descriptor):
        # Without locks, nobody takes anything for a leftover.
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> bool:
    """Lock a file or folder that is open, until it is closed or the process ends."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_leftovers(folder: Path, names: Collection[str] = ()) -> None:
    """Delete the temporary files that killed writers left in a folder, never a living one's.

    Parameters
    ----------
    folder
        The folder.
    names
        Files that nobody else can be writing now: their temporary files of earlier versions, which
        do not show whether their writers live, are deleted too.
    """
    try:
        with os.scandir(folder) as entries:
            hidden = [folder / entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return
    for path in hidden:
        earlier = _EARLIER_NAME.fullmatch(path.name)
        with suppress(OSError):
            if earlier and earlier[1] in names:
                path.unlink()
            elif _TEMPORARY_NAME.fullmatch(path.name):
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    """Delete a temporary file or folder, unless its writer lives, or that cannot be known."""
    if not (stat.S_ISREG(mode := path.lstat().st_mode) or stat.S_ISDIR(mode)):
        return
    descriptor = os.open(path, _LOOK)
    try:
        if not _lock(descriptor):
            return
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            _remove_tree(path)
        else:
            path.unlink()
        LOGGER.debug("deleted %s, which a killed command left", path)
    finally:
        os.close(descriptor)


def put_text(path: Path, text: str) -> None:
    """Write a temporary text file, in UTF-8 and with the same line ends on every system."""
    with room_for(path):
        path.write_text(text, encoding="utf-8", newline="\n")


def write_text(path: Path, text: str, *, one_of_many: bool = False) -> None:
    """Write a text file in one step; as :func:`put_text` and :func:`atomic_write` do."""
    with atomic_write(path, one_of_many=one_of_many) as temporary:
        put_text(temporary, text)


def write_bytes(path: Path, content: bytes, *, one_of_many: bool = False) -> None:
    """Write a file in one step, as :func:`atomic_write` does."""
    with atomic_write(path, one_of_many=one_of_many) as temporary:
        temporary.write_bytes(content)


def make_own_folder(path: Path) -> None:
    """Make a hidden folder for work that is not finished, unless it is there already.

    Raises
    ------
    FileError
        If there is a link or a file in its place: what is in another folder is not ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    require_own_folder(path)
    with suppress(FileExistsError):
        path.mkdir()
    require_own_folder(path)


def require_own_folder(path: Path) -> None:
    """Make sure that a path is a folder or nothing, and no link.

    Raises
    ------
    FileError
        If it is not.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no folder"
        expected = "a folder of the command's own, or nothing"
        raise FileError(path, found=kind, expected=expected, hint="Remove it, and try again.")


def remove_own_folder(path: Path) -> None:
    """Delete a folder that :func:`make_own_folder` made; one that is not there is no error."""
    require_own_folder(path)
    _remove_tree(path)


def remove_folder(path: Path) -> None:
    """Delete a folder so that nobody ever sees half of it: it is renamed first."""
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(4)}")
    path.replace(temporary)
    LOGGER.debug("deleting %s", path)
    _remove_tree(temporary)


def _remove_tree(path: Path) -> None:
    while path.is_dir() and not path.is_symlink():
        # Somebody else may be deleting it, too.
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk, where the system can say so."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(descriptor)
