"""What is found out about an installation and its machine; it imports no library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Fault:
    """Something that is missing or broken."""

    severity: Severity
    """``error``: commands fail; ``warning``: something is slower, or cannot be done."""
    message: str
    hint: str
    """What mends it: mostly a line for the shell."""


@dataclass(frozen=True)
class Library:
    """A library that is needed, or that an extra would install."""

    name: str
    """As pip calls it."""
    extra: str
    """The extra that it belongs to; empty where all commands need it."""
    version: str
    """Empty if it is not installed."""
    problem: str = ""
    """Why it cannot be used."""


@dataclass(frozen=True)
class Place:
    """A folder that is written to."""

    purpose: str
    path: str
    writable: bool


@dataclass(frozen=True)
class Diagnosis:
    """What an installation has, and what it lacks."""

    versions: dict[str, str]
    """Tartarus, Python and the operating system."""
    libraries: list[Library]
    backend: str
    """Of Keras."""
    devices: list[dict[str, Any]]
    """Devices of JAX: name, kind, and bytes of memory where they are known."""
    cards: list[str]
    """Cards of NVIDIA that the system shows."""
    cores: dict[str, float]
    """Cores that there are, and that may be used."""
    memory: dict[str, int]
    """Bytes that there are, that are free, and that may be used."""
    sound: dict[str, Any]
    """Versions of libsndfile and FFmpeg, and the formats that each reads."""
    places: list[Place]
    workspace: dict[str, Any] | None
    """Folder, whether it can be written, free bytes on its disk; None if there is none."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all that commands need is there."""
        return all(fault.severity != "error" for fault in self.faults)
