"""Shards of recordings: each prepares its own, on whatever machine, and the last command joins."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.extraction.patch_work import (
    PatchWork,
    find_work,
    lock_for_shard,
    prepare_recordings,
)
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.shards import (
    ShardRecord,
    ShardResult,
    read_records,
    shards_done,
    write_record,
)
from tartarus_cli.extraction.workers import FailedRecording, Recording, WorkerOptions, given_up
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import Shard
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts


def prepare_patch_shard(
    workspace: WorkspacePaths,
    request: PatchesRequest,
    shard: Shard,
    *,
    progress: Progress = UNWATCHED,
) -> ShardResult:
    """Prepare the recordings of a shard: every ``of``-th one of the items, in their order.

    Other shards may be prepared at the same time. Once all are, ``extract_patches`` finds what
    they prepared, and writes what it would have written without them, byte for byte.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and how its patches are made.
    shard
        Which recordings are prepared.
    progress
        Shows how many recordings are prepared, and reports recordings that are not used.

    Raises
    ------
    RequestError
        As ``extract_patches``; or if that is writing the patches now.
    DataError
        If there is no list of recordings.
    """
    start = time.monotonic()
    dataset = Dataset(workspace.scan(), request.dataset)
    with lock_for_shard(workspace, request), defer_interrupts() as check:
        work = find_work(workspace, dataset, request, progress)
        key, own = work.digest, replace(work, recordings=shard.select(work.recordings))
        outcomes = prepare_recordings(own, request, progress, check)
        slow = {
            failure.recording.item: _signature(failure.recording.path)
            for failure in outcomes.failed
            if failure.is_slow
        }
        record = ShardRecord(
            number=shard.number,
            of=shard.of,
            work=key,
            timeout_s=request.workers.timeout_s,
            slow={item: signature for item, signature in slow.items() if signature},
        )
        write_record(work.job.staging, record)
        done = shards_done(work.job.staging, key, shard)
    reasons = {failure.recording.item: failure.reason for failure in outcomes.failed}
    return ShardResult(
        dataset=request.dataset,
        shard=shard,
        noun="recording",
        units=len(own.recordings),
        failures={r.item: reasons[r.item] for r in own.recordings if r.item in reasons},
        done=done,
        seconds=time.monotonic() - start,
    )


def without_slow(
    work: PatchWork, workers: WorkerOptions
) -> tuple[list[Recording], list[FailedRecording]]:
    """Return the recordings to prepare, and those that a shard gave up in as much time already.

    Other failures are quickly seen again, or were those of another machine.
    """
    slow = dict[str, tuple[int, int]]()
    for record in read_records(work.job.staging, work.digest):
        if record.timeout_s >= workers.timeout_s:
            slow |= record.slow
    if not slow:
        return work.recordings, []
    left, failed = list[Recording](), list[FailedRecording]()
    for recording in work.recordings:
        if recording.item in slow and _signature(recording.path) == slow[recording.item]:
            failed.append(given_up(recording, workers))
        else:
            left.append(recording)
    return left, failed


def _signature(path: Path) -> tuple[int, int] | None:
    """Return what shows whether a file was written to, on any machine; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
