"""The workers of a cluster: Dask's own, on this machine, at an address, or in jobs of a scheduler.

What travels between the processes is the engine's: the name of a function of this package, and its
arguments and its value as JSON. A scheduler does what it is sent, so it belongs into a network
that is trusted, or behind TLS (addresses that begin with ``tls://``, with the certificates that
Dask's own configuration names).
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tartarus_cli.distribution.cluster_file import CLASSES, ClusterFile, read_cluster_file
from tartarus_cli.errors import Placeholder, RequestError, TartarusError, parameter
from tartarus_cli.extras import require
from tartarus_cli.machine import cores
from tartarus_cli.progress import Progress

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
"""Workers of this machine."""

CONNECT_S = 20
"""Seconds to wait for the scheduler at an address."""

SETTINGS = {
    # Decoders and trainings start processes of their own.
    "distributed.worker.daemon": False,
    # A worker's task may hold the interpreter for long, as compiling does.
    "distributed.scheduler.worker-ttl": "15 minutes",
    "distributed.comm.timeouts.connect": f"{CONNECT_S} s",
    "distributed.admin.tick.limit": "1 hour",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """Workers that are there, or will be."""

    client: Client
    described: str
    """What messages call them."""
    waits_for: str = ""
    """What workers that are not there yet are waiting for."""


_held: ContextVar[tuple[str, Engine] | None] = ContextVar("held", default=None)


@contextmanager
def staying_connected(cluster: str | None, progress: Progress) -> Iterator[None]:
    """Let all that is done on a cluster during the block be done by the same workers.

    Parameters
    ----------
    cluster, progress
        As :func:`connect` takes them; None: there is no cluster, and nothing is done.
    """
    if cluster is None:
        yield
        return
    with connect(cluster, progress) as engine:
        token = _held.set((cluster, engine))
        try:
            yield
        finally:
            _held.reset(token)


@contextmanager
def connect(cluster: str, progress: Progress) -> Iterator[Engine]:
    """Connect to the workers that ``--cluster`` names, and let go of them at the end.

    Workers that were started here are ended; those at an address stay.

    Parameters
    ----------
    cluster
        ``local`` (one worker for each core) or ``local:N``; the address of a Dask scheduler; or a
        file, see :class:`~tartarus_cli.distribution.cluster_file.ClusterFile`.
    progress
        Is told what is waited for.

    Raises
    ------
    RequestError
        If it is none of these, or nobody answers at the address.
    FileError
        If the file is missing or wrong.
    TartarusError
        If Dask is not installed.
    """
    held = _held.get()
    if held is not None and held[0] == cluster:
        yield held[1]
        return
    require("distributed")
    import dask
    import distributed  # noqa: F401 — its own settings come before ours, and stay afterwards

    with dask.config.set(SETTINGS), ExitStack() as stack:
        _quiet_logging()
        if cluster == LOCAL or cluster.startswith(f"{LOCAL}:"):
            yield _local(stack, _worker_count(cluster))
        elif "://" in cluster:
            yield _at_address(stack, cluster)
        else:
            yield _of_file(stack, Path(cluster), progress)


def _worker_count(cluster: str) -> int:
    _, colon, count = cluster.partition(":")
    if not colon:
        return cores()
    if not count.isdigit() or not 1 <= int(count) <= 4096:
        msg = f"{parameter('cluster', cluster)}: {count!r} is no number of workers"
        raise RequestError(msg, hint=f"For example {parameter('cluster', 'local:2')}.")
    return int(count)


def _local(stack: ExitStack, count: int) -> Engine:
    from distributed import LocalCluster

    # Ctrl-C is for this process, which ends its workers.
    with _without_signals():
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
    stack.callback(_close, cluster)
    return Engine(_client(stack, cluster), f"{count} workers on this machine")


def _at_address(stack: ExitStack, address: str) -> Engine:
    try:
        return Engine(_client(stack, address), address)
    except (OSError, TimeoutError, ValueError, ImportError) as problem:
        msg = f"{parameter('cluster', address)}: no scheduler answers ({_first_line(problem)})"
        hint = "Start one with `dask scheduler` and workers with `dask worker ADDRESS`"
        hint += f", or use this machine alone: {parameter('cluster', LOCAL)}."
        raise RequestError(msg, hint=hint.replace("`", "'", 4)) from None


def _of_file(stack: ExitStack, path: Path, progress: Progress) -> Engine:
    if not path.is_file() and path.suffix != ".toml":
        msg = f"{parameter('cluster', str(path))}: neither {LOCAL}, nor an address, nor a file"
        kinds = [parameter("cluster", LOCAL), parameter("cluster", "tcp://host:8786")]
        kinds.append(parameter("cluster", Placeholder("FILE")))
        raise RequestError(msg, hint=f"Give {', '.join(kinds[:-1])} or {kinds[-1]}.")
    file = read_cluster_file(path)
    if file.address:
        return _at_address(stack, file.address)
    cluster = start_jobs(file)
    stack.callback(_close, cluster)
    _logger.info("each job runs:\n%s", cluster.job_script())
    title = f"{str(file.kind).upper()}, {file.jobs} × {file.workers} workers"
    progress.say(f"{path}: {title}; workers begin when their jobs do")
    return Engine(_client(stack, cluster), title, f"the queue of {file.kind}{_jobs_of(cluster)}")


def start_jobs(file: ClusterFile) -> Any:
    """Hand jobs to a scheduler, and return the cluster of their workers.

    Raises
    ------
    TartarusError
        If dask-jobqueue is not installed, or the scheduler refuses the jobs.
    """
    require("dask_jobqueue")
    import dask_jobqueue

    if file.kind is None:
        msg = "a file with an address starts no jobs"
        raise ValueError(msg)
    cluster = None
    try:
        cluster = getattr(dask_jobqueue, CLASSES[file.kind])(
            silence_logs=logging.CRITICAL, **file.job_arguments()
        )
        least = file.jobs if file.least_jobs is None else file.least_jobs
        cluster.scale(jobs=least)
        cluster.sync(_handed_in, cluster)
        # From now on, a job whose time is over is followed by another.
        cluster.adapt(minimum_jobs=least, maximum_jobs=file.jobs)
    except (OSError, RuntimeError, ValueError) as problem:
        msg = f"{file.kind} takes no jobs: {_first_line(problem)}"
        hint = "Look whether its commands are on the PATH here, and whether it has what the file "
        hint += "asks for."
        if cluster is not None:
            _close(cluster)
        raise TartarusError(msg, hint=hint) from None
    return cluster


async def _handed_in(cluster: Any) -> None:
    """Wait until the scheduler has taken the jobs."""
    await cluster
    if cluster.worker_spec and not _jobs_of(cluster):
        msg = "none of them was accepted"
        raise RuntimeError(msg)


def _jobs_of(cluster: Any) -> str:
    """Return the numbers of the jobs of a cluster, as the scheduler calls them."""
    numbers = [str(job.job_id) for job in [*cluster.workers.values()] if job.job_id is not None]
    return f" (jobs {', '.join(numbers[:8])}{', …' if len(numbers) > 8 else ''})" if numbers else ""


def _client(stack: ExitStack, cluster: Any) -> Client:
    from distributed import Client

    client = Client(cluster, timeout=CONNECT_S, set_as_default=False)
    stack.callback(_close, client)
    return client


def _close(closing: Any) -> None:
    """Close a client or a cluster, though the other end may be gone."""
    with suppress(Exception):
        closing.close(timeout=5)


def _quiet_logging() -> None:
    """Let only the log file, not the terminal, have what Dask's own modules report."""
    for name in ("distributed", "tornado", "asyncio", "bokeh"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)


@contextmanager
def _without_signals() -> Iterator[None]:
    """Start processes that Ctrl-C and a closed terminal do not reach."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
