"""What it takes to make the patches of a dataset, from a few recordings that are prepared."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.audio.scaler import fit_scaler
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import write_patches
from tartarus_cli.errors import Placeholder, RequestError, call, count_noun, parameter
from tartarus_cli.extraction.existing_patches import check_existing_patches
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording
from tartarus_cli.extraction.processes import start_pool, stop_pool
from tartarus_cli.extraction.recordings import (
    absent_reasons,
    find_recordings,
    scan_recordings,
    warn_unused,
)
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.extraction.workers import FailedRecording, Recording, WorkerOptions, prepare_all
from tartarus_cli.file_names import Kind
from tartarus_cli.files import digest
from tartarus_cli.forecasting.forecast import BASE_MEMORY, Forecast, ForecastStep, free_bytes
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts
from tartarus_cli.workspace import Workspace

Outcome = PreparedRecording | FailedRecording

SAMPLES_A_PROCESS = 6
"""Recordings that are prepared by each process, to measure."""
BUDGET_S = 20.0
"""Seconds after which no more recordings are prepared."""
LOOKED_AT = 200
"""Recordings of which it is looked up whether they have a spectrogram; of more, so many."""
WORKER_MEMORY = 300 << 20
"""Bytes of a process that prepares recordings."""


@dataclass(frozen=True)
class _Work:
    """The recordings of a dataset, by what is to be done with them."""

    new: list[Recording]
    """They are decoded; of very many, those that were looked at."""
    cached: list[Recording]
    """Their spectrograms are there already."""
    total: int
    missing: dict[str, str]
    """Id of an item that has none → the reason."""

    @property
    def news(self) -> int:
        """Number of all recordings that are decoded."""
        looked_at = len(self.new) + len(self.cached)
        return round(self.total * len(self.new) / looked_at) if looked_at else 0


@dataclass(frozen=True)
class _Measured:
    """How long recordings took."""

    start_s: float
    """Until the processes were ready."""
    each_s: float
    """Of one recording, with all processes at work."""
    prepared: list[PreparedRecording]
    failed: int
    spectrogram_bytes: float
    """Of one recording."""

    @property
    def count(self) -> int:
        """Number of recordings."""
        return len(self.prepared) + self.failed


def forecast_patches(
    workspace: Workspace, request: PatchesRequest, *, progress: Progress = UNWATCHED
) -> Forecast:
    """Say what making patches would do and take; a few recordings are prepared, and thrown away.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and how its patches would be made.
    progress
        Shows how many recordings are prepared, and reports recordings that would not be used.

    Raises
    ------
    RequestError
        If there is no such dataset, folder, transform or parameter, or there are patches of the
        same name that were made by other parameters.
    DataError
        If there is no list of recordings.
    """
    begun = time.perf_counter()
    _require_here(request)
    dataset = Dataset(workspace.scan(), request.dataset)
    sets = dataset.split_ids()
    check_existing_patches(dataset, request, sets)
    items = [item for ids in sets.values() for item in ids]
    work = _find_work(dataset, request, items, progress)
    workers = request.workers
    spent = time.perf_counter() - begun
    basis = "what was just done"
    steps = [ForecastStep("look for the recordings", (spent, spent), basis=basis)]
    with TemporaryDirectory(prefix="tartarus-") as folder:
        measured = [
            _measure(workspace, request, Path(folder) / name, group, cached=name == "cached")
            for name, group in (("new", work.new), ("cached", work.cached))
        ]
        jobs = min(workers.jobs, max(work.total, 1))
        memory = BASE_MEMORY + jobs * WORKER_MEMORY
        counts = (work.news, work.total - work.news)
        for count, each, what in zip(counts, measured, ("prepare", "cut"), strict=True):
            if each is not None:
                steps.append(_prepare_step(what, count, each, jobs, memory, request))
        steps.append(_writing_step(request, sets, work, [m for m in measured if m], Path(folder)))
    return Forecast(
        f"patches {request.dataset}",
        call("patches", request.dataset, **_arguments(request)),
        steps=tuple(steps),
        free_disk=free_bytes(workspace.root),
        measured_s=time.perf_counter() - begun,
        remarks=_remarks(work),
        files=tuple(_files(workspace, request, sets)),
    )


def _require_here(request: PatchesRequest) -> None:
    """Make sure that all of the work would be done by this machine."""
    for name in ("cluster", "shard"):
        if getattr(request, name) is not None:
            msg = f"{parameter('dry_run')} and {parameter(name)} exclude each other"
            hint = "Leave one of the two out: the work of this machine is forecast."
            raise RequestError(msg, hint=hint)


def _remarks(work: _Work) -> tuple[str, ...]:
    if not work.missing:
        return ()
    first, reason = next(iter(work.missing.items()))
    number = count_noun(len(work.missing), "item")
    return (f"{number} would have no patches, such as {first!r}: {reason}",)


def _arguments(request: PatchesRequest) -> dict[str, object]:
    """Return what is to be given again."""
    default = PatchesRequest(request.dataset)
    names = {
        "audio": request.audio and str(request.audio),
        "transform": request.transform,
        "per_item": request.per_item,
        "seconds": request.seconds,
        "starts": request.starts,
        "scale": request.scale,
        "name": request.name,
        "force": request.force,
        "scaler_patches": request.scaler_patches,
        "jobs": request.jobs,
        "keep_spectrograms": request.keep_spectrograms,
        "overrides": [*request.overrides] or None,
    }
    usual = {
        "transform": default.transform,
        "per_item": default.per_item,
        "seconds": default.seconds,
        "starts": default.starts,
        "scale": default.scale,
        "name": "",
        "force": False,
        "scaler_patches": default.scaler_patches,
        "keep_spectrograms": True,
    }
    return {
        key: Placeholder(f"{value:g}") if isinstance(value, float) else value
        for key, value in names.items()
        if value is not None and value != usual.get(key)
    }


def _files(workspace: Workspace, request: PatchesRequest, sets: Mapping[str, object]) -> list[str]:
    fields = request.fields
    paths = [workspace.path_of(Kind.PATCHES, split=split, **fields) for split in sets]
    names = [
        workspace.relative(path) for path in (*paths, workspace.path_of(Kind.SCALER, **fields))
    ]
    if request.keep_spectrograms:
        key = request.recipe.spectrogram_key
        names.append(f"{workspace.relative(workspace.spectrograms / key)}/…")
    return names


def _find_work(
    dataset: Dataset, request: PatchesRequest, items: Sequence[str], progress: Progress
) -> _Work:
    scan = scan_recordings(request.audio)
    files = find_recordings(dataset, request.audio, items, scan=scan, save=False)
    warn_unused({*items}, files, scan, progress)
    there = [Recording(i, files[i].path) for i in items if i in files and files[i].path.is_file()]
    missing = absent_reasons(items, files, scan)
    missing |= {
        item: f"there is no file {files[item].name}"
        for item in items
        if item in files and not files[item].path.is_file()
    }
    folder = dataset.workspace.spectrograms / request.recipe.spectrogram_key
    new, cached = list[Recording](), list[Recording]()
    looked_at = _spread(there, LOOKED_AT)
    with progress.task("looking for spectrograms", len(looked_at)) as task:
        for recording in looked_at:
            has = folder.is_dir() and (folder / f"{digest(recording.path)}.npy").is_file()
            (cached if has else new).append(recording)
            task.advance()
    return _Work(new, cached, len(there), missing)


def _spread(recordings: Sequence[Recording], most: int) -> list[Recording]:
    """Return so many recordings at most, of all sizes of files alike, in a mixed order."""
    by_size = sorted(recordings, key=lambda each: (each.path.suffix, each.path.stat().st_size))
    if len(by_size) > most:
        by_size = [by_size[math.floor((n + 0.5) * len(by_size) / most)] for n in range(most)]
    order = np.random.default_rng(0).permutation(len(by_size))
    return [by_size[number] for number in order]


def _measure(
    workspace: Workspace,
    request: PatchesRequest,
    folder: Path,
    recordings: Sequence[Recording],
    *,
    cached: bool,
) -> _Measured | None:
    """Prepare some of the recordings in as many processes as all of them would have."""
    if not recordings:
        return None
    jobs = min(request.workers.jobs, len(recordings))
    workers = WorkerOptions(jobs, request.workers.timeout_s)
    chosen = _spread(recordings, SAMPLES_A_PROCESS * jobs)
    staging, spectrograms = folder / "patches", folder / "spectrograms"
    job = PatchJob(
        request.recipe,
        staging,
        workspace.spectrograms if cached else spectrograms,
        keep_spectrograms=request.keep_spectrograms and not cached,
    )
    staging.mkdir(parents=True)
    if not cached:
        job.spectrogram_folder.mkdir(parents=True)
    begun = time.perf_counter()
    pool = start_pool(job.start, jobs)
    try:
        with defer_interrupts() as check:

            def prepare(group: Sequence[Recording]) -> Iterable[Outcome]:
                return prepare_all(job, group, workers, check, pool)

            first = [*prepare(chosen[:jobs])]
            ready = time.perf_counter()
            rest = _within_budget(prepare, chosen[jobs:], 2 * jobs)
            ended = time.perf_counter()
    finally:
        stop_pool(pool)
    return _measured([*first, *rest], len(rest), (begun, ready, ended), spectrograms)


def _measured(
    outcomes: Sequence[Outcome], rest: int, times: tuple[float, float, float], folder: Path
) -> _Measured:
    """Return how long recordings took: the first until processes were ready, and the rest."""
    begun, ready, ended = times
    first = len(outcomes) - rest
    each_s = (ended - ready) / rest if rest else (ready - begun) / first
    sizes = [path.stat().st_size for path in folder.rglob("*.npy")]
    prepared = [each for each in outcomes if isinstance(each, PreparedRecording)]
    return _Measured(
        max(0.0, ready - begun - each_s * first),
        each_s,
        prepared,
        sum(isinstance(each, FailedRecording) for each in outcomes),
        sum(sizes) / max(len(outcomes), 1),
    )


def _within_budget(
    prepare: Callable[[Sequence[Recording]], Iterable[Outcome]],
    recordings: Sequence[Recording],
    step: int,
) -> list[Outcome]:
    """Prepare recordings, so many at a time, until the time for it is over."""
    begun, outcomes = time.perf_counter(), list[Outcome]()
    for first in range(0, len(recordings), step):
        outcomes += prepare(recordings[first : first + step])
        if time.perf_counter() - begun > BUDGET_S:
            break
    return outcomes


def _prepare_step(
    what: str, count: int, measured: _Measured, jobs: int, memory: int, request: PatchesRequest
) -> ForecastStep:
    seconds = max(measured.start_s, 0.0) + count * measured.each_s
    source = "decode" if what == "prepare" else "read the spectrograms of"
    text = (
        f"{source} {count_noun(count, 'recording')} with {count_noun(jobs, 'process', 'processes')}"
    )
    disk = round(count * measured.spectrogram_bytes) if request.keep_spectrograms else 0
    basis = f"{count_noun(measured.count, 'recording')}, {measured.each_s:.2g} s each"
    return ForecastStep(text, (seconds, seconds), memory, disk, basis)


def _writing_step(
    request: PatchesRequest,
    sets: Mapping[str, Sequence[str]],
    work: _Work,
    measured: Sequence[_Measured],
    folder: Path,
) -> ForecastStep:
    recipe: PatchRecipe = request.recipe
    items = sum(map(len, sets.values())) - len(work.missing)
    train = items * len(sets["train"]) / max(sum(map(len, sets.values())), 1)
    size = 4 * recipe.per_item * recipe.frames * recipe.bins
    prepared = [each for group in measured for each in group.prepared]
    failed = sum(group.failed for group in measured)
    items = round(items * (len(prepared) / max(len(prepared) + failed, 1)))
    what = f"scale and write the patches of {count_noun(items, 'item')}"
    if not prepared:
        return ForecastStep(what, None, 0, size * items, "no recording could be prepared")
    start = time.perf_counter()
    patches = np.concatenate([open_dense(each.patches) for each in prepared])
    scaler = fit_scaler([patches], recipe.scale)
    fitted = time.perf_counter()
    ids = [each.recording.item for each in prepared for _ in range(recipe.per_item)]
    shape = (recipe.frames, recipe.bins)
    write_patches(folder / "patches.hdf5", ids, [scaler(patches)], shape, {})
    written = time.perf_counter()
    each_fit, each_write = (fitted - start) / len(prepared), (written - fitted) / len(prepared)
    seconds = train * each_fit + items * each_write
    basis = f"the patches of {count_noun(len(prepared), 'item')}"
    return ForecastStep(what, (seconds, seconds), BASE_MEMORY, size * items, basis)
