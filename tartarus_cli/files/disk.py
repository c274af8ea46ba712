"""What is said where a disk has no room, whichever library noticed it."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tartarus_cli.errors import DataError, display_path
from tartarus_cli.files.reading import format_bytes

TARGETS: dict[Path, Path] = {}
"""Temporary file that this process is writing → the file that it will become."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk that takes no more."""

_TEXTS = (
    (re.compile(r"disk quota exceeded|errno = 122|os error 122", re.IGNORECASE), errno.EDQUOT),
    (re.compile(r"file too large|errno = 27\b|os error 27\b", re.IGNORECASE), errno.EFBIG),
    # NumPy says how much of an array it could write, and libraries in C and Rust quote the system.
    (
        re.compile(
            r"no space left|errno = 28\b|os error 28\b|\d+ requested and \d+ written", re.IGNORECASE
        ),
        errno.ENOSPC,
    ),
)


class DiskFullError(DataError):
    """A file could not be written for want of room.

    Parameters
    ----------
    path
        The file.
    reason
        What the disk lacks.
    """

    def __init__(self, path: Path, reason: str) -> None:
        folder = next((each for each in (path.parent, *path.parents) if each.is_dir()), Path())
        try:
            free = f" ({format_bytes(shutil.disk_usage(folder).free)} are free)"
        except OSError:
            free = ""
        super().__init__(
            f"{display_path(path)} cannot be written: {reason}",
            hint=f"Make room on the disk of {display_path(folder)}{free}, and try again.",
        )
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[type[DiskFullError], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Say that the disk is full, and which file was written, if that ends the block.

    Parameters
    ----------
    path
        The file that is written in the block, or its temporary one.

    Raises
    ------
    DiskFullError
        If the disk has no room; any other problem stays as it is, but for the name of the file.
    """
    target = TARGETS.get(path, path)
    try:
        yield
    except DiskFullError:
        raise
    except Exception as problem:
        reason = _lack_of_room(problem)
        if reason is not None:
            raise DiskFullError(target, reason) from None
        if isinstance(problem, OSError) and problem.filename in (path, str(path)):
            problem.filename = str(target)
        raise


def _lack_of_room(problem: BaseException | None) -> str | None:
    """Return what a disk lacks according to an error or to those that it came of; None: nothing."""
    while problem is not None:
        number = problem.errno if isinstance(problem, OSError) else None
        text = str(problem)
        number = next((n for pattern, n in _TEXTS if pattern.search(text)), number)
        if number in _NO_ROOM:
            return os.strerror(number)
        problem = problem.__cause__ or problem.__context__
    return None
