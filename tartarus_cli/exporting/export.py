"""Write what a model predicted or recommends in a form that other programs read."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.data.tables.writing import TableForm, open_table_writer
from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.exporting.items import TableBlocks, embedding_tables, prediction_tables
from tartarus_cli.exporting.request import ExportRequest, What
from tartarus_cli.exporting.users import BLANK, TREC, user_tables
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress

ENDINGS: dict[str, TableForm] = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
NO_TREC = (*ENDINGS, ".npy", ".npz", ".json", ".gz", ".zip", ".bz2", ".xz", ".zst", ".lz4")


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    model: str
    dataset: str
    what: What
    path: Path
    lines: int
    columns: tuple[str, ...]
    blanks: str | None = None  # what stands for blanks in the ids, if that was asked


def export(
    workspace: WorkspacePaths,
    name: str | None,
    asked: ExportRequest,
    *,
    progress: Progress = UNWATCHED,
) -> ExportResult:
    """Write predictions, embeddings or rankings, block by block.

    Parameters
    ----------
    workspace
        Where the model and its data are.
    name
        The model; the newest if None.
    asked
        ``predictions``: a line for each item, with its factors, or its class scores by the names of
        the classes; of a baseline that finds neighbours, a line for each of these. ``embeddings``:
        a line for each item, with the values of a layer. ``rankings``: the first items of each
        user. ``run`` and ``qrels``: rankings and truth for trec_eval and its kin. As these order by
        the score alone, a run lowers equal scores by the smallest step that float32 tells apart.
        Users of whom nothing is known are in a run, as in the evaluation, but not in rankings.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such model, layer or set, the file exists, the request contradicts itself,
        or ids would become the same.
    DataError
        If something has not been predicted, or a file is missing, damaged or out of step.
    """
    form = _form(asked)
    _check_place(asked)
    _check_options(asked)
    model = Store(workspace).get(name)
    tables = _tables(workspace, model, asked, progress)
    lines, columns = 0, list[str]()
    with open_table_writer(asked.path, form) as put, closing(tables):
        for table in tables:
            put(table)
            lines, columns = lines + len(table), table.columns
    dataset = model.manifest.dataset
    told = model.name, dataset, asked.what, asked.path, lines, tuple(columns)
    return ExportResult(*told, blanks=asked.blanks)


def _form(asked: ExportRequest) -> TableForm:
    ending = asked.path.suffix.lower()
    if asked.what in TREC:
        if ending in NO_TREC:
            msg = f"--to {asked.path}: --what {asked.what} writes plain text, not {ending}"
            raise RequestError(msg, hint=f"Call it {asked.path.with_suffix('.trec').name}.")
        return "trec"
    if ending not in ENDINGS:
        msg = f"--to {asked.path}: its ending does not say what to write"
        raise RequestError(msg, hint=f"Let it end in {', '.join(ENDINGS)}.")
    return ENDINGS[ending]


def _check_place(asked: ExportRequest) -> None:
    path = asked.path
    if path.is_dir():
        msg = f"--to {path} is a folder"
        raise RequestError(msg, hint="Name a file in it.")
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent}"
        raise RequestError(msg, hint=f"Make it: mkdir -p {quote(str(path.parent))}")
    if path.exists() and not asked.force:
        msg = f"{display_path(path)} is there already"
        raise RequestError(msg, hint="Name another file, or say --force to write over it.")


_TAKES = {"layer": ("embeddings",), "split": ("predictions", "embeddings")}
_TAKES |= {"top": ("rankings", "run"), "memory": ("rankings", "run"), "blanks": TREC}


def _check_options(asked: ExportRequest) -> None:
    """Make sure that no option is given that would mean nothing."""
    for option, those in _TAKES.items():
        if getattr(asked, option) is not None and asked.what not in those:
            msg = f"--{option} means nothing with --what {asked.what}"
            raise RequestError(msg, hint=f"It is for {' and '.join(those)}; leave it out.")
    if asked.blanks is not None and (not asked.blanks or BLANK.search(asked.blanks)):
        msg = f"--blanks {asked.blanks!r} cannot stand for blanks: it is empty, or has one itself"
        raise RequestError(msg, hint="Name a sign that is no blank: --blanks _")


def _tables(
    workspace: WorkspacePaths, model: Model, asked: ExportRequest, progress: Progress
) -> TableBlocks:
    if asked.what == "embeddings":
        return embedding_tables(model, asked, progress)
    if asked.what == "predictions":
        return prediction_tables(model, asked, progress)
    return user_tables(workspace, model, asked, progress)
