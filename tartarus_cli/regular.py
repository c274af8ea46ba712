"""Files, and what stands in the place of one: a pipe or a device, which nothing waits for."""

from __future__ import annotations

import stat
from io import BufferedReader
from pathlib import Path

from tartarus_cli.errors import FileError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)
"""What else than a file a path may lead to."""


def require_regular(path: Path) -> None:
    """Make sure that a path leads to a file, whose reading ends; links are followed.

    Raises
    ------
    FileError
        If it leads to a folder, a pipe, a socket or a device.
    OSError
        If it leads nowhere.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return
    found = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
    hint = "Name a file." if found == "a folder" else "Write what it has to say to a file first."
    raise FileError(path, found=found, expected="a file", hint=hint)


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read its bytes; never wait for a pipe or a device.

    Raises
    ------
    FileError
        If the path leads to a folder, a pipe, a socket or a device.
    OSError
        If it leads nowhere, or may not be read.
    """
    require_regular(path)
    return path.open("rb")
