"""Write predictions, embeddings, rankings or the network of a model for other programs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.data.tables.writing import TableForm, open_table_writer
from tartarus_cli.errors import RequestError, display_path, parameter
from tartarus_cli.exporting.figures import model_figures
from tartarus_cli.exporting.formulas import FormulaGuard
from tartarus_cli.exporting.items import TableBlocks, embedding_tables, prediction_tables
from tartarus_cli.exporting.model_file import ModelFile, export_model_file
from tartarus_cli.exporting.request import EXTENSIONS, ExportKind, ExportRequest
from tartarus_cli.exporting.user_vectors import user_vector_tables
from tartarus_cli.exporting.users import TREC, WHITESPACE, user_tables
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED, Progress

FORMATS: dict[str, TableForm] = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
"""Extension of a file → format of its table."""

NOT_TREC = (*FORMATS, ".npy", ".npz", ".json", ".gz", ".zip", ".bz2", ".xz", ".zst", ".lz4")
"""Extensions that a run or qrels, which are plain text, must not have."""


@dataclass(frozen=True)
class ExportResult:
    """A file that was written."""

    model: str
    """Name of the model, or of the group."""
    dataset: str
    """Name of its dataset."""
    what: ExportKind
    path: Path
    lines: int
    """Number of rows of the table."""
    columns: tuple[str, ...]
    """Names of its columns."""
    replace_whitespace: str | None = None
    """Characters that replaced whitespace in ids, if that was requested."""


def export(
    model: Model, request: ExportRequest, *, progress: Progress = UNWATCHED
) -> ExportResult | ModelFile:
    """Write predictions, embeddings or rankings of a model, block by block, or the model itself.

    As trec_eval and similar programs order by the score alone, a run lowers equal scores by the
    smallest step of float32. Users without train plays are in a run, as in the evaluation, but not
    in rankings.

    Parameters
    ----------
    model
        The model.
    request
        What to write, and to which file.
    progress
        Shows how much is written.

    Raises
    ------
    RequestError
        If there is no such layer or set, the file exists, the request contradicts itself, or ids
        would become the same.
    DataError
        If something has not been predicted, or a file is missing or damaged, or does not fit the
        others.
    """
    check_export(request)
    if request.what in EXTENSIONS:
        return export_model_file(model, request, progress)
    tables = _tables(model, request, progress)
    return write_tables(model.name, model.manifest.dataset, request, tables, progress)


def check_export(request: ExportRequest) -> None:
    """Make sure that a file can be written, and that each parameter applies to the export.

    Raises
    ------
    RequestError
        If it is not so.
    """
    if request.what in EXTENSIONS:
        _check_extension(request)
    else:
        _format(request)
    _check_path(request)
    _check_parameters(request)


def _check_extension(request: ExportRequest) -> None:
    path, extension = request.path, EXTENSIONS[request.what]
    if path.suffix.lower() != extension:
        what = parameter("what", request.what)
        msg = f"{parameter('path', str(path))}: {what} writes {extension}"
        raise RequestError(msg, hint=f"Call it {path.with_suffix(extension).name}.")


def write_tables(
    name: str, dataset: str, request: ExportRequest, tables: TableBlocks, progress: Progress
) -> ExportResult:
    """Write tables into the file of a request, one after the other.

    Parameters
    ----------
    name, dataset
        The model, or group, that they are of, and its dataset.
    request
        What is written, and to which file; it was checked.
    tables
        The tables, all with the same columns.
    progress
        Is told of texts that a spreadsheet would run.
    """
    form = _format(request)
    guard = FormulaGuard(escape=request.escape_formulas)
    lines, columns = 0, list[str]()
    with open_table_writer(request.path, form) as put, closing(tables):
        for table in tables:
            put(guard(table) if form in ("csv", "tsv") else table)
            lines, columns = lines + len(table), table.columns
    if guard.warning is not None:
        progress.warn(guard.warning)
    return ExportResult(
        model=name,
        dataset=dataset,
        what=request.what,
        path=request.path,
        lines=lines,
        columns=tuple(columns),
        replace_whitespace=request.replace_whitespace,
    )


def _format(request: ExportRequest) -> TableForm:
    extension = request.path.suffix.lower()
    path, what = parameter("path", str(request.path)), parameter("what", request.what)
    if request.what in TREC:
        if extension in NOT_TREC:
            msg = f"{path}: {what} writes plain text, not {extension}"
            raise RequestError(msg, hint=f"Call it {request.path.with_suffix('.trec').name}.")
        return "trec"
    if extension not in FORMATS:
        msg = f"{path}: its extension does not say which format to write"
        raise RequestError(msg, hint=f"Choose one of the extensions {', '.join(FORMATS)}.")
    return FORMATS[extension]


def _check_path(request: ExportRequest) -> None:
    path = request.path
    if path.is_dir():
        msg = f"{parameter('path', str(path))} is a folder"
        raise RequestError(msg, hint="Name a file in it.")
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent}"
        raise RequestError(msg, hint=f"Create it: mkdir -p {quote(str(path.parent))}")
    if path.exists() and not request.force:
        msg = f"{display_path(path)} is there already"
        raise RequestError(msg, hint="Name another file, or write over it with `force=True`.")


_APPLICABLE: dict[str, tuple[ExportKind, ...]] = {
    "layer": ("embeddings", "onnx"),
    "split": ("predictions", "embeddings"),
    "top": ("rankings", "run"),
    "memory": ("rankings", "run"),
    "replace_whitespace": TREC,
}
"""Parameter → the exports that it applies to."""


def _check_parameters(request: ExportRequest) -> None:
    """Make sure that each parameter applies to the export."""
    if request.escape_formulas and request.path.suffix.lower() not in (".csv", ".tsv"):
        msg = f"{parameter('escape_formulas')} means nothing for {request.path.name}"
        raise RequestError(msg, hint="Leave it out: it is for .csv and .tsv.")
    for name, kinds in _APPLICABLE.items():
        if getattr(request, name) is not None and request.what not in kinds:
            msg = f"{parameter(name)} means nothing with {parameter('what', request.what)}"
            raise RequestError(msg, hint=f"Leave it out: it is for {' and '.join(kinds)}.")
    replacement = request.replace_whitespace
    if replacement is not None and (not replacement or WHITESPACE.search(replacement)):
        value = parameter("replace_whitespace", replacement)
        msg = f"{value} cannot replace whitespace: it is empty, or contains whitespace itself"
        example = parameter("replace_whitespace", "_")
        raise RequestError(msg, hint=f"Name a character that is no whitespace: {example}")


def _tables(model: Model, request: ExportRequest, progress: Progress) -> TableBlocks:
    if request.what == "embeddings":
        return embedding_tables(model, request, progress)
    if request.what == "predictions":
        return prediction_tables(model, request, progress)
    if request.what == "figures":
        return model_figures(model)
    if request.what == "users":
        return user_vector_tables(model, progress)
    return user_tables(model, request, progress)
