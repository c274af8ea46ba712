"""Rows that models predict for the items of a training, such as those that validate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import Patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.models.predictors import open_predictor
from tartarus_cli.models.store import Model
from tartarus_cli.training.baseline import open_fitted, predicted_blocks

Network: TypeAlias = Callable[
    [Sequence[NDArray[np.float32]], NDArray[np.int64] | None], NDArray[np.float32]
]
"""From the inputs of some samples, one array an input, and the frames of their patches that crops
cover (None: all), to a row for each sample."""

BATCH = 256
"""Samples that are predicted at a time."""


def items_of(subset: TrainingSubset) -> NDArray[np.int64]:
    """Return the numbers of the items of a subset, ascending; an item may have several samples."""
    if subset.set.patches is None:
        return subset.samples
    return np.unique(subset.set.items[subset.samples])


def model_rows(model: Model, subset: TrainingSubset) -> Any:
    """Return what a trained model predicts for the items of a subset, by their numbers.

    Raises
    ------
    DataError
        If a file of the model is damaged, or its inputs have changed.
    """
    if model.baseline is None:
        predictor = open_predictor(model)
        return predict_items(lambda inputs, ends: predictor(inputs, lengths=ends), subset)
    blocks = list(predicted_blocks(model, _select(subset), open_fitted(model)))
    if isinstance(blocks[0], np.ndarray):
        return np.concatenate(blocks)
    return vstack(blocks, format="csr")


def _select(subset: TrainingSubset) -> ItemSet:
    """Return the items of a subset as a set of their own; they have feature vectors alone."""
    items, rows = subset.set, subset.samples
    if isinstance(rows, np.ndarray) and len(rows) == len(items.ids):
        return items
    inputs: list[Matrix | Patches] = []
    for source in items.inputs:
        if isinstance(source, Patches):
            msg = "a baseline reads no patches"
            raise TypeError(msg)
        inputs.append(source.select(rows))
    ids = [items.ids[row] for row in rows]
    return ItemSet(items.split, ids, tuple(inputs), np.arange(len(ids)))


def predict_items(network: Network, subset: TrainingSubset) -> NDArray[np.float32]:
    """Predict the items of a subset, ``(items, columns)``: the mean over their samples.

    Parameters
    ----------
    network
        From the inputs of some samples to a row for each.
    subset
        The samples; items are in the order of their numbers.
    """
    items, place = np.unique(subset.set.items[subset.samples], return_inverse=True)
    counts = np.bincount(place)
    rows: NDArray[np.float32] | None = None
    for first in range(0, len(subset.samples), BATCH):
        samples = subset.samples[first : first + BATCH]
        values = network(subset.set.read(samples), subset.set.lengths(samples))
        if rows is None:
            rows = np.zeros((len(items), values.shape[1]), np.float32)
        own = place[first : first + BATCH]
        np.add.at(rows, own, values / counts[own][:, None])
    if rows is None:
        msg = "there are no items to predict"
        raise AssertionError(msg)
    return rows
