"""Pictures of the spectrogram of a recording, with the places of its patches."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from tartarus_cli.audio import TRANSFORMS, Magnitude
from tartarus_cli.audio.decoding import RecordingError
from tartarus_cli.audio.patches import PatchRecipe, decibels, is_silent
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import open_patch_file
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, nearest
from tartarus_cli.extraction.patch_job import PatchJob, spectrogram
from tartarus_cli.extraction.recordings import find_recordings
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_bytes
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.preprocessing import read_patch_recipe
from tartarus_cli.pictures import draw_spectrogram
from tartarus_cli.pictures.canvas import picture_format
from tartarus_cli.progress import UNWATCHED, Progress

LONGEST_NAME = 100
"""Longest part of a picture's file name that is made of an id."""


def show_patches(
    workspace: WorkspacePaths,
    request: PatchesRequest,
    item: str,
    path: Path | None,
    *,
    progress: Progress = UNWATCHED,
) -> Path:
    """Draw the spectrogram and the patches of one item; return the path of the picture.

    The patches are those that the request describes; but if it describes the default ones, and the
    dataset has patches of exactly one kind, it is these.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The dataset, and how patches are made.
    item
        Id of the item.
    path
        File of the picture, PNG or SVG by its extension; None: one in the folder of results.
    progress
        Receives a warning of what the recording lacks.

    Raises
    ------
    RequestError
        If the dataset or the item does not exist, or the extension is another one.
    DataError
        If the recording cannot be used.
    """
    dataset = Dataset(workspace.scan(), request.dataset)
    ids = [item for ids in dataset.split_ids().values() for item in ids]
    if path is not None and path.is_dir():
        msg = f"{path} is a folder"
        raise RequestError(msg, hint="Name a file that ends in .png or .svg.")
    if item not in ids:
        msg = f"{request.dataset} has no item {item!r}"
        raise RequestError(msg, hint=nearest(item, ids[:10_000]))
    recordings = find_recordings(dataset, request.audio, ids, save=False)
    if item not in recordings:
        msg = f"the list of recordings does not name {item!r}"
        raise DataError(msg, hint="Add it to the list.")
    recipe = _choose_recipe(dataset, request)
    magnitude, remark = _read_spectrogram(workspace, recipe, recordings[item].path)
    if remark:
        progress.warn(f"{display_path(recordings[item].path)}: {remark}")
    elif is_silent(magnitude):
        progress.warn(f"{display_path(recordings[item].path)} is silent")
    picture = path or workspace.picture(f"patches_{request.dataset}_{_file_name(item)}")
    content = draw_spectrogram(
        decibels(magnitude),
        starts=recipe.start_frames(magnitude, item).tolist(),
        frames=recipe.frames,
        seconds_per_frame=recipe.parameters.hop_length / recipe.parameters.sample_rate,
        frequencies=TRANSFORMS.get(recipe.transform).frequencies(recipe.parameters),
        title=f"{item} ({request.dataset}): {recipe.description}",
        file_format=picture_format(picture),
    )
    write_bytes(picture, content)
    return picture


def _read_spectrogram(
    workspace: WorkspacePaths, recipe: PatchRecipe, path: Path
) -> tuple[Magnitude, str]:
    folder = workspace.spectrograms
    job = PatchJob(recipe, staging=folder, spectrograms=folder, keep_spectrograms=False)
    try:
        return spectrogram(job, path)
    except RecordingError as problem:
        msg = f"{display_path(path)}: {problem}"
        raise DataError(msg, hint="Replace the recording.") from None


def _choose_recipe(dataset: Dataset, request: PatchesRequest) -> PatchRecipe:
    """Return the recipe of the dataset's only patches if the default one is requested."""
    requested = request.recipe
    default = PatchRecipe.model_validate({"transform": "cqt", "parameters": {}})
    existing = []
    name = {"name": f"_{request.name}"} if request.name else {}
    for file in dataset.select(Kind.PATCHES, split="train", **name):
        with suppress(FileError), open_patch_file(file.path) as store:
            existing.append(read_patch_recipe(store.attrs))
    is_default = requested.model_copy(update={"seed": default.seed}) == default
    recipe = existing[0] if len(existing) == 1 else None
    return recipe if is_default and recipe is not None else requested


def _file_name(item: str) -> str:
    """Write an id as a part of a file name; a long one is cut, and its hash is added."""
    name = quote(item, safe="")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{blake2b(item.encode(), digest_size=8).hexdigest()}"
