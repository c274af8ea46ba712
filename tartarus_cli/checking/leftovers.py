"""Checks of what killed commands left: halves of splits, temporary files, patches in the making."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tartarus_cli.checking.irregular import describe_irregular
from tartarus_cli.checking.report import Report
from tartarus_cli.errors import call, count_noun
from tartarus_cli.file_names import FILE_PATTERNS, Kind
from tartarus_cli.files import format_bytes, temporary_target
from tartarus_cli.layout import OLD_FOLDERS, WorkspaceFiles
from tartarus_cli.splitting.backup import FOLDER as BACKUPS

_STAGING = re.compile(r"\.making_(?P<dataset>[^_]+)_(?P<count>\d+)_(?P<seconds>[\d.]+)")
_FINISHED = "nothing hidden, unless a command is running"


def check_leftovers(files: WorkspaceFiles, report: Report) -> None:
    """Report what commands left that were killed; nothing is changed.

    Parameters
    ----------
    files
        All files of the workspace.
    report
        Receives an error for a dataset whose split was stopped halfway, and a warning for each
        folder with temporary files.
    """
    data = files.workspace.data
    named = {*OLD_FOLDERS, *(pattern.folder for pattern in FILE_PATTERNS)}
    for name in sorted(named):
        _check_backups(files, data / name / BACKUPS, report)
    others = ("factors", "models", "groups", "results", "playlists", "downloads")
    models = [path for path in _entries(data / "models") if not path.name.startswith(".")]
    for folder in [*(data / name for name in sorted(named | {*others})), *models]:
        _check_temporary(folder, report)
    _check_staging(data / "patches", report)
    for name in sorted(named):
        _check_locks(data / name, report)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _check_backups(files: WorkspaceFiles, backups: Path, report: Report) -> None:
    """Report backups of datasets that have no ids now: a split was stopped before it was done."""
    newest: dict[str, Path] = {}
    for folder in _entries(backups):
        dataset, _, number = folder.name.rpartition("_")
        if (
            folder.is_dir()
            and number.isdecimal()
            and not files.select(Kind.ITEMS, split="train", dataset=dataset)
            and files.common_name(dataset) is None  # there were more folds once
        ):
            newest[dataset] = max(newest.get(dataset, folder), folder, key=_number_of)
    for dataset, folder in newest.items():
        count = sum(path.is_file() or path.is_symlink() for path in _entries(folder))
        place = report.workspace.relative(folder.parent.parent)
        report.error(
            folder,
            f"{count_noun(count, 'file')} of {dataset}, which has no train ids now: a split was "
            "stopped halfway",
            expected="a whole dataset, the old one or the new one",
            hint=f"Split it again, {call('split', dataset, force=True)} with what it was split "
            f"with; or move these files back to {place}.",
        )


def _number_of(folder: Path) -> int:
    return int(folder.name.rpartition("_")[2])


def is_interrupted_split(path: Path) -> bool:
    """Whether the ids of train items, which are missing, were about to be written or replaced."""
    return any(temporary_target(p.name) == path.name for p in _entries(path.parent))


def _check_temporary(folder: Path, report: Report) -> None:
    found = [path for path in _entries(folder) if temporary_target(path.name) is not None]
    if not found:
        return
    size, names = sum(map(_size_of, found)), [path.name for path in found]
    report.warn(
        folder,
        f"{count_noun(len(found), 'temporary file')} of {format_bytes(size)} that a command left "
        f"which was killed ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})",
        expected=_FINISHED,
        hint="Delete them, if no command is running; they are not read.",
    )


def _size_of(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(entry.stat().st_size for entry in os.scandir(path))
        return path.lstat().st_size
    except OSError:
        return 0


def _check_staging(folder: Path, report: Report) -> None:
    for path in _entries(folder):
        match = _STAGING.fullmatch(path.name)
        if match and path.is_dir():
            count = sum(1 for _ in os.scandir(path))
            report.note(
                path,
                f"patches in the making: {count_noun(count, 'file')}",
                expected=_FINISHED,
                hint="The same command goes on from there.",
            )


def _check_locks(folder: Path, report: Report) -> None:
    """Report folders, pipes and links in the place of locks: the command would refuse to work."""
    for path in _entries(folder):
        if path.name.startswith(".making_") and path.suffix == ".lock":
            found = "a link" if path.is_symlink() else describe_irregular(path)
            if found:
                expected = "a plain file, which is locked while a command runs, or none"
                report.error(path, found, expected=expected, hint="Delete it.")
