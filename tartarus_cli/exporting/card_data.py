"""The section of a model card on data: sets, settings and how they were made, and the split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tartarus_cli.data.provenance import (
    FactorManifest,
    SplitManifest,
    read_factor_manifest,
    read_split_manifest,
)
from tartarus_cli.errors import TartarusError, count_noun
from tartarus_cli.exporting.markdown import code, facts, folded, plain, table
from tartarus_cli.exporting.metadata import class_names
from tartarus_cli.exporting.origins import describe_setting
from tartarus_cli.file_names import Kind
from tartarus_cli.models.preprocessing import stored_recipe
from tartarus_cli.models.store import Model

MOST_CLASSES = 30
"""Names of classes that are listed."""


def data_section(model: Model) -> Iterator[str]:
    """Yield paragraphs: the sets, the targets, the settings, and the files that were read."""
    yield "## Data"
    yield facts(_dataset_facts(model))
    sets = [*_set_rows(model)]
    if sets:
        yield table(["set", "items", "BLAKE2b of the ids, in order"], sets)
    yield from _targets(model)
    settings = [*_settings(model)]
    if settings:
        yield "Inputs:"
        yield facts(settings)
    files = [(code(path), code(digest)) for path, digest in sorted(model.manifest.inputs.items())]
    if files:
        yield folded("Files that were read in the training", table(["file", "BLAKE2b"], files))


def _dataset_facts(model: Model) -> Iterator[tuple[str, object]]:
    manifest = model.manifest
    yield "dataset", code(manifest.dataset)
    uses = ", ".join(f"{count:,} {plain(use)}" for use, count in manifest.items.items())
    yield "samples by use in the training", uses
    users = _count_users(model)
    yield "users", f"{users:,}" if users is not None else None
    if model.target_kind == "class":
        yield "classes", _class_names(model)
    if manifest.shuffled:
        yield "shuffled", "the items have each other's features, permuted within each set"


def _count_users(model: Model) -> int | None:
    from tartarus_cli.data.plays import count_users

    if model.manifest.task != "recommendation":
        return None
    try:
        return count_users(model.dataset)
    except TartarusError:
        return None


def _class_names(model: Model) -> str:
    """Return the number of the classes and, if the dataset has them, the first of their names."""
    dim, names = model.manifest.target_dim, class_names(model)
    more = f", and {len(names) - MOST_CLASSES:,} more" if len(names) > MOST_CLASSES else ""
    listed = f": {', '.join(map(plain, names[:MOST_CLASSES]))}{more}" if names else ""
    return f"{dim:,}{listed}"


def _set_rows(model: Model) -> Iterator[Sequence[str]]:
    """Yield sets with their items, as long as these are those of the training."""
    for split, digest in model.manifest.ids.items():
        try:
            same = model.dataset.ids_digest(split) == digest
            count = f"{len(model.dataset.ids(split)):,}" if same else "other items by now"
        except TartarusError:
            count = "not there any more"
        yield split, count, code(digest)


def _targets(model: Model) -> Iterator[str]:
    """Yield how the targets were made, if there is a manifest of factors."""
    kind, dim = model.target_kind, str(model.manifest.target_dim)
    file = model.dataset.find(Kind.FACTORIZATION, fact=kind, dim=dim)
    if file is None:
        return
    try:
        manifest: FactorManifest = read_factor_manifest(file.path)
    except TartarusError:
        return
    options = ", ".join(f"{name} = {value}" for name, value in manifest.recipe.options.items())
    about = f"{manifest.recipe.method} of the {manifest.recipe.source} of the train items"
    yield facts([("targets", f"{plain(about)} ({plain(options)})" if options else plain(about))])


def _settings(model: Model) -> Iterator[tuple[str, object]]:
    for setting in model.manifest.settings:
        origin = describe_setting(model, setting)
        yield code(setting), _words(origin) or "how it was made is not recorded"
    if model.experiment.patches is None:
        return
    try:
        recipe = stored_recipe(model)
    except TartarusError:
        return
    if recipe is None:
        yield "patches", "how they were made is not recorded"
        return
    yield "patches", f"{plain(recipe.description)}; {code(recipe.parameters.model_dump_json())}"


def _words(origin: dict[str, Any]) -> str:
    """Write names and values in a line; long lists, such as a scale, are only named."""
    parts = []
    for name, value in origin.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if text and text not in ("{}", "null"):
            parts.append(f"{plain(name)} {code(text) if len(text) < 300 else 'recorded'}")
    return ", ".join(parts)


def split_facts(model: Model) -> Iterator[tuple[str, object]]:
    """Yield how the sets were divided, if the dataset was split by Tartarus."""
    file = model.dataset.find(Kind.SPLIT)
    if file is None:
        return
    try:
        manifest: SplitManifest = read_split_manifest(file.path)
    except TartarusError:
        return
    shares = ", ".join(f"{share:.0%} {name}" for name, share in (manifest.shares or {}).items())
    yield "split", f"by {plain(manifest.by)}, seed {manifest.seed}" + (shares and f"; {shares}")
    if manifest.time is not None:
        yield "time", f"cut at {plain(manifest.time.cut)}"
    filters = manifest.filters.model_dump(exclude_none=True)
    yield "filters", ", ".join(f"{plain(name)} = {value}" for name, value in filters.items())
    leakage = manifest.leakage
    if leakage.artists_in_two_sets is not None:
        yield "artists in two sets", f"{leakage.artists_in_two_sets:,}"
    if leakage.users_without_test_items:
        yield "users without test items", count_noun(leakage.users_without_test_items, "user")
