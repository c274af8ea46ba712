"""Recordings to spectrogram patches: prepared one by one, scaled together, written as HDF5."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tartarus_cli.audio import TRANSFORMS, cached_transform
from tartarus_cli.audio.decoding import RECORDING_EXTENSIONS
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint, fit_scaler
from tartarus_cli.data.arrays import open_dense
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.lists import FileSource, ListedFile, find_listed, save_list
from tartarus_cli.data.patches import FINGERPRINT, SCALER_PATCHES, write_patches, write_scaler
from tartarus_cli.errors import DataError, RequestError, display_path
from tartarus_cli.extraction.workers import (
    ExtractionJob,
    FailedRecording,
    PreparedRecording,
    Recording,
    WorkerOptions,
    prepare_all,
)
from tartarus_cli.file_names import SPLITS, Kind, patch_fields
from tartarus_cli.files import atomic_write, locked, remove_leftovers, shared_folder, write_text
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.options import parse_options
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

BLOCK_BYTES = 1 << 25  # of patches that are scaled at once
MOST_SCALER_PATCHES = 300_000
LISTS = (Kind.AUDIO_LIST, Kind.AUDIO_ERRORS)


@dataclass(frozen=True)
class PatchesRequest:
    """What is asked of the preparation of a dataset's recordings."""

    dataset: str
    recipe: PatchRecipe
    effort: WorkerOptions
    folder: Path | None = None  # of recordings, to make the list from
    keep: bool = True  # the spectrograms
    scaler_patches: int = MOST_SCALER_PATCHES  # train patches that the scaler is fitted on


@dataclass(frozen=True)
class PatchesResult:
    """What was made of a dataset's recordings."""

    dataset: str
    recipe: PatchRecipe
    shape: tuple[int, int]  # frames and bins of a patch
    items: dict[str, int]  # split → items that have patches
    failed: dict[str, str]  # id → reason
    silent: tuple[str, ...]  # ids whose patches are all floor
    short: tuple[str, ...]  # ids with a patch that ends in silence, or is longer than the recording
    files: list[Path]
    errors: Path | None  # the list of failures, if there are any
    seconds: float


def patches_request(
    dataset: str, transform: str, overrides: Sequence[str], effort: WorkerOptions, **rest: Any
) -> PatchesRequest:
    """Return what is asked, its parameters checked.

    Parameters
    ----------
    dataset, transform
        Names.
    overrides
        Parameters of the transform, ``key=value``.
    effort
        How the work is spread.
    rest
        ``per_item``, ``seconds`` and ``seed`` of the recipe, and what else an order has.

    Raises
    ------
    RequestError
        If there is no such transform or parameter, or the parameters do not go together.
    """
    parameters = parse_options(TRANSFORMS.get(transform).options, overrides, transform)
    told = {name: rest.pop(name) for name in ("per_item", "seconds", "seed")}
    try:
        recipe = PatchRecipe(transform=transform, parameters=parameters, **told)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        msg = f"{first['loc'][0]}: {first['msg']}, not {first['input']!r}"
        raise RequestError(msg, hint="Ask for another value.") from None
    check_recipe(recipe)
    return PatchesRequest(dataset, recipe, effort, **rest)


def check_recipe(recipe: PatchRecipe) -> None:
    """Make sure that patches can be made so, before anything is read."""
    try:
        with defer_interrupts():  # an interruption while a library compiles may be lost
            cached_transform(recipe.transform, recipe.parameters)
    except ValueError as problem:
        msg = f"{recipe.transform}: {problem}"
        raise RequestError(msg, hint="Change the parameters of the transform (--set).") from None
    if recipe.frames < 1:
        msg = f"a patch of {recipe.seconds:g} s is shorter than one frame"
        raise RequestError(msg, hint="Ask for more --seconds, or a shorter --set hop_length=…")


def extract_patches(
    workspace: WorkspacePaths, order: PatchesRequest, *, progress: Progress = UNWATCHED
) -> PatchesResult:
    """Make the patches of every item of a dataset that has a recording.

    A recording that cannot be used is left out and listed. Interrupted at any moment and started
    again, it goes on where it was, and the files come out the same, byte for byte.

    Parameters
    ----------
    workspace
        Where the lists are and the patches go.
    order
        The dataset, and how its patches are made.
    progress
        Told of each recording.

    Raises
    ------
    RequestError
        If there is no such dataset or folder.
    DataError
        If there is no list of recordings, or no train recording can be used.
    """
    began = time.monotonic()
    dataset = Dataset(workspace.scan(), order.dataset)
    sets = dataset.split_ids()
    wanted = [item for ids in sets.values() for item in ids]
    with _alone(workspace, order), defer_interrupts() as check:
        _refuse_old_names(dataset, order, sets)
        listed = listed_recordings(dataset, order, wanted)
        _tell_of_gaps(sets, listed, progress)
        staging = _staging(workspace, order)
        studio = ExtractionJob(order.recipe, staging, workspace.spectrograms, order.keep)
        recordings = [Recording(item, listed[item].path) for item in wanted if item in listed]
        prepared, failed = _prepare(studio, recordings, order.effort, progress, check)
        reasons = {each.recording.item: each.reason for each in failed}
        reasons |= {item: "it is not in the list" for item in wanted if item not in listed}
        reasons = {item: reasons[item] for item in wanted if item in reasons}
        errors = _keep_failures(workspace, order.dataset, reasons, listed)
        rows = {s: [prepared[item] for item in ids if item in prepared] for s, ids in sets.items()}
        if not rows["train"]:
            _refuse_all(order, reasons, errors)
        files, shape = _write(workspace, order, rows, progress, check)
    return PatchesResult(
        dataset=order.dataset,
        recipe=order.recipe,
        shape=shape,
        items={split: len(each) for split, each in rows.items()},
        failed=reasons,
        silent=tuple(item for item in wanted if item in prepared and prepared[item].silent),
        short=tuple(item for item in wanted if item in prepared and prepared[item].short),
        files=files,
        errors=errors,
        seconds=time.monotonic() - began,
    )


def listed_recordings(
    dataset: Dataset, order: PatchesRequest, ids: Collection[str], *, keep: bool = True
) -> dict[str, ListedFile]:
    """Return the recordings of a dataset by id; a list made from a folder is kept, if so wanted."""
    workspace = dataset.workspace
    hint = "List the recordings in it (id, tab, path), or name their folder: --audio FOLDER. "
    hint += f"Paths start from {display_path(workspace.audio)}."
    source = FileSource(Kind.AUDIO_LIST, workspace.audio, order.folder, RECORDING_EXTENSIONS, hint)
    listed = find_listed(dataset, ids, source)
    if keep and order.folder is not None:
        save_list(dataset.path(Kind.AUDIO_LIST), listed)
    return {each.id: each for each in listed}


def _refuse_old_names(dataset: Dataset, order: PatchesRequest, sets: Iterable[str]) -> None:
    """Never make patches that would then contradict those of an older name."""
    for split in sets:
        for found in dataset.files.select(Kind.PATCHES, split=split, **_fields(order)):
            if not dataset.files.is_canonical(found):
                path = display_path(found.path)
                msg = f"{path} is there already, the same patches under an older name"
                raise DataError(msg, hint="Use it as it is, or move it away to make others.")


def _tell_of_gaps(
    sets: dict[str, list[str]], listed: dict[str, ListedFile], progress: Progress
) -> None:
    known = {item for ids in sets.values() for item in ids}
    strangers = [item for item in listed if item not in known]
    if strangers:
        some = ", ".join(strangers[:3]) + (", …" if len(strangers) > 3 else "")
        progress.warn(f"{len(strangers):,} recordings belong to no item and are not used: {some}")
    by_path: dict[Path, str] = {}
    doubles = [
        f"{by_path[each.path]} and {item}"
        for item, each in listed.items()
        if item in known and by_path.setdefault(each.path, item) != item
    ]
    if doubles:
        some = ", ".join(doubles[:3]) + (", …" if len(doubles) > 3 else "")
        progress.warn(f"{len(doubles):,} recordings belong to two items: {some}")


@contextmanager
def _alone(workspace: WorkspacePaths, order: PatchesRequest) -> Iterator[None]:
    """Let nobody else work at this dataset, and remove what killed commands left.

    What they wrote half goes at once, the patches of other kinds that they had prepared when this
    command is done.
    """
    folder, fields = workspace.data / "patches", _fields(order)
    written = {workspace.place(Kind.PATCHES, split=split, **fields) for split in SPLITS}
    written.add(workspace.place(Kind.SCALER, **fields))
    written |= {workspace.place(kind, dataset=order.dataset) for kind in LISTS}
    with locked(folder / f".making_{order.dataset}.lock"):
        for place in {path.parent for path in written}:
            remove_leftovers(place, {path.name for path in written})
        yield
        for staging in folder.glob(f".making_{escape(order.dataset)}_*"):
            shutil.rmtree(staging, ignore_errors=True)


def _fields(order: PatchesRequest) -> dict[str, str]:
    return {"dataset": order.dataset} | patch_fields(order.recipe.per_item, order.recipe.seconds)


def _staging(workspace: WorkspacePaths, order: PatchesRequest) -> Path:
    """Where the patches of each recording wait; what another recipe left there is not used."""
    name = ".making_{dataset}_{count}_{seconds}".format(**_fields(order))
    return workspace.data / "patches" / name


def _prepare(
    studio: ExtractionJob,
    recordings: Sequence[Recording],
    effort: WorkerOptions,
    progress: Progress,
    check: Callable[[], None],
) -> tuple[dict[str, PreparedRecording], list[FailedRecording]]:
    """Prepare all recordings; what has been prepared before takes no time."""
    prepared, failed = dict[str, PreparedRecording](), list[FailedRecording]()
    studio.staging.mkdir(parents=True, exist_ok=True)
    kept = shared_folder(studio.kept) if studio.keep else nullcontext()
    with kept, progress.task("preparing recordings", len(recordings)) as task:
        began = time.monotonic()
        for number, each in enumerate(prepare_all(studio, recordings, effort, check), 1):
            if isinstance(each, FailedRecording):
                failed.append(each)
            else:
                prepared[each.recording.item] = each
            rate = number / (time.monotonic() - began)
            task.describe(f"preparing recordings, {rate:.1f} a second")
            task.advance()
    return prepared, failed


def _keep_failures(
    workspace: WorkspacePaths, dataset: str, reasons: dict[str, str], listed: dict[str, ListedFile]
) -> Path | None:
    place = workspace.place(Kind.AUDIO_ERRORS, dataset=dataset)
    if not reasons:
        place.unlink(missing_ok=True)
        return None
    named = {item: listed[item].name if item in listed else "" for item in reasons}
    lines = (f"{item}\t{named[item]}\t{reason}\n" for item, reason in sorted(reasons.items()))
    write_text(place, "".join(lines))
    return place


def _refuse_all(order: PatchesRequest, reasons: dict[str, str], errors: Path | None) -> None:
    item, reason = next(iter(reasons.items()))
    msg = f"no train recording of {order.dataset} can be used; {item!r}: {reason}"
    raise DataError(msg, hint=f"{display_path(errors) if errors else 'The list'} names them all.")


def _write(
    workspace: WorkspacePaths,
    order: PatchesRequest,
    rows: dict[str, list[PreparedRecording]],
    progress: Progress,
    check: Callable[[], None],
) -> tuple[list[Path], tuple[int, int]]:
    """Write the scaler and the files of all sets; they take their places together."""
    recipe, fields = order.recipe, _fields(order)
    frames, bins = recipe.frames, recipe.bins
    at_once = max(1, BLOCK_BYTES // (4 * recipe.per_item * frames * bins))
    total = len(rows["train"]) + sum(map(len, rows.values()))
    with ExitStack() as stack, progress.task("scaling and writing patches", total) as task:

        def blocks(prepared: Sequence[PreparedRecording]) -> Iterator[NDArray[np.float32]]:
            for first in range(0, len(prepared), at_once):
                some = prepared[first : first + at_once]
                check()
                yield np.concatenate([open_dense(each.patches) for each in some])
                task.advance(len(some))

        chosen = _chosen(len(rows["train"]) * recipe.per_item, order.scaler_patches, recipe.seed)
        scaler = fit_scaler(_some_of(blocks(rows["train"]), chosen))
        files = [workspace.place(Kind.SCALER, **fields)]
        write_scaler(stack.enter_context(atomic_write(files[0])), scaler.mean, scaler.scale)
        told = _attributes(order, scaler)
        for split, prepared in rows.items():
            files.append(workspace.place(Kind.PATCHES, split=split, **fields))
            ids = [each.recording.item for each in prepared for _ in range(recipe.per_item)]
            beside = stack.enter_context(atomic_write(files[-1]))
            write_patches(beside, ids, map(scaler, blocks(prepared)), (frames, bins), told)
    return files, (frames, bins)


def _chosen(total: int, most: int, seed: int) -> NDArray[np.bool_]:
    """Draw which train patches the scaler is fitted on, where there are too many."""
    chosen = np.ones(total, bool)
    if total > most:
        rng = np.random.default_rng(seed)
        chosen[rng.choice(total, total - most, replace=False)] = False
    return chosen


def _some_of(
    blocks: Iterable[NDArray[np.float32]], chosen: NDArray[np.bool_]
) -> Iterator[NDArray[np.float32]]:
    first = 0
    for block in blocks:
        wanted = chosen[first : first + len(block)]
        first += len(block)
        if wanted.any():
            yield block[wanted]


def _attributes(order: PatchesRequest, scaler: Scaler) -> dict[str, Any]:
    """Return what a file of patches says of how it was made."""
    recipe = order.recipe
    told = recipe.model_dump(exclude={"parameters"}) | recipe.parameters.model_dump()
    told |= {SCALER_PATCHES: order.scaler_patches}
    return told | {FINGERPRINT: fingerprint(recipe, scaler)}
