"""The nearest train items: whoever played them will like the new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineFit,
    BaselineOptions,
    Features,
    FittedBaseline,
    Items,
    TrainingExamples,
    normalize_rows,
)

TILE_ITEMS = 8192  # train items that are compared at a time
SIMILARITY_DIGITS = 9  # of a similarity that count, so that equal rows are equally similar


class NeighbourOptions(BaselineOptions):
    """How far to look."""

    neighbours: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 50


def find_neighbours(
    items: Sequence[Features], train: Sequence[Features], neighbours: int
) -> csr_array:
    """Find the train items that are most similar to each item, by the cosine of their features.

    The rows of each setting are divided by their L2 norm and joined. Only similarities above 0
    count, so a row of zeros is similar to nothing; of equally similar train items the earlier
    ones are taken.

    Parameters
    ----------
    items
        A block of items in each setting, ``(items, width)``, dense or sparse.
    train
        The train items in the same settings. They are read a tile at a time.
    neighbours
        How many to find at most.

    Returns
    -------
    csr_array
        Similarities, ``(items, train items)``, at most ``neighbours`` in a row.
    """
    here = [_normalize(each) for each in items]
    count, rows = int(train[0].shape[0]), int(items[0].shape[0])
    values, columns = np.zeros((rows, 0)), np.zeros((rows, 0), np.int64)
    for first in range(0, count, TILE_ITEMS):
        tile = [_normalize(each[first : first + TILE_ITEMS]) for each in train]
        found = _similarities(here, tile)
        worst = values.min(axis=1) if values.shape[1] == neighbours else np.zeros(rows)
        more = _pack(found > worst[:, None], found, first)
        values = np.hstack([values, more[0].round(SIMILARITY_DIGITS)])
        columns = np.hstack([columns, more[1]])
        values, columns = _pack(_mark_highest(values, neighbours), values, columns)
    kept = values > 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return csr_array((values[kept], columns[kept], starts), shape=(rows, count))


def average_targets(
    similar: csr_array, targets: NDArray[Any], otherwise: NDArray[Any]
) -> NDArray[np.float64]:
    """Average the targets of the neighbours, weighted by their similarity.

    Parameters
    ----------
    similar
        ``(items, train items)``.
    targets
        ``(train items, dim)``.
    otherwise
        ``(dim,)``, for items that have no neighbour.
    """
    mass = np.asarray(similar.sum(axis=1))[:, None]
    return np.asarray(
        np.where(mass > 0, (similar @ targets) / np.where(mass > 0, mass, 1), otherwise)
    )


def _normalize(rows: Features) -> tuple[Any, NDArray[np.bool_]]:
    """Divide rows by their L2 norm; return them, and which of them are not zero."""
    if isinstance(rows, np.ndarray):
        return normalize_rows(rows), np.asarray(rows.any(axis=1))
    rows = rows.astype(np.float64)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    lengths = np.diff(rows.indptr)
    data = rows.data / np.repeat(np.where(norms > 0, norms, 1), lengths)
    return csr_array((data, rows.indices, rows.indptr), shape=rows.shape), norms > 0


def _similarities(
    items: Sequence[tuple[Any, NDArray[np.bool_]]], train: Sequence[tuple[Any, NDArray[np.bool_]]]
) -> NDArray[np.float64]:
    """Return the cosines of the joined rows, ``(items, train items)``."""
    found: Any = 0
    for (left, _), (right, _) in zip(items, train, strict=True):
        product = left @ right.T
        found = found + (product if isinstance(product, np.ndarray) else product.toarray())
    for part, axis in ((items, 1), (train, 0)):
        settings = np.sum([there for _, there in part], axis=0)  # its square root is the norm
        found /= np.expand_dims(np.sqrt(np.maximum(settings, 1)), axis)
    return np.asarray(found)


def _mark_highest(values: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Mark the ``count`` highest values above 0 of each row; of equal ones, the first."""
    if values.shape[1] <= count:
        return values > 0
    level = np.partition(values, -count, axis=1)[:, -count, None]
    above, equal = values > level, values == level
    room = count - above.sum(axis=1, keepdims=True)
    return np.asarray((above | (equal & (equal.cumsum(axis=1) <= room))) & (values > 0))


def _pack(
    marked: NDArray[np.bool_], values: NDArray[np.float64], columns: NDArray[np.int64] | int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the marked values of each row to its front, in order, with their columns.

    ``columns`` may also be the number of the first one.
    """
    rows, places = np.nonzero(marked)
    counts = marked.sum(axis=1)
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = int(counts.max(initial=0))
    packed, where = np.zeros((len(marked), width)), np.zeros((len(marked), width), np.int64)
    packed[rows, slots] = values[rows, places]
    where[rows, slots] = places + columns if isinstance(columns, int) else columns[rows, places]
    return packed, where


def _fit(train: TrainingExamples, _options: NeighbourOptions) -> BaselineFit:
    mean = train.wanted.mean(axis=0)
    return BaselineFit({"mean": mean}, "factors" if train.plays is None else "neighbours")


def _predict(known: FittedBaseline, items: Items) -> Any:
    train = known.train
    if train is None:
        msg = "neighbours are found among the train items, which are not given"
        raise AssertionError(msg)
    similar = find_neighbours(items.inputs, train.inputs, known.options.neighbours)
    if known.form == "neighbours":
        return similar.astype(np.float32)
    rows = average_targets(similar, train.wanted, known.arrays["mean"])
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
