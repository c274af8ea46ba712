"""Import a matrix or a table as a setting, aligned with the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.provenance import FeatureManifest, ItemsOfSet, MatrixForm
from tartarus_cli.data.tables.parts import part_files, table_digest
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import (
    Placeholder,
    RequestError,
    call,
    count_noun,
    display_path,
    parameter,
)
from tartarus_cli.experiments.settings import check_setting_name, setting_name_error
from tartarus_cli.features.alignment import (
    ItemAlignment,
    MissingRowPolicy,
    PreparedFeatures,
    Sets,
    SourceReader,
    source_changed_error,
)
from tartarus_cli.features.dense import prepare_numbers, survey_numbers
from tartarus_cli.features.suggest import SuggestedExperiments, suggest_experiments
from tartarus_cli.features.tables import (
    ColumnSelection,
    FeatureColumns,
    FeatureSource,
    is_matrix,
    open_features,
    open_rows,
)
from tartarus_cli.features.tags import TagChoice, prepare_tags, survey_tags
from tartarus_cli.file_names import SPLITS, Kind, parse_path
from tartarus_cli.files import (
    digest,
    locked,
    put_text,
    remove_leftovers,
    same_content,
    stat_signature,
    write_together,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import defer_interrupts

EXTENSIONS: Mapping[MatrixForm, str] = {"sparse": "npz", "dense": "npy"}


@dataclass(frozen=True, kw_only=True)
class FeaturesRequest:
    """A source of features, how to read it, and the setting to write."""

    dataset: str
    """Name of the dataset whose items the rows are aligned with."""
    setting: str
    """Name of the setting to write."""
    source: Path
    """A table of ids and numbers or tags, or a matrix whose ids are in ``ids``."""
    ids: Path | None = None
    """For a matrix: the list of the ids of its rows, one a line."""
    id_column: str | None = None
    """Name of the column of ids; None: the one whose name says so, else the first."""
    without: tuple[str, ...] = ()
    """Names of columns to leave out."""
    encoding: str | None = None
    """Encoding of a table without a byte-order mark; None: UTF-8."""
    tags: bool = False
    """Whether the rows are (item, tag) or (item, tag, weight), to be written as tf-idf."""
    tag_separator: str | None = None
    """What stands between several tags in one cell; None: each cell is one tag."""
    min_items: int | None = None
    """Fewest train items of a tag; None: 1."""
    max_tags: int | None = None
    """Most tags, the most common ones; None: 10,000."""
    missing: Literal["error", "zero"] = "error"
    """Whether items without a row are an error or get rows of zeros."""
    tolerate: float | None = None
    """Largest share of the items of each set that may have no row, and get zeros."""
    sparse: bool | None = None
    """Whether to write sparse or dense matrices; None: by the share of zeros."""
    scale: bool = False
    """Whether to scale columns to mean 0 and variance 1 of the train items."""
    force: bool = False
    """Whether to write over another setting of the same name."""

    @property
    def fields(self) -> dict[str, str]:
        """Fields of the names of its files."""
        return {"setting": self.setting, "dataset": self.dataset}

    @property
    def selection(self) -> ColumnSelection:
        """Which columns of a table to read."""
        return ColumnSelection(
            self.id_column, self.without, self.tags, self.tag_separator, self.encoding
        )

    @property
    def tag_choice(self) -> TagChoice | None:
        """Which tags become columns; None if nothing is said of it."""
        return TagChoice.of(self.min_items, self.max_tags)

    @property
    def missing_rows(self) -> MissingRowPolicy:
        """How many items may have no row.

        Raises
        ------
        RequestError
            If ``missing`` and ``tolerate`` contradict each other.
        """
        return MissingRowPolicy.of(self.missing, self.tolerate)

    @property
    def form(self) -> MatrixForm | None:
        """Form of the matrices; None: by the share of zeros."""
        return None if self.sparse is None else ("sparse" if self.sparse else "dense")


@dataclass(frozen=True)
class FeaturesResult:
    """A setting that was written, and how to go on with it."""

    dataset: str
    setting: str
    source: Path
    kind: Literal["numbers", "tags"]
    form: MatrixForm
    splits: dict[str, int]
    """Split → number of items."""
    width: int
    """Columns of the matrices."""
    missing: dict[str, list[str]]
    """Split → ids of items without a row, which got zeros."""
    unknown_rows: int
    """Rows of the source that belong to no item."""
    scaled: bool
    files: list[Path]
    """The matrices, and their manifest."""
    suggestion: SuggestedExperiments
    """Experiments that the setting can be used in."""


def import_features(
    workspace: WorkspacePaths, request: FeaturesRequest, *, progress: Progress = UNWATCHED
) -> FeaturesResult:
    """Align the rows of a source with the items of each set, and write them as a setting.

    The source is read twice, block by block: once to survey it, once to write. All files are
    written before the first takes its place. Whatever is computed from the rows (the choice of
    tags, their weights, a scale, the form) is computed from the rows of train items alone.

    Parameters
    ----------
    workspace
        The workspace that the dataset is in.
    request
        The source, how to read it, and the setting to write.
    progress
        Shows how far the source is read, and reports decisions.

    Raises
    ------
    RequestError
        If there is no such dataset, file or column, parameters contradict each other, or there is
        another setting of that name.
    DataError
        If the source is damaged, or lacks items.
    """
    _check_parameters(request)
    sets = Dataset(workspace.scan(), request.dataset).split_ids()
    signatures = _signatures(request)
    source = _open(request)
    if source.columns is not None:
        progress.say(_describe_columns(source.columns))
    with _lock_setting(workspace, request), defer_interrupts() as check:
        _refuse_texts(Dataset(workspace.scan(), request.dataset), request)
        with progress.task(f"reading {request.source.name}", 2 * source.size) as task:
            alignment = ItemAlignment(sets)
            forms = UnicodeForms({item for ids in sets.values() for item in ids})
            prepared = _prepare(request, SourceReader(source, task, check, forms), alignment)
            task.describe("writing features")
            for remark in prepared.remarks:
                progress.say(remark)
            files, warnings = _write(workspace, request, prepared, sets, signatures)
    if forms.replaced:
        warnings = [*warnings, forms.describe(display_path(source.ids_path))]
    for warning in (*_warnings(alignment), *warnings):
        progress.warn(warning)
    return FeaturesResult(
        dataset=request.dataset,
        setting=request.setting,
        source=request.source,
        kind=prepared.manifest_fields["kind"],
        form=prepared.form,
        splits={split: len(ids) for split, ids in sets.items()},
        width=prepared.width,
        missing=alignment.missing,
        unknown_rows=alignment.unknown_rows,
        scaled=request.scale,
        files=files,
        suggestion=suggest_experiments(workspace, request.dataset, prepared.form),
    )


def _check_parameters(request: FeaturesRequest) -> None:
    """Make sure that the parameters fit the source and each other."""
    check_setting_name(request.setting)
    _ = request.missing_rows  # raises
    for is_wrong, problem, hint in (*_reading_problems(request), *_form_problems(request)):
        if is_wrong:
            msg = f"{request.source.name}: {problem}"
            raise RequestError(msg, hint=hint)


def _reading_problems(request: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Yield problems of reading such a source: whether it exists, its message, its hint."""
    matrix, has_ids = is_matrix(request.source), request.ids is not None
    names_columns = request.id_column is not None or bool(request.without)
    ids, id_column, without, tags, min_items, max_tags = map(
        parameter, ("ids", "id_column", "without", "tags", "min_items", "max_tags")
    )
    give_ids = f"Name a list of its ids, one a line: {parameter('ids', Placeholder('FILE'))}."
    yield matrix and not has_ids, "a matrix has no ids", give_ids
    yield not matrix and has_ids, f"{ids} is for .npy and .npz", "Leave it out."
    leave_out = f"Leave {id_column} and {without} out."
    yield matrix and names_columns, "a matrix has no named columns", leave_out
    yield matrix and request.tags, "a matrix is not a table of tags", f"Leave {tags} out."
    separates = request.tag_separator is not None
    hint = "Leave it out; or, for a table of tags, give `tags=True`."
    yield separates and not request.tags, f"{parameter('tag_separator')} separates tags", hint
    yield request.tag_separator == "", f"{parameter('tag_separator')} is empty", "Leave it out."
    leave_out = f"Leave {parameter('encoding')} out."
    yield matrix and request.encoding is not None, "a matrix has no encoding", leave_out
    limits_tags = request.tag_choice is not None and not request.tags
    hint = "Leave them out; or, for a table of tags, give `tags=True`."
    yield limits_tags, f"{min_items} and {max_tags} choose among tags", hint


def _form_problems(request: FeaturesRequest) -> Iterator[tuple[bool, str, str]]:
    """Yield problems of writing such matrices, in the same way."""
    tags, scale, form = request.tags, request.scale, request.form
    sparse, dense = "`sparse=True`", "`sparse=False`"
    fills = f"{parameter('scale')} would fill what is sparse"
    yield tags and scale, "tags are weighted, not scaled", f"Leave {parameter('scale')} out."
    yield tags and form == "dense", "tags are written sparse", f"Leave {dense} out."
    leave_out = f"Leave one of the two out: `scale=True` or {sparse}."
    yield scale and form == "sparse", fills, leave_out
    from_sparse = request.source.suffix == ".npz" and form is None
    yield scale and from_sparse, fills, f"Leave it out, or give {dense} too."


def _signatures(request: FeaturesRequest) -> list[tuple[int, ...]]:
    """Return what shows whether a file of the source was written to."""
    paths = (path for path in (request.source, request.ids) if path is not None and path.exists())
    return [stat_signature(part) for path in paths for part in part_files(path)]


def _open(request: FeaturesRequest) -> FeatureSource:
    if request.ids is not None:
        return open_rows(request.source, request.ids)
    return open_features(request.source, request.selection)


def _describe_columns(columns: FeatureColumns) -> str:
    id_column = parameter("id_column")
    first = f" (the first; {id_column} names another)" if columns.guessed else ""
    if columns.tag is not None:
        weights = f", weights in {columns.numbers[0]!r}" if columns.numbers else ""
        return f"items in column {columns.id!r}{first}, tags in {columns.tag!r}{weights}"
    count, names = len(columns.numbers), ", ".join(map(repr, columns.numbers[:3]))
    more = f", … {count:,} in all" if count > 3 else ""
    return f"ids in column {columns.id!r}{first}, features in {names}{more}"


def _prepare(
    request: FeaturesRequest, reader: SourceReader, alignment: ItemAlignment
) -> PreparedFeatures:
    path = reader.source.ids_path
    if request.tags:
        tags = survey_tags(reader, alignment)
        alignment.require(path, request.dataset, request.missing_rows)
        return prepare_tags(tags, request.tag_choice or TagChoice())
    numbers = survey_numbers(reader, alignment, scaled=request.scale)
    alignment.require(path, request.dataset, request.missing_rows)
    return prepare_numbers(numbers, request.form)


def _warnings(alignment: ItemAlignment) -> list[str]:
    missing, warnings = alignment.describe_missing(), []
    if missing:
        warnings.append(f"no row for {missing}: rows of zeros")
    if alignment.unknown_rows:
        rows = count_noun(alignment.unknown_rows, "row is", "rows are")
        example = f"{alignment.first_unknown_id!r} for one"
        explained = alignment.explain_unknown().removesuffix(".")
        like = f"; {explained}" * bool(explained)
        warnings.append(f"{rows} of no item ({example}): not used{like}")
    return warnings


@contextmanager
def _lock_setting(workspace: WorkspacePaths, request: FeaturesRequest) -> Iterator[None]:
    """Keep other commands from writing this setting; remove files that a killed one left."""
    manifest = workspace.path_of(Kind.FEATURE_MANIFEST, **request.fields)
    parsed = parse_path(manifest, "datasets/train_data")
    if parsed is None or parsed.fields != request.fields:
        raise setting_name_error(request.setting)
    # Features of texts have the same lock.
    vocabulary = workspace.path_of(Kind.VOCABULARY, **request.fields)
    name = f"{request.setting}_{request.dataset}"
    matrices = {f"X_{split}_{name}.{ext}" for split in SPLITS for ext in EXTENSIONS.values()}
    matrices |= {f"mask_{split}_{name}.npy" for split in SPLITS}
    with locked(manifest.parent / f".making_{vocabulary.name}.lock"):
        remove_leftovers(manifest.parent, matrices | {manifest.name})
        yield


def _refuse_texts(dataset: Dataset, request: FeaturesRequest) -> None:
    """Refuse to replace a setting that has a vocabulary: other rows would not fit it."""
    for kind in (Kind.VOCABULARY, Kind.WORD_VECTORS):
        for file in dataset.select(kind, setting=request.setting):
            msg = f"{request.dataset} has a setting {request.setting} already, made by "
            msg += f"{call('text')}: {display_path(file.path)}"
            raise RequestError(msg, hint="Choose another name, or move its files away.")


def _write(
    workspace: WorkspacePaths,
    request: FeaturesRequest,
    prepared: PreparedFeatures,
    sets: Sets,
    signatures: Sequence[tuple[int, ...]],
) -> tuple[list[Path], Sequence[str]]:
    """Write all files to temporary ones; then let each take its place, train last.

    A command that is killed in between leaves a setting without train rows, and never one of old
    and new rows.
    """
    ext = EXTENSIONS[prepared.form]
    paths = {
        split: workspace.path_of(Kind.FEATURES, split=split, ext=ext, **request.fields)
        for split in sets
    }
    manifest_path = workspace.path_of(Kind.FEATURE_MANIFEST, **request.fields)
    outdated = list[Path]()
    written = [manifest_path, *reversed(paths.values())]
    with write_together(written, outdated=outdated) as temporary:
        warnings = prepared.write({split: temporary[path] for split, path in paths.items()})
        text = _manifest(request, prepared, sets).to_json()
        if _signatures(request) != signatures:
            raise source_changed_error()
        put_text(temporary[manifest_path], text)
        new = {path: temporary[path] for path in paths.values()}
        outdated += _outdated(Dataset(workspace.scan(), request.dataset), request, new)
    return [*paths.values(), manifest_path], warnings


def _outdated(dataset: Dataset, request: FeaturesRequest, new: Mapping[Path, Path]) -> list[Path]:
    """Return the old files of the setting, which must be the same unless the request says so."""
    kinds = (Kind.FEATURES, Kind.MASK)
    old = [f.path for kind in kinds for f in dataset.select(kind, setting=request.setting)]
    others = [path for path in old if path not in new or not same_content(path, new[path])]
    if others and not request.force:
        msg = f"{request.dataset} has a setting {request.setting} already, with another content: "
        hint = "Choose another name, or write over it with `force=True`."
        raise RequestError(msg + display_path(others[0]), hint=hint)
    return old


def _manifest(request: FeaturesRequest, prepared: PreparedFeatures, sets: Sets) -> FeatureManifest:
    ids = request.ids
    lists = {} if ids is None else {"ids": ids.name, "ids_digest": digest(ids)}
    return FeatureManifest(
        source=request.source.name,
        digest=table_digest(request.source),
        **lists,
        sets={
            split: ItemsOfSet(items=len(items), digest=digest_ids(items))
            for split, items in sets.items()
        },
        form=prepared.form,
        width=prepared.width,
        **prepared.manifest_fields,
    )
