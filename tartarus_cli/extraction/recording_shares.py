"""Shares of recordings that workers of a cluster prepare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tartarus_cli.distribution import Task
from tartarus_cli.distribution.workers import worker_threads
from tartarus_cli.extraction.patch_job import PatchJob
from tartarus_cli.extraction.processes import lasting_pool
from tartarus_cli.extraction.shares import ClusterWork
from tartarus_cli.extraction.vector_job import VectorJob
from tartarus_cli.extraction.workers import (
    TIMEOUT_S,
    ExtractionJob,
    FailedRecording,
    OutcomeT,
    Recording,
    WorkerOptions,
    prepare_all,
)

JOBS: Mapping[str, Any] = {job.__name__: job for job in (PatchJob, VectorJob)}
"""Name → class of the jobs that a worker can be sent."""

MAX_SHARE = 64
"""Recordings of a share at most."""

SMALL_SHARE = 8
"""Recordings of a share of few recordings, so that the last share keeps nobody waiting."""


def share_size(recordings: int) -> int:
    """Return how many recordings a share has, so that there are shares for many workers.

    >>> [share_size(count) for count in (1, 10, 100, 10_000, 1_000_000)]
    [1, 1, 7, 39, 64]
    """
    few = min(SMALL_SHARE, -(-recordings // 16))
    return max(few, min(MAX_SHARE, recordings // 256))


def prepare_on_cluster(
    job: ExtractionJob[OutcomeT],
    recordings: Sequence[Recording],
    cluster: ClusterWork,
    jobs: int | None,
    timeout_s: float,
) -> Iterator[OutcomeT | FailedRecording]:
    """Prepare recordings on the workers of a cluster; results come as shares are done.

    Parameters
    ----------
    job
        How to prepare them; its folders are those that the workers see.
    recordings
        The recordings.
    cluster
        The cluster.
    jobs
        Processes of each worker; None: one for each of its cores.
    timeout_s
        Seconds after which a recording is given up.

    Raises
    ------
    TartarusError
        If a share could not be prepared, after all others are.
    """
    size = share_size(len(recordings))
    starts = range(0, len(recordings), size)
    shares = {f"recordings {n + 1:,} to {min(n + size, len(recordings)):,}": n for n in starts}
    how = {"kind": type(job).__name__, "job": job.to_plain(), "jobs": jobs, "timeout_s": timeout_s}
    tasks = [
        Task(name, how | {"recordings": [[r.item, str(r.path)] for r in recordings[n : n + size]]})
        for name, n in shares.items()
    ]
    by_item = {recording.item: recording for recording in recordings}
    for value in cluster.values(prepare_share, tasks, "recordings"):
        for item, outcome in value:
            yield _outcome(by_item[item], job, outcome)


def prepare_share(
    *,
    kind: str,
    job: Mapping[str, Any],
    recordings: Sequence[Sequence[str]],
    jobs: int | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[tuple[str, dict[str, Any]]]:
    """Prepare recordings in processes of this worker; say what became of each.

    Parameters
    ----------
    kind
        The job, one of ``JOBS``.
    job
        How they are prepared, as plain values.
    recordings
        Id and path of each.
    jobs
        Processes; None: one for each core of the worker.
    timeout_s
        Seconds after which a recording is given up.

    Raises
    ------
    TartarusError
        If the processes cannot go on.
    """
    own: ExtractionJob[Any] = JOBS[kind].of_plain(job)
    share = [Recording(item, Path(path)) for item, path in recordings]
    options = WorkerOptions(jobs or worker_threads(), timeout_s)
    with lasting_pool(own.start, options.jobs) as pool:
        return [_plain(own, each) for each in prepare_all(own, share, options, lambda: None, pool)]


def _plain(job: ExtractionJob[Any], outcome: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(outcome, FailedRecording):
        reason, is_slow = outcome.reason, outcome.is_slow
        return outcome.recording.item, {"reason": reason, "is_slow": is_slow}
    return outcome.recording.item, job.outcome_to_plain(outcome)


def _outcome(
    recording: Recording, job: ExtractionJob[OutcomeT], plain: Mapping[str, Any]
) -> OutcomeT | FailedRecording:
    if "reason" in plain:
        return FailedRecording(recording, **plain)
    return job.outcome_of(recording, plain)
