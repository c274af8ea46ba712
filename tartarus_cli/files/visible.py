"""What lies in a folder, but for what is hidden: locks, marks, and files that are being written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are not hidden; none if there is no folder."""
    return (path for path in visible_paths(folder) if path.is_file())


def visible_paths(folder: Path) -> Iterator[Path]:
    """Yield what is not hidden in a folder; nothing if there is no folder."""
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if not path.name.startswith("."))
