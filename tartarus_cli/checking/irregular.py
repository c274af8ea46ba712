"""Checks of what stands in the place of files: folders, pipes, links to nothing."""

from __future__ import annotations

from pathlib import Path

from tartarus_cli.checking.report import Report
from tartarus_cli.errors import FileError
from tartarus_cli.file_names import FILE_PATTERNS, DataFile
from tartarus_cli.files import require_regular
from tartarus_cli.layout import OLD_FOLDERS, WorkspacePaths

MOVE_AWAY = "Move it away, and put the file in its place."
"""What to do about a folder in the place of a file."""


def describe_irregular(path: Path) -> str:
    """Say what stands in the place of a plain file; empty if it is one, or if nothing is there."""
    try:
        require_regular(path)
    except FileError as problem:
        return problem.found
    except FileNotFoundError:
        return "a link to a file that is not there" if path.is_symlink() else ""
    except OSError as problem:
        return f"something that cannot be looked at ({problem.strerror or problem})"
    return ""


def check_irregular(files: list[DataFile], report: Report) -> None:
    """Report folders, pipes and the like that are called as files of a dataset."""
    for file in files:
        report.error(
            file.path,
            describe_irregular(file.path) or "something that vanished meanwhile",
            expected=f"a file: {file.kind}",
            hint=MOVE_AWAY,
        )


def check_folders(workspace: WorkspacePaths, report: Report) -> None:
    """Report files, pipes and the like that stand in the place of a folder."""
    folders = dict.fromkeys([pattern.folder for pattern in FILE_PATTERNS] + [*OLD_FOLDERS])
    names = dict.fromkeys(part for name in folders for part in _parts(name))
    paths = [workspace.data / name for name in (*names, "factors", "models", "results")]
    for path in [*paths, workspace.experiments, workspace.audio, workspace.text]:
        if (path.exists() or path.is_symlink()) and not path.is_dir():
            report.error(
                path,
                describe_irregular(path) or "a file",
                expected="a folder",
                hint="Move it away: what should lie in it is not seen.",
            )


def _parts(folder: str) -> list[str]:
    """List a folder and those that it lies in.

    >>> _parts("datasets/train_data")
    ['datasets', 'datasets/train_data']
    """
    names = folder.split("/")
    return ["/".join(names[:end]) for end in range(1, len(names) + 1)]
