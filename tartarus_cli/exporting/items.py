"""Tables of items: what a model predicted of each, or the values of one of its layers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix, open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.errors import (
    DataError,
    FileError,
    RequestError,
    call,
    count_noun,
    display_path,
    parameter,
)
from tartarus_cli.file_names import SPLITS, Kind
from tartarus_cli.models.store import Model
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl

    from tartarus_cli.exporting.request import ExportRequest

TableBlocks = Generator["pl.DataFrame", None, None]

TABLE_BYTES = 4 << 20  # of rows at a time


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


def embedding_tables(model: Model, asked: ExportRequest, progress: Progress) -> TableBlocks:
    """List items with the values of a layer."""
    if asked.layer is None:
        layers = [layer.name for layer in model.manifest.layers]
        msg = "embeddings are those of a layer, and `layer` names none"
        known = f"{model.name} has {', '.join(layers)}." if layers else f"{model.name} has none."
        raise RequestError(msg, hint=known)
    layer = model.layer(asked.layer).name
    setting = f"{model.name}-pred_{layer}"
    files = model.dataset.select(Kind.FEATURES, setting=setting)
    present = [split for split in SPLITS if split in {file.split for file in files}]
    splits = present if asked.split is None else _splits(model, asked.split)
    lacking = [split for split in splits if split not in present] or ([] if present else ["all"])
    if lacking:
        msg = f"layer {layer} of {model.name} has not been read out for {lacking[0]} items"
        command = call("predict", model.name, layer=layer, split=lacking[0])
        raise DataError(msg, hint=f"Read it out first: {command}")
    sets = [_embedded(model.dataset, split, setting) for split in splits]
    names = [f"{layer}_{number}" for number in range(sets[0].matrix.shape[1])]
    return _dense(sets, names, progress)


def _embedded(dataset: Dataset, split: str, setting: str) -> _Rows:
    file = dataset.require(Kind.FEATURES, split=split, setting=setting)
    ids = dataset.require(Kind.ITEMS, split=split).path
    return _rows(split, file.path, ids)


def _rows(split: str, path: Path, ids: Path) -> _Rows:
    found = _Rows(split, read_ids(ids), open_matrix(path))
    if found.matrix.shape[0] != len(found.ids):
        raise FileError(
            path,
            found=count_noun(found.matrix.shape[0], "row"),
            expected=f"{len(found.ids):,}, one for each id in {ids.name}",
            hint="Predict again.",
        )
    return found


def _splits(model: Model, name: str) -> list[str]:
    """Return the sets that a name stands for: one of them, or ``all``."""
    splits = list(model.dataset.splits)
    if name != "all" and name not in splits:
        msg = f"{model.manifest.dataset} has no {name} items"
        choices = " or ".join(parameter("split", choice) for choice in (*splits, "all"))
        raise RequestError(msg, hint=f"Choose {choices}.")
    return splits if name == "all" else [name]


def prediction_tables(model: Model, asked: ExportRequest, progress: Progress) -> TableBlocks:
    """List items with their factors or class scores, or with their neighbours."""
    dataset, workspace = model.dataset, model.workspace
    near = model.manifest.form == "neighbours"
    place = workspace.predicted_neighbours if near else workspace.predicted_factors
    sets = []
    for split in _splits(model, asked.split or "test"):
        paths = place(model.name, split), workspace.predicted_ids(model.name, split)
        for path in paths:
            if not path.is_file():
                place_of = display_path(path)
                msg = f"{place_of} is missing: {model.name} has not predicted the {split} items"
                command = call("predict", model.name, split=split)
                raise DataError(msg, hint=f"Predict first: {command}")
        sets.append(_rows(split, *paths))
    if near:
        train = dataset.require(Kind.ITEMS, split="train").path
        return _neighbours(sets, read_ids(train), progress)
    return _dense(sets, _columns(dataset, model, sets[0].matrix.shape[1]), progress)


def _columns(dataset: Dataset, model: Model, width: int) -> list[str]:
    if model.manifest.form == "scores":
        return ["score"]
    if model.experiment.targets.kind != "class":
        return [f"factor_{number}" for number in range(width)]
    names = dataset.label_names
    if names is None:
        return [f"class_{number}" for number in range(1, width + 1)]
    path = dataset.require(Kind.LABELS).path
    if len(names) != width:
        raise FileError(
            path,
            found=count_noun(len(names), "name"),
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


def _dense(sets: Sequence[_Rows], names: list[str], progress: Progress) -> TableBlocks:
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
                found=count_noun(each.matrix.shape[1], "column"),
                expected=f"{len(names):,}, as in {sets[0].matrix.path.name}",
                hint="Predict again.",
            )
    return _blockwise(sets, table, progress)


def _neighbours(sets: Sequence[_Rows], train: Sequence[str], progress: Progress) -> TableBlocks:
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
                found=count_noun(each.matrix.shape[1], "column"),
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
) -> TableBlocks:
    total = sum(len(each.ids) for each in sets)
    with defer_interrupts() as check, progress.task("exporting", total) as task:
        for each in sets:
            for block in each.matrix.blocks(TABLE_BYTES):
                yield table(each, block)
                task.advance(block.stop - block.start)
                check()
