"""What manifests say of the files beside them, and whether it is still so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tartarus_cli.checking.matrices import CheckedMatrix
from tartarus_cli.checking.report import Report
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.provenance import (
    SPLIT_AGAIN,
    FactorRecipe,
    SourceTable,
    data_path,
    read_factor_manifest,
    read_json_model,
    read_split_manifest,
)
from tartarus_cli.errors import FileError, call
from tartarus_cli.factorization.als import AlsOptions
from tartarus_cli.factorization.pmi import PmiOptions
from tartarus_cli.features.alignment import MatrixForm
from tartarus_cli.file_names import SPLITS, DataFile, Kind
from tartarus_cli.files import digest


@dataclass(frozen=True)
class PresentMatrices:
    """What was found in the other files of a dataset."""

    dataset: Dataset
    ids: Mapping[str, Sequence[str]]  # split → ids
    users: int | None
    labels: int | None
    pairs: Mapping[str, int]  # split → entries above 0 in its matrix of plays
    checked: Sequence[CheckedMatrix]


class _Listed(BaseModel):
    """The items of a set that rows were brought for."""

    model_config = ConfigDict(frozen=True)

    items: int
    digest: str  # of their ids


class _Origin(BaseModel):
    """What is kept beside features, as far as files show it."""

    model_config = ConfigDict(frozen=True)

    form: MatrixForm
    width: int
    tags: list[str] | None = None
    idf: list[float] | None = None
    sets: dict[str, _Listed] = {}


@dataclass(frozen=True)
class _Comparison:
    """Compares what a manifest says with what is there."""

    file: DataFile
    present: PresentMatrices
    report: Report
    again: str  # how to make all of it anew

    def warn(self, found: str, expected: str, path: Path | None = None) -> None:
        """Tell a difference."""
        self.report.warn(path or self.file.path, found, expected=expected, hint=self.again)

    def number(self, said: int | None, there: int | None, what: str) -> None:
        """Compare a number, where both are known."""
        if said is not None and there is not None and said != there:
            self.warn(f"it speaks of {said:,} {what}", f"{there:,}, as there are now")

    def sets(self, said: Mapping[str, int]) -> None:
        """Compare which sets there are, and how many items each has."""
        for split in SPLITS:
            ids, what = self.present.ids.get(split), f"{split} items"
            if split in said and ids is not None:
                self.number(said[split], len(ids), what)
            elif ids is not None:
                self.warn(f"it speaks of no {what}", f"{len(ids):,}, as there are now")
            elif split in said and not self._listed(split):
                self.warn(f"it speaks of {said[split]:,} {what}", "none, as none are listed now")

    def _listed(self, split: str) -> bool:
        return bool(self.present.dataset.select(Kind.ITEMS, split=split))

    def name(self, said: Mapping[str, object]) -> None:
        """Compare what it speaks of with what it is called."""
        for name, value in said.items():
            if str(value) != self.file.fields[name]:
                self.warn(f"it speaks of {name} {value}", f"{self.file.fields[name]}, its name")


def check_manifests(files: Iterable[DataFile], present: PresentMatrices, report: Report) -> None:
    """Check what is kept of how factors, features and sets were made.

    Parameters
    ----------
    files
        Those of a dataset, or some of them.
    present
        What is in the others.
    report
        Gets an error for a damaged manifest, and a warning where it speaks of other files than
        those that are there.
    """
    for file in files:
        with report.catching():
            if file.kind is Kind.FACTORIZATION:
                _check_factors(file, present, report)
            elif file.kind is Kind.ORIGIN:
                _check_features(file, present, report)
            elif file.kind is Kind.SPLIT:
                _check_split(file, present, report)


def _check_factors(file: DataFile, present: PresentMatrices, report: Report) -> None:
    said = read_factor_manifest(file.path)
    recipe = said.recipe
    compared = _Comparison(file, present, report, f"Factorize again: {_command(file, recipe)}")
    dim = recipe.options.get("dim", file.dim)
    compared.name({"fact": recipe.method, "dim": dim})
    compared.sets(said.items)
    many = present.users if recipe.source == "plays" else present.labels
    compared.number(said.columns, many, "users" if recipe.source == "plays" else "labels")
    _check_contents(compared, recipe.inputs, said.outputs)


def _check_contents(
    compared: _Comparison, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Compare what was read and written, file below ``data`` → hash, with what is there now."""
    present = compared.present
    there = _paths(present.dataset)

    def differs(name: str, content: str) -> bool:
        return name in there and present.dataset.digest(there[name]) != content

    short = {name: Path(name).name for name in (*inputs, *outputs)}
    gone = [short[name] for name in inputs if name not in there]
    others = [short[name] for name in inputs if differs(name, inputs[name])]
    if gone:
        compared.warn(f"made from {', '.join(gone)}, no longer there", "what it was made from")
    if others:
        compared.warn(f"made from another {', '.join(others)}", "what is there now")
    lost = [short[name] for name in outputs if name not in there]
    if lost:
        compared.warn(f"{', '.join(lost)} of it no longer there", "all that was made together")
    for name, content in outputs.items():
        if differs(name, content):
            says = f"what {compared.file.path.name} speaks of"
            compared.warn("changed since it was made", says, there[name])


def _paths(dataset: Dataset) -> dict[str, Path]:
    """Return the files that may be read, by name: a manifest could name any file of a machine."""
    return {data_path(dataset.workspace, file.path): file.path for file in dataset.files.files}


def _command(file: DataFile, recipe: FactorRecipe) -> str:
    """Return the command that makes such factors; what is as usual is left out."""
    options = AlsOptions if recipe.method == "als" else PmiOptions
    named: dict[str, object] = {"dim": file.dim}
    for name, usual in options.model_fields.items():
        value = recipe.options.get(name, usual.default)
        if name != "dim" and value != usual.default:
            named[name] = value
    source = "labels" if recipe.source == "labels" else None
    return call("factorize", file.dataset, file.fields["fact"], **named, source=source, force=True)


def _check_features(file: DataFile, present: PresentMatrices, report: Report) -> None:
    again = "Give `features()` again, with `force=True`."
    said = read_json_model(file.path, _Origin, expected="what `features()` writes", hint=again)
    if said.tags is not None and not len(said.tags) == len(said.idf or ()) == said.width:
        found = f"{len(said.tags):,} tags and {len(said.idf or ()):,} weights"
        raise FileError(file.path, found=found, expected=f"{said.width:,} of each", hint=again)
    compared = _Comparison(file, present, report, again)
    fields = {"setting": file.fields["setting"]}
    if not present.dataset.select(Kind.FEATURES, **fields):
        compared.warn("there are no rows of this setting", "what it tells the origin of")
    for each in present.checked:
        if each.file.kind is Kind.FEATURES and fields.items() <= each.file.fields.items():
            _compare_rows(compared, said, each)
    if said.sets:
        compared.sets({split: listed.items for split, listed in said.sets.items()})
    others = [split for split, listed in said.sets.items() if _lists_others(present, split, listed)]
    if others:
        found = f"its rows are of other {', '.join(others)} items"
        compared.warn(found, "those that are listed now")


def _lists_others(present: PresentMatrices, split: str, listed: _Listed) -> bool:
    """Whether a set has as many items as before, but not the same, or not in this order."""
    ids = present.ids.get(split, ())
    return len(ids) == listed.items and digest_ids(ids) != listed.digest


def _compare_rows(compared: _Comparison, said: _Origin, rows: CheckedMatrix) -> None:
    says = f"as {compared.file.path.name} says"
    if rows.matrix.shape[1] != said.width:
        found = f"{rows.matrix.shape[1]:,} columns"
        compared.warn(found, f"{said.width:,}, {says}", rows.file.path)
    form = "sparse" if rows.matrix.sparse else "dense"
    if form != said.form:
        compared.warn(f"a {form} matrix", f"a {said.form} one, {says}", rows.file.path)


def _check_split(file: DataFile, present: PresentMatrices, report: Report) -> None:
    said = read_split_manifest(file.path)
    compared = _Comparison(file, present, report, SPLIT_AGAIN)
    compared.name({"dataset": said.dataset})
    compared.sets({split: sizes.items for split, sizes in said.sets.items()})
    compared.number(said.users, present.users, "users")
    compared.number(said.labels, present.labels, "labels")
    for split, sizes in said.sets.items():
        compared.number(sizes.pairs, present.pairs.get(split), f"pairs of {split}")
    for table in said.tables:
        if _is_another(table):
            report.note(
                file.path,
                f"made from another {Path(table.file).name}",
                expected="the one that is there now",
                hint="To use the changed table: split again, with `force=True`.",
            )


def _is_another(table: SourceTable) -> bool:
    """Whether a table that is where it was holds something else."""
    with suppress(OSError, ValueError):
        path = Path(table.file)
        if path.is_file():
            return path.stat().st_size != table.bytes or digest(path) != table.blake2b
    return False
