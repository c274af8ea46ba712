"""Prepare recordings in other processes: one that fails or hangs does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pebble import ProcessExpired, ProcessPool
from pydantic import BaseModel

from tartarus_cli.audio import Magnitude
from tartarus_cli.audio.decoding import RecordingError, read_recording, require_file
from tartarus_cli.audio.patches import FLOOR_DB, PatchRecipe
from tartarus_cli.data.array_writing import save_dense
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.errors import FileError, TartarusError, parameter
from tartarus_cli.extraction.processes import start_pool, stop_pool
from tartarus_cli.files import DiskFullError, digest, read_text, write_text

PREFETCH = 4
"""Recordings that are handed to each process before their turn."""

TIMEOUT_S = 300
"""Seconds after which a recording is given up, by default."""

POLL_S = 0.2
"""Seconds between two looks for an interruption."""


@dataclass(frozen=True)
class Recording:
    """A recording to prepare."""

    item: str
    """Id of the item."""
    path: Path


@dataclass(frozen=True)
class PreparedRecording:
    """The patches of a recording, in a file."""

    recording: Recording
    patches: Path
    """NumPy file, ``(per_item, frames, bins)`` in decibels."""
    frames: int
    """Frames of its spectrogram; if it has fewer than a patch, that was filled up."""
    silent: bool
    """Whether all patches are silent."""
    ends_silent: bool
    """Whether a patch ends in silence, though the recording does not end before it."""
    remark: str = ""
    """What the recording lacks; empty if nothing."""


@dataclass(frozen=True)
class FailedRecording:
    """A recording that could not be prepared."""

    recording: Recording
    reason: str
    is_slow: bool = False
    """Whether it was given up because it took too long."""


@dataclass(frozen=True)
class ExtractionJob:
    """How all recordings are prepared, and where the results are written."""

    recipe: PatchRecipe
    staging: Path
    """Folder to which the patches of each recording are written."""
    spectrograms: Path
    """Folder of spectrograms; existing ones are used."""
    keep_spectrograms: bool
    """Whether to write spectrograms there."""

    @property
    def spectrogram_folder(self) -> Path:
        """The folder of spectrograms that were made by the same recipe."""
        return self.spectrograms / self.recipe.spectrogram_key


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
    job: ExtractionJob,
    recordings: Sequence[Recording],
    workers: WorkerOptions,
    check: Callable[[], None],
    pool: ProcessPool | None = None,
) -> Iterator[PreparedRecording | FailedRecording]:
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
    processes = start_pool(job.recipe, jobs) if pool is None else pool
    waiting = iter(recordings)
    running = dict[Future[PreparedRecording | FailedRecording], Recording]()
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
    task: Future[PreparedRecording | FailedRecording], recording: Recording, workers: WorkerOptions
) -> PreparedRecording | FailedRecording:
    try:
        return task.result()
    except TimeoutError:
        return given_up(recording, workers)
    except ProcessExpired:
        reason = "it makes the decoder crash, or needs more memory than there is"
    return FailedRecording(recording, reason)


def given_up(recording: Recording, workers: WorkerOptions) -> FailedRecording:
    """Return the failure of a recording that takes too long."""
    reason = f"it took longer than {workers.timeout_s:g} s"
    return FailedRecording(recording, reason, is_slow=True)


def _attempt(job: ExtractionJob, recording: Recording) -> PreparedRecording | FailedRecording:
    """Prepare a recording; only errors of the system leave this process, as others may not be able.

    An error of a library may not be possible to pickle.
    """
    try:
        return prepare(job, recording)
    except RecordingError as problem:
        reason = str(problem)
    except (OSError, DiskFullError):
        raise
    except MemoryError:
        reason = "it needs more memory than there is"
    except Exception as problem:  # noqa: BLE001 — a damaged recording makes libraries raise anything
        reason = f"{type(problem).__name__}: {problem}"
    return FailedRecording(recording, " ".join(reason.split())[:200])


def prepare(job: ExtractionJob, recording: Recording) -> PreparedRecording:
    """Decode a recording, compute its spectrogram and cut its patches; use results that exist.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    content = _digest(recording.path)
    recipe = job.recipe
    # Another machine may see the folder under another path.
    key = "\0".join([recipe.model_dump_json(), recording.item, recording.path.name, content])
    path = job.staging / f"{blake2b(key.encode(), digest_size=16).hexdigest()}.npy"
    patches = _read_existing(path, (recipe.per_item, recipe.frames, recipe.bins), FLOOR_DB)
    facts = _read_facts(path)
    if patches is None or facts is None:
        magnitude, remark = _spectrogram(job, recording.path, content)
        facts = _Facts(frames=magnitude.shape[1], remark=remark)
        _write_facts(path, facts)
        patches = recipe.cut(magnitude, recording.item)
        save_dense(path, patches, one_of_many=True)
    is_short = facts.frames < recipe.frames
    return PreparedRecording(
        recording,
        path,
        frames=facts.frames,
        silent=bool((patches <= FLOOR_DB).all()),
        ends_silent=not is_short and bool((patches[:, -1] <= FLOOR_DB).all(axis=1).any()),
        remark=facts.remark,
    )


class _Facts(BaseModel):
    """What is kept beside the patches or the spectrogram of a recording."""

    frames: int
    """Frames of its spectrogram."""
    remark: str = ""


def _facts_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _write_facts(path: Path, facts: _Facts) -> None:
    """Write what belongs to an array, before the array itself."""
    write_text(_facts_path(path), facts.model_dump_json(), one_of_many=True)


def _read_facts(path: Path) -> _Facts | None:
    """Read what belongs to an array; None if it is missing or damaged."""
    with suppress(TartarusError, OSError, ValueError):
        return _Facts.model_validate_json(read_text(_facts_path(path)))
    return None


def spectrogram(job: ExtractionJob, path: Path) -> tuple[Magnitude, str]:
    """Compute the spectrogram of a recording, or read it if it exists.

    Returns
    -------
    The magnitude, ``(bins, frames)``, and a remark about what the recording lacks, or none.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    return _spectrogram(job, path, _digest(path))


def _spectrogram(job: ExtractionJob, path: Path, content: str) -> tuple[Magnitude, str]:
    recipe = job.recipe
    file = job.spectrogram_folder / f"{content}.npy"
    existing = _read_existing(file, (recipe.bins, -1), 0)
    if existing is not None:
        # Only a recording with a remark has such a file.
        facts = _read_facts(file) if _facts_path(file).exists() else _Facts(frames=0)
        if facts is not None:
            return existing, facts.remark
    recording = read_recording(path, recipe.parameters.sample_rate)
    magnitude = recipe.spectrogram(recording.samples)
    if job.keep_spectrograms:
        if recording.remark:
            _write_facts(file, _Facts(frames=magnitude.shape[1], remark=recording.remark))
        save_dense(file, magnitude, one_of_many=True)
    return magnitude, recording.remark


def _read_existing(path: Path, shape: tuple[int, ...], lowest: float) -> NDArray[np.float32] | None:
    """Read an array that was written before; None if it is missing or damaged.

    Parameters
    ----------
    path
        The file.
    shape
        Shape of the array; -1 for a dimension of any length.
    lowest
        Lowest value that it may hold.
    """
    with suppress(FileError, OSError):
        array = open_dense(path)
        fits = array.ndim == len(shape) and all(
            expected in (-1, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if fits and np.isfinite(array).all() and array.min(initial=lowest) >= lowest:
            return np.asarray(array, np.float32)
    return None


def _digest(path: Path) -> str:
    require_file(path)
    try:
        return digest(path)
    except OSError as problem:
        msg = problem.strerror or str(problem)
        raise RecordingError(msg[:1].lower() + msg[1:]) from None
