"""Factors or scores drawn at random: what can be had without looking at anything."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    BASELINES,
    Baseline,
    BaselineFit,
    FittedBaseline,
    Items,
    TrainingExamples,
    normalize_rows,
)


def draw(ids: Sequence[str], dim: int, seed: int, *, scores: bool = False) -> NDArray[np.float32]:
    """Draw a row for each item from the seed and the item's id, whatever other items there are.

    Parameters
    ----------
    ids
        Of the items.
    dim
        Width of a row.
    seed
        Of everything drawn.
    scores
        Draw scores of classes within 0 and 1; else factors of an L2 norm of 1, of which each
        direction is as likely as any other.
    """
    generators = [np.random.default_rng([seed, _number(each)]) for each in ids]
    if scores:
        return np.array([rng.random(dim) for rng in generators], np.float32).reshape(-1, dim)
    drawn = np.array([rng.standard_normal(dim) for rng in generators]).reshape(-1, dim)
    return normalize_rows(drawn).astype(np.float32)


def _number(item: str) -> int:
    return int.from_bytes(blake2b(item.encode(), digest_size=16).digest(), "little")


def _fit(_train: TrainingExamples, _options: Any) -> BaselineFit:
    return BaselineFit({})


def _predict(known: FittedBaseline, items: Items) -> NDArray[np.float32]:
    rows = draw(items.ids, known.dim, known.seed, scores=known.classes)
    return rows / rows.sum(axis=1, keepdims=True) if known.single else rows


BASELINES.register("random")(Baseline(_fit, _predict))
