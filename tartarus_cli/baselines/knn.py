"""The nearest train items: whoever played them will like the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineOptions,
    BaselineResult,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
    normalize_rows,
)

TILE_ITEMS = 8192
"""Train items that are compared at a time."""

# So that equal rows are equally similar.
SIMILARITY_DIGITS = 9
"""Digits of a similarity that count."""


class NeighbourOptions(BaselineOptions):
    """How many train items count as near."""

    neighbours: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 50
    """Number of the most similar train items."""


@dataclass(frozen=True)
class _UnitRows:
    """Rows of one setting divided by their L2 norm."""

    rows: Any
    nonzero: NDArray[np.bool_]


def find_neighbours(
    items: Sequence[Features],
    train: Sequence[Features],
    neighbours: int,
    turns: NDArray[np.int64] | None = None,
) -> csr_array:
    """Find the train items that are most similar to each item, by the cosine of their features.

    The rows of each setting are divided by their L2 norm and joined. Only similarities above 0
    count, so a row of zeros is similar to nothing. Of equally similar train items, those of the
    lowest turns are taken.

    Parameters
    ----------
    items
        A block of items in each setting, ``(items, width)``, dense or sparse.
    train
        The train items in the same settings. They are read a tile at a time.
    neighbours
        Number of neighbours of each item, at most.
    turns
        A number for each train item, ``(train items,)``, such as
        :attr:`TrainingExamples.turns`; None: that of its row.

    Returns
    -------
    csr_array
        Similarities, ``(items, train items)``, at most ``neighbours`` in a row.

    Examples
    --------
    >>> train = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
    >>> find_neighbours([np.array([[0.0, 1.0]])], [train], 2).toarray().tolist()
    [[0.0, 1.0, 0.8]]
    """
    unit_items = [_normalize(features) for features in items]
    count, rows = int(train[0].shape[0]), int(items[0].shape[0])
    turns = np.arange(count) if turns is None else turns
    values, columns = np.zeros((rows, 0)), np.zeros((rows, 0), np.int64)
    for first in range(0, count, TILE_ITEMS):
        tile = [_normalize(features[first : first + TILE_ITEMS]) for features in train]
        similarities = _similarities(unit_items, tile)
        worst = values.min(axis=1) if values.shape[1] == neighbours else np.zeros(rows)
        reach = worst[:, None] - 10.0**-SIMILARITY_DIGITS  # what may be equal once it is rounded
        candidates = _pack((similarities > reach) & (similarities > 0), similarities, first)
        values = np.hstack([values, candidates[0].round(SIMILARITY_DIGITS)])
        columns = np.hstack([columns, candidates[1]])
        values, columns = _pack(_mark_highest(values, turns[columns], neighbours), values, columns)
    similar = values > 0
    starts = np.concatenate([[0], np.cumsum(similar.sum(axis=1))])
    return csr_array((values[similar], columns[similar], starts), shape=(rows, count))


def average_targets(
    similarities: csr_array, targets: NDArray[Any], otherwise: NDArray[Any]
) -> NDArray[np.float64]:
    """Average the targets of the neighbours, weighted by their similarity, ``(items, dim)``.

    Parameters
    ----------
    similarities
        As :func:`find_neighbours` returns them, ``(items, train items)``.
    targets
        Targets of the train items, ``(train items, dim)``.
    otherwise
        The row of items that have no neighbour, ``(dim,)``.
    """
    mass = np.asarray(similarities.sum(axis=1))[:, None]
    return np.asarray(
        np.where(mass > 0, (similarities @ targets) / np.where(mass > 0, mass, 1), otherwise)
    )


def _normalize(rows: Features) -> _UnitRows:
    if isinstance(rows, np.ndarray):
        return _UnitRows(normalize_rows(rows), np.asarray(rows.any(axis=1)))
    rows = rows.astype(np.float64)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    lengths = np.diff(rows.indptr)
    data = rows.data / np.repeat(np.where(norms > 0, norms, 1), lengths)
    unit = csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
    return _UnitRows(unit, norms > 0)


def _similarities(items: Sequence[_UnitRows], train: Sequence[_UnitRows]) -> NDArray[np.float64]:
    """Return the cosines of the joined rows, ``(items, train items)``."""
    cosines: Any = 0
    for left, right in zip(items, train, strict=True):
        product = left.rows @ right.rows.T
        cosines = cosines + (product if isinstance(product, np.ndarray) else product.toarray())
    for settings, axis in ((items, 1), (train, 0)):
        # The norm of a joined row is the square root of the number of its rows that are not zero.
        squared_norms = np.sum([setting.nonzero for setting in settings], axis=0)
        cosines /= np.expand_dims(np.sqrt(np.maximum(squared_norms, 1)), axis)
    return np.asarray(cosines)


def _mark_highest(
    values: NDArray[np.float64], turns: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Mark the ``count`` highest values above 0 of each row; of equal ones, the lowest turns."""
    if values.shape[1] <= count:
        return values > 0
    level = np.partition(values, -count, axis=1)[:, -count, None]
    marked = (values >= level) & (values > 0)
    surplus = marked.sum(axis=1) - count
    for row in np.flatnonzero(surplus > 0):
        equal = np.flatnonzero(values[row] == level[row])
        last = np.argsort(turns[row, equal])[-surplus[row] :]
        marked[row, equal[last]] = False
    return marked


def _pack(
    marked: NDArray[np.bool_], values: NDArray[np.float64], columns: NDArray[np.int64] | int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the marked values of each row to its front, in order, with their columns.

    ``columns`` may also be the number of the first one.
    """
    rows, places = np.nonzero(marked)
    counts = marked.sum(axis=1)
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(marked), int(counts.max(initial=0)))
    front_values, front_columns = np.zeros(shape), np.zeros(shape, np.int64)
    front_values[rows, slots] = values[rows, places]
    front_columns[rows, slots] = (
        places + columns if isinstance(columns, int) else columns[rows, places]
    )
    return front_values, front_columns


def _fit(train: TrainingExamples, _options: NeighbourOptions) -> BaselineResult:
    mean = train.prepared_targets.mean(axis=0)
    return BaselineResult({"mean": mean}, "factors" if train.plays is None else "neighbours")


def _predict(baseline: FittedBaseline, items: Items) -> Any:
    train = baseline.train
    if train is None:
        msg = "neighbours are found among the train items, which are not given"
        raise AssertionError(msg)
    similarities = find_neighbours(
        items.inputs, train.inputs, baseline.options.neighbours, train.turns
    )
    if baseline.form == "neighbours":
        return similarities.astype(np.float32)
    rows = average_targets(similarities, train.prepared_targets, baseline.arrays["mean"])
    return rows.astype(np.float32)


def _shapes(_width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"mean": (dim,)}


BASELINES.register("knn")(
    Baseline(
        _fit,
        _predict,
        NeighbourOptions,
        _shapes,
        settings=(1, None),
        learns=True,
        plays=True,
        remembers=True,
    )
)
