"""The mean of the artist's train items: whoever played the artist will like the new item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    FittedBaseline,
    Items,
    TrainingExamples,
)
from tartarus_cli.baselines.similarity import average_targets
from tartarus_cli.errors import DataError


def artist_shares(artists: Sequence[str], train_artists: Sequence[str]) -> csr_array:
    """Return how much each train item counts for an item: all of its artist's alike.

    Parameters
    ----------
    artists
        The artist of each item; "" is nobody's name.
    train_artists
        The artist of each train item.

    Returns
    -------
    csr_array
        ``(items, train items)``: 1/n for each of the n train items of the artist. The row of an
        item whose artist has no train item is empty.

    Examples
    --------
    >>> artist_shares(["a", "c"], ["a", "b", "a"]).toarray().tolist()
    [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    rows_of: dict[str, list[int]] = {}
    for row, artist in enumerate(train_artists):
        if artist:
            rows_of.setdefault(artist, []).append(row)
    rows = [rows_of.get(artist, []) for artist in artists]
    counts = np.array([len(row) for row in rows], np.int64)
    columns = np.array([column for row in rows for column in row], np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    shares = np.repeat(1 / np.maximum(counts, 1), counts)
    return csr_array((shares, columns, starts), shape=(len(artists), len(train_artists)))


def _fit(train: TrainingExamples, _options: Any) -> BaselineResult:
    if train.plays is not None:
        return BaselineResult({}, "neighbours")
    return BaselineResult({"mean": train.prepared_targets.mean(axis=0)})


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32] | csr_array:
    train = baseline.train
    if train is None or train.artists is None or items.artists is None:
        msg = "the artists of the items are not given"
        raise AssertionError(msg)
    shares = artist_shares(items.artists, train.artists)
    if baseline.form == "neighbours":
        return shares.astype(np.float32)
    if "mean" not in baseline.arrays:
        msg = "the mean of the train items is missing"
        raise DataError(msg, hint="Train artist_mean again.")
    rows = average_targets(shares, train.prepared_targets, baseline.arrays["mean"])
    return rows.astype(np.float32)


def _shapes(_width: int, dim: int) -> dict[str, tuple[int, ...]]:
    return {"mean": (dim,)}


BASELINES.register("artist_mean")(
    Baseline(
        _fit,
        _predict,
        shapes=_shapes,
        optional=("mean",),
        tasks=("recommendation",),
        kinds=("als", "pmi", "plays"),
        learns=True,
        plays=True,
        artists=True,
        remembers=True,
        draws=False,
    )
)
