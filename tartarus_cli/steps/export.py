"""Write what a model predicted or recommends in a form that other programs read."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.dataset import splits_of
from tartarus_cli.data.features import Matrix, open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.tables.writing import TableForm, writing_table
from tartarus_cli.data.targets import label_names
from tartarus_cli.errors import DataError, FileError, RequestError, counted, shown
from tartarus_cli.models import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.signals import between_steps
from tartarus_cli.steps.ranking import MEMORY
from tartarus_cli.steps.recommender import ListOptions, Names, Recommender, open_recommender
from tartarus_cli.workspace import SPLITS, Inventory, Kind, Workspace

if TYPE_CHECKING:
    import polars as pl

What = Literal["predictions", "embeddings", "rankings", "run", "qrels"]
Tables = Generator["pl.DataFrame", None, None]

ENDINGS: dict[str, TableForm] = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
NO_TREC = (*ENDINGS, ".npy", ".npz", ".json", ".gz", ".zip", ".bz2", ".xz", ".zst", ".lz4")
TREC = ("run", "qrels")
DEEP = 1000  # items of a user in a run, as TREC has it
SHORT = 10  # in rankings
TABLE_BYTES = 4 << 20  # of rows at a time


@dataclass(frozen=True)
class ExportRequest:
    """What to write, and where."""

    what: What
    path: Path
    layer: str | None = None  # of the embeddings
    split: str | None = None  # train, val, test or all; None: what is usual
    top: int | None = None  # items for each user; None: 10, in a run 1000
    memory: int | None = None  # bytes for scores and factors; None: as in an evaluation
    force: bool = False  # write over what is there


@dataclass(frozen=True)
class Exported:
    """What was written."""

    model: str
    dataset: str
    what: What
    path: Path
    lines: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class _Rows:
    """A matrix of which each row belongs to an item of a set."""

    split: str
    ids: list[str]
    matrix: Matrix

    @cached_property
    def column(self) -> pl.Series:
        """The ids, to take some from."""
        import polars as pl

        return pl.Series(self.ids, dtype=pl.String)


def export(
    workspace: Workspace,
    name: str | None,
    asked: ExportRequest,
    *,
    progress: Progress = UNWATCHED,
) -> Exported:
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
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such model, layer or set, the file exists, or the request contradicts itself.
    DataError
        If something has not been predicted, or a file is missing, damaged or out of step.
    """
    form = _form(asked)
    _check_place(asked)
    _check_options(asked)
    model = Store(workspace).get(name)
    tables = _tables(workspace, model, asked, progress)
    lines, columns = 0, list[str]()
    with writing_table(asked.path, form) as put, closing(tables):
        for table in tables:
            put(table)
            lines, columns = lines + len(table), table.columns
    dataset = model.manifest.dataset
    return Exported(model.name, dataset, asked.what, asked.path, lines, tuple(columns))


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
        msg = f"{shown(path)} is there already"
        raise RequestError(msg, hint="Name another file, or say --force to write over it.")


_TAKES = {"layer": ("embeddings",), "split": ("predictions", "embeddings")}
_TAKES |= {"top": ("rankings", "run"), "memory": ("rankings", "run")}


def _check_options(asked: ExportRequest) -> None:
    """Make sure that no option is given that would mean nothing."""
    for option, those in _TAKES.items():
        if getattr(asked, option) is not None and asked.what not in those:
            msg = f"--{option} means nothing with --what {asked.what}"
            raise RequestError(msg, hint=f"It is for {' and '.join(those)}; leave it out.")


def _tables(workspace: Workspace, model: Model, asked: ExportRequest, progress: Progress) -> Tables:
    if asked.what == "embeddings":
        return _embeddings(workspace, model, asked, progress)
    if asked.what == "predictions":
        return _predictions(workspace, model, asked, progress)
    return _of_users(workspace, model, asked, progress)


# Rows of items.


def _embeddings(
    workspace: Workspace, model: Model, asked: ExportRequest, progress: Progress
) -> Tables:
    inventory, dataset = workspace.scan(), model.manifest.dataset
    if asked.layer is None:
        layers = [layer.name for layer in model.manifest.layers]
        msg = "embeddings are those of a layer, and --layer names none"
        known = f"{model.name} has {', '.join(layers)}." if layers else f"{model.name} has none."
        raise RequestError(msg, hint=known)
    layer = model.layer(asked.layer).name
    fields = {"setting": f"{model.name}-pred_{layer}", "dataset": dataset}
    found = inventory.select(Kind.FEATURES, **fields)
    there = [split for split in SPLITS if split in {file.split for file in found}]
    wanted = there if asked.split is None else _splits(inventory, model, asked.split)
    lacking = [split for split in wanted if split not in there] or ([] if there else ["all"])
    if lacking:
        msg = f"layer {layer} of {model.name} has not been read out for {lacking[0]} items"
        command = f"tartarus predict {model.name} --layer {layer} --split {lacking[0]}"
        raise DataError(msg, hint=f"Run '{command}' first.")
    sets = [_embedded(inventory, split, fields) for split in wanted]
    names = [f"{layer}_{number}" for number in range(sets[0].matrix.shape[1])]
    return _dense(sets, names, progress)


def _embedded(inventory: Inventory, split: str, fields: dict[str, str]) -> _Rows:
    file = inventory.require(Kind.FEATURES, split=split, **fields)
    ids = inventory.require(Kind.ITEMS, split=split, dataset=fields["dataset"]).path
    return _rows(split, file.path, ids)


def _rows(split: str, path: Path, ids: Path) -> _Rows:
    found = _Rows(split, read_ids(ids), open_matrix(path))
    if found.matrix.shape[0] != len(found.ids):
        raise FileError(
            path,
            found=counted(found.matrix.shape[0], "row"),
            expected=f"{len(found.ids):,}, one for each id in {ids.name}",
            hint="Predict again.",
        )
    return found


def _splits(inventory: Inventory, model: Model, asked: str) -> list[str]:
    there = splits_of(inventory, model.manifest.dataset)
    if asked != "all" and asked not in there:
        msg = f"{model.manifest.dataset} has no {asked} items"
        raise RequestError(msg, hint=f"Choose --split {' or '.join([*there, 'all'])}.")
    return there if asked == "all" else [asked]


def _predictions(
    workspace: Workspace, model: Model, asked: ExportRequest, progress: Progress
) -> Tables:
    inventory = workspace.scan()
    near = model.manifest.form == "neighbours"
    place = workspace.predicted_neighbours if near else workspace.predicted_factors
    sets = []
    for split in _splits(inventory, model, asked.split or "test"):
        paths = place(model.name, split), workspace.predicted_ids(model.name, split)
        for path in paths:
            if not path.is_file():
                msg = f"{shown(path)} is missing: {model.name} has not predicted the {split} items"
                command = f"tartarus predict {model.name} --split {split}"
                raise DataError(msg, hint=f"Run '{command}' first.")
        sets.append(_rows(split, *paths))
    if near:
        train = inventory.require(Kind.ITEMS, split="train", dataset=model.manifest.dataset).path
        return _neighbours(sets, read_ids(train), progress)
    return _dense(sets, _columns(inventory, model, sets[0].matrix.shape[1]), progress)


def _columns(inventory: Inventory, model: Model, width: int) -> list[str]:
    if model.manifest.form == "scores":
        return ["score"]
    if model.experiment.targets.kind != "class":
        return [f"factor_{number}" for number in range(width)]
    names = label_names(inventory, model.manifest.dataset)
    if names is None:
        return [f"class_{number}" for number in range(1, width + 1)]
    path = inventory.require(Kind.LABELS, dataset=model.manifest.dataset).path
    if len(names) != width:
        raise FileError(
            path,
            found=counted(len(names), "name"),
            expected=f"{width:,}, one for each class that {model.name} predicts",
            hint="Correct the list.",
        )
    twice = {"id", "split"} & {*names} or {name for name in names if names.count(name) > 1}
    if twice:
        raise FileError(
            path,
            found=f"a class called {min(twice)!r}, as another column is",
            expected="names that are all different, and none of them id or split",
            hint="Call the class otherwise.",
        )
    return names


def _dense(sets: Sequence[_Rows], names: list[str], progress: Progress) -> Tables:
    """List the items: id, set, and the numbers of each by name."""
    import polars as pl

    def table(rows: _Rows, block: slice) -> pl.DataFrame:
        values = rows.matrix.rows(block)
        require_finite(rows.matrix.path, values, block.start)
        whose = _whose(rows, np.arange(block.start, block.stop))
        return whose.hstack(pl.from_numpy(values, schema=names, orient="row"))

    for each in sets:
        if each.matrix.shape[1] != len(names):
            raise FileError(
                each.matrix.path,
                found=counted(each.matrix.shape[1], "column"),
                expected=f"{len(names):,}, as in {sets[0].matrix.path.name}",
                hint="Predict again.",
            )
    return _blockwise(sets, table, progress)


def _neighbours(sets: Sequence[_Rows], train: Sequence[str], progress: Progress) -> Tables:
    """List the neighbours of the items: id, set, train item, similarity."""
    import polars as pl

    column = pl.Series(train, dtype=pl.String)

    def table(rows: _Rows, block: slice) -> pl.DataFrame:
        found = csr_array(rows.matrix.values)[block].tocoo()
        numbers = {"neighbour": column.gather(found.col), "similarity": found.data}
        return _whose(rows, found.row + block.start).with_columns(**numbers)

    for each in sets:
        if each.matrix.shape[1] != len(train):
            raise FileError(
                each.matrix.path,
                found=counted(each.matrix.shape[1], "column"),
                expected=f"{len(train):,}, one for each train item",
                hint="Predict again.",
            )
    return _blockwise(sets, table, progress)


def _whose(rows: _Rows, numbers: NDArray[np.integer]) -> pl.DataFrame:
    import polars as pl

    ids = pl.DataFrame({"id": rows.column.gather(numbers)})
    return ids.with_columns(split=pl.lit(rows.split))


def _blockwise(
    sets: Sequence[_Rows], table: Callable[[_Rows, slice], pl.DataFrame], progress: Progress
) -> Tables:
    total = sum(len(each.ids) for each in sets)
    with between_steps() as check, progress.task("exporting", total) as task:
        for each in sets:
            for block in each.matrix.blocks(TABLE_BYTES):
                yield table(each, block)
                task.advance(block.stop - block.start)
                check()


# Lines of users.


def _of_users(
    workspace: Workspace, model: Model, asked: ExportRequest, progress: Progress
) -> Tables:
    judged = asked.what == "qrels"
    memory = MEMORY if asked.memory is None else asked.memory
    recommender = open_recommender(
        workspace, model.name, truth=judged, memory=memory, progress=progress
    )
    if asked.what in TREC:
        for names in (recommender.users, recommender.items):
            _refuse_blanks(names, model)
    if judged:
        return _qrels(recommender, progress)
    in_run = asked.what == "run"
    options = ListOptions(asked.top or (DEEP if in_run else SHORT), apart=in_run)
    tables = recommender.tables(options, progress)
    return _run(tables, model.name) if in_run else tables


def _refuse_blanks(names: Names, model: Model) -> None:
    blank = re.compile(r"\s")
    for line, each in enumerate(names.ids if names.path else (), 1):
        if blank.search(each):
            to = f"tartarus export {model.name} --what rankings --to rankings.csv"
            raise FileError(
                names.path or Path(),
                found=f"the id {each!r} in line {line:,} has a blank",
                expected="ids without, since blanks separate the columns of TREC's files",
                hint=f"Put another sign in its place, or write a table: '{to}'.",
            )


def _run(tables: Tables, model: str) -> Tables:
    """Order the columns as trec_eval reads them."""
    import polars as pl

    for table in tables:
        q0, name = pl.lit("Q0").alias("Q0"), pl.lit(model).alias("model")
        yield table.select("user", q0, "item", "rank", "score", name)


def _qrels(recommender: Recommender, progress: Progress) -> Tables:
    """List what each user has: user, 0, item, 1."""
    import polars as pl

    users, items = recommender.users.column, recommender.items.column
    with between_steps() as check, progress.task("exporting", len(users)) as task:
        for some in recommender.room.blocks(recommender.everybody):
            whose, which = recommender.owned(some)
            pairs = pl.DataFrame({"user": users.gather(whose), "item": items.gather(which)})
            zero, one = pl.lit(0).alias("iteration"), pl.lit(1).alias("relevance")
            yield pairs.select("user", zero, "item", one)
            task.advance(some.stop - some.start)
            check()
