"""Make a setting of a matrix or a table of one's own, aligned with the items of a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.errors import RequestError, count_noun, display_path
from tartarus_cli.experiments.settings import check_setting_name, setting_name_error
from tartarus_cli.features.alignment import (
    ItemAlignment,
    MatrixForm,
    MissingRowPolicy,
    PreparedFeatures,
    Reader,
    Sets,
    changed_meanwhile,
)
from tartarus_cli.features.dense import prepare_numbers, survey_numbers
from tartarus_cli.features.suggest import suggest_experiments
from tartarus_cli.features.tables import (
    FeatureSource,
    Selection,
    is_matrix,
    open_features,
    open_rows,
)
from tartarus_cli.features.tags import TagChoice, prepare_tags, survey_tags
from tartarus_cli.file_names import SPLITS, Kind, parse_path
from tartarus_cli.files import (
    atomic_write,
    digest,
    locked,
    remove_leftovers,
    same_content,
    stat_signature,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

ENDINGS: Mapping[MatrixForm, str] = {"sparse": "npz", "dense": "npy"}


@dataclass(frozen=True)
class FeaturesRequest:
    """What is asked for."""

    dataset: str
    setting: str
    source: Path
    ids: Path | None = None  # of the rows of a matrix
    selection: Selection = field(default_factory=Selection)
    tags: TagChoice | None = None  # of a table of tags; None: nothing is said of it
    leniency: MissingRowPolicy = field(default_factory=MissingRowPolicy)
    form: MatrixForm | None = None  # None: by how many values are zero
    scale: bool = False
    force: bool = False  # write over a setting of the same name

    @property
    def fields(self) -> dict[str, str]:
        """What the names of its files say."""
        return {"setting": self.setting, "dataset": self.dataset}


@dataclass(frozen=True)
class ImportedFeatures:
    """What was written."""

    dataset: str
    setting: str
    source: Path
    kind: str  # numbers or tags
    form: MatrixForm
    splits: dict[str, int]  # split → items
    width: int
    missing: dict[str, list[str]]  # split → ids that got rows of zeros
    strange: int  # rows of the source that belong to no item
    scaled: bool
    files: list[Path]
    experiments: list[str]  # that it can be given to
    default: bool  # whether they are of this dataset by themselves
    overrides: list[str]  # what the only experiment has to be told
    before: str  # the command to give first, if there is nothing to learn yet


def import_features(
    workspace: WorkspacePaths, asked: FeaturesRequest, *, progress: Progress = UNWATCHED
) -> ImportedFeatures:
    """Align rows of one's own with the items of each set, and write them as a setting.

    The source is read twice, block by block: once to know what is in it, once to write. All files
    are written before the first takes its place. What is learnt of the rows (tags, their weights,
    a scale, the form) is learnt of the train items alone.

    Parameters
    ----------
    workspace
        Where the ids are.
    asked
        The source and how to read it.
    progress
        Told of each block, and of what had to be decided.

    Raises
    ------
    RequestError
        If there is no such dataset, file or column, options contradict each other, or there is
        another setting of that name.
    DataError
        If the source is damaged, or lacks items.
    """
    _check_options(asked)
    sets = Dataset(workspace.scan(), asked.dataset).split_ids()
    before = _versions(asked)
    table = _open(asked)
    if table.columns is not None:
        progress.say(_told_columns(table))
    with _alone(workspace, asked), defer_interrupts() as check:
        _refuse_texts(Dataset(workspace.scan(), asked.dataset), asked)
        with progress.task(f"reading {asked.source.name}", 2 * table.size) as task:
            roll = ItemAlignment(sets)
            prepared = _prepare(asked, Reader(table, task, check), roll)
            task.describe("writing features")
            for remark in prepared.remarks:
                progress.say(remark)
            files, warnings = _write(workspace, asked, prepared, sets, before)
    for warning in (*_warnings(roll), *warnings):
        progress.warn(warning)
    fit = suggest_experiments(workspace, asked.dataset, prepared.form)
    return ImportedFeatures(
        dataset=asked.dataset,
        setting=asked.setting,
        source=asked.source,
        kind=prepared.origin["kind"],
        form=prepared.form,
        splits={split: len(ids) for split, ids in sets.items()},
        width=prepared.width,
        missing=roll.missing,
        strange=roll.strange,
        scaled=asked.scale,
        files=files,
        experiments=fit.experiments,
        default=fit.default,
        overrides=fit.overrides,
        before=fit.before,
    )


def _check_options(asked: FeaturesRequest) -> None:
    """Make sure that what is asked for goes together."""
    check_setting_name(asked.setting)
    for holds, why, hint in (*_misread(asked), *_misformed(asked)):
        if holds:
            msg = f"{asked.source.name}: {why}"
            raise RequestError(msg, hint=hint)


def _misread(asked: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Say what does not fit the kind of the source: whether it is so, why, and what to change."""
    matrix, selection = is_matrix(asked.source), asked.selection
    named = selection.id is not None or bool(selection.without)
    ids, hint = asked.ids is not None, "Name them, one a line: --ids FILE."
    yield matrix and not ids, "a matrix has no ids", hint
    yield not matrix and ids, "--ids is for .npy and .npz", "Leave it out."
    yield matrix and named, "a matrix has no named columns", "Leave --id and --without out."
    yield matrix and selection.tags, "a matrix is no table of tags", "Leave --tags out."
    hint = "Leave them out; or, if the table is one of tags, add --tags."
    limited = asked.tags is not None and not selection.tags
    yield limited, "--min-items and --max-tags choose among tags", hint


def _misformed(asked: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Say which forms of what is written exclude each other, in the same way."""
    tags, scale, form = asked.selection.tags, asked.scale, asked.form
    fills, kept = "--scale would fill what is sparse", asked.source.suffix == ".npz"
    yield tags and scale, "tags are weighed, not scaled", "Leave --scale out."
    yield tags and form == "dense", "tags are written sparse", "Leave --dense out."
    yield scale and form == "sparse", fills, "Leave out --scale or --sparse."
    yield scale and kept and form is None, fills, "Leave it out, or add --dense."


def _versions(asked: FeaturesRequest) -> list[tuple[int, ...]]:
    """Return what tells whether a file of the source was written to."""
    paths = (path for path in (asked.source, asked.ids) if path is not None and path.exists())
    return [stat_signature(path) for path in paths]


def _open(asked: FeaturesRequest) -> FeatureSource:
    if asked.ids is not None:
        return open_rows(asked.source, asked.ids)
    return open_features(asked.source, asked.selection)


def _told_columns(table: FeatureSource) -> str:
    columns = table.columns
    if columns is None:
        return ""
    first = " (the first; --id names another)" if columns.guessed else ""
    if columns.tag is not None:
        weights = f", weights in {columns.numbers[0]!r}" if columns.numbers else ""
        return f"items in column {columns.id!r}{first}, tags in {columns.tag!r}{weights}"
    numbers, some = len(columns.numbers), ", ".join(map(repr, columns.numbers[:3]))
    more = f", … {numbers:,} in all" if numbers > 3 else ""
    return f"ids in column {columns.id!r}{first}, features in {some}{more}"


def _prepare(asked: FeaturesRequest, reader: Reader, roll: ItemAlignment) -> PreparedFeatures:
    path = reader.table.ids_path
    if asked.selection.tags:
        tags = survey_tags(reader, roll)
        roll.require(path, asked.dataset, asked.leniency)
        return prepare_tags(tags, asked.tags or TagChoice())
    numbers = survey_numbers(reader, roll, scaled=asked.scale)
    roll.require(path, asked.dataset, asked.leniency)
    return prepare_numbers(numbers, asked.form)


def _warnings(roll: ItemAlignment) -> list[str]:
    lacking = roll.told_missing()
    told = [f"no row for {lacking}: rows of zeros"] if lacking else []
    rows = count_noun(roll.strange, "row is", "rows are")
    strange = f"{rows} of no item ({roll.stranger!r} for one): not used"
    return told + [strange] * bool(roll.strange)


@contextmanager
def _alone(workspace: WorkspacePaths, asked: FeaturesRequest) -> Iterator[None]:
    """Let nobody else make this setting, and remove what a killed command left half written."""
    origin = workspace.place(Kind.ORIGIN, **asked.fields)
    read = parse_path(origin, "datasets/train_data")
    if read is None or read.fields != asked.fields:
        raise setting_name_error(asked.setting)
    vocabulary = workspace.place(Kind.VOCABULARY, **asked.fields)  # 'text' locks the same
    made = {f"X_{s}_{asked.setting}_{asked.dataset}.{e}" for s in SPLITS for e in ("npy", "npz")}
    with locked(origin.parent / f".making_{vocabulary.name}.lock"):
        remove_leftovers(origin.parent, made | {origin.name})
        yield


def _refuse_texts(dataset: Dataset, asked: FeaturesRequest) -> None:
    """Leave alone what has a vocabulary, which other rows would not fit."""
    for kind in (Kind.VOCABULARY, Kind.WORD_VECTORS):
        for file in dataset.select(kind, setting=asked.setting):
            msg = f"{asked.dataset} has a setting {asked.setting} already, which 'tartarus text' "
            msg += f"made: {display_path(file.path)}"
            raise RequestError(msg, hint="Choose another name, or move its files away.")


def _write(
    workspace: WorkspacePaths,
    asked: FeaturesRequest,
    prepared: PreparedFeatures,
    sets: Sets,
    before: Sequence[tuple[int, ...]],
) -> tuple[list[Path], Sequence[str]]:
    """Write all files beside their places; then let each take its own, train last.

    Whoever is killed between two of them leaves a setting that lacks its train rows, not one of
    old and new rows.
    """
    ext = ENDINGS[prepared.form]
    places = {
        split: workspace.place(Kind.FEATURES, split=split, ext=ext, **asked.fields)
        for split in sets
    }
    origin = workspace.place(Kind.ORIGIN, **asked.fields)
    with ExitStack() as stack:
        # what is entered last takes its place first
        beside = {split: stack.enter_context(atomic_write(path)) for split, path in places.items()}
        warnings = prepared.write(beside)
        document = _origin(asked, prepared, sets)
        if _versions(asked) != before:
            raise changed_meanwhile()
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        stack.enter_context(atomic_write(origin)).write_text(text, encoding="utf-8", newline="\n")
        new = {places[split]: beside[split] for split in places}
        _make_way(Dataset(workspace.scan(), asked.dataset), asked, new)
    return [*places.values(), origin], warnings


def _make_way(dataset: Dataset, asked: FeaturesRequest, new: Mapping[Path, Path]) -> None:
    """Delete the rows that the setting had, if they differ and that is asked for."""
    old = [file.path for file in dataset.select(Kind.FEATURES, setting=asked.setting)]
    others = [path for path in old if path not in new or not same_content(path, new[path])]
    if not others:
        return
    if not asked.force:
        msg = f"{asked.dataset} has a setting {asked.setting} already, with another content: "
        hint = "Choose another name, or write over it with --force."
        raise RequestError(msg + display_path(others[0]), hint=hint)
    for path in old:
        path.unlink()


def _origin(asked: FeaturesRequest, prepared: PreparedFeatures, sets: Sets) -> dict[str, Any]:
    """Tell how the setting came about, in what is kept beside it."""
    lists = {} if asked.ids is None else {"ids": asked.ids.name, "digest_ids": digest(asked.ids)}
    source = {"source": asked.source.name, "digest": digest(asked.source)}
    items = {s: {"items": len(ids), "digest": digest_ids(ids)} for s, ids in sets.items()}
    made = {"sets": items, "form": prepared.form, "width": prepared.width}
    return source | lists | made | {**prepared.origin}
