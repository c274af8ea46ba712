"""What would be done, and how much time, memory and disk it will take."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tartarus_cli.html_table import html_table

if TYPE_CHECKING:
    import polars as pl

BASE_MEMORY = 500 << 20
"""Bytes of a process with its libraries."""

Span = tuple[float, float]
"""Seconds, at least and at most."""


@dataclass(frozen=True)
class ForecastStep:
    """A step of a piece of work, such as the training of one model."""

    what: str
    """What would be done, in a few words."""
    seconds: Span | None
    """At least and at most; None: not known."""
    memory: int = 0
    """Bytes that the process holds at most; 0: no more than any process."""
    disk: int = 0
    """Bytes that are written and stay."""
    basis: str = ""
    """What it is forecast from, in words."""
    times: int = 1
    """How often it would be done."""

    @property
    def total(self) -> Span | None:
        """Seconds of all times together."""
        if self.seconds is None:
            return None
        return self.seconds[0] * self.times, self.seconds[1] * self.times


@dataclass(frozen=True)
class Forecast:
    """What a piece of work would do, and what it will take: nothing was done, nothing written."""

    work: str
    """The command, in words."""
    command: str
    """The call that does it."""
    steps: tuple[ForecastStep, ...]
    """What would be done, in this order."""
    remarks: tuple[str, ...]
    """What else is worth knowing before it begins."""
    files: tuple[str, ...]
    """Which files would be written, from the workspace."""
    free_disk: int
    """Bytes that the disk of the workspace has left."""
    measured_s: float
    """Seconds that it took to measure."""

    @property
    def seconds(self) -> Span | None:
        """Of all steps whose time is known, at least and at most; None if none is."""
        known = [step.total for step in self.steps if step.total is not None]
        return (sum(low for low, _ in known), sum(high for _, high in known)) if known else None

    @property
    def memory(self) -> int:
        """Bytes of the step that needs most."""
        return max([BASE_MEMORY, *(step.memory for step in self.steps)])

    @property
    def disk(self) -> int:
        """Bytes that will be written."""
        return sum(step.disk * step.times for step in self.steps)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Steps whose time is not known."""
        return tuple(step.what for step in self.steps if step.seconds is None)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        total = {"seconds": self.seconds, "memory": self.memory, "disk": self.disk}
        return {"dry_run": True, **asdict(self), "total": total}

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each step.

        Returns
        -------
        The columns ``step``, ``times``, ``least_seconds`` and ``most_seconds`` (of all times; null:
        not known), ``memory``, ``disk`` (bytes, of all times) and ``basis``.
        """
        import polars as pl

        types: dict[str, type[pl.DataType]] = {"step": pl.String, "times": pl.Int64}
        types |= dict.fromkeys(("least_seconds", "most_seconds"), pl.Float64)
        types |= {"memory": pl.Int64, "disk": pl.Int64, "basis": pl.String}
        cells = [
            (
                *(step.what, step.times, *(step.total or (None, None))),
                *(step.memory, step.disk * step.times, step.basis),
            )
            for step in self.steps
        ]
        return pl.DataFrame(cells, schema=types, orient="row")

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return html_table(f"{self.work}: forecast", frame.columns, frame.rows())


def free_bytes(folder: Path) -> int:
    """Return how much is left on the disk that a folder is on."""
    return shutil.disk_usage(folder).free


def add_spans(*spans: Span) -> Span:
    """Return the time of all of them, one after the other.

    >>> add_spans((1, 2), (3, 3))
    (4, 5)
    """
    return sum(low for low, _ in spans), sum(high for _, high in spans)
