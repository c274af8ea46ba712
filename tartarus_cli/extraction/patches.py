"""Patches of recordings: prepared one by one, scaled together, written as HDF5."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint, fit_scaler
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import (
    FINGERPRINT,
    SCALER_PATCHES,
    write_patches,
    write_scaler,
)
from tartarus_cli.errors import DataError, display_path
from tartarus_cli.extraction.patch_job import PreparedRecording
from tartarus_cli.extraction.patch_shards import prepare_patch_shard
from tartarus_cli.extraction.patch_work import find_work, lock_dataset
from tartarus_cli.extraction.preparation import prepare_files
from tartarus_cli.extraction.processes import fresh_processes, load_in_background
from tartarus_cli.extraction.recordings import absent_reasons, write_failures
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.shards import ShardResult
from tartarus_cli.file_names import Kind
from tartarus_cli.files import (
    shared_folder,
    write_together,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

BLOCK_BYTES = 1 << 25
"""Size of the blocks of patches that are scaled at once."""


@dataclass(frozen=True)
class PatchesResult:
    """Patches that were made of the recordings of a dataset."""

    dataset: str
    recipe: PatchRecipe
    shape: tuple[int, int]
    """Frames and bins of a patch."""
    items: dict[str, int]
    """Split → number of items that have patches."""
    failures: dict[str, str]
    """Id of an item without patches → the reason."""
    remarks: dict[str, str]
    """Id of an item whose recording is used, but lacks something → what it lacks."""
    silent_items: tuple[str, ...]
    """Ids of items whose patches are all silent."""
    short_items: dict[str, float]
    """Id of an item whose recording is shorter than a patch → its length in seconds."""
    ends_silent_items: tuple[str, ...]
    """Ids of other items with a patch that ends in silence."""
    files: list[Path]
    """The scaler, and the patches of each set."""
    failure_list: Path | None
    """File that lists failures, remarks and unused files of a folder, if there are any."""
    seconds: float
    """Time that it took."""


def extract_patches(
    workspace: WorkspacePaths, request: PatchesRequest, *, progress: Progress = UNWATCHED
) -> PatchesResult:
    """Make the patches of every item of a dataset that has a recording.

    A recording that cannot be used is left out and listed. If the command is interrupted at any
    moment and given again, it continues, and the files are the same, byte for byte.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and how its patches are made.
    progress
        Shows how many recordings are prepared, and reports recordings that are not used.

    Raises
    ------
    RequestError
        If there is no such dataset, folder, transform or parameter, or there are patches of the
        same name that were made by other parameters.
    DataError
        If there is no list of recordings, or no train recording can be used.
    """
    start = time.monotonic()
    if request.cluster is None:
        fresh_processes()  # they load their libraries while this one loads its own
    recipe = request.recipe
    dataset = Dataset(workspace.scan(), request.dataset)
    with lock_dataset(workspace, request), defer_interrupts() as check:
        work = find_work(workspace, dataset, request, progress)
        sets, items, scan, recordings = work.sets, work.items, work.scan, work.listed
        keep = request.keep_spectrograms
        folder = shared_folder(work.job.spectrogram_folder) if keep else nullcontext()
        load_in_background("sklearn.preprocessing")
        with folder:
            outcomes = prepare_files(work.files, request, progress, check)
        prepared, failures = outcomes.prepared, outcomes.reasons
        failures |= absent_reasons(items, recordings, scan)
        failures = {item: failures[item] for item in items if item in failures}
        remarks = {i: prepared[i].remark for i in items if i in prepared and prepared[i].remark}
        failure_list = write_failures(
            dataset.path(Kind.AUDIO_ERRORS),
            failures | {item: f"used: {remark}" for item, remark in remarks.items()},
            recordings,
            {*items},
            scan,
        )
        rows = {s: [prepared[item] for item in ids if item in prepared] for s, ids in sets.items()}
        if not rows["train"]:
            raise _no_recording_error(request, failures, failure_list)
        files, shape = _write(workspace, request, rows, progress, check)
    return PatchesResult(
        dataset=request.dataset,
        recipe=recipe,
        shape=shape,
        items={split: len(recordings) for split, recordings in rows.items()},
        failures=failures,
        remarks=remarks,
        silent_items=tuple(i for i in items if i in prepared and prepared[i].silent),
        short_items={
            i: longest_patch(prepared[i].frames, recipe)
            for i in items
            if i in prepared and prepared[i].frames < recipe.frames
        },
        ends_silent_items=tuple(i for i in items if i in prepared and prepared[i].ends_silent),
        files=files,
        failure_list=failure_list,
        seconds=time.monotonic() - start,
    )


def make_patches(
    workspace: WorkspacePaths, request: PatchesRequest, *, progress: Progress = UNWATCHED
) -> PatchesResult | ShardResult:
    """Make the patches of a dataset, or prepare the shard that the request names."""
    if request.shard is not None:
        return prepare_patch_shard(workspace, request, request.shard, progress=progress)
    return extract_patches(workspace, request, progress=progress)


def longest_patch(frames: int, recipe: PatchRecipe) -> float:
    """Return about the length of a recording in seconds; a patch of so many fits into its frames.

    >>> recipe = PatchRecipe(transform="cqt", parameters={})
    >>> longest_patch(1 + 2 * 22_050 // 1024, recipe), longest_patch(7, recipe)
    (2.0, 0.32)
    """
    seconds = frames * recipe.parameters.hop_length / recipe.parameters.sample_rate
    unit = 10 if seconds >= 1 else 100
    return math.floor(seconds * unit) / unit


def _no_recording_error(
    request: PatchesRequest, failures: dict[str, str], failure_list: Path | None
) -> DataError:
    item, reason = next(iter(failures.items()))
    msg = f"no train recording of {request.dataset} can be used; {item!r}: {reason}"
    path = display_path(failure_list) if failure_list else "The list"
    return DataError(msg, hint=f"{path} names them all.")


def _write(
    workspace: WorkspacePaths,
    request: PatchesRequest,
    rows: dict[str, list[PreparedRecording]],
    progress: Progress,
    check: Callable[[], None],
) -> tuple[list[Path], tuple[int, int]]:
    """Write the scaler and the files of all sets; they take their places together."""
    recipe, fields = request.recipe, request.fields
    frames, bins = recipe.frames, recipe.bins
    block_size = max(1, BLOCK_BYTES // (4 * recipe.per_item * frames * bins))
    total = len(rows["train"]) + sum(map(len, rows.values()))
    scaler_path = workspace.path_of(Kind.SCALER, **fields)
    files = {split: workspace.path_of(Kind.PATCHES, split=split, **fields) for split in rows}
    paths = [scaler_path, *reversed(files.values())]
    with (
        write_together(paths) as temporary,
        progress.task("scaling and writing patches", total) as task,
    ):

        def blocks(prepared: Sequence[PreparedRecording]) -> Iterator[NDArray[np.float32]]:
            for start in range(0, len(prepared), block_size):
                block = prepared[start : start + block_size]
                check()
                yield np.concatenate([open_dense(recording.patches) for recording in block])
                task.advance(len(block))

        total_patches = len(rows["train"]) * recipe.per_item
        sample = _sample(total_patches, request.scaler_patches, recipe.seed)
        scaler = fit_scaler(_select(blocks(rows["train"]), sample), recipe.scale)
        write_scaler(temporary[scaler_path], scaler.mean, scaler.scale)
        attributes = _attributes(request, scaler)
        for split, prepared in rows.items():
            ids = [row.recording.item for row in prepared for _ in range(recipe.per_item)]
            scaled = map(scaler, blocks(prepared))
            lengths = [length for row in prepared for length in row.lengths]
            write_patches(
                temporary[files[split]],
                ids,
                scaled,
                (frames, bins),
                attributes,
                lengths=lengths if recipe.records_lengths else None,
            )
    return [scaler_path, *files.values()], (frames, bins)


def _sample(total: int, most: int, seed: int) -> NDArray[np.bool_]:
    """Draw the train patches that the scaler is fitted on, if there are too many of them."""
    sample = np.ones(total, bool)
    if total > most:
        rng = np.random.default_rng(seed)
        sample[rng.choice(total, total - most, replace=False)] = False
    return sample


def _select(
    blocks: Iterable[NDArray[np.float32]], sample: NDArray[np.bool_]
) -> Iterator[NDArray[np.float32]]:
    start = 0
    for block in blocks:
        rows = sample[start : start + len(block)]
        start += len(block)
        if rows.any():
            yield block[rows]


def _attributes(request: PatchesRequest, scaler: Scaler) -> dict[str, Any]:
    """Return the attributes of a file of patches, which say how it was made."""
    recipe = request.recipe
    attributes = recipe.model_dump(exclude={"parameters"}) | recipe.parameters.model_dump()
    attributes |= {SCALER_PATCHES: request.scaler_patches}
    return attributes | {FINGERPRINT: fingerprint(recipe, scaler)}
