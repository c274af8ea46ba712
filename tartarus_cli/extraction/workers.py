"""Prepare files in other processes: one that fails or hangs does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pebble import ProcessExpired, ProcessPool

from tartarus_cli.audio.decoding import RecordingError, require_file
from tartarus_cli.errors import RequestError, TartarusError, parameter
from tartarus_cli.extraction.processes import ProcessStart, start_pool, stop_pool
from tartarus_cli.files import DiskFullError, digest

PREFETCH = 4
"""Recordings that are handed to each process before their turn."""

TIMEOUT_S = 300
"""Seconds after which a recording is given up, by default."""

POLL_S = 0.2
"""Seconds between two looks for an interruption."""


@dataclass(frozen=True)
class Recording:
    """A recording to prepare, or a document."""

    item: str
    """Id of the item."""
    path: Path


@dataclass(frozen=True)
class FailedRecording:
    """A recording that could not be prepared."""

    recording: Recording
    reason: str
    is_slow: bool = False
    """Whether it was given up because it took too long."""


class JobError(Exception):
    """No file can be prepared, whichever it is; processes can send it to each other."""

    def __init__(self, message: str, hint: str, exit_code: int = 1) -> None:
        super().__init__(message, hint, exit_code)
        self.message, self.hint, self.exit_code = message, hint, exit_code

    def explained(self) -> TartarusError:
        """Return the error that users see."""
        error = RequestError if self.exit_code == RequestError.exit_code else TartarusError
        return error(self.message, hint=self.hint)


class FileOutcome(Protocol):
    """What became of a file."""

    @property
    def recording(self) -> Recording:
        """The file."""


OutcomeT = TypeVar("OutcomeT", bound=FileOutcome)
_OutcomeT_co = TypeVar("_OutcomeT_co", bound=FileOutcome, covariant=True)


class ExtractionJob(Protocol[_OutcomeT_co]):
    """How files are prepared one by one, whatever is made of them; it can be pickled."""

    @property
    def start(self) -> ProcessStart:
        """What each process does before the first file."""

    def prepare(self, recording: Recording, /) -> _OutcomeT_co:
        """Prepare a file, in one of the processes; use results that exist.

        Raises
        ------
        RecordingError
            If the file cannot be used.
        JobError
            If no file can be prepared.
        """

    def to_plain(self) -> dict[str, Any]:
        """Return the job as plain values, which a worker of a cluster can be sent."""

    def outcome_to_plain(self, outcome: Any, /) -> dict[str, Any]:
        """Return what became of a file as plain values."""

    def outcome_of(self, recording: Recording, plain: Mapping[str, Any], /) -> _OutcomeT_co:
        """Return what became of a file, of plain values."""


@dataclass(frozen=True)
class WorkerOptions:
    """How the work is spread over processes."""

    jobs: int
    """Number of processes."""
    timeout_s: float
    """Seconds after which a recording is given up."""


def worker_options(jobs: int | None, timeout_s: float | None) -> WorkerOptions:
    """Return how the work is spread over processes.

    Parameters
    ----------
    jobs
        Number of processes; None: one for each core that this process may use.
    timeout_s
        Seconds after which a recording is given up; None: ``TIMEOUT_S``.
    """
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return WorkerOptions(jobs or cores, timeout_s or TIMEOUT_S)


def prepare_all(
    job: ExtractionJob[OutcomeT],
    recordings: Sequence[Recording],
    workers: WorkerOptions,
    check: Callable[[], None],
    pool: ProcessPool | None = None,
) -> Iterator[OutcomeT | FailedRecording]:
    """Prepare recordings in parallel; results come in the order in which they are done.

    Parameters
    ----------
    job
        How to prepare them, and where to write the results.
    recordings
        The recordings; a few at a time are handed to the processes.
    workers
        Number of processes, and time for one recording.
    check
        Called several times a second; an error that it raises stops the work.
    pool
        Processes that were started for such recordings, and stay; None: they are started, and end
        with the last recording.

    Raises
    ------
    OSError
        If results cannot be written.
    TartarusError
        If processes cannot be started, or end again and again.
    """
    jobs = max(1, min(workers.jobs, len(recordings)))
    processes = start_pool(job.start, jobs) if pool is None else pool
    waiting = iter(recordings)
    running = dict[Future[OutcomeT | FailedRecording], Recording]()
    try:
        while True:
            for recording in islice(waiting, PREFETCH * jobs - len(running)):
                arguments = (job, recording)
                task = processes.schedule(_attempt, args=arguments, timeout=workers.timeout_s)
                running[task] = recording
            if not running:
                return
            done, _ = wait(running, POLL_S, FIRST_COMPLETED)
            check()
            for future in done:
                yield _outcome(future, running.pop(future), workers)
    except RuntimeError as problem:
        msg = f"the processes that prepare recordings cannot go on: {problem}"
        hint = "Give the command again: it continues. If there is too little memory, give fewer "
        hint += f"{parameter('jobs')}."
        raise TartarusError(msg, hint=hint) from None
    finally:
        for future in running:
            future.cancel()
        if pool is None:
            stop_pool(processes)


def _outcome(
    task: Future[OutcomeT | FailedRecording], recording: Recording, workers: WorkerOptions
) -> OutcomeT | FailedRecording:
    try:
        return task.result()
    except TimeoutError:
        return given_up(recording, workers)
    except JobError as problem:
        raise problem.explained() from None
    except ProcessExpired:
        reason = "it makes the decoder crash, or needs more memory than there is"
    return FailedRecording(recording, reason)


def given_up(recording: Recording, workers: WorkerOptions) -> FailedRecording:
    """Return the failure of a recording that takes too long."""
    reason = f"it took longer than {workers.timeout_s:g} s"
    return FailedRecording(recording, reason, is_slow=True)


def _attempt(job: ExtractionJob[OutcomeT], recording: Recording) -> OutcomeT | FailedRecording:
    """Prepare a recording; only errors of the system leave this process, as others may not be able.

    An error of a library may not be possible to pickle.
    """
    try:
        return job.prepare(recording)
    except RecordingError as problem:
        reason = str(problem)
    except (OSError, DiskFullError, JobError):
        raise
    except MemoryError:
        reason = "it needs more memory than there is"
    except Exception as problem:  # noqa: BLE001 — a damaged recording makes libraries raise anything
        reason = f"{type(problem).__name__}: {problem}"
    return FailedRecording(recording, " ".join(reason.split())[:200])


def recording_digest(path: Path) -> str:
    """Return the hash of the content of a recording.

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    require_file(path)
    try:
        return digest(path)
    except OSError as problem:
        msg = problem.strerror or str(problem)
        raise RecordingError(msg[:1].lower() + msg[1:]) from None
