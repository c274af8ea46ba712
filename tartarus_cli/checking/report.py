"""Problems that the checks find; a problem does not stop them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from tartarus_cli.errors import FileError
from tartarus_cli.layout import WorkspacePaths

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class DataProblem:
    """One problem of one file, or a note about it."""

    severity: Severity
    dataset: str
    """Name of the dataset; empty for a file that belongs to none."""
    file: str
    """Path of the file, relative to the workspace."""
    found: str
    """What is wrong with the file."""
    expected: str
    """What the file should hold, or be called."""
    hint: str
    """What to do about it."""


class Reporter(Protocol):
    """Adds a problem of one severity to a report."""

    def __call__(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add a problem of a file."""


@dataclass
class Report:
    """The problems of one dataset, in the order in which they were found."""

    workspace: WorkspacePaths
    dataset: str
    problems: list[DataProblem] = field(default_factory=list)

    def error(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add a problem that has to be corrected."""
        self._add("error", path, found, expected, hint)

    def warn(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add a problem that may be a mistake."""
        self._add("warning", path, found, expected, hint)

    def note(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add a note, which asks for nothing."""
        self._add("note", path, found, expected, hint)

    @contextmanager
    def catch_errors(self) -> Iterator[None]:
        """Add a FileError that is raised in the block, instead of raising it."""
        try:
            yield
        except FileError as problem:
            self.error(problem.path, problem.found, expected=problem.expected, hint=problem.hint)

    def _add(self, severity: Severity, path: Path, found: str, expected: str, hint: str) -> None:
        file = self.workspace.relative(path)
        self.problems.append(DataProblem(severity, self.dataset, file, found, expected, hint))
