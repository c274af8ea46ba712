"""Checks of manifests: whether they still describe the files that they were written with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tartarus_cli.checking.masks import Masks
from tartarus_cli.checking.matrices import CheckedMatrix
from tartarus_cli.checking.report import Report
from tartarus_cli.data.artists import count_known, read_artists
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.encoded import embed_call
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.provenance import (
    RECREATE_FEATURES,
    SPLIT_AGAIN,
    FactorRecipe,
    FeatureManifest,
    ItemsOfSet,
    SourceTable,
    SplitManifest,
    data_path,
    read_factor_manifest,
    read_feature_manifest,
    read_split_manifest,
)
from tartarus_cli.errors import DataError, FileError, Placeholder, call, count_noun
from tartarus_cli.factorization.als import AlsOptions
from tartarus_cli.factorization.pmi import PmiOptions
from tartarus_cli.file_names import PLAYS, SPLITS, DataFile, Kind
from tartarus_cli.files import digest


@dataclass(frozen=True)
class PresentMatrices:
    """Contents of the other files of a dataset, to compare manifests with."""

    dataset: Dataset
    ids: Mapping[str, Sequence[str]]
    """Split → ids of its items."""
    users: int | None
    labels: int | None
    pairs: Mapping[str, int]
    """Split → entries above 0 in its matrix of plays."""
    matrices: Sequence[CheckedMatrix]
    masks: Masks


@dataclass(frozen=True)
class _Comparison:
    """Compares a manifest with the files of its dataset."""

    file: DataFile
    present: PresentMatrices
    report: Report
    hint: str
    """How to recreate the manifest and its files."""

    def warn(self, found: str, expected: str, path: Path | None = None) -> None:
        """Report a difference."""
        self.report.warn(path or self.file.path, found, expected=expected, hint=self.hint)

    def number(self, recorded: int | None, current: int | None, noun: str) -> None:
        """Compare a number, if both are known."""
        if recorded is not None and current is not None and recorded != current:
            self.warn(f"it speaks of {recorded:,} {noun}", f"{current:,}, as there are now")

    def sets(self, recorded: Mapping[str, int]) -> None:
        """Compare which sets there are, and how many items they have."""
        for split in SPLITS:
            ids, noun = self.present.ids.get(split), f"{split} items"
            if split in recorded and ids is not None:
                self.number(recorded[split], len(ids), noun)
            elif ids is not None:
                self.warn(f"it speaks of no {noun}", f"{len(ids):,}, as there are now")
            elif split in recorded and not self._has_ids(split):
                self.warn(
                    f"it speaks of {recorded[split]:,} {noun}", "none, as none are listed now"
                )

    def _has_ids(self, split: str) -> bool:
        return bool(self.present.dataset.select(Kind.ITEMS, split=split))

    def name(self, recorded: Mapping[str, object]) -> None:
        """Compare recorded fields with those of the manifest's file name."""
        for name, value in recorded.items():
            if str(value) != self.file.fields[name]:
                self.warn(f"it speaks of {name} {value}", f"{self.file.fields[name]}, its name")


def check_manifests(files: Iterable[DataFile], present: PresentMatrices, report: Report) -> None:
    """Check the manifests of factors, features and sets.

    Parameters
    ----------
    files
        Files of a dataset; those that are no manifests are passed over.
    present
        Contents of the other files.
    report
        Receives an error for a damaged manifest, and a warning for one that describes other files
        than there are.
    """
    for file in files:
        with report.catch_errors():
            if file.kind is Kind.FACTORIZATION:
                _check_factors(file, present, report)
            elif file.kind is Kind.FEATURE_MANIFEST:
                _check_features(file, present, report)
            elif file.kind is Kind.SPLIT:
                _check_split(file, present, report)


def _check_factors(file: DataFile, present: PresentMatrices, report: Report) -> None:
    manifest = read_factor_manifest(file.path)
    recipe = manifest.recipe
    compared = _Comparison(
        file, present, report, f"Factorize again: {_factorize_call(file, recipe)}"
    )
    dim = recipe.options.get("dim", file.dim)
    compared.name({"dataset": recipe.dataset, "fact": recipe.method, "dim": dim})
    compared.sets(manifest.items)
    columns = present.users if recipe.source == "plays" else present.labels
    compared.number(manifest.columns, columns, "users" if recipe.source == "plays" else "labels")
    _check_contents(compared, recipe.inputs, manifest.outputs)


def _check_contents(
    compared: _Comparison, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Compare the hashes of what was read and written, by path below ``data``, with the files."""
    dataset = compared.present.dataset
    paths = _readable_paths(dataset)

    def differs(name: str, content: str) -> bool:
        return name in paths and dataset.digest(paths[name]) != content

    file_names = {name: Path(name).name for name in (*inputs, *outputs)}
    missing = [file_names[name] for name in inputs if name not in paths]
    changed = [file_names[name] for name in inputs if differs(name, inputs[name])]
    if missing:
        compared.warn(f"made from {', '.join(missing)}, no longer there", "what it was made from")
    if changed:
        compared.warn(f"made from another {', '.join(changed)}", "what is there now")
    lost = [file_names[name] for name in outputs if name not in paths]
    if lost:
        compared.warn(f"{', '.join(lost)} of it no longer there", "all that was made together")
    for name, content in outputs.items():
        if differs(name, content):
            expected = f"what {compared.file.path.name} speaks of"
            compared.warn("changed since it was made", expected, paths[name])


def _readable_paths(dataset: Dataset) -> dict[str, Path]:
    """Return the files that may be read, by name: a manifest could name any file of the system."""
    return {data_path(dataset.workspace, file.path): file.path for file in dataset.files.files}


def _factorize_call(file: DataFile, recipe: FactorRecipe) -> str:
    """Return the call that recreates the factors; options with their default are left out."""
    model = AlsOptions if recipe.method == "als" else PmiOptions
    options: dict[str, object] = {"dim": file.dim}
    for name, option in model.model_fields.items():
        value = recipe.options.get(name, option.default)
        if name != "dim" and value != option.default:
            options[name] = value
    source = "labels" if recipe.source == "labels" else None
    method = file.fields["fact"]
    return call("factorize", file.dataset, method, **options, source=source, force=True)


def _check_features(file: DataFile, present: PresentMatrices, report: Report) -> None:
    manifest = read_feature_manifest(file.path)
    width, tags, weights = manifest.width, manifest.tags, manifest.idf or []
    if tags is not None and not len(tags) == len(weights) == width:
        found = f"{len(tags):,} tags and {len(weights):,} weights"
        raise FileError(
            file.path, found=found, expected=f"{width:,} of each", hint=RECREATE_FEATURES
        )
    setting = file.fields["setting"]
    compared = _Comparison(
        file, present, report, f"Recreate the setting: {_recreate(file, manifest)}"
    )
    if not present.dataset.select(Kind.FEATURES, setting=setting):
        compared.warn("there are no rows of this setting", "the matrices that it describes")
    for matrix in present.matrices:
        if matrix.file.kind is Kind.FEATURES and matrix.file.fields["setting"] == setting:
            _compare_matrix(compared, manifest, matrix)
    _compare_masks(compared, manifest)
    if manifest.sets:
        compared.sets({split: items.items for split, items in manifest.sets.items()})
    others = [split for split, items in manifest.sets.items() if _differ(present, split, items)]
    if others:
        found = f"its rows are of other {', '.join(others)} items"
        compared.warn(found, "those that are listed now")


def _recreate(file: DataFile, manifest: FeatureManifest) -> str:
    """Return the call that recreates a setting."""
    setting, dataset = file.fields["setting"], file.dataset
    missing = "absent" if manifest.absent else "zero" if manifest.zeros else None
    if manifest.maker is not None:
        missing = "zero" if manifest.zeros else None
        return embed_call(manifest.maker, dataset, setting, missing=missing)
    source = Placeholder("FILE")
    return call("features", dataset, setting, source=source, missing=missing, force=True)


def _compare_masks(compared: _Comparison, manifest: FeatureManifest) -> None:
    """Compare how many items of each set lack the setting."""
    present, setting = compared.present, compared.file.fields["setting"]
    for split in SPLITS:
        recorded = manifest.absent.get(split, 0)
        mask = present.masks.get((setting, split))
        file = present.dataset.select(Kind.MASK, setting=setting, split=split)
        if mask is None and file:
            continue  # damaged, which is reported
        count = 0 if mask is None else int((~mask).sum())
        if recorded != count and present.dataset.select(Kind.FEATURES, setting=setting):
            current = f"{count:,}, as its mask says" if file else "none, as there is no mask"
            compared.warn(f"it speaks of {recorded:,} {split} items that lack it", current)


def _differ(present: PresentMatrices, split: str, recorded: ItemsOfSet) -> bool:
    """Whether a set has as many items as before, but not the same, or in another order."""
    ids = present.ids.get(split, ())
    return len(ids) == recorded.items and digest_ids(ids) != recorded.digest


def _compare_matrix(
    compared: _Comparison, manifest: FeatureManifest, checked: CheckedMatrix
) -> None:
    source = f"as {compared.file.path.name} says"
    width = checked.matrix.shape[1]
    if width != manifest.width:
        expected = f"{manifest.width:,}, {source}"
        compared.warn(f"{width:,} columns", expected, checked.file.path)
    form = "sparse" if checked.matrix.sparse else "dense"
    if form != manifest.form:
        expected = f"a {manifest.form} one, {source}"
        compared.warn(f"a {form} matrix", expected, checked.file.path)


def _check_split(file: DataFile, present: PresentMatrices, report: Report) -> None:
    manifest = read_split_manifest(file.path)
    compared = _Comparison(file, present, report, SPLIT_AGAIN)
    compared.name({"dataset": manifest.dataset})
    compared.sets({split: sizes.items for split, sizes in manifest.sets.items()})
    compared.number(manifest.users, present.users, "users")
    compared.number(manifest.labels, present.labels, "labels")
    for split, sizes in manifest.sets.items():
        compared.number(sizes.pairs, present.pairs.get(split), f"pairs of {split}")
    _check_promises(compared, manifest)
    for table in manifest.tables:
        if _is_another(table):
            report.note(
                file.path,
                f"made from another {Path(table.file).name}",
                expected="the one that is there now",
                hint="To use the changed table: split again, with `force=True`.",
            )


def _check_promises(compared: _Comparison, manifest: SplitManifest) -> None:
    """Check what a split says of train plays and of artists against the files."""
    present = compared.present
    dataset = present.dataset
    if manifest.time is not None and manifest.time.drop_later and "train" in present.pairs:
        plays = dataset.plays("train")
        without = plays.shape[1] - len(np.unique(plays.indices[plays.data > 0]))
        if without:
            found = f"{count_noun(without, 'user')} without a train play"
            compared.warn(found, "none, as later plays were dropped", dataset.path(PLAYS["train"]))
    if dataset.find(Kind.ARTISTS) is None or not {*manifest.sets} <= {*present.ids}:
        return
    with suppress(DataError):  # a damaged list is reported as such
        artists = {name: read_artists(dataset, present.ids[name])[1] for name in manifest.sets}
        for name, sizes in manifest.sets.items():
            semi_cold, cold = count_known(artists[name], artists["train"])
            compared.number(sizes.semi_cold, semi_cold, f"{name} items of known artists")
            compared.number(sizes.cold, cold, f"{name} items of new artists")


def _is_another(table: SourceTable) -> bool:
    """Whether a table that is where it was holds something else."""
    with suppress(OSError, ValueError):
        path = Path(table.file)
        if path.is_file():
            return path.stat().st_size != table.bytes or digest(path) != table.blake2b
    return False
