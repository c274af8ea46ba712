"""The files of some work: prepared in processes, on a cluster, or in shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Generic, Protocol

from tartarus_cli.extraction.recording_shares import prepare_on_cluster
from tartarus_cli.extraction.shards import (
    ShardRecord,
    ShardResult,
    read_records,
    shards_done,
    write_record,
)
from tartarus_cli.extraction.shares import ClusterWork
from tartarus_cli.extraction.workers import (
    ExtractionJob,
    FailedRecording,
    OutcomeT,
    Recording,
    WorkerOptions,
    given_up,
    prepare_all,
)
from tartarus_cli.options import Shard
from tartarus_cli.progress import Progress


class WorkRequest(Protocol):
    """Who does some work."""

    @property
    def dataset(self) -> str:
        """The dataset that is worked on."""

    @property
    def workers(self) -> WorkerOptions:
        """How the work is spread over processes of this machine."""

    @property
    def jobs(self) -> int | None:
        """Processes of each worker of a cluster; None: one for each of its cores."""

    @property
    def cluster(self) -> str | None:
        """What prepares the files, as ``run_tasks`` takes it; None: processes of this machine."""


@dataclass(frozen=True)
class FileWork(Generic[OutcomeT]):
    """Files that are prepared one by one."""

    job: ExtractionJob[OutcomeT]
    recordings: list[Recording]
    """The files of items, in the order of the items."""
    folder: Path
    """Folder of what is not finished yet, which all machines see."""
    digest: str
    """Hash of which files are prepared, and how."""
    noun: str = "recording"
    """What one of the files is called."""


def work_digest(recipe: str, recordings: Sequence[Recording]) -> str:
    """Return a hash of which files are prepared, and how; the same on all machines."""
    named = [part for r in recordings for part in (r.item, r.path.name)]
    text = "\0".join([recipe, *named])
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@dataclass
class Outcomes(Generic[OutcomeT]):
    """What became of files."""

    prepared: dict[str, OutcomeT]
    """Id → what was made of its file."""
    failed: list[FailedRecording]

    @property
    def reasons(self) -> dict[str, str]:
        """Id of each other item → the reason."""
        return {failure.recording.item: failure.reason for failure in self.failed}


def prepare_files(
    work: FileWork[OutcomeT],
    request: WorkRequest,
    progress: Progress,
    check: Callable[[], None],
) -> Outcomes[OutcomeT]:
    """Prepare the files of some work; those that were prepared before take no time.

    What a shard gave up in as much time is not tried again.

    Parameters
    ----------
    work
        The files.
    request
        How many processes do it, or which cluster does.
    progress
        Shows how many are prepared.
    check
        Called several times a second; an error that it raises stops the work.
    """
    left, slow = without_slow(work, request.workers)
    outcomes = _prepare(work, left, request, progress, check)
    outcomes.failed += slow
    return outcomes


def prepare_shard(
    work: FileWork[Any],
    request: WorkRequest,
    shard: Shard,
    progress: Progress,
    check: Callable[[], None],
) -> ShardResult:
    """Prepare the files of a shard: every ``of``-th one, in the order of the items.

    Other shards may be prepared at the same time. Once all are, the same work without a shard finds
    what they prepared.
    """
    start = time.monotonic()
    recordings = shard.select(work.recordings)
    outcomes = _prepare(work, recordings, request, progress, check)
    slow = {
        failure.recording.item: _signature(failure.recording.path)
        for failure in outcomes.failed
        if failure.is_slow
    }
    record = ShardRecord(
        number=shard.number,
        of=shard.of,
        work=work.digest,
        timeout_s=request.workers.timeout_s,
        slow={item: signature for item, signature in slow.items() if signature},
    )
    write_record(work.folder, record)
    reasons = outcomes.reasons
    return ShardResult(
        dataset=request.dataset,
        shard=shard,
        noun=work.noun,
        units=len(recordings),
        failures={r.item: reasons[r.item] for r in recordings if r.item in reasons},
        done=shards_done(work.folder, work.digest, shard),
        seconds=time.monotonic() - start,
    )


def _prepare(
    work: FileWork[OutcomeT],
    recordings: list[Recording],
    request: WorkRequest,
    progress: Progress,
    check: Callable[[], None],
) -> Outcomes[OutcomeT]:
    outcomes, what = Outcomes[OutcomeT]({}, []), f"preparing {work.noun}s"
    with progress.task(what, len(recordings)) as task:
        start = time.monotonic()
        results = _results(work, recordings, request, progress, check)
        for number, outcome in enumerate(results, 1):
            if isinstance(outcome, FailedRecording):
                outcomes.failed.append(outcome)
            else:
                outcomes.prepared[outcome.recording.item] = outcome
            rate = number / (time.monotonic() - start)
            task.describe(f"{what}, {rate:.1f} a second")
            task.advance()
    return outcomes


def _results(
    work: FileWork[OutcomeT],
    recordings: list[Recording],
    request: WorkRequest,
    progress: Progress,
    check: Callable[[], None],
) -> Iterator[OutcomeT | FailedRecording]:
    if request.cluster is None:
        return prepare_all(work.job, recordings, request.workers, check)
    cluster = ClusterWork(request.cluster, work.folder, progress, check)
    timeout_s = request.workers.timeout_s
    return prepare_on_cluster(work.job, recordings, cluster, request.jobs, timeout_s)


def without_slow(
    work: FileWork[Any], workers: WorkerOptions
) -> tuple[list[Recording], list[FailedRecording]]:
    """Return the files to prepare, and those that a shard gave up in as much time already.

    Other failures are quickly seen again, or were those of another machine.
    """
    slow = dict[str, tuple[int, int]]()
    for record in read_records(work.folder, work.digest):
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
