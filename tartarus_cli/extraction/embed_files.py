"""The files of a setting that an encoder makes, and whether they may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.encoded import EncoderRecord, ProgramRecord
from tartarus_cli.data.provenance import read_feature_manifest
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    call,
    display_path,
    parameter,
)
from tartarus_cli.experiments.settings import check_setting_name, setting_name_error
from tartarus_cli.extraction.embed_request import EmbedRequest
from tartarus_cli.file_names import Kind, parse_path
from tartarus_cli.files import locked, locked_together, remove_leftovers, remove_own_folder
from tartarus_cli.layout import WorkspacePaths


@dataclass(frozen=True)
class VectorFiles:
    """Paths of the files of one setting."""

    features: Mapping[str, Path]
    """Split → matrix."""
    masks: Mapping[str, Path]
    """Split → mask, which is there only where items lack the setting."""
    manifest: Path
    lock: Path
    """The lock of whoever writes the setting, in whatever way."""

    @property
    def folder(self) -> Path:
        """Folder of what shards and a cluster leave for the command that joins them."""
        return self.lock.with_suffix("")


def vector_files(
    workspace: WorkspacePaths, request: EmbedRequest, splits: Sequence[str]
) -> VectorFiles:
    """Return the files of the setting.

    Raises
    ------
    RequestError
        If no setting can have its name.
    """
    option = f"{parameter('setting')} "
    check_setting_name(request.setting_name, option=option)
    fields = {"setting": request.setting_name, "dataset": request.dataset}
    path, manifest = workspace.path_of, workspace.path_of(Kind.FEATURE_MANIFEST, **fields)
    parsed = parse_path(manifest, "datasets/train_data")
    if parsed is None or parsed.fields != fields:
        raise setting_name_error(request.setting_name, option=option)
    vocabulary = path(Kind.VOCABULARY, **fields)
    return VectorFiles(
        {split: path(Kind.FEATURES, split=split, ext="npy", **fields) for split in splits},
        {split: path(Kind.MASK, split=split, **fields) for split in splits},
        manifest,
        vocabulary.with_name(f".making_{vocabulary.name}.lock"),
    )


def lock_for_shard(files: VectorFiles) -> AbstractContextManager[None]:
    """Keep other commands from writing this setting, but for those that do shards."""
    return locked_together(files.lock)


@contextmanager
def lock_setting(files: VectorFiles) -> Iterator[None]:
    """Keep other commands from writing this setting; remove files that a killed one left.

    What shards left is removed when the block ends well.
    """
    paths = [*files.features.values(), *files.masks.values(), files.manifest]
    with locked(files.lock):
        remove_leftovers(files.manifest.parent, {path.name for path in paths})
        yield
        remove_own_folder(files.folder)


def refuse_other_settings(dataset: Dataset, request: EmbedRequest, files: VectorFiles) -> None:
    """Refuse to write over a setting of this name that was made otherwise, unless it is forced.

    Raises
    ------
    RequestError
        If there is one.
    """
    setting = request.setting_name
    existing = [f for f in dataset.own_files if f.fields.get("setting") == setting]
    name = parameter("setting", Placeholder("NAME"))
    for file in existing:
        if file.kind in (Kind.VOCABULARY, Kind.WORD_VECTORS):
            msg = f"{dataset.name} has a setting {setting} already, made by {call('text')}: "
            hint = f"Choose another name with {name}, or move its files away."
            raise RequestError(msg + display_path(file.path), hint=hint)
    if not existing or request.force:
        return
    record = _record(files.manifest)
    differences = (
        ["it was made in another way"] if record is None else _differences(record, request)
    )
    if differences:
        path = files.manifest if record is not None else existing[0].path
        msg = f"{dataset.name} has another setting {setting} already, {display_path(path)}: "
        force = parameter("force", value=True)
        hint = f"To keep both, give this one a name: {name}. To replace it: {force}"
        raise RequestError(msg + ", ".join(differences), hint=hint)


def _record(manifest: Path) -> EncoderRecord | ProgramRecord | None:
    """Return how an encoder made the setting; None if it was not an encoder, or is not known."""
    with suppress(FileError):
        return read_feature_manifest(manifest).maker
    return None


def _differences(record: EncoderRecord | ProgramRecord, request: EmbedRequest) -> list[str]:
    """Say in what a setting differs from the one that is requested."""
    before, after = (_flat(each) for each in (record, request.maker_record))
    names = [name for name in after if before.get(name) != after[name]]
    names += [name for name in before if name not in after]
    names = next(([name] for name in ("encoder", "command") if name in names), names)
    if names == ["code"]:
        return ["made when the code of the command was another one"]
    return [f"{name} {before.get(name)}, not {after.get(name)}" for name in names]


def _flat(record: EncoderRecord | ProgramRecord) -> dict[str, Any]:
    if isinstance(record, ProgramRecord):
        return record.model_dump()
    recipe = dict(record.recipe)
    options = dict(recipe.pop("options", {}))
    return recipe | options | {"pool": record.pool, "encoding": record.encoding}
