"""The network of musicnn, built in Keras from the arrays of its checkpoint.

Source: J. Pons and X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging", late-breaking demo of ISMIR 2019; J. Pons et al., "End-to-end learning for music audio
tagging at scale", ISMIR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Tensors = Mapping[str, NDArray[np.float32]]
"""Arrays by the names that the checkpoint has for them."""

LAYERS = ("penultimate", "tags", "mean_pool", "max_pool", "timbral", "temporal")
"""Outputs, under the names that musicnn has for them; the last two are means over time."""

FRONT = ("conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4")
"""Convolutions of the front end: the first two are as high as many bands, the others one band."""
TIMBRAL = 2  # how many of them
MIDDLE = ("conv2d_5", "conv2d_6", "conv2d_7")
NORMALIZATIONS = tuple(f"batch_normalization{f'_{n}' * (n > 0)}" for n in range(11))
NORMALIZATION_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")

NAMES = frozenset(
    {f"{layer}/{part}" for layer in NORMALIZATIONS for part in NORMALIZATION_PARTS}
    | {f"{layer}/{part}" for layer in (*FRONT, *MIDDLE) for part in ("kernel", "bias")}
    | {f"{layer}/{part}" for layer in ("dense", "dense_1") for part in ("kernel", "bias")}
)
"""Names of the arrays that the network has."""


def layer_width(layer: str, tensors: Tensors) -> int:
    """Return the numbers of a vector of a layer."""
    front = [tensors[f"{name}/bias"].size for name in FRONT]
    return {
        "penultimate": tensors["dense/bias"].size,
        "tags": tensors["dense_1/bias"].size,
        "timbral": sum(front[:TIMBRAL]),
        "temporal": sum(front[TIMBRAL:]),
    }.get(layer, sum(front) + sum(tensors[f"{name}/bias"].size for name in MIDDLE))


def build(tensors: Tensors, frames: int, bands: int, layer: str) -> keras.Model:
    """Return the network of one window, from its log spectrogram to a layer.

    Parameters
    ----------
    tensors
        Those of :data:`NAMES`; the numbers of filters are theirs.
    frames, bands
        The shape of a window, ``(frames, bands)``.
    layer
        The output; one of :data:`LAYERS`.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a window is too small.
    """
    import keras

    start = keras.Input((frames, bands), batch_size=1)
    image = _normalized(keras.layers.Reshape((frames, bands, 1))(start), 0, tensors)
    padded = keras.layers.ZeroPadding2D(((3, 3), (0, 0)))(image)
    front = [
        _front(padded if number < TIMBRAL else image, number, tensors)
        for number in range(len(FRONT))
    ]
    side = {"timbral": front[:TIMBRAL], "temporal": front[TIMBRAL:]}.get(layer)
    if side:
        over_time = keras.layers.Concatenate()(side)
        return keras.Model(start, keras.layers.GlobalAveragePooling1D()(over_time))
    return keras.Model(start, _back(_middle(front, tensors), tensors, layer))


def _front(image: Any, number: int, tensors: Tensors) -> Any:
    """Convolve, and take the maximum over what is left of the frequencies."""
    from keras import layers, ops

    name = FRONT[number]
    kernel = tensors[f"{name}/kernel"]
    convolution = layers.Conv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        padding="valid" if number < TIMBRAL else "same",
        activation="relu",
        name=name,
    )
    normal = _normalized(_with_weights(convolution, image, tensors), 1 + number, tensors)
    return ops.max(normal, axis=2)


def _middle(front: list[Any], tensors: Tensors) -> Any:
    """Convolve over time thrice, the last two times beside a shortcut; return all of it."""
    from keras import layers

    outputs = [layers.Concatenate()(front)]
    for number, name in enumerate(MIDDLE):
        kernel = tensors[f"{name}/kernel"]
        convolution = layers.Conv1D(
            kernel.shape[-1], kernel.shape[0], padding="same", activation="relu", name=name
        )
        convolved = _with_weights(convolution, outputs[-1], tensors)
        normal = _normalized(convolved, 6 + number, tensors)
        outputs.append(layers.Add()([normal, outputs[-1]]) if number else normal)
    return layers.Concatenate()(outputs)


def _back(over_time: Any, tensors: Tensors, layer: str) -> Any:
    from keras import layers

    pools = {
        "max_pool": layers.GlobalMaxPooling1D()(over_time),
        "mean_pool": layers.GlobalAveragePooling1D()(over_time),
    }
    if layer in pools:
        return pools[layer]
    # The checkpoint has the two of a channel side by side.
    columns = [layers.Reshape((-1, 1))(pool) for pool in pools.values()]
    pooled = _normalized(layers.Flatten()(layers.Concatenate()(columns)), 9, tensors)
    dense = layers.Dense(tensors["dense/bias"].size, activation="relu", name="dense")
    penultimate = _normalized(_with_weights(dense, pooled, tensors), 10, tensors)
    if layer == "penultimate":
        return penultimate
    tags = layers.Dense(tensors["dense_1/bias"].size, activation="sigmoid", name="dense_1")
    return _with_weights(tags, penultimate, tensors)


def _normalized(x: Any, number: int, tensors: Tensors) -> Any:
    from keras import layers

    name = NORMALIZATIONS[number]
    layer = layers.BatchNormalization(epsilon=1e-3, name=name)
    output = layer(x)
    layer.set_weights([tensors[f"{name}/{part}"] for part in NORMALIZATION_PARTS])
    return output


def _with_weights(layer: Any, x: Any, tensors: Tensors) -> Any:
    output = layer(x)
    kernel = tensors[f"{layer.name}/kernel"]
    if kernel.ndim == 4 and layer.rank == 1:
        kernel = kernel[:, :, 0]
    layer.set_weights([kernel, tensors[f"{layer.name}/bias"]])
    return output
