"""Where the files of a search for parameters lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PICTURES = ("course", "importance")
"""Pictures of a search for parameters."""


@dataclass(frozen=True)
class StudyPaths:
    """The files of a search for parameters."""

    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def request(self) -> Path:
        """What is searched, as JSON."""
        return self.folder / "study.json"

    @property
    def journal(self) -> Path:
        """Every step of every trial, a JSON document in a line."""
        return self.folder / "journal.log"

    @property
    def lock(self) -> Path:
        """Held while a trial begins."""
        return self.folder / "study.lock"

    @property
    def journal_lock(self) -> Path:
        """Held while lines are added to the journal."""
        return self.folder / "journal.lock"

    @property
    def inputs(self) -> Path:
        """The hashes of the files that the first trial was trained from, as JSON."""
        return self.folder / "inputs.json"

    @property
    def saved(self) -> Path:
        """Which experiment was written, as JSON."""
        return self.folder / "saved.json"

    @property
    def workers(self) -> Path:
        """The folder of what each process holds while it works: a lock, and models."""
        return self.folder / "workers"

    def worker(self, name: str) -> Path:
        """Return the folder of a process."""
        return self.workers / name

    def worker_lock(self, name: str) -> Path:
        """Return the lock that a process holds as long as it lives."""
        return self.workers / f"{name}.lock"

    @property
    def pictures(self) -> list[Path]:
        """The pictures of the course, and of how much each parameter matters."""
        return [self.folder / f"{name}.{kind}" for name in PICTURES for kind in ("svg", "png")]
