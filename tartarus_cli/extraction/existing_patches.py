"""Patches that exist already: they are not replaced by others without being asked to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tartarus_cli.audio.patches import NEWER_FIELDS, PatchRecipe
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.patches import COMPLETE, open_patch_file
from tartarus_cli.errors import DataError, FileError, RequestError, display_path, parameter
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.file_names import Kind
from tartarus_cli.models.preprocessing import read_patch_recipe

FREE_FIELDS = ("seed", *NEWER_FIELDS)
"""Fields of a recipe that are not in the names of files, beside the parameters."""


def check_existing_patches(
    dataset: Dataset, request: PatchesRequest, splits: Iterable[str]
) -> None:
    """Make sure that patches may be written where they are requested.

    Raises
    ------
    DataError
        If they exist under an older name.
    RequestError
        If there are others, made by other parameters, and they are not to be replaced.
    """
    _refuse_old_names(dataset, request, splits)
    if not request.force:
        _refuse_other_patches(dataset, request)


def _refuse_old_names(dataset: Dataset, request: PatchesRequest, sets: Iterable[str]) -> None:
    """Refuse to make patches that would contradict those under an older name."""
    for split in sets:
        for file in dataset.files.select(Kind.PATCHES, split=split, **request.fields):
            if not dataset.files.is_canonical(file):
                path = display_path(file.path)
                msg = f"{path} is there already, the same patches under an older name"
                raise DataError(msg, hint="Use it as it is, or move it away to make others.")


def _refuse_other_patches(dataset: Dataset, request: PatchesRequest) -> None:
    """Refuse to replace patches that were made by other parameters; damaged ones are replaced."""
    for file in dataset.files.select(Kind.PATCHES, **request.fields):
        attributes: dict[str, Any] = {COMPLETE: False}
        with suppress(FileError), open_patch_file(file.path) as store:
            attributes = dict(store.attrs)
        recipe = read_patch_recipe(attributes)
        if recipe == request.recipe or not attributes.get(COMPLETE, True):
            continue
        differences = _differences(recipe, request.recipe)
        words = [f"{key} {before}, not {after}" for key, before, after in differences]
        found = ", ".join(words) or "they do not say how they were made"
        msg = f"{display_path(file.path)} holds other patches already: {found}"
        name = parameter("name", _other_name(request, differences))
        force = parameter("force", value=True)
        hint = f"To keep both, give these a name: {name}. To replace them: {force}"
        raise RequestError(msg, hint=hint)


def _differences(old: PatchRecipe | None, new: PatchRecipe) -> list[tuple[str, Any, Any]]:
    """Return the parameters in which two ways of making patches differ, with their values."""
    if old is None:
        return []
    if old.transform != new.transform:
        return [("transform", old.transform, new.transform)]
    before, after = (
        recipe.parameters.model_dump() | {name: getattr(recipe, name) for name in FREE_FIELDS}
        for recipe in (old, new)
    )
    return [(key, before[key], after[key]) for key in after if before[key] != after[key]]


def _other_name(request: PatchesRequest, differences: list[tuple[str, Any, Any]]) -> str:
    """Propose a name that tells patches from those that exist."""
    words = [request.name] if request.name else []
    if not differences or differences[0][0] == "transform":
        words.append(request.transform)
    else:
        words += [f"{key}-{after}" for key, _, after in differences]
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words))[:50].strip("-")
