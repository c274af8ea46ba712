"""How the inputs of a model were made, kept with it, so that new items are prepared alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

from pydantic import ValidationError

from tartarus_cli.audio.patches import NEWER_FIELDS, PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import (
    COMPLETE,
    FINGERPRINT,
    RECREATE_PATCHES,
    SCALER_PATCHES,
    read_scaler,
)
from tartarus_cli.data.vocabulary import read_vocabulary
from tartarus_cli.errors import FileError, RequestError, TartarusError, call, display_path
from tartarus_cli.experiments.inputs import patch_source
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.files import atomic_write, read_text, same_content, write_text
from tartarus_cli.models.store import Model
from tartarus_cli.text import Vocabulary

RECIPE, SCALER, VOCABULARY = "patches.json", "scaler.npz", "vocabulary.json"
"""Files of a model's folder."""


def save_preprocessing(
    folder: Path,
    dataset: Dataset,
    experiment: Experiment,
    settings: Sequence[str],
    items: ItemSet,
) -> None:
    """Save in a model's folder how new recordings or documents are prepared for it.

    Of patches: the recipe, and a copy of the scaler; of one setting of documents: a copy of the
    vocabulary. Data that do not record how they were made leave nothing.

    Parameters
    ----------
    folder
        The model's.
    dataset, experiment, settings
        The dataset, the experiment and the settings that it is trained with.
    items
        Its train items.

    Raises
    ------
    FileError
        If the scaler is damaged, or not that of the patches.
    """
    if experiment.patches is not None and items.patches is not None:
        source = patch_source(experiment)
        scaler = dataset.find(Kind.SCALER, **source.fields)
        recipe = read_patch_recipe(items.patches.attributes)
        if recipe is not None and scaler is not None:
            check_scaler_fits(scaler.path, recipe, items.patches.attributes)
            write_text(folder / RECIPE, recipe.model_dump_json(indent=2) + "\n")
            _copy(scaler.path, folder / SCALER)
    elif len(settings) == 1:
        vocabulary = dataset.find(Kind.VOCABULARY, setting=settings[0])
        if vocabulary is not None:
            _copy(vocabulary.path, folder / VOCABULARY)


def check_scaler_fits(path: Path, recipe: PatchRecipe, attributes: Mapping[str, Any]) -> None:
    """Make sure that a scaler is the one that a file of patches was scaled with.

    Raises
    ------
    FileError
        If it is damaged, or another one.
    """
    scaler = Scaler(*read_scaler(path))
    recorded = str(attributes.get(FINGERPRINT, ""))  # empty in old files of patches
    if recorded and fingerprint(recipe, scaler) != recorded:
        raise FileError(
            path,
            found="another scaler than that of the patches",
            expected="the one that was written with them",
            hint=RECREATE_PATCHES,
        )


def check_vocabulary_unchanged(model: Model) -> None:
    """Make sure that a setting still has the vocabulary that its model was trained with.

    Raises
    ------
    FileError
        If the setting was extracted again, with another one.
    """
    copy = model.folder / VOCABULARY
    if not copy.exists():
        return
    (setting,) = model.manifest.settings
    present = model.dataset.find(Kind.VOCABULARY, setting=setting)
    if present is not None and not same_content(copy, present.path):
        raise FileError(
            present.path,
            found=f"another vocabulary than {model.name} was trained with",
            expected=f"that of {display_path(copy)}",
            hint="Train the model again; or extract the setting again with the old parameters.",
        )


def _copy(path: Path, to: Path) -> None:
    with atomic_write(to) as temporary:
        copyfile(path, temporary)


def read_patch_recipe(attributes: Mapping[str, Any]) -> PatchRecipe | None:
    """Read from the attributes of a file of patches how they were made; None if not recorded."""
    plain = {name: _plain(value) for name, value in attributes.items()}
    common = {name: plain.get(name) for name in ("transform", "per_item", "seconds", "seed")}
    common |= {name: plain.get(name, older) for name, older in NEWER_FIELDS.items()}
    others = (*common, COMPLETE, FINGERPRINT, SCALER_PATCHES)
    parameters = {name: value for name, value in plain.items() if name not in others}
    try:
        return PatchRecipe.model_validate(common | {"parameters": parameters})
    except (ValidationError, TartarusError):
        return None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value


def stored_recipe(model: Model) -> PatchRecipe | None:
    """Return how the patches were made that a model was trained on; None if not recorded.

    Raises
    ------
    FileError
        If the recipe in the model's folder is damaged.
    """
    path = model.folder / RECIPE
    if not path.exists():
        return None
    try:
        return PatchRecipe.model_validate_json(read_text(path))
    except (ValidationError, TartarusError) as problem:
        raise _damaged(path, problem) from None


def open_recipe(model: Model) -> tuple[PatchRecipe, Scaler]:
    """Return the recipe and the scaler that new recordings are prepared with for a model.

    Raises
    ------
    RequestError
        If patches are not its only input, or those it was trained on recorded no recipe.
    FileError
        If the recipe or the scaler in its folder is damaged.
    """
    experiment = model.experiment
    if set(experiment.inputs.kinds) != {"patches"}:
        _refuse(model, "recordings")
    recipe = stored_recipe(model)
    if recipe is None:
        msg = f"{model.name} was trained on patches whose file does not say how they were made"
        command = call("patches", model.manifest.dataset)
        raise RequestError(msg, hint=f"Recreate them, and train again: {command}")
    scaler = Scaler(*read_scaler(model.folder / SCALER))
    if scaler.mean.shape != (recipe.frames * recipe.bins,):
        raise _damaged(model.folder / SCALER, ValueError(f"{len(scaler.mean):,} positions"))
    return recipe, scaler


def open_vocabulary(model: Model) -> Vocabulary:
    """Return the vocabulary that turns new documents into inputs of a model.

    Raises
    ------
    RequestError
        If its only input is not one setting, or that setting was not extracted by ``text``.
    FileError
        If the vocabulary in its folder is damaged.
    """
    experiment = model.experiment
    if "patches" in experiment.inputs.kinds or len(model.manifest.settings) != 1:
        _refuse(model, "documents")
    path = model.folder / VOCABULARY
    if not path.exists():
        (setting,) = model.manifest.settings
        msg = f"{model.name} was trained on {setting}, which was not extracted by `text()`"
        hint = "To predict for new documents, train a model on a setting from `text()`."
        raise RequestError(msg, hint=hint)
    return read_vocabulary(path)


def _refuse(model: Model, noun: str) -> None:
    kinds = ", ".join(model.experiment.inputs.kinds)
    settings = " ".join(model.manifest.settings)
    inputs = f"{kinds} ({settings})" if settings else kinds
    msg = f"{model.name} cannot predict from {noun} alone: its inputs are {inputs}"
    hint = f"For new {noun}, use a model without other inputs; to see all: {call('list_models')}"
    raise RequestError(msg, hint=hint)


def _damaged(path: Path, problem: Exception) -> FileError:
    found = f"damaged ({str(problem).splitlines()[0][:100]})"
    hint = "Train the model again."
    return FileError(path, found=found, expected="how patches are made", hint=hint)
