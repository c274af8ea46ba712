"""How the inputs of a model were made, kept with it, so that new items are prepared alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from tartarus_cli.audio.patches import NEWER_FIELDS, PatchRecipe
from tartarus_cli.audio.scaler import Scaler, fingerprint
from tartarus_cli.data.array_writing import save_arrays
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.encoded import EncoderRecord, ProgramRecord
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet, PatchSource
from tartarus_cli.data.patches import (
    COMPLETE,
    FINGERPRINT,
    RECREATE_PATCHES,
    SCALER_PATCHES,
    read_scaler,
)
from tartarus_cli.data.pooled_patches import PooledScaling
from tartarus_cli.data.provenance import (
    FeatureManifest,
    read_feature_manifest,
    read_json_model,
)
from tartarus_cli.data.vocabulary import read_vocabulary
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    TartarusError,
    call,
    display_path,
    parameter,
)
from tartarus_cli.experiments.inputs import input_sources, patch_source
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.files import atomic_write, read_text, same_content, write_text
from tartarus_cli.models.store import Model
from tartarus_cli.text import Vocabulary

RECIPE, SCALER, VOCABULARY = "patches.json", "scaler.npz", "vocabulary.json"
ENCODER, POOLED = "encoder.json", "pooled.npz"
"""Files of a model's folder; the last two are the manifest of a setting that an encoder made, and
what standardises pooled patches."""

FileNoun = Literal["recordings", "documents"]
"""What an input of a model is made of."""

PARAMETER: Mapping[FileNoun, str] = {"recordings": "audio", "documents": "text"}
"""Noun of new files → the parameter that names them."""


@dataclass(frozen=True)
class PatchInput:
    """An input that is made of recordings: scaled patches of their spectrograms."""

    recipe: PatchRecipe
    scaler: Scaler
    noun: ClassVar[FileNoun] = "recordings"
    label: ClassVar[str] = "patches"


@dataclass(frozen=True)
class VocabularyInput:
    """An input that is made of documents, by the vocabulary of a setting."""

    label: str
    """The setting."""
    vocabulary: Vocabulary
    noun: ClassVar[FileNoun] = "documents"

    @property
    def width(self) -> int:
        """Columns of its rows."""
        return self.vocabulary.width


@dataclass(frozen=True)
class EncodedInput:
    """An input that an encoder, or a program of others, makes of recordings or documents."""

    label: str
    """The setting."""
    record: EncoderRecord | ProgramRecord
    """How its vectors were made."""
    width: int
    """Columns of its rows."""

    @property
    def noun(self) -> FileNoun:
        """What it is made of."""
        return "recordings" if self.record.kind == "audio" else "documents"


NewInput = PatchInput | VocabularyInput | EncodedInput
"""How an input of a model is made of new files."""


def save_preprocessing(
    folder: Path,
    dataset: Dataset,
    experiment: Experiment,
    settings: Sequence[str],
    items: ItemSet,
) -> None:
    """Save in a model's folder how new recordings or documents are prepared for it.

    Of patches: the recipe, and a copy of the scaler; of a setting of documents: a copy of the
    vocabulary; of one that an encoder made: a copy of the manifest. Data that do not record how
    they were made leave nothing.

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
    if experiment.patches is not None and items.patch_file is not None:
        source, attributes = patch_source(experiment), items.patch_file.attributes
        scaler = dataset.find(Kind.SCALER, **source.fields)
        recipe = read_patch_recipe(attributes)
        if recipe is not None and scaler is not None:
            check_scaler_fits(scaler.path, recipe, attributes)
            write_text(folder / RECIPE, recipe.model_dump_json(indent=2) + "\n")
            _copy(scaler.path, folder / SCALER)
    for matrix in items.inputs:
        if isinstance(matrix, Matrix) and matrix.pooled is not None:
            scaling = matrix.pooled.scaling
            save_arrays(folder / POOLED, [("mean", scaling.mean), ("scale", scaling.scale)])
    for setting in dict.fromkeys(settings):
        vocabulary = dataset.find(Kind.VOCABULARY, setting=setting)
        if vocabulary is not None:
            _copy(vocabulary.path, folder / _copy_name(VOCABULARY, setting, settings))
        manifest = dataset.find(Kind.FEATURE_MANIFEST, setting=setting)
        if manifest is not None and _is_encoded(manifest.path):
            _copy(manifest.path, folder / _copy_name(ENCODER, setting, settings))


def _is_encoded(manifest: Path) -> bool:
    """Whether a manifest says that new files can be encoded as those of the setting were."""
    with suppress(FileError):
        return read_feature_manifest(manifest).maker is not None
    return False


def _copy_name(name: str, setting: str, settings: Sequence[str]) -> str:
    """Return the name of a copy in a model's folder; that of a single setting is not named."""
    stem, dot, ending = name.partition(".")
    return name if len(settings) == 1 else f"{stem}_{setting}{dot}{ending}"


def open_pooled_scaling(model: Model) -> PooledScaling | None:
    """Return what standardises the pooled patches of a model; None if it pools none.

    Raises
    ------
    FileError
        If its file is missing or damaged.
    """
    if model.baseline is None or model.experiment.patches is None:
        return None
    mean, scale = read_scaler(model.folder / POOLED)
    if len(mean) != model.manifest.widths[0]:
        raise _damaged(model.folder / POOLED, ValueError(f"{len(mean):,} columns"))
    return PooledScaling(mean, scale)


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
    settings = model.manifest.settings
    for setting in dict.fromkeys(settings):
        copy = model.folder / _copy_name(VOCABULARY, setting, settings)
        present = model.dataset.find(Kind.VOCABULARY, setting=setting)
        if copy.exists() and present is not None and not same_content(copy, present.path):
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


def open_new_inputs(model: Model, given: Collection[FileNoun]) -> list[NewInput]:
    """Return how the inputs of a model are made of new files, in order.

    Parameters
    ----------
    model
        The model.
    given
        What new files there are.

    Raises
    ------
    RequestError
        If an input is not made of such files, or did not record how; or if some of the files are
        of no use.
    FileError
        If what the folder of the model says of it is damaged.
    """
    sources = input_sources(model.experiment, model.manifest.settings)
    opened = [None if isinstance(s, PatchSource) else _open_setting(model, s) for s in sources]
    unknown = [
        s for s, known in zip(sources, opened, strict=True) if isinstance(s, str) and not known
    ]
    nouns = {PatchInput.noun if known is None else known.noun for known in opened}
    if unknown or not nouns & {*given}:
        raise _cannot_predict(model, given, unknown if len(sources) == 1 else [])
    for noun in sorted(nouns ^ {*given}):
        if noun in nouns:
            msg = f"{model.name} also needs {noun}: its inputs are {_describe_inputs(model)}"
            name = parameter(PARAMETER[noun], Placeholder("FOLDER"))
            raise RequestError(msg, hint=f"Name them too, under the same names: {name}")
        msg = f"{model.name} reads no {noun}: its inputs are {_describe_inputs(model)}"
        raise RequestError(msg, hint=f"Leave {parameter(PARAMETER[noun])} out.")
    return [PatchInput(*_open_recipe(model)) if known is None else known for known in opened]


def _open_setting(model: Model, setting: str) -> VocabularyInput | EncodedInput | None:
    """Return how a setting is made of new files; None if that is not recorded."""
    settings = model.manifest.settings
    vocabulary = model.folder / _copy_name(VOCABULARY, setting, settings)
    if vocabulary.exists():
        return VocabularyInput(setting, read_vocabulary(vocabulary))
    path = model.folder / _copy_name(ENCODER, setting, settings)
    if not path.exists():
        return None
    manifest = read_json_model(
        path, FeatureManifest, expected="how a setting was made", hint="Train the model again."
    )
    record = manifest.maker
    return None if record is None else EncodedInput(setting, record, manifest.width)


def _open_recipe(model: Model) -> tuple[PatchRecipe, Scaler]:
    """Return the recipe and the scaler that new recordings are prepared with for a model."""
    recipe = stored_recipe(model)
    if recipe is None:
        msg = f"{model.name} was trained on patches whose file does not say how they were made"
        command = call("patches", model.manifest.dataset)
        raise RequestError(msg, hint=f"Recreate them, and train again: {command}")
    scaler = Scaler(*read_scaler(model.folder / SCALER))
    if scaler.mean.shape != (recipe.frames * recipe.bins,):
        raise _damaged(model.folder / SCALER, ValueError(f"{len(scaler.mean):,} positions"))
    return recipe, scaler


def _cannot_predict(
    model: Model, given: Collection[FileNoun], unknown: Sequence[str]
) -> RequestError:
    """Return the error of a model whose inputs are not made of the given files alone."""
    if unknown and {*given} == {"documents"}:
        msg = f"{model.name} was trained on {unknown[0]}, which was not extracted by `text()`"
        hint = "To predict for new documents, train a model on a setting from `text()`."
        return RequestError(msg, hint=hint)
    nouns = " and ".join(sorted(given, reverse=True))
    msg = f"{model.name} cannot predict from {nouns} alone: its inputs are "
    hint = f"For new {nouns}, use a model without other inputs; to see all: {call('list_models')}"
    return RequestError(msg + _describe_inputs(model), hint=hint)


def _describe_inputs(model: Model) -> str:
    kinds = ", ".join(model.experiment.inputs.kinds)
    settings = " ".join(model.manifest.settings)
    return f"{kinds} ({settings})" if settings else kinds


def _damaged(path: Path, problem: Exception) -> FileError:
    found = f"damaged ({str(problem).splitlines()[0][:100]})"
    hint = "Train the model again."
    return FileError(path, found=found, expected="how patches are made", hint=hint)
