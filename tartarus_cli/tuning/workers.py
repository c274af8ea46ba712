"""Processes that work on a study: which of them live, and what dead ones leave behind."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.files import is_locked, locked, make_own_folder, remove_own_folder
from tartarus_cli.study_layout import StudyPaths
from tartarus_cli.tuning.storage import PATIENCE_S


@dataclass(frozen=True)
class Worker:
    """A process that works on a study, as long as it holds its lock."""

    name: str
    folder: Path
    """What it trains lies here; it is removed in the end."""


@contextmanager
def working(paths: StudyPaths) -> Iterator[Worker]:
    """Be one of the processes of a study during the block.

    Other processes see by a lock, which ends with the process, whether it still lives.
    """
    machine = "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname())[:40]
    name = f"{machine}-{os.getpid()}-{secrets.token_hex(2)}"
    worker = Worker(name, paths.worker(name))
    paths.workers.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            with locked(paths.lock, PATIENCE_S):  # while nobody looks for the dead
                stack.enter_context(locked(paths.worker_lock(name)))
            make_own_folder(worker.folder)
            stack.callback(remove_own_folder, worker.folder)
            yield worker
    finally:
        with suppress(OSError):
            paths.worker_lock(name).unlink(missing_ok=True)


def is_alive(paths: StudyPaths, name: str) -> bool:
    """Whether a process still works on a study."""
    return is_locked(paths.worker_lock(name))


def remove_dead(paths: StudyPaths) -> None:
    """Remove what processes left behind that were killed; the lock of the study is held."""
    if not paths.workers.is_dir():
        return
    for lock in paths.workers.glob("*.lock"):
        if not is_locked(lock):
            with suppress(OSError):
                remove_own_folder(lock.with_suffix(""))
                lock.unlink(missing_ok=True)
