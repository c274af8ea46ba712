"""Prepare recordings in processes of their own: one that fails or hangs stops nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pebble import ProcessExpired, ProcessPool

from tartarus_cli.audio import Magnitude, cached_transform
from tartarus_cli.audio.decoding import RecordingError, decode
from tartarus_cli.audio.patches import FLOOR_DB, PatchRecipe
from tartarus_cli.data.arrays import open_dense, save_dense
from tartarus_cli.errors import FileError, TartarusError
from tartarus_cli.files import digest
from tartarus_cli.plugins import files_run, run_files

AHEAD = 4  # recordings handed to each process before their turn
TIMEOUT_S = 300  # for a recording, unless the user says otherwise
GLANCE_S = 0.2  # how often an interruption is looked for
LOADED = (  # once for all processes; librosa loads its parts at their first use otherwise
    *("librosa.core.audio", "librosa.core.spectrum", "librosa.filters", "librosa.util.utils"),
    *("soundfile", "soxr", "threadpoolctl"),
)


@dataclass(frozen=True)
class Recording:
    """A recording to prepare."""

    item: str
    path: Path


@dataclass(frozen=True)
class PreparedRecording:
    """The patches of a recording, lying in a file."""

    recording: Recording
    patches: Path  # (per_item, frames, bins) in decibels
    silent: bool  # all of them
    short: bool  # they end in silence, or the recording is shorter than a patch


@dataclass(frozen=True)
class FailedRecording:
    """A recording that could not be prepared."""

    recording: Recording
    reason: str


@dataclass(frozen=True)
class ExtractionJob:
    """What the preparation of all recordings has in common."""

    recipe: PatchRecipe
    staging: Path  # folder that the patches of each recording go to
    spectrograms: Path  # folder of spectrograms: those that are there are used
    keep: bool  # whether spectrograms are written there

    @property
    def kept(self) -> Path:
        """The folder of the spectrograms that are made by the same recipe."""
        return self.spectrograms / self.recipe.spectrogram_key


@dataclass(frozen=True)
class WorkerOptions:
    """How the work is spread."""

    jobs: int  # processes
    timeout: float  # seconds for each recording


def worker_options(jobs: int | None, timeout: float | None) -> WorkerOptions:
    """Return how the work is spread; by default over all cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return WorkerOptions(jobs or cores, timeout or TIMEOUT_S)


def prepare_all(
    studio: ExtractionJob,
    recordings: Sequence[Recording],
    spread: WorkerOptions,
    check: Callable[[], None],
) -> Iterator[PreparedRecording | FailedRecording]:
    """Prepare recordings side by side; they come in the order in which they are done.

    Parameters
    ----------
    studio
        What to make of them, and where to.
    recordings
        They are handed out a few at a time.
    spread
        How many processes, and how long one recording may take.
    check
        Called now and then; what it raises stops the work.

    Raises
    ------
    OSError
        If what was prepared cannot be written.
    TartarusError
        If processes end whatever they are given.
    """
    jobs = max(1, min(spread.jobs, len(recordings)))
    pool = ProcessPool(
        jobs,
        initializer=_begin,
        # As text: until the code ran that its parameters may be of, it cannot be read otherwise.
        initargs=(studio.recipe.model_dump_json(), tuple(file.path for file in files_run())),
        context=_fresh_processes(),
    )
    todo, under_way = (
        iter(recordings),
        dict[Future[PreparedRecording | FailedRecording], Recording](),
    )
    try:
        while True:
            for each in islice(todo, AHEAD * jobs - len(under_way)):
                begun = pool.schedule(_attempt, args=(studio, each), timeout=spread.timeout)
                under_way[begun] = each
            if not under_way:
                return
            done, _ = wait(under_way, GLANCE_S, FIRST_COMPLETED)
            check()
            for task in done:
                yield _outcome(task, under_way.pop(task), spread)
    except RuntimeError as problem:
        msg = f"the processes that prepare recordings cannot go on: {problem}"
        hint = "Start again, it goes on where it was; with fewer --jobs, if memory is short."
        raise TartarusError(msg, hint=hint) from None
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _fresh_processes() -> BaseContext:
    """Return how processes are started: without our threads, and where possible already loaded."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *LOADED])
    resource_tracker.ensure_running()
    with _quiet():
        forkserver.ensure_running()
    return context


@contextmanager
def _quiet() -> Iterator[None]:
    """Let what is started be silent, and deaf to Ctrl-C, which reaches all of a terminal."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    shown, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nowhere)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _outcome(
    task: Future[PreparedRecording | FailedRecording], recording: Recording, spread: WorkerOptions
) -> PreparedRecording | FailedRecording:
    try:
        return task.result()
    except TimeoutError:
        reason = f"it took longer than {spread.timeout:g} s"
    except ProcessExpired:
        reason = "it makes the decoder crash, or needs more memory than there is"
    return FailedRecording(recording, reason)


def _attempt(studio: ExtractionJob, recording: Recording) -> PreparedRecording | FailedRecording:
    """Prepare a recording; no error but the system's leaves this process, not all can."""
    try:
        return prepare(studio, recording)
    except RecordingError as problem:
        reason = str(problem)
    except OSError:
        raise
    except MemoryError:
        reason = "it needs more memory than there is"
    except Exception as problem:  # noqa: BLE001 — whatever a strange recording makes a library do
        reason = f"{type(problem).__name__}: {problem}"
    return FailedRecording(recording, " ".join(reason.split())[:200])


def prepare(studio: ExtractionJob, recording: Recording) -> PreparedRecording:
    """Decode a recording, compute its spectrogram and cut its patches; what is there is used.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    content = _digest(recording.path)
    recipe = studio.recipe
    named = "\0".join([recipe.model_dump_json(), recording.item, str(recording.path), content])
    place = studio.staging / f"{blake2b(named.encode(), digest_size=16).hexdigest()}.npy"
    patches = _kept(place, (recipe.per_item, recipe.frames, recipe.bins), FLOOR_DB)
    if patches is None:
        patches = recipe.cut(_spectrogram(studio, recording.path, content), recording.item)
        save_dense(place, patches)
    silent = bool((patches <= FLOOR_DB).all())
    return PreparedRecording(
        recording, place, silent, bool((patches[:, -1] <= FLOOR_DB).all(axis=1).any())
    )


def spectrogram(studio: ExtractionJob, path: Path) -> Magnitude:
    """Compute the magnitude of a recording, or read it where it is kept.

    Raises
    ------
    RecordingError
        If the recording cannot be used.
    """
    return _spectrogram(studio, path, _digest(path))


def _spectrogram(studio: ExtractionJob, path: Path, content: str) -> Magnitude:
    recipe = studio.recipe
    kept = studio.kept / f"{content}.npy"
    found = _kept(kept, (recipe.bins, -1), 0)
    if found is not None:
        return found
    magnitude = recipe.spectrogram(decode(path, recipe.parameters.sample_rate))
    if studio.keep:
        save_dense(kept, magnitude)
    return magnitude


def _kept(path: Path, shape: tuple[int, ...], lowest: float) -> NDArray[np.float32] | None:
    """Read what was made before; None if it is missing or damaged (-1: of any length)."""
    with suppress(FileError, OSError):
        found = open_dense(path)
        fits = found.ndim == len(shape) and all(
            wanted in (-1, length) for wanted, length in zip(shape, found.shape, strict=True)
        )
        if fits and np.isfinite(found).all() and found.min(initial=lowest) >= lowest:
            return np.asarray(found, np.float32)
    return None


def _digest(path: Path) -> str:
    try:
        return digest(path)
    except OSError as problem:
        msg = problem.strerror or str(problem)
        raise RecordingError(msg[:1].lower() + msg[1:]) from None


def _begin(recipe: str, code: Sequence[Path]) -> None:
    """Set up a process: quiet, single-threaded, gone with its parent, its filters made."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print what they think of a file
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    threadpool_limits(1)
    run_files(code)
    made = PatchRecipe.model_validate_json(recipe)
    cached_transform(made.transform, made.parameters)


def _end_with(parent: int) -> None:
    wait_for_end([parent])
    os._exit(1)
