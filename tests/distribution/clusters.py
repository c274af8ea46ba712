"""A scheduler and workers as processes of their own, on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import started, waited

ROOT = Path(__file__).parents[2]
"""From where workers import the tests."""


@dataclass(frozen=True)
class RunningCluster:
    """A scheduler, to which workers can be added."""

    file: Path
    """Where the scheduler says its address."""
    stack: ExitStack

    @property
    def address(self) -> str:
        """What ``--cluster`` takes."""
        return str(json.loads(self.file.read_text())["address"])

    def add_worker(self, name: str) -> subprocess.Popen[str]:
        """Start a worker; it ends with the cluster at the latest."""
        words: list[str | Path] = ["--scheduler-file", self.file, "--name", name, "--nthreads", "1"]
        words += ["--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        return self.stack.enter_context(started(command("dask_worker", *words), cwd=ROOT))


def command(module: str, *words: str | Path) -> list[str | Path]:
    """Return a command of the engine's."""
    return [sys.executable, "-m", f"distributed.cli.{module}", *words]


@contextmanager
def running_cluster(folder: Path) -> Iterator[RunningCluster]:
    """Start a scheduler on the loopback interface."""
    file = folder / "scheduler.json"
    words: list[str | Path] = [
        "--scheduler-file",
        file,
        "--port",
        "0",
        "--host",
        "127.0.0.1",
        "--no-dashboard",
    ]
    with ExitStack() as stack:
        stack.enter_context(started(command("dask_scheduler", *words), cwd=ROOT))
        assert waited(lambda: file.exists() and file.read_text().endswith("}"))
        yield RunningCluster(file, stack)
