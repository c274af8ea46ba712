"""Vectors of recordings or documents, which an encoder makes, as a setting of a dataset."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.array_writing import put_rows
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.folders import FolderScan
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.lists import ListedFile
from tartarus_cli.data.masks import put_mask
from tartarus_cli.data.provenance import FeatureManifest, ItemsOfSet
from tartarus_cli.encoders import EncoderKind, Pooling, Vectors
from tartarus_cli.encoders.recipe import EncoderRecipe
from tartarus_cli.errors import DataError, display_path
from tartarus_cli.extraction.corpus import find_corpus
from tartarus_cli.extraction.embed_files import (
    VectorFiles,
    lock_for_shard,
    lock_setting,
    refuse_other_settings,
    vector_files,
)
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.extraction.preparation import (
    FileWork,
    Outcomes,
    prepare_files,
    prepare_shard,
    work_digest,
)
from tartarus_cli.extraction.program_vectors import CHUNK, ProgramJob
from tartarus_cli.extraction.recordings import (
    absent_reasons,
    find_recordings,
    scan_recordings,
    warn_unused,
    write_failures,
)
from tartarus_cli.extraction.shards import ShardResult
from tartarus_cli.extraction.vector_job import EncodedFile, VectorJob
from tartarus_cli.extraction.workers import FailedRecording, Recording
from tartarus_cli.features.suggest import SuggestedExperiments, suggest_experiments
from tartarus_cli.file_names import Kind
from tartarus_cli.files import make_own_folder, put_text, shared_folder, write_together
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

BLOCK = 256
"""Rows that are written at once."""


@dataclass(frozen=True)
class EmbedResult:
    """A setting that an encoder made."""

    dataset: str
    setting: str
    kind: EncoderKind
    recipe: EncoderRecipe | None
    """The encoder; None if a command made the vectors."""
    command: str | None
    """That command."""
    maker: str
    """What made the vectors, in a few words."""
    pool: Pooling
    splits: dict[str, int]
    """Split → number of items."""
    width: int
    """Columns of the matrices."""
    absent: dict[str, int]
    """Split → number of items that lack the setting; empty if none does."""
    zeros: dict[str, int]
    """Split → number of items that have a row of zeros instead; empty if none has."""
    failures: dict[str, str]
    """Id of an item without a vector → the reason."""
    remarks: dict[str, str]
    """Id of an item whose recording is used, but lacks something → what it lacks."""
    silent_items: tuple[str, ...]
    """Ids of items whose recording is silent."""
    short_items: dict[str, float]
    """Id of an item whose recording is shorter than a window → its length in seconds."""
    files: list[Path]
    """The matrices, masks and the manifest."""
    failure_list: Path | None
    """File that lists failures, remarks and unused files of a folder, if there are any."""
    seconds: float
    """Time that it took."""
    suggestion: SuggestedExperiments
    """Experiments that the setting can be used in."""


@dataclass(frozen=True)
class _Work:
    """The files of a dataset that are encoded."""

    sets: dict[str, list[str]]
    """Split → ids of its items."""
    listed: dict[str, ListedFile]
    """Id → its file, of items or not."""
    scan: FolderScan | None
    """What lies in the folder of recordings, if one is named."""
    job: VectorJob | ProgramJob
    recordings: list[Recording]
    """The files of items, in the order of the items."""
    folder: Path
    """Folder of what is not finished."""
    noun: str
    """What one of the files is called."""

    def of_encoder(self, job: VectorJob) -> FileWork[EncodedFile]:
        """Return the work of an encoder, which processes, shards or a cluster do."""
        key = work_digest(f"{job.recipe.model_dump_json()} {job.encoding}", self.recordings)
        return FileWork(job, self.recordings, self.folder, key, self.noun)

    @property
    def items(self) -> list[str]:
        """Ids of all items."""
        return [item for ids in self.sets.values() for item in ids]


def embed_items(
    workspace: WorkspacePaths, request: EmbedRequest, *, progress: Progress = UNWATCHED
) -> EmbedResult:
    """Encode the recordings or documents of a dataset, and write their vectors as a setting.

    A file that cannot be used is left out and listed. The vectors of each file are kept by its
    content and by the encoder: if the command is interrupted at any moment and given again, it
    continues, and the files are the same, byte for byte; nor is anything encoded again for another
    dataset or pooling.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and the encoder.
    progress
        Shows how many files are encoded, and reports those that are not used.

    Raises
    ------
    RequestError
        If there is no such dataset, folder, encoder or parameter, or there is a setting of the same
        name that was made otherwise.
    DataError
        If there is no list of files, or none of a train item can be used.
    TartarusError
        If the encoder lacks something; the hint says what to install or to add.
    """
    start = time.monotonic()
    request.check()
    files = vector_files(workspace, request, tuple(_split_ids(workspace, request)))
    with lock_setting(files), defer_interrupts() as check:
        work = _find_work(workspace, request, files, progress)
        with shared_folder(work.job.folder):
            outcomes = _encode(work, request, progress, check)
            encoded, items = outcomes.prepared, work.items
            failures = outcomes.reasons | _absent_reasons(request, work)
            failures = {item: failures[item] for item in items if item in failures}
            remarks = {i: encoded[i].remark for i in items if i in encoded and encoded[i].remark}
            failure_list = _list_failures(workspace, request, work, failures, remarks)
            if not any(item in encoded for item in work.sets["train"]):
                raise _nothing_error(request, work, failures, failure_list)
            lacking = {
                split: np.array([item not in encoded for item in ids], bool)
                for split, ids in work.sets.items()
            }
            width = _width(request, encoded[next(iter(encoded))])
            written = _write(workspace, request, work, encoded, (files, lacking, width), check)
    counts = {split: int(lack.sum()) for split, lack in lacking.items() if lack.any()}
    is_absent = request.missing == "absent"
    return EmbedResult(
        dataset=request.dataset,
        setting=request.setting_name,
        kind=request.kind,
        recipe=None if request.program else request.recipe,
        command=request.command,
        maker=request.maker,
        pool=request.pool,
        splits={split: len(ids) for split, ids in work.sets.items()},
        width=width,
        absent=counts if is_absent else {},
        zeros={} if is_absent else counts,
        failures=failures,
        remarks=remarks,
        silent_items=tuple(i for i in items if i in encoded and encoded[i].silent),
        short_items={
            item: seconds
            for item in items
            if item in encoded and (seconds := encoded[item].short_s) is not None
        },
        files=written,
        failure_list=failure_list,
        seconds=time.monotonic() - start,
        suggestion=suggest_experiments(workspace, request.dataset, "dense", encoded=True),
    )


def embed_shard(
    workspace: WorkspacePaths, request: EmbedRequest, *, progress: Progress = UNWATCHED
) -> ShardResult:
    """Encode the files of the shard that the request names; their vectors are kept.

    Raises
    ------
    RequestError
        As :func:`embed_items`; or if that is writing the setting now.
    """
    if request.shard is None:
        msg = "the request names no shard"
        raise ValueError(msg)
    request.check()
    files = vector_files(workspace, request, tuple(_split_ids(workspace, request)))
    with lock_for_shard(files), defer_interrupts() as check:
        work = _find_work(workspace, request, files, progress)
        with shared_folder(work.job.folder):
            if not isinstance(work.job, VectorJob):
                msg = "a program of others does no shards"
                raise TypeError(msg)
            files_of_shard = work.of_encoder(work.job)
            return prepare_shard(files_of_shard, request, request.shard, progress, check)


def make_vectors(
    workspace: WorkspacePaths, request: EmbedRequest, *, progress: Progress = UNWATCHED
) -> EmbedResult | ShardResult:
    """Make a setting of a dataset, or encode the files of the shard that the request names."""
    if request.shard is not None:
        return embed_shard(workspace, request, progress=progress)
    return embed_items(workspace, request, progress=progress)


def _split_ids(workspace: WorkspacePaths, request: EmbedRequest) -> dict[str, list[str]]:
    return Dataset(workspace.scan(), request.dataset).split_ids()


def _find_work(
    workspace: WorkspacePaths, request: EmbedRequest, files: VectorFiles, progress: Progress
) -> _Work:
    """Find the files to encode, and make the folder of what is not finished."""
    dataset = Dataset(workspace.scan(), request.dataset)
    refuse_other_settings(dataset, request, files)
    sets = dataset.split_ids()
    items = [item for ids in sets.values() for item in ids]
    scan = None
    if request.kind == "audio":
        scan = scan_recordings(request.audio)
        listed = find_recordings(dataset, request.audio, items, scan=scan)
        warn_unused({*items}, listed, scan, progress)
    else:
        listed = {file.id: file for file in find_corpus(dataset, items, request.text)}
    recordings = [Recording(item, listed[item].path) for item in items if item in listed]
    make_own_folder(files.folder)
    noun = "recording" if request.kind == "audio" else "document"
    return _Work(sets, listed, scan, _job(workspace, request), recordings, files.folder, noun)


def _job(workspace: WorkspacePaths, request: EmbedRequest) -> VectorJob | ProgramJob:
    """Return how files are encoded."""
    vectors, encoding = workspace.vectors, request.encoding
    if request.program is None:
        return VectorJob(request.recipe, request.weights_path, vectors, encoding)
    chunk = CHUNK if request.chunk is None else request.chunk
    return ProgramJob(request.program, request.kind, vectors, encoding, chunk, request.timeout_s)


def _encode(
    work: _Work, request: EmbedRequest, progress: Progress, check: Callable[[], None]
) -> Outcomes[EncodedFile]:
    """Encode all files."""
    if isinstance(work.job, VectorJob):
        return prepare_files(work.of_encoder(work.job), request, progress, check)
    outcomes = Outcomes[EncodedFile]({}, [])
    with progress.task(f"encoding {work.noun}s", len(work.recordings)) as task:
        # What a killed command started may still write into the folder of that one.
        folder = work.folder / f"program-{os.getpid()}"
        for outcome in work.job.prepare_all(work.recordings, folder, check, folder_stays=True):
            if isinstance(outcome, FailedRecording):
                outcomes.failed.append(outcome)
            else:
                outcomes.prepared[outcome.recording.item] = outcome
            task.advance()
    return outcomes


def _absent_reasons(request: EmbedRequest, work: _Work) -> dict[str, str]:
    """Say of items without a file why they have none."""
    if request.kind == "audio":
        return absent_reasons(work.items, work.listed, work.scan)
    return {item: "it is not in the list" for item in work.items if item not in work.listed}


def _list_failures(
    workspace: WorkspacePaths,
    request: EmbedRequest,
    work: _Work,
    failures: Mapping[str, str],
    remarks: Mapping[str, str],
) -> Path | None:
    kind = Kind.AUDIO_ERRORS if request.kind == "audio" else Kind.TEXT_ERRORS
    path = workspace.path_of(kind, dataset=request.dataset)
    reasons = {**failures, **{item: f"used: {remark}" for item, remark in remarks.items()}}
    return write_failures(path, reasons, work.listed, {*work.items}, work.scan)


def _nothing_error(
    request: EmbedRequest, work: _Work, failures: Mapping[str, str], failure_list: Path | None
) -> DataError:
    item = next(item for item in work.sets["train"] if item in failures)
    noun = f"train {work.noun}"
    msg = f"no {noun} of {request.dataset} can be used; {item!r}: {failures[item]}"
    path = display_path(failure_list) if failure_list else "The list"
    return DataError(msg, hint=f"{path} names them all.")


def _width(request: EmbedRequest, encoded: EncodedFile) -> int:
    """Return the columns of the setting."""
    return len(encoded.pooled(request.pool))


def _write(
    workspace: WorkspacePaths,
    request: EmbedRequest,
    work: _Work,
    encoded: Mapping[str, EncodedFile],
    content: tuple[VectorFiles, Mapping[str, NDArray[np.bool_]], int],
    check: Callable[[], None],
) -> list[Path]:
    """Write all files to temporary ones; then let each take its place, train last.

    A command that is killed in between leaves a setting without train rows, and never one of old
    and new rows.
    """
    files, lacking, width = content
    masks = {files.masks[s]: ~lack for s, lack in lacking.items() if lack.any()}
    masks = masks if request.missing == "absent" else {}
    order = [files.manifest, *masks, *reversed([*files.features.values()])]
    with write_together(order, outdated=_outdated(workspace, request)) as temporary:
        for split, ids in work.sets.items():
            blocks = _blocks(ids, encoded, request.pool, width, check)
            put_rows(temporary[files.features[split]], (len(ids), width), blocks)
        for path, present in masks.items():
            put_mask(temporary[path], present)
        put_text(temporary[files.manifest], _manifest(request, work, lacking, width).to_json())
    return [*files.features.values(), *masks, files.manifest]


def _outdated(workspace: WorkspacePaths, request: EmbedRequest) -> list[Path]:
    """Return the files of the setting that are there."""
    dataset = Dataset(workspace.scan(), request.dataset)
    kinds = (Kind.FEATURES, Kind.MASK)
    return [f.path for kind in kinds for f in dataset.select(kind, setting=request.setting_name)]


def _blocks(
    ids: Sequence[str],
    encoded: Mapping[str, EncodedFile],
    pooling: Pooling,
    width: int,
    check: Callable[[], None],
) -> Iterator[Vectors]:
    """Yield the rows of some items, in order; zeros for those without a vector."""
    for start in range(0, len(ids), BLOCK):
        check()
        items = ids[start : start + BLOCK]
        rows = np.zeros((len(items), width), np.float32)
        for row, item in zip(rows, items, strict=True):
            if item in encoded:
                row[:] = encoded[item].pooled(pooling)
        yield rows


def _manifest(
    request: EmbedRequest,
    work: _Work,
    lacking: Mapping[str, NDArray[np.bool_]],
    width: int,
) -> FeatureManifest:
    counts = {split: int(lack.sum()) for split, lack in lacking.items()}
    outcome = "absent" if request.missing == "absent" else "zeros"
    return FeatureManifest(
        sets={
            split: ItemsOfSet(items=len(ids), digest=digest_ids(ids))
            for split, ids in work.sets.items()
        },
        form="dense",
        width=width,
        **{"encoder" if request.program is None else "program": request.maker_record},
        **({outcome: counts} if any(counts.values()) else {}),
    )
