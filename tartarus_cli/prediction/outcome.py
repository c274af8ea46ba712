"""What a prediction has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.items import ItemSet


@dataclass(frozen=True)
class Prediction:
    """The predictions that were written."""

    model: str
    """Name of the model."""
    dataset: str
    """Name of the dataset."""
    splits: dict[str, int]
    """Set → number of rows."""
    width: int
    """Number of columns: factors, classes, units of a layer, or train items."""
    files: list[Path]
    """The files of the rows, and the lists of their ids."""
    layer: str | None = None
    """The layer that was read out; None: the output."""
    form: PredictionForm = "factors"
    """``factors`` (or class scores, or a layer), ``neighbours`` or ``scores``."""
    setting: str | None = None
    """Name of the new setting that a layer becomes."""
    absent: tuple[str, ...] = ()
    """Sets of the dataset that were not predicted."""
    by_patch: bool = False
    """Whether there is a row for each patch, not for each item."""
    undescribed: dict[str, int] = field(default_factory=dict)
    """Set → number of items that lack everything that the model reads, and are left out."""
    without_patch: dict[str, int] = field(default_factory=dict)
    """Set → number of items that have no patch."""


def count_undescribed(sets: Sequence[ItemSet]) -> dict[str, int]:
    """Count the items of each set that lack all settings; those without a patch are not meant."""
    sets = [items for items in sets if items.patch_file is None]
    return {s.split: int(s.absent.sum()) for s in sets if not s.absent.all()}


def count_without_patch(sets: Sequence[ItemSet]) -> dict[str, int]:
    """Count the items of each set that have no patch, where patches are read."""
    files = {items.split: (items, items.patch_file) for items in sets}
    return {
        split: len(items.ids) - len(np.unique(file.items))
        for split, (items, file) in files.items()
        if file is not None
    }
