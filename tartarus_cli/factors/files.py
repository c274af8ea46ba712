"""The files of a factorization, and the manifest that says where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.data.dataset import Dataset, TargetSpec
from tartarus_cli.data.provenance import (
    FactorManifest,
    FactorRecipe,
    data_path,
    read_factor_manifest,
)
from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.factors.interactions import InteractionMatrices
from tartarus_cli.file_names import DataFile, Kind, parse_path
from tartarus_cli.files import digest
from tartarus_cli.layout import WorkspaceFiles, WorkspacePaths
from tartarus_cli.models.store import Store

FACTORS = (Kind.TARGETS, Kind.USER_FACTORS, Kind.CLASS_FACTORS)


@dataclass(frozen=True)
class FactorFiles:
    """Where everything is written."""

    targets: TargetSpec
    """Which factors."""
    items: Mapping[str, Path]
    """Split → the factors of its items."""
    columns: Path
    """The factors of users or of labels."""
    manifest: Path
    """Where they come from."""

    @property
    def factors(self) -> list[Path]:
        """The files of factors."""
        return [*self.items.values(), self.columns]

    @property
    def lock(self) -> Path:
        """What keeps two commands from the same work."""
        return self.manifest.with_name(f".making_{self.manifest.name}.lock")


def factor_files(
    dataset: Dataset, targets: TargetSpec, interactions: InteractionMatrices
) -> FactorFiles:
    """Return where the factors of some interactions are written."""
    kind = Kind.USER_FACTORS if interactions.source == "plays" else Kind.CLASS_FACTORS
    path, fields = dataset.path, targets.fields
    return FactorFiles(
        targets,
        {split: path(Kind.TARGETS, split=split, **fields) for split in interactions.paths},
        path(kind, **fields),
        path(Kind.FACTORIZATION, **fields),
    )


def reusable_factors(
    dataset: Dataset, places: FactorFiles, recipe: FactorRecipe, *, force: bool
) -> FactorManifest | None:
    """Return the manifest of the same factors if they are there, and let others not be lost.

    Raises
    ------
    RequestError
        If there are factors of this name that come from elsewhere, and may not be replaced; or
        some that would not be replaced, but would no longer fit.
    """
    there = [file.path for file in _of_this_name(dataset, places.targets)]
    ours = [path for path in there if path in places.factors]
    strangers = [path for path in there if path not in places.factors]
    if strangers:
        msg = (
            f"{display_path(strangers[0])} is there, of another factorization or under an old name"
        )
        hint = "It would not fit the new factors: move it away, or take another --dim."
        raise RequestError(msg, hint=hint)
    known = (
        None if force or not places.manifest.is_file() else read_factor_manifest(places.manifest)
    )
    if ours and not force:
        known = _same(dataset, ours, recipe, known)
    return known if {*ours} == {*places.factors} else None


def _same(
    dataset: Dataset,
    there: Iterable[Path],
    recipe: FactorRecipe,
    known: FactorManifest | None,
) -> FactorManifest:
    """Return the manifest if the factors that are there come from the same recipe."""
    for path in there:
        if known is None:
            why = "and nothing says how it was made"
        elif known.recipe != recipe:
            why = f"made in another way ({_difference(known.recipe, recipe)})"
        elif known.outputs.get(data_path(dataset.workspace, path)) != digest(path):
            why = "and was changed since it was made"
        else:
            continue
        msg = f"{display_path(path)} is there already, {why}; models that were trained on it "
        msg += "would silently mean something else"
        hint = "Take another --dim, move the factors away, or replace them with --force."
        raise RequestError(msg, hint=hint)
    assert known is not None  # noqa: S101 — there is at least one file
    return known


def _difference(old: FactorRecipe, new: FactorRecipe) -> str:
    """Say what the first difference is."""
    if old.source != new.source:
        return f"from {old.source}"
    for name, value in new.options.items():
        if old.options.get(name) != value:
            return f"{name} {old.options.get(name)}, not {value}"
    return "from other matrices"


def _of_this_name(dataset: Dataset, targets: TargetSpec) -> list[DataFile]:
    return [file for kind in FACTORS for file in dataset.select(kind, **targets.fields)]


def with_new_factors(
    dataset: Dataset, targets: TargetSpec, written: Mapping[Path, Path]
) -> Dataset:
    """Return the dataset as if factors had taken their places; the test items' stay hidden.

    Parameters
    ----------
    dataset
        As it was before.
    targets
        Which factors.
    written
        Place of a file → where it was written, to take its place later.
    """
    files, fields = dataset.files, {"dataset": dataset.name, **targets.fields}
    others = [file for file in files.files if not fields.items() <= file.fields.items()]
    new = []
    for place, path in written.items():
        kind, named = _meaning(dataset.workspace, place, fields)
        if named.get("split") != "test":
            new.append(DataFile(kind, path, f"datasets/{place.name}", named))
    return Dataset(WorkspaceFiles(files.workspace, (*others, *new), files.unknown), dataset.name)


def _meaning(
    workspace: WorkspacePaths, path: Path, fields: dict[str, str]
) -> tuple[Kind, dict[str, str]]:
    named = parse_path(path, path.parent.relative_to(workspace.data).as_posix())
    assert named is not None  # noqa: S101 — the workspace named it
    return named.kind, {**fields, **named.fields}


def models_that_learnt(workspace: WorkspacePaths, paths: Iterable[Path]) -> list[str]:
    """Name the models that learnt from some files as they are now, or as they were."""
    names = {workspace.within(path) for path in paths}
    return [model.name for model in Store(workspace).all() if names & {*model.manifest.inputs}]


def manifest_json(manifest: FactorManifest) -> str:
    """Write a manifest as text."""
    return manifest.model_dump_json(indent=1) + "\n"


def factor_recipe(
    dataset: Dataset, method: str, interactions: InteractionMatrices, options: Mapping[str, Any]
) -> FactorRecipe:
    """Return all that the factors of some interactions depend on."""
    paths = interactions.paths.values()
    return FactorRecipe(
        dataset=dataset.name,
        method=method,
        source=interactions.source,
        options=dict(options),
        inputs={data_path(dataset.workspace, path): dataset.digest(path) for path in paths},
    )
