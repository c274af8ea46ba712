"""The item tower of a two-tower network: any network, the number of features, the user's scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import Patches

if TYPE_CHECKING:
    import keras

FIRST_WEIGHTS = 0.1
"""Standard deviation of the first weights of a linear tower, and of the number of features."""


def build_item_tower(
    network: keras.Model,
    items: ItemSet,
    rows: NDArray[np.int64],
    *,
    counted: Sequence[int],
    scale: float,
    seed: int,
) -> keras.Model:
    """Make the item tower of a network: ``v_i`` and ``b_i`` are ``net(x_i) + l_i w``.

    Parameters
    ----------
    network
        Linear output of ``d + 1`` columns, the last of which is the bias. Its layers are those of
        the tower too.
    items, rows
        The items, and which of them it is fitted to: the number ``l_i`` is standardised with these
        alone.
    counted
        Numbers of the inputs whose non-zero features ``l_i`` may count; see
        :func:`sum_counts`. With none, or where it is the same for all items, the tower has no such
        part.
    scale
        What the vectors are multiplied by at last.
    seed
        Of the first weights.

    Returns
    -------
    A network of the same inputs, and ``d + 1`` outputs.
    """
    import keras

    from tartarus_cli.layers import FLOAT32
    from tartarus_cli.tower_layers import CountFeature, VectorScale

    rng = np.random.default_rng(seed)
    output = network.output
    if is_linear(network):
        last = last_dense(network)
        last.kernel.assign(_draw(rng, last.kernel.shape))
    counted, counts = sum_counts(items, rows, counted)
    logs = np.log1p(counts)
    if counted and np.ptp(logs):
        read = [network.inputs[number] for number in counted]
        limits = float(logs.min()), float(logs.max())
        mean, deviation = float(logs.mean()), float(logs.std())
        layer = CountFeature(mean, deviation, limits, dtype=FLOAT32, name="feature_count")
        logarithm = layer(read if len(read) > 1 else read[0])
        count = keras.layers.Dense(
            output.shape[-1], use_bias=False, dtype=FLOAT32, name="count_weights"
        )
        part = count(logarithm)
        count.kernel.assign(_draw(rng, count.kernel.shape))
        output = keras.layers.Add(dtype=FLOAT32, name="with_count")([output, part])
    if scale != 1:
        output = VectorScale(scale, dtype=FLOAT32, name="vector_scale")(output)
    return keras.Model(network.inputs, output)


def last_dense(network: keras.Model) -> Any:
    """Return the dense layer that makes the output of a network of an architecture."""
    import keras

    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)][-1]


def is_linear(network: keras.Model) -> bool:
    """Whether a network has no weights but those of its last layer, which is dense."""
    import keras

    trained = [layer for layer in network.layers if layer.trainable_weights]
    return len(trained) == 1 and isinstance(trained[0], keras.layers.Dense)


def _draw(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(FIRST_WEIGHTS * rng.standard_normal(shape), np.float32)


def sum_counts(
    items: ItemSet, rows: NDArray[np.int64], counted: Sequence[int]
) -> tuple[list[int], NDArray[np.int64]]:
    """Count the features of items over the inputs in which their number says something.

    It says nothing in an input that is dense: all items that have a row there have as many.

    Parameters
    ----------
    items, rows
        The items, and which of them are counted.
    counted
        Numbers of the inputs to choose from.

    Returns
    -------
    The numbers of those inputs, and the counts, ``(rows,)``.
    """
    chosen, total = list[int](), np.zeros(len(rows), np.int64)
    for number in counted:
        counts = count_features(items.inputs[number], rows)
        present = counts[counts > 0]
        if present.size and np.ptp(present):
            chosen.append(number)
            total += counts
    return chosen, total


def count_features(source: Matrix | Patches, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the features of some items that are not 0, ``(rows,)``."""
    if isinstance(source, Patches):
        msg = "patches have no features to count"
        raise TypeError(msg)
    values = source.values
    if isinstance(values, csr_array):
        # A zero may be stored.
        before = np.concatenate([[0], np.cumsum(values.data != 0)])
        return np.asarray(np.diff(before[values.indptr])[rows])
    counts = np.empty(source.shape[0], np.int64)
    for block in source.blocks():
        counts[block] = np.count_nonzero(values[block], axis=1)
    return counts[rows]
