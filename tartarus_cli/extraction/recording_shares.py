"""Shares of recordings that workers of a cluster prepare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.distribution import Task
from tartarus_cli.distribution.workers import worker_threads
from tartarus_cli.extraction.processes import lasting_pool
from tartarus_cli.extraction.shares import ClusterWork
from tartarus_cli.extraction.workers import (
    TIMEOUT_S,
    ExtractionJob,
    FailedRecording,
    PreparedRecording,
    Recording,
    WorkerOptions,
    prepare_all,
)

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
    job: ExtractionJob,
    recordings: Sequence[Recording],
    cluster: ClusterWork,
    jobs: int | None,
    timeout_s: float,
) -> Iterator[PreparedRecording | FailedRecording]:
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
    options = {"jobs": jobs, "timeout_s": timeout_s}
    tasks = [
        Task(name, _arguments(job, recordings[n : n + size]) | options)
        for name, n in shares.items()
    ]
    by_item = {recording.item: recording for recording in recordings}
    for value in cluster.values(prepare_share, tasks, "recordings"):
        for outcome in value:
            yield _outcome(by_item[outcome["item"]], job, outcome)


def _arguments(job: ExtractionJob, recordings: Sequence[Recording]) -> dict[str, Any]:
    return {
        "recipe": job.recipe.model_dump_json(),
        "staging": str(job.staging),
        "spectrograms": str(job.spectrograms),
        "keep_spectrograms": job.keep_spectrograms,
        "recordings": [[recording.item, str(recording.path)] for recording in recordings],
    }


def prepare_share(  # noqa: PLR0913 — plain values, which any worker can be sent
    *,
    recipe: str,
    staging: str,
    spectrograms: str,
    keep_spectrograms: bool,
    recordings: Sequence[Sequence[str]],
    jobs: int | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[dict[str, Any]]:
    """Prepare recordings in processes of this worker; say what became of each.

    Parameters
    ----------
    recipe
        How they are prepared, as JSON.
    staging, spectrograms, keep_spectrograms
        As :class:`ExtractionJob` has them.
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
    job = ExtractionJob(
        PatchRecipe.model_validate_json(recipe),
        Path(staging),
        Path(spectrograms),
        keep_spectrograms,
    )
    share = [Recording(item, Path(path)) for item, path in recordings]
    options = WorkerOptions(jobs or worker_threads(), timeout_s)
    with lasting_pool(job.recipe, options.jobs) as pool:
        return [_plain(each) for each in prepare_all(job, share, options, lambda: None, pool)]


def _plain(outcome: PreparedRecording | FailedRecording) -> dict[str, Any]:
    if isinstance(outcome, FailedRecording):
        reason, is_slow = outcome.reason, outcome.is_slow
        return {"item": outcome.recording.item, "reason": reason, "is_slow": is_slow}
    return {
        "item": outcome.recording.item,
        "file": outcome.patches.name,
        "frames": outcome.frames,
        "silent": outcome.silent,
        "ends_silent": outcome.ends_silent,
        "remark": outcome.remark,
    }


def _outcome(
    recording: Recording, job: ExtractionJob, plain: Mapping[str, Any]
) -> PreparedRecording | FailedRecording:
    values = {name: value for name, value in plain.items() if name not in ("item", "file")}
    if "reason" in plain:
        return FailedRecording(recording, **values)
    return PreparedRecording(recording, job.staging / plain["file"], **values)
