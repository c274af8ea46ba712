"""Import a matrix or a table as a setting, aligned with the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import digest_ids
from tartarus_cli.data.masks import put_mask
from tartarus_cli.data.provenance import FeatureManifest, ItemsOfSet, MatrixForm
from tartarus_cli.data.tables.parts import part_files, table_digest
from tartarus_cli.data.unicode_forms import UnicodeForms
from tartarus_cli.errors import (
    RequestError,
    call,
    count_noun,
    display_path,
    parameter,
)
from tartarus_cli.experiments.settings import setting_name_error
from tartarus_cli.features.alignment import (
    ItemAlignment,
    PreparedFeatures,
    SourceReader,
    source_changed_error,
)
from tartarus_cli.features.converted import read_on_cluster
from tartarus_cli.features.dense import prepare_numbers, survey_numbers
from tartarus_cli.features.request import FeaturesRequest, check_parameters
from tartarus_cli.features.suggest import SuggestedExperiments, suggest_experiments
from tartarus_cli.features.tables import FeatureColumns
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
    """Split → ids of items without a row, whose rows are zeros."""
    absent: dict[str, int]
    """Split → number of these items if they lack the setting; else 0."""
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
    check_parameters(request)
    sets = Dataset(workspace.scan(), request.dataset).split_ids()
    signatures = _signatures(request)
    source = request.open()
    if source.columns is not None:
        progress.say(_describe_columns(source.columns))
    with _lock_setting(workspace, request), ExitStack() as stack, defer_interrupts() as check:
        _refuse_texts(Dataset(workspace.scan(), request.dataset), request)
        if request.cluster is not None:
            source = stack.enter_context(
                read_on_cluster(request.cluster, request, source, workspace.data, progress)
            )
        with progress.task(f"reading {request.source.name}", 2 * source.size) as task:
            alignment = ItemAlignment(sets)
            forms = UnicodeForms({item for ids in sets.values() for item in ids})
            prepared = _prepare(request, SourceReader(source, task, check, forms), alignment)
            task.describe("writing features")
            for remark in prepared.remarks:
                progress.say(remark)
            files, warnings = _write(workspace, request, prepared, alignment, signatures)
    if forms.replaced:
        warnings = [*warnings, forms.describe(display_path(source.ids_path))]
    for warning in (*_warnings(request, alignment), *warnings):
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
        absent=_count_absent(request, alignment),
        unknown_rows=alignment.unknown_rows,
        scaled=request.scale,
        files=files,
        suggestion=suggest_experiments(workspace, request.dataset, prepared.form),
    )


def _signatures(request: FeaturesRequest) -> list[tuple[int, ...]]:
    """Return what shows whether a file of the source was written to."""
    paths = (path for path in (request.source, request.ids) if path is not None and path.exists())
    return [stat_signature(part) for path in paths for part in part_files(path)]


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


def _count_absent(request: FeaturesRequest, alignment: ItemAlignment) -> dict[str, int]:
    """Count the items of each set that lack the setting."""
    counts = alignment.missing_counts
    return counts if request.missing_rows.absent else dict.fromkeys(counts, 0)


def _warnings(request: FeaturesRequest, alignment: ItemAlignment) -> list[str]:
    missing, warnings = alignment.describe_missing(), []
    if missing:
        outcome = "they lack the setting" if request.missing_rows.absent else "rows of zeros"
        warnings.append(f"no row for {missing}: {outcome}")
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
    alignment: ItemAlignment,
    signatures: Sequence[tuple[int, ...]],
) -> tuple[list[Path], Sequence[str]]:
    """Write all files to temporary ones; then let each take its place, train last.

    A command that is killed in between leaves a setting without train rows, and never one of old
    and new rows.
    """
    ext = EXTENSIONS[prepared.form]
    paths = {
        split: workspace.path_of(Kind.FEATURES, split=split, ext=ext, **request.fields)
        for split in alignment.sets
    }
    masks = {
        workspace.path_of(Kind.MASK, split=split, **request.fields): alignment.has_row[split]
        for split, count in _count_absent(request, alignment).items()
        if count
    }
    manifest_path = workspace.path_of(Kind.FEATURE_MANIFEST, **request.fields)
    outdated = list[Path]()
    written = [manifest_path, *masks, *reversed(paths.values())]
    with write_together(written, outdated=outdated) as temporary:
        warnings = prepared.write({split: temporary[path] for split, path in paths.items()})
        for path, has_row in masks.items():
            put_mask(temporary[path], has_row)
        text = _manifest(request, prepared, alignment).to_json()
        if _signatures(request) != signatures:
            raise source_changed_error()
        put_text(temporary[manifest_path], text)
        new = {path: temporary[path] for path in (*paths.values(), *masks)}
        outdated += _outdated(Dataset(workspace.scan(), request.dataset), request, new)
    return [*paths.values(), *masks, manifest_path], warnings


def _outdated(dataset: Dataset, request: FeaturesRequest, new: Mapping[Path, Path]) -> list[Path]:
    """Return the old files of the setting, which must be the same unless the request says so."""
    kinds = (Kind.FEATURES, Kind.MASK)
    old = [f.path for kind in kinds for f in dataset.select(kind, setting=request.setting)]
    others = [path for path in old if path not in new or not same_content(path, new[path])]
    splits = {file.split for file in dataset.select(Kind.FEATURES, setting=request.setting)}
    masks = (dataset.path(Kind.MASK, split=split, setting=request.setting) for split in splits)
    others += [path for path in masks if path in new and path not in old]
    if others and not request.force:
        msg = f"{request.dataset} has a setting {request.setting} already, with another content: "
        hint = "Choose another name, or write over it with `force=True`."
        raise RequestError(msg + display_path(others[0]), hint=hint)
    return old


def _manifest(
    request: FeaturesRequest, prepared: PreparedFeatures, alignment: ItemAlignment
) -> FeatureManifest:
    ids, sets, counts = request.ids, alignment.sets, alignment.missing_counts
    outcome = "absent" if request.missing_rows.absent else "zeros"
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
        **({outcome: counts} if any(counts.values()) else {}),
        **prepared.manifest_fields,
    )
