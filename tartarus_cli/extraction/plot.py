"""Draw the spectrogram of an item's recording, and where its patches lie."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from tartarus_cli.audio import TRANSFORMS
from tartarus_cli.audio.decoding import RecordingError
from tartarus_cli.audio.patches import PatchRecipe, decibels, patch_starts
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import open_patch_file
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, nearest
from tartarus_cli.extraction.patches import PatchesRequest, listed_recordings
from tartarus_cli.extraction.workers import ExtractionJob, spectrogram
from tartarus_cli.file_names import Kind
from tartarus_cli.files import write_bytes
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.preprocessing import read_patch_recipe
from tartarus_cli.pictures import draw_spectrogram, picture_format

LONGEST_NAME = 100
USUAL = "cqt"  # the transform that is meant if none is named


def show_patches(
    workspace: WorkspacePaths, request: PatchesRequest, item: str, to: Path | None
) -> Path:
    """Draw the patches of one item; return the picture's path.

    They are those that ``patches`` would cut with these parameters; but where they are the usual
    ones, and patches of one other kind have been made, they are those.

    Parameters
    ----------
    workspace
        Where the list is.
    request
        The dataset, and how patches are made.
    item
        The id.
    to
        The picture, PNG or SVG by its ending; if None, one in the folder of results.

    Raises
    ------
    RequestError
        If the dataset or the item does not exist, or the ending is another one.
    DataError
        If the recording cannot be used.
    """
    dataset = Dataset(workspace.scan(), request.dataset)
    ids = [item for ids in dataset.split_ids().values() for item in ids]
    if to is not None and to.is_dir():
        msg = f"{to} is a folder"
        raise RequestError(msg, hint="Name a file that ends in .png or .svg.")
    if item not in ids:
        msg = f"{request.dataset} has no item {item!r}"
        raise RequestError(msg, hint=nearest(item, ids[:10_000]))
    listed = listed_recordings(dataset, request, ids, keep=False)
    if item not in listed:
        msg = f"the list of recordings does not name {item!r}"
        raise DataError(msg, hint="Add it to the list.")
    recipe, path = _recipe(dataset, request), listed[item].path
    studio = ExtractionJob(recipe, workspace.spectrograms, workspace.spectrograms, keep=False)
    try:
        magnitude = spectrogram(studio, path)
    except RecordingError as problem:
        msg = f"{display_path(path)}: {problem}"
        raise DataError(msg, hint="Replace the recording.") from None
    picture = to or workspace.picture(f"patches_{request.dataset}_{_file_name(item)}")
    total, frames = magnitude.shape[1], recipe.frames
    drawn = draw_spectrogram(
        decibels(magnitude),
        starts=patch_starts(total, frames, recipe.per_item, seed=recipe.seed, item=item).tolist(),
        frames=frames,
        seconds_per_frame=recipe.parameters.hop_length / recipe.parameters.sample_rate,
        frequencies=TRANSFORMS.get(recipe.transform).frequencies(recipe.parameters),
        title=f"{item} ({request.dataset}): {recipe.description}",
        file_format=picture_format(picture),
    )
    write_bytes(picture, drawn)
    return picture


def _recipe(dataset: Dataset, request: PatchesRequest) -> PatchRecipe:
    usual = PatchRecipe.model_validate({"transform": USUAL, "parameters": {}})
    made = []
    for file in dataset.select(Kind.PATCHES, split="train"):
        with suppress(FileError), open_patch_file(file.path) as store:
            made.append(read_patch_recipe(store.attrs))
    asked = request.recipe.model_copy(update={"seed": usual.seed})
    only = made[0] if len(made) == 1 else None
    return only if asked == usual and only is not None else request.recipe


def _file_name(item: str) -> str:
    """Write an id as a part of a file name; a long one is cut, and told apart by its hash."""
    name = quote(item, safe="")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{blake2b(item.encode(), digest_size=8).hexdigest()}"
