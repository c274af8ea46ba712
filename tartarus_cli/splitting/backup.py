"""Backing files up: all of them or none, each into the folder ``set_aside/`` next to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

# Next to the file: a common folder might lie on another disk.
FOLDER = "set_aside"


def back_up_files(paths: Sequence[Path], name: str) -> dict[Path, Path]:
    """Move files away, in this order; if one cannot be moved, none is.

    Parameters
    ----------
    paths
        The files.
    name
        Name of the folder in ``set_aside/``; a number that is still free is added to it.

    Returns
    -------
    dict
        Path → path of the backup.
    """
    folders = {path.parent / FOLDER for path in paths}
    candidates = (f"{name}_{number}" for number in count(1))
    free = next(c for c in candidates if not any((folder / c).exists() for folder in folders))
    backups: dict[Path, Path] = {}
    try:
        for path in paths:
            backup = path.parent / FOLDER / free / path.name
            backup.parent.mkdir(parents=True, exist_ok=True)
            _move(path, backup)
            backups[path] = backup
    except OSError:
        restore_files(backups)
        _remove_empty(folder / free for folder in folders)
        raise
    return backups


def restore_files(backups: Mapping[Path, Path]) -> None:
    """Move backups (path → path of the backup) to their first places, the last one first."""
    for path, backup in reversed([*backups.items()]):
        _move(backup, path)
    _remove_empty({backup.parent for backup in backups.values()})


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty
            folder.rmdir()
            folder.parent.rmdir()


def _move(path: Path, target: Path) -> None:
    if path.is_symlink():  # a relative link would lead to another file from another folder
        target.symlink_to(path.parent.resolve() / path.readlink())
        path.unlink()
    else:
        path.replace(target)
