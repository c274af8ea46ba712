"""How similar items are: the cosine of the features of one or more settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import Features, normalize_rows, row_blocks

TILE_ITEMS = 8192
"""Train items that are compared at a time."""

# So that equal rows are equally similar.
SIMILARITY_DIGITS = 9
"""Digits of a similarity that count."""


@dataclass(frozen=True)
class _UnitRows:
    """Rows of one setting divided by their L2 norm."""

    rows: Any
    nonzero: NDArray[np.bool_]
    weight: float


def find_neighbours(
    items: Sequence[Features],
    train: Sequence[Features],
    neighbours: int,
    turns: NDArray[np.int64] | None = None,
    weights: Sequence[float] | None = None,
    present: NDArray[np.bool_] | None = None,
) -> csr_array:
    """Find the train items that are most similar to each item, by the cosine of their features.

    The rows of each setting are divided by their L2 norm, multiplied by the square root of its
    weight and joined: where no row is zero, the similarity is the weighted mean of the cosines.
    Only similarities above 0 count, so a row of zeros is similar to nothing. Of equally similar
    train items, those of the lowest turns are taken.

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
    weights
        A weight for each setting; None: all count alike.
    present
        Whether each item has each setting, ``(items, settings)``; None: all have all. Train items
        are compared by the settings that the item has, as if there were no others; all similarities
        of an item that lacks some are lower, by the root of the share of the weights that it has.

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
    weights = [1.0] * len(items) if weights is None else weights
    used = [number for number, weight in enumerate(weights) if weight > 0]
    unit_items = [_normalize(items[number], weights[number]) for number in used]
    has = None if present is None else present[:, used]
    count, rows = int(train[0].shape[0]), int(items[0].shape[0])
    turns = np.arange(count) if turns is None else turns
    values, columns = np.zeros((rows, 0)), np.zeros((rows, 0), np.int64)
    for first in range(0, count, TILE_ITEMS):
        block = slice(first, first + TILE_ITEMS)
        tile = [_normalize(train[number][block], weights[number]) for number in used]
        similarities = _similarities(unit_items, tile, has)
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


def _normalize(rows: Features, weight: float) -> _UnitRows:
    if isinstance(rows, np.ndarray):
        return _UnitRows(normalize_rows(rows), np.asarray(rows.any(axis=1)), weight)
    rows = rows.astype(np.float64)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)))
    lengths = np.diff(rows.indptr)
    data = rows.data / np.repeat(np.where(norms > 0, norms, 1), lengths)
    unit = csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
    return _UnitRows(unit, norms > 0, weight)


def _similarities(
    items: Sequence[_UnitRows], train: Sequence[_UnitRows], present: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Return the cosines of the joined rows, of the settings of an item, ``(items, train)``."""
    cosines: Any = 0
    for left, right in zip(items, train, strict=True):
        product = left.rows @ right.rows.T
        product = product if isinstance(product, np.ndarray) else product.toarray()
        cosines = cosines + left.weight * product
    for settings, axis in ((items, 1), (train, 0)):
        # The squared norm of a joined row is the sum of the weights of its rows that are not zero.
        parts = np.stack([setting.weight * setting.nonzero for setting in settings])
        squares = np.expand_dims(parts.sum(axis=0), axis)
        if present is not None and axis == 0:
            squares = present @ parts
        elif present is not None:
            squares += ~present @ np.array([[setting.weight] for setting in settings])
        cosines /= np.sqrt(np.where(squares > 0, squares, 1))
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


def keep_nearest(similarities: csr_array, neighbours: int, turns: NDArray[np.int64]) -> csr_array:
    """Return the similarities with at most ``neighbours`` in a row, chosen as in finding them."""
    counts = np.diff(similarities.indptr)
    if counts.max(initial=0) <= neighbours:
        return similarities
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((turns[similarities.indices], -similarities.data, rows))
    rank = np.arange(len(rows)) - similarities.indptr[:-1][rows]
    near = np.sort(order[rank < neighbours])
    starts = np.concatenate([[0], np.cumsum(np.minimum(counts, neighbours))])
    shape = similarities.shape
    return csr_array((similarities.data[near], similarities.indices[near], starts), shape=shape)


def count_features(rows: Features) -> NDArray[np.int64]:
    """Count the features of each item that are not zero, ``(items,)``.

    >>> count_features(csr_array([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [1, 0]
    """
    if isinstance(rows, np.ndarray):
        counts = np.zeros(len(rows), np.int64)
        for block in row_blocks(*rows.shape):
            counts[block] = np.count_nonzero(rows[block], axis=1)
        return counts
    owners = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(owners[rows.data != 0], minlength=rows.shape[0])
