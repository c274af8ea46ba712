"""Draw the spectrogram of an item's recording, and where its patches lie."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from tartarus_cli.audio import TRANSFORMS
from tartarus_cli.audio.decoding import RecordingError
from tartarus_cli.audio.patches import decibels, patch_starts
from tartarus_cli.data.dataset import read_sets
from tartarus_cli.errors import DataError, RequestError, nearest, shown
from tartarus_cli.pictures import draw_spectrogram
from tartarus_cli.steps.patches import PatchesOrder, listed_recordings
from tartarus_cli.steps.recordings import Studio, spectrogram
from tartarus_cli.workspace import Workspace

LONGEST_NAME = 100


def show_patches(workspace: Workspace, order: PatchesOrder, item: str, to: Path | None) -> Path:
    """Draw the patches of one item as ``patches`` would cut them; return the picture's path.

    Parameters
    ----------
    workspace
        Where the list is.
    order
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
    inventory = workspace.scan()
    ids = [each for ids in read_sets(inventory, order.dataset).values() for each in ids]
    if item not in ids:
        msg = f"{order.dataset} has no item {item!r}"
        raise RequestError(msg, hint=nearest(item, ids[:10_000]))
    listed = listed_recordings(inventory, order, ids)
    if item not in listed:
        msg = f"the list of recordings does not name {item!r}"
        raise DataError(msg, hint="Add it to the list.")
    recipe, path = order.recipe, listed[item].path
    studio = Studio(recipe, workspace.spectrograms, workspace.spectrograms, keep=False)
    try:
        magnitude = spectrogram(studio, path)
    except RecordingError as problem:
        msg = f"{shown(path)}: {problem}"
        raise DataError(msg, hint="Replace the recording.") from None
    picture = to or workspace.picture(f"patches_{order.dataset}_{_file_name(item)}")
    total, frames = magnitude.shape[1], recipe.frames
    draw_spectrogram(
        picture,
        decibels(magnitude),
        starts=patch_starts(total, frames, recipe.per_item, seed=recipe.seed, item=item).tolist(),
        frames=frames,
        seconds_per_frame=recipe.parameters.hop_length / recipe.parameters.sample_rate,
        frequencies=TRANSFORMS.get(recipe.transform).frequencies(recipe.parameters),
        title=f"{item} ({order.dataset})",
    )
    return picture


def _file_name(item: str) -> str:
    """Write an id as a part of a file name; a long one is cut, and told apart by its hash."""
    name = quote(item, safe="")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{blake2b(item.encode(), digest_size=8).hexdigest()}"
