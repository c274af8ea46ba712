"""The processes in which recordings are prepared: how they start, and how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.context import BaseContext
from multiprocessing.util import Finalize
from pathlib import Path

from pebble import ProcessPool

from tartarus_cli.plugins import files_run, run_files

PRELOADED = (
    "tartarus_cli.extraction.patch_job",
    "tartarus_cli.compiled",
    *("librosa.core.audio", "librosa.core.spectrum", "librosa.filters", "librosa.util.utils"),
    *("av", "soundfile", "soxr", "threadpoolctl"),
)
"""Modules that are imported once for all processes; librosa would load parts at first use."""

IDLE_S = 60
"""Seconds after which processes that wait for more recordings end."""

# What a terminal sends to all processes that it started; the parent stops the others.
_OF_THE_TERMINAL = {signal.SIGINT, *({signal.SIGHUP} if hasattr(signal, "SIGHUP") else ())}

# Standard error and the mask of signals are those of the whole process.
_STARTING = threading.Lock()


@dataclass(frozen=True)
class ProcessStart:
    """What a process does once, before it prepares the first file."""

    begin: Callable[[str], None]
    """A function of a module."""
    argument: str
    """What it is given: text, as nothing else can be read before the code ran that defines it."""


def start_pool(start: ProcessStart, jobs: int) -> ProcessPool:
    """Return a pool of processes that are ready to prepare recordings.

    Parameters
    ----------
    start
        What each process does at once, such as computing filters.
    jobs
        Number of processes.
    """
    return ProcessPool(
        jobs,
        initializer=_begin,
        initargs=(start, tuple(file.path for file in files_run())),
        context=fresh_processes(),
    )


def stop_pool(pool: ProcessPool) -> None:
    """End the processes of a pool, and what they do."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


@dataclass
class _LastingPool:
    """A pool that one piece of work after the other uses."""

    pool: ProcessPool
    users: int = 0
    """Pieces of work that use it now."""
    end: threading.Timer | None = None
    """Ends it after a while, unless it is used again."""


_LASTING: dict[str, _LastingPool] = {}
_LASTING_LOCK = threading.Lock()


@contextmanager
def lasting_pool(start: ProcessStart, jobs: int) -> Iterator[ProcessPool]:
    """Yield a pool that the next piece of work may use too; it ends when it is not used for long.

    Several threads may use it at once.

    Parameters
    ----------
    start, jobs
        As :func:`start_pool` takes them.
    """
    # A worker of a cluster may be a daemon, which Python lets have no children; these end with it.
    multiprocessing.current_process().daemon = False
    code = ",".join(file.digest for file in files_run())
    key = f"{jobs} {code} {start.begin.__qualname__} {start.argument}"
    with _LASTING_LOCK:
        if not _LASTING:
            # A process that another one started waits for its own ones before it ends.
            Finalize(None, _end_all, exitpriority=0)
        if key not in _LASTING:
            _LASTING[key] = _LastingPool(start_pool(start, jobs))
        lasting = _LASTING[key]
        lasting.users += 1
        if lasting.end is not None:
            lasting.end.cancel()
    try:
        yield lasting.pool
    finally:
        with _LASTING_LOCK:
            lasting.users -= 1
            # It is broken if its processes cannot begin.
            patience = IDLE_S if lasting.pool.active else 0
            lasting.end = threading.Timer(patience, _end, (key, lasting))
            lasting.end.daemon = True
            lasting.end.start()


def _end(key: str, lasting: _LastingPool) -> None:
    with _LASTING_LOCK:
        if lasting.users or _LASTING.get(key) is not lasting:
            return
        del _LASTING[key]
    stop_pool(lasting.pool)


def _end_all() -> None:
    for lasting in _LASTING.values():
        stop_pool(lasting.pool)


def fresh_processes() -> BaseContext:
    """Return how processes are started: without our threads, and, if possible, with modules."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    try:
        resource_tracker.ensure_running()
        with _STARTING, _quiet():
            forkserver.ensure_running()
    except OSError:
        # The path of its socket is too long, or the file system has no sockets: see TMPDIR.
        return multiprocessing.get_context("spawn")
    return context


def load_in_background(*modules: str) -> None:
    """Load modules, which this process will need, while it waits for others."""
    threading.Thread(target=_load, args=modules).start()


def _load(*modules: str) -> None:
    for module in modules:
        with suppress(Exception):  # it is raised again where the module is needed
            import_module(module)


@contextmanager
def _quiet() -> Iterator[None]:
    """Start processes with no standard error, that Ctrl-C and a closed terminal do not reach."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_TERMINAL)
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _begin(start: ProcessStart, code: Sequence[Path]) -> None:
    """Set up a process: quiet, with one thread, ending with its parent, and ready."""
    from threadpoolctl import threadpool_limits

    # The parent stops us.
    for number in _OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Decoders print warnings about files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    threadpool_limits(1)
    run_files(code)
    start.begin(start.argument)


def _end_with(parent: int) -> None:
    wait_for_end([parent])
    os._exit(1)
