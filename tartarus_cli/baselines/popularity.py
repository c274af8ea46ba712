"""Popularity by tags: how popular the train items are that share an item's tags.

An item has the same score for every user.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    Features,
    FittedBaseline,
    Items,
    NamedArrays,
    TrainingExamples,
    row_blocks,
)


def tag_popularity(tags: Features, popularity: NDArray[Any]) -> NamedArrays:
    """Compute how popular each tag is: the mean over its items, weighted by the tag's value.

    Parameters
    ----------
    tags
        Value of each tag of each item, ``(items, tags)``; 0 and less counts as absent.
    popularity
        Popularity of each item, such as the number of its users, ``(items,)``.

    Returns
    -------
    dict
        ``popularity`` of each tag and ``known``, whether any item has the tag, ``(tags,)``;
        ``mean``, the mean popularity of all items.
    """
    width = int(tags.shape[1])
    total, mass = np.zeros(width), np.zeros(width)
    for block in row_blocks(*tags.shape):
        weights = _weights(tags[block])
        total += weights.T @ popularity[block]
        mass += weights.sum(axis=0)
    known = mass > 0
    mean = np.array(popularity.mean())
    return {"popularity": total / np.where(known, mass, 1), "known": known, "mean": mean}


def score_by_tags(tags: Features, arrays: NamedArrays) -> NDArray[np.float64]:
    """Return the mean popularity of each item's tags, weighted by their values, ``(items,)``.

    An item without a known tag has the mean popularity of all train items.

    Parameters
    ----------
    tags
        Value of each tag of each item, ``(items, tags)``.
    arrays
        What :func:`tag_popularity` returns.
    """
    weights = _weights(tags)
    known = arrays["known"].astype(np.float64)
    mass = weights @ known
    scores = (weights @ (arrays["popularity"] * known)) / np.where(mass > 0, mass, 1)
    return np.where(mass > 0, scores, arrays["mean"])


def _weights(tags: Features) -> Any:
    tags = tags.astype(np.float64)
    return np.maximum(tags, 0) if isinstance(tags, np.ndarray) else tags.maximum(0)


def _fit(train: TrainingExamples, _options: Any) -> BaselineResult:
    if train.plays is not None:
        popularity = np.asarray((train.plays > 0).sum(axis=1), np.float64)
    else:
        popularity = np.linalg.norm(np.asarray(train.targets, np.float64), axis=1)
    return BaselineResult(tag_popularity(train.inputs[0], popularity), "scores")


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    return score_by_tags(items.inputs[0], baseline.arrays).astype(np.float32)[:, None]


def _shapes(width: int, _dim: int) -> dict[str, tuple[int, ...]]:
    return {"popularity": (width,), "known": (width,), "mean": ()}


BASELINES.register("popularity")(
    Baseline(
        _fit,
        _predict,
        shapes=_shapes,
        settings=(1, 1),
        tasks=("recommendation",),
        kinds=("als", "pmi", "plays"),
        plays=True,
        draws=False,
    )
)
