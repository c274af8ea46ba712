"""The files of a factorization, and the manifest that says where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartarus_cli.data.provenance import (
    FactorManifest,
    FactorRecipe,
    data_path,
    read_factor_manifest,
)
from tartarus_cli.data.targets import TargetSpec
from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.factors.interactions import InteractionMatrices
from tartarus_cli.files import digest
from tartarus_cli.models.store import Store
from tartarus_cli.workspace import DataFile, Kind, Workspace, WorkspaceFiles, parse_path

FACTORS = (Kind.TARGETS, Kind.USER_FACTORS, Kind.CLASS_FACTORS)


@dataclass(frozen=True)
class FactorFiles:
    """Where everything is written."""

    wanted: TargetSpec
    items: Mapping[str, Path]  # split → path
    columns: Path  # of users or of labels
    manifest: Path

    @property
    def factors(self) -> list[Path]:
        """The files of factors."""
        return [*self.items.values(), self.columns]

    @property
    def lock(self) -> Path:
        """What keeps two commands from the same work."""
        return self.manifest.with_name(f".making_{self.manifest.name}.lock")


def factor_files(
    workspace: Workspace, wanted: TargetSpec, counts: InteractionMatrices
) -> FactorFiles:
    """Return where the factors of some counts are written."""
    kind = Kind.USER_FACTORS if counts.source == "plays" else Kind.CLASS_FACTORS
    place, fields = workspace.place, wanted.fields
    return FactorFiles(
        wanted,
        {split: place(Kind.TARGETS, split=split, **fields) for split in counts.paths},
        place(kind, **fields),
        place(Kind.FACTORIZATION, **fields),
    )


def reusable_factors(
    inventory: WorkspaceFiles, places: FactorFiles, recipe: FactorRecipe, *, force: bool
) -> FactorManifest | None:
    """Return the manifest of the same factors if they are there, and let others not be lost.

    Raises
    ------
    RequestError
        If there are factors of this name that come from elsewhere, and may not be replaced; or
        some that would not be replaced, but would no longer fit.
    """
    there = [file.path for file in _of_this_name(inventory, places.wanted)]
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
        known = _same(inventory, ours, recipe, known)
    return known if {*ours} == {*places.factors} else None


def _same(
    inventory: WorkspaceFiles,
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
        elif known.outputs.get(data_path(inventory.workspace, path)) != digest(path):
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


def _of_this_name(inventory: WorkspaceFiles, wanted: TargetSpec) -> list[DataFile]:
    return [file for kind in FACTORS for file in inventory.select(kind, **wanted.fields)]


def with_new_factors(
    inventory: WorkspaceFiles, wanted: TargetSpec, written: Mapping[Path, Path]
) -> WorkspaceFiles:
    """Return the inventory as if factors had taken their places; the test items' stay hidden.

    Parameters
    ----------
    inventory
        The workspace's files.
    wanted
        Which factors.
    written
        Place → where it was written beside it.
    """
    others = [file for file in inventory.files if not wanted.fields.items() <= file.fields.items()]
    new = []
    for place, beside in written.items():
        kind, fields = _meaning(inventory.workspace, place, wanted)
        if fields.get("split") != "test":
            new.append(DataFile(kind, beside, f"datasets/{place.name}", fields))
    return WorkspaceFiles(inventory.workspace, (*others, *new), inventory.unknown)


def _meaning(workspace: Workspace, place: Path, wanted: TargetSpec) -> tuple[Kind, dict[str, str]]:
    read = parse_path(place, place.parent.relative_to(workspace.data).as_posix())
    assert read is not None  # noqa: S101 — the workspace named it
    return read.kind, {**wanted.fields, **read.fields}


def models_that_learnt(workspace: Workspace, paths: Iterable[Path]) -> list[str]:
    """Name the models that learnt from some files as they are now, or as they were."""
    names = {workspace.within(path) for path in paths}
    return [model.name for model in Store(workspace).all() if names & {*model.manifest.inputs}]


def manifest_json(manifest: FactorManifest) -> str:
    """Write a manifest as text."""
    return manifest.model_dump_json(indent=1) + "\n"


def factor_recipe(
    workspace: Workspace,
    dataset: str,
    method: str,
    counts: InteractionMatrices,
    options: Mapping[str, Any],
) -> FactorRecipe:
    """Return all that the factors of some counts depend on."""
    return FactorRecipe(
        dataset=dataset,
        method=method,
        source=counts.source,
        options=dict(options),
        inputs={data_path(workspace, path): digest(path) for path in counts.paths.values()},
    )
