"""Factors or scores drawn at random: what is reached without looking at anything."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineResult,
    FittedBaseline,
    Items,
    TrainingExamples,
    normalize_rows,
)


def draw_predictions(
    ids: Sequence[str], dim: int, seed: int, *, scores: bool = False
) -> NDArray[np.float32]:
    """Draw a row for each item, ``(items, dim)``; other items have no influence on it.

    Parameters
    ----------
    ids
        Ids of the items.
    dim
        Width of a row.
    seed
        Seed of all draws, 0 or more; each row depends on it and on the id of the item alone.
    scores
        Draw scores of classes, uniform within 0 and 1. Otherwise factors with an L2 norm of 1, of
        which each direction is as likely as any other.
    """
    generators = [np.random.default_rng([seed, _id_number(item)]) for item in ids]
    if scores:
        return np.array([rng.random(dim) for rng in generators], np.float32).reshape(-1, dim)
    normal = np.array([rng.standard_normal(dim) for rng in generators]).reshape(-1, dim)
    return normalize_rows(normal).astype(np.float32)


def _id_number(item: str) -> int:
    return int.from_bytes(blake2b(item.encode(), digest_size=16).digest(), "little")


def _fit(_train: TrainingExamples, _options: Any) -> BaselineResult:
    return BaselineResult({})


def _predict(baseline: FittedBaseline, items: Items) -> NDArray[np.float32]:
    rows = draw_predictions(items.ids, baseline.dim, baseline.seed, scores=baseline.classes)
    return rows / rows.sum(axis=1, keepdims=True) if baseline.single else rows


BASELINES.register("random")(Baseline(_fit, _predict))
