"""What the checks found, all of it: a fault does not stop them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tartarus_cli.errors import FileError
from tartarus_cli.layout import WorkspacePaths

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class DataProblem:
    """One thing that is wrong, or worth knowing, about one file."""

    severity: Severity
    dataset: str
    file: str
    found: str
    expected: str
    hint: str


@dataclass
class Report:
    """Collects the problems of one dataset."""

    workspace: WorkspacePaths
    dataset: str
    problems: list[DataProblem] = field(default_factory=list)

    def error(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add what must be mended."""
        self._add("error", path, found, expected, hint)

    def warn(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add what may be a mistake."""
        self._add("warning", path, found, expected, hint)

    def note(self, path: Path, found: str, *, expected: str, hint: str) -> None:
        """Add what is worth knowing."""
        self._add("note", path, found, expected, hint)

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Turn a FileError of the block into a problem."""
        try:
            yield
        except FileError as problem:
            self.error(problem.path, problem.found, expected=problem.expected, hint=problem.hint)

    def _add(self, severity: Severity, path: Path, found: str, expected: str, hint: str) -> None:
        file = self.workspace.within(path)
        self.problems.append(DataProblem(severity, self.dataset, file, found, expected, hint))
