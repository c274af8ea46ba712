"""Setting files aside: all of them or none, and each in its own folder's ``set_aside/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

FOLDER = "set_aside"  # beside the file, since another folder may be on another disk


def back_up_files(paths: Sequence[Path], name: str) -> dict[Path, Path]:
    """Move files away, in this order; if one cannot be moved, all are back in their places.

    Parameters
    ----------
    paths
        The files.
    name
        What the folder in ``set_aside/`` is called; a number follows.

    Returns
    -------
    Where each file is now.
    """
    folders = {path.parent / FOLDER for path in paths}
    names = (f"{name}_{number}" for number in count(1))
    free = next(each for each in names if not any((folder / each).exists() for folder in folders))
    moved: dict[Path, Path] = {}
    try:
        for path in paths:
            away = path.parent / FOLDER / free / path.name
            away.parent.mkdir(parents=True, exist_ok=True)
            _move(path, away)
            moved[path] = away
    except OSError:
        restore_files(moved)
        _remove_empty(folder / free for folder in folders)
        raise
    return moved


def restore_files(moved: Mapping[Path, Path]) -> None:
    """Move files back, those that went last first."""
    for path, away in reversed([*moved.items()]):
        _move(away, path)
    _remove_empty({away.parent for away in moved.values()})


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # something is in it
            folder.rmdir()
            folder.parent.rmdir()


def _move(path: Path, to: Path) -> None:
    if path.is_symlink():  # it may be told from where it lies
        to.symlink_to(path.parent.resolve() / path.readlink())
        path.unlink()
    else:
        path.replace(to)
