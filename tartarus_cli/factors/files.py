"""The files of a factorization, and the manifest that says how they were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.provenance import (
    FactorManifest,
    FactorRecipe,
    data_path,
    read_factor_manifest,
)
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.errors import RequestError, display_path, parameter
from tartarus_cli.factors.interactions import InteractionMatrices
from tartarus_cli.file_names import DataFile, Kind, parse_path
from tartarus_cli.files import digest
from tartarus_cli.layout import WorkspaceFiles, WorkspacePaths
from tartarus_cli.models.store import Store

FACTOR_KINDS = (Kind.TARGETS, Kind.USER_FACTORS, Kind.CLASS_FACTORS)


@dataclass(frozen=True)
class FactorFiles:
    """Paths of the files of one factorization."""

    targets: TargetSpec
    """Method and number of factors."""
    items: Mapping[str, Path]
    """Split → file of the factors of its items."""
    columns: Path
    """File of the factors of users or of labels."""
    manifest: Path
    """File that records how they were made."""

    @property
    def factors(self) -> list[Path]:
        """All files of factors."""
        return [*self.items.values(), self.columns]

    @property
    def lock(self) -> Path:
        """The file that keeps two commands from writing the same factors."""
        return self.manifest.with_name(f".making_{self.manifest.name}.lock")


def factor_files(
    dataset: Dataset, targets: TargetSpec, interactions: InteractionMatrices
) -> FactorFiles:
    """Return the files to which the factors of a dataset are written."""
    kind = Kind.USER_FACTORS if interactions.source == "plays" else Kind.CLASS_FACTORS
    path, fields = dataset.path, targets.fields
    return FactorFiles(
        targets,
        {split: path(Kind.TARGETS, split=split, **fields) for split in interactions.paths},
        path(kind, **fields),
        path(Kind.FACTORIZATION, **fields),
    )


def reusable_factors(
    dataset: Dataset, files: FactorFiles, recipe: FactorRecipe, *, force: bool
) -> FactorManifest | None:
    """Return the manifest of factors that exist and were made by the same recipe, or None.

    Parameters
    ----------
    dataset
        The dataset that is to be factorized.
    files
        Files of the factors.
    recipe
        The recipe of the new factors.
    force
        Whether to replace other factors of the same name.

    Raises
    ------
    RequestError
        If there are other factors of this name that must not be replaced; or some that would not
        be replaced, but would no longer fit.
    """
    existing = [file.path for file in _same_name(dataset, files.targets)]
    to_replace = [path for path in existing if path in files.factors]
    others = [path for path in existing if path not in files.factors]
    if others:
        msg = f"{display_path(others[0])} is there, of another factorization or under an old name"
        hint = f"Move it away, or choose another {parameter('dim')}: it would not fit the new ones."
        raise RequestError(msg, hint=hint)
    manifest = None
    if files.manifest.is_file() and not force:
        manifest = read_factor_manifest(files.manifest)
    if to_replace and not force:
        manifest = _require_same(dataset, to_replace, recipe, manifest)
    return manifest if {*to_replace} == {*files.factors} else None


def _require_same(
    dataset: Dataset,
    paths: Iterable[Path],
    recipe: FactorRecipe,
    manifest: FactorManifest | None,
) -> FactorManifest:
    """Return the manifest if these factors were made by the same recipe and not changed."""
    for path in paths:
        if manifest is None:
            reason = "and nothing says how it was made"
        elif manifest.recipe != recipe:
            reason = f"made in another way ({_difference(manifest.recipe, recipe)})"
        elif manifest.outputs.get(data_path(dataset.workspace, path)) != digest(path):
            reason = "and was changed since it was made"
        else:
            continue
        msg = f"{display_path(path)} is there already, {reason}; what models that were trained "
        msg += "on it predict would no longer fit"
        dim = parameter("dim")
        hint = f"Choose another {dim}, move the factors away, or replace them with `force=True`."
        raise RequestError(msg, hint=hint)
    assert manifest is not None  # noqa: S101 — there is at least one file
    return manifest


def _difference(old: FactorRecipe, new: FactorRecipe) -> str:
    """Describe the first difference of two recipes."""
    if old.source != new.source:
        return f"from {old.source}"
    for name, value in new.options.items():
        if old.options.get(name) != value:
            return f"{name} {old.options.get(name)}, not {value}"
    return "from other matrices"


def _same_name(dataset: Dataset, targets: TargetSpec) -> list[DataFile]:
    return [file for kind in FACTOR_KINDS for file in dataset.select(kind, **targets.fields)]


def with_new_factors(
    dataset: Dataset, targets: TargetSpec, written: Mapping[Path, Path]
) -> Dataset:
    """Return the dataset as it is when new factors have taken their places.

    The factors of the test items stay hidden.

    Parameters
    ----------
    dataset
        The dataset as it was before.
    targets
        Method and number of factors.
    written
        Path of each file of factors → temporary file that will take its place.
    """
    files, fields = dataset.files, {"dataset": dataset.name, **targets.fields}
    others = [file for file in files.files if not fields.items() <= file.fields.items()]
    new = []
    for path, temporary in written.items():
        kind, file_fields = _parse(dataset.workspace, path, fields)
        if file_fields.get("split") != "test":
            new.append(DataFile(kind, temporary, f"datasets/{path.name}", file_fields))
    return Dataset(WorkspaceFiles(files.workspace, (*others, *new), files.unknown), dataset.name)


def _parse(
    workspace: WorkspacePaths, path: Path, fields: dict[str, str]
) -> tuple[Kind, dict[str, str]]:
    file = parse_path(path, path.parent.relative_to(workspace.data).as_posix())
    assert file is not None  # noqa: S101 — the workspace named it
    return file.kind, {**fields, **file.fields}


def models_trained_on(workspace: WorkspacePaths, paths: Iterable[Path]) -> list[str]:
    """Return the names of the models that were trained on any version of these files."""
    names = {workspace.relative(path) for path in paths}
    return [model.name for model in Store(workspace).all() if names & {*model.manifest.inputs}]


def manifest_json(manifest: FactorManifest) -> str:
    """Return the text of a manifest."""
    return manifest.model_dump_json(indent=1) + "\n"


def factor_recipe(
    dataset: Dataset, method: str, interactions: InteractionMatrices, options: Mapping[str, Any]
) -> FactorRecipe:
    """Return all that the factors of these matrices depend on."""
    paths = interactions.paths.values()
    return FactorRecipe(
        dataset=dataset.name,
        method=method,
        source=interactions.source,
        options=dict(options),
        inputs={data_path(dataset.workspace, path): dataset.digest(path) for path in paths},
    )
