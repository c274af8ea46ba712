"""Tables of items: predictions of a model, or the values of one of its layers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import Matrix, open_matrix, require_finite
from tartarus_cli.data.ids import read_ids
from tartarus_cli.data.masks import read_mask
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
"""Tables that are written one after the other, with the same columns."""

TABLE_BYTES = 4 << 20
"""Size of the blocks of rows that are written at once."""


@dataclass(frozen=True)
class _ItemRows:
    """A matrix with a row for each item of a set."""

    split: str
    ids: list[str]
    matrix: Matrix

    @cached_property
    def column(self) -> pl.Series:
        """The ids, as a column to select rows from."""
        import polars as pl

        return pl.Series(self.ids, dtype=pl.String)


def embedding_tables(model: Model, request: ExportRequest, progress: Progress) -> TableBlocks:
    """Yield tables of items with the values of a layer.

    Raises
    ------
    RequestError
        If no layer is named, or the model has no such layer.
    DataError
        If the layer has not been read out for a set.
    """
    if request.layer is None:
        layers = [layer.name for layer in model.manifest.layers]
        msg = "embeddings are those of a layer, and `layer` names none"
        raise RequestError(msg, hint=f"{model.name} has {', '.join(layers) or 'none'}.")
    layer = model.layer(request.layer).name
    setting = f"{model.name}-pred_{layer}"
    files = model.dataset.select(Kind.FEATURES, setting=setting)
    present = [split for split in SPLITS if split in {file.split for file in files}]
    splits = present if request.split is None else _splits(model, request.split)
    missing = [split for split in splits if split not in present] or ([] if present else ["all"])
    if missing:
        msg = f"layer {layer} of {model.name} has not been read out for {missing[0]} items"
        command = call("predict", model.name, layer=layer, split=missing[0])
        raise DataError(msg, hint=f"Read it out first: {command}")
    sets = [_layer_rows(model.dataset, split, setting) for split in splits]
    names = [f"{layer}_{number}" for number in range(sets[0].matrix.shape[1])]
    return _value_tables(sets, names, progress)


def _layer_rows(dataset: Dataset, split: str, setting: str) -> _ItemRows:
    file = dataset.require(Kind.FEATURES, split=split, setting=setting)
    ids = dataset.require(Kind.ITEMS, split=split).path
    rows = _read_rows(split, file.path, ids)
    mask = dataset.find(Kind.MASK, split=split, setting=setting)
    if mask is None:
        return rows
    present = read_mask(mask.path, len(rows.ids))
    return replace(rows, matrix=replace(rows.matrix, present=present))


def _read_rows(split: str, path: Path, ids: Path) -> _ItemRows:
    rows = _ItemRows(split, read_ids(ids), open_matrix(path))
    if rows.matrix.shape[0] != len(rows.ids):
        raise FileError(
            path,
            found=count_noun(rows.matrix.shape[0], "row"),
            expected=f"{len(rows.ids):,}, one for each id in {ids.name}",
            hint="Predict again.",
        )
    return rows


def _splits(model: Model, name: str) -> list[str]:
    """Return the sets of a split: itself, or each of them for ``all``."""
    splits = list(model.dataset.splits)
    if name != "all" and name not in splits:
        msg = f"{model.manifest.dataset} has no {name} items"
        choices = " or ".join(parameter("split", choice) for choice in (*splits, "all"))
        raise RequestError(msg, hint=f"Choose {choices}.")
    return splits if name == "all" else [name]


def prediction_tables(model: Model, request: ExportRequest, progress: Progress) -> TableBlocks:
    """Yield tables of items with their factors or class scores, or with their neighbours.

    Raises
    ------
    RequestError
        If the dataset has no such set, or the model predicts no rows that mean anything alone.
    DataError
        If the items of a set have not been predicted.
    """
    dataset, workspace = model.dataset, model.workspace
    require_rows(model)
    has_neighbours = model.manifest.form == "neighbours"
    matrix_path = workspace.predicted_neighbours if has_neighbours else workspace.predicted_factors
    sets = []
    for split in _splits(model, request.split or "test"):
        paths = matrix_path(model.name, split), workspace.predicted_ids(model.name, split)
        for path in paths:
            if not path.is_file():
                msg = f"{display_path(path)} is missing: "
                msg += f"{model.name} has not predicted the {split} items"
                command = call("predict", model.name, split=split)
                raise DataError(msg, hint=f"Predict first: {command}")
        sets.append(_read_rows(split, *paths))
    if has_neighbours:
        train = dataset.require(Kind.ITEMS, split="train").path
        return _neighbour_tables(sets, read_ids(train), progress)
    return _value_tables(sets, _column_names(dataset, model, sets[0].matrix.shape[1]), progress)


NO_ROWS: dict[PredictionForm, str] = {
    "blend": "is a blend, whose scores are those of its parts, standardised for each user",
    "weights": "scores items by weights of the train items that a user has, and has no factors",
}
"""What a model predicts that is no row for each item → why there is nothing to export."""


def require_rows(model: Model) -> None:
    """Make sure that a model has factors or vectors, or something else by item.

    Raises
    ------
    RequestError
        If it has not; the hint says what can be exported instead.
    """
    reason = NO_ROWS.get(model.manifest.form)
    if reason is None:
        return
    rankings = call("export", model.name, what="rankings", path="rankings.csv", top=100)
    hint = f"Its lists and scores by user: {rankings}"
    parts = [part for part, weight in model.parts if weight and part.manifest.form not in NO_ROWS]
    if parts:
        vectors = call("export", parts[0].name, what="predictions", path="vectors.csv")
        hint += f"; the vectors of a part: {vectors}"
    msg = f"{model.name} {reason}"
    raise RequestError(msg, hint=hint)


def _column_names(dataset: Dataset, model: Model, width: int) -> list[str]:
    if model.manifest.form == "vectors":
        return [*(f"vector_{number}" for number in range(width - 1)), "bias"]
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
    duplicates = {"id", "split"} & {*names} or {name for name in names if names.count(name) > 1}
    if duplicates:
        raise FileError(
            path,
            found=f"a class called {min(duplicates)!r}, as another column is",
            expected="names that are all different, and none of them id or split",
            hint="Rename the class.",
        )
    return names


def _value_tables(sets: Sequence[_ItemRows], names: list[str], progress: Progress) -> TableBlocks:
    """Yield tables of items: id, set, and values by column."""
    import polars as pl

    def table(rows: _ItemRows, block: slice) -> pl.DataFrame:
        values, numbers = rows.matrix.rows(block), np.arange(block.start, block.stop)
        require_finite(rows.matrix.path, values, block.start)
        if rows.matrix.present is not None:
            present = rows.matrix.present[block]
            values, numbers = values[present], numbers[present]
        keys = _key_columns(rows, numbers)
        return keys.hstack(pl.from_numpy(values, schema=names, orient="row"))

    for rows in sets:
        if rows.matrix.shape[1] != len(names):
            raise FileError(
                rows.matrix.path,
                found=count_noun(rows.matrix.shape[1], "column"),
                expected=f"{len(names):,}, as in {sets[0].matrix.path.name}",
                hint="Predict again.",
            )
    return _blockwise(sets, table, progress)


def _neighbour_tables(
    sets: Sequence[_ItemRows], train: Sequence[str], progress: Progress
) -> TableBlocks:
    """Yield tables of neighbours: id of the item, set, train item, similarity."""
    import polars as pl

    column = pl.Series(train, dtype=pl.String)

    def table(rows: _ItemRows, block: slice) -> pl.DataFrame:
        entries = csr_array(rows.matrix.values)[block].tocoo()
        numbers = {"neighbour": column.gather(entries.col), "similarity": entries.data}
        return _key_columns(rows, entries.row + block.start).with_columns(**numbers)

    for rows in sets:
        if rows.matrix.shape[1] != len(train):
            raise FileError(
                rows.matrix.path,
                found=count_noun(rows.matrix.shape[1], "column"),
                expected=f"{len(train):,}, one for each train item",
                hint="Predict again.",
            )
    return _blockwise(sets, table, progress)


def _key_columns(rows: _ItemRows, numbers: NDArray[np.integer]) -> pl.DataFrame:
    import polars as pl

    ids = pl.DataFrame({"id": rows.column.gather(numbers)})
    return ids.with_columns(split=pl.lit(rows.split))


def _blockwise(
    sets: Sequence[_ItemRows], table: Callable[[_ItemRows, slice], pl.DataFrame], progress: Progress
) -> TableBlocks:
    total = sum(len(rows.ids) for rows in sets)
    with defer_interrupts() as check, progress.task("exporting", total) as task:
        for rows in sets:
            for block in rows.matrix.blocks(TABLE_BYTES):
                yield table(rows, block)
                task.advance(block.stop - block.start)
                check()
