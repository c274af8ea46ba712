"""Our own Keras layers, and the factory that makes the layers of networks.

Like :mod:`tartarus_cli.initializers` and :mod:`tartarus_cli.losses`, it imports Keras at its head,
since its classes derive from Keras'; import it inside functions. Importing it registers all layers
that a saved network may name.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

import tartarus_cli.tower_layers  # noqa: F401 — registers its layers too
from tartarus_cli.initializers import (
    INITIAL_WEIGHTS,
    INITIAL_WORD_VECTORS,
    FirstWeights,
    GlorotSpread,
    Spread,
)
from tartarus_cli.losses import unit_norm

# When a convolution is computed as a product of matrices, and how, was found by measurement.
MIN_FILTER_WEIGHTS = 48
"""Weights of a filter; with fewer, most of the time would go into moving the results."""

MAX_UNFOLDED = 5 << 19
"""Numbers that one item may be unfolded into; 10 MiB of float32."""

UNFOLDING_COST = 80
"""Cost of unfolding one number, in multiplications."""


@keras.saving.register_keras_serializable("tartarus")
class UnitNorm(keras.layers.Layer):  # type: ignore[misc]
    """Divide each row by its L2 norm; zero rows stay zero."""

    def call(self, inputs: Any) -> Any:
        """Return the rows with a norm of 1."""
        return unit_norm(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape


def convolve(x: Any, kernel: Any, positions: int) -> Any:
    """Convolve with valid padding and stride 1, as one product of matrices.

    The bins are cut into windows, each of which holds the kernel at ``positions`` places. A window,
    over as many frames as the kernel has, becomes a row; the kernel, laid at each of these places
    with zeros around it, becomes a matrix. One place a window is the usual unfolding; several
    multiply some zeros, but unfold into far fewer numbers, and the products have a better shape.

    Parameters
    ----------
    x
        ``(items, frames, bins, channels)``; only the first may be unknown.
    kernel
        ``(frames, bins, channels, filters)``.
    positions
        Places of the kernel in one window, at most ``bins - kernel bins + 1``.
    """
    high, wide, channels, filters = kernel.shape
    frames, bins = x.shape[1] - high + 1, x.shape[2] - wide + 1
    windows, span = -(-bins // positions), wide + positions - 1
    if span > 1:
        x = ops.pad(x, [(0, 0), (0, 0), (0, windows * positions - bins), (0, 0)])
        starts = range(0, windows * positions, positions)
        x = ops.stack([x[:, :, start : start + span] for start in starts], 2)
    x = ops.reshape(x, (-1, x.shape[1], windows, span * channels))
    x = ops.concatenate([x[:, first : first + frames] for first in range(high)], -1)
    matrix = ops.reshape(
        _shift_kernel(kernel, positions), (high * span * channels, positions * filters)
    )
    x = ops.reshape(ops.matmul(x, matrix), (-1, frames, windows * positions, filters))
    return x[:, :, :bins]


def _shift_kernel(kernel: Any, positions: int) -> Any:
    """Lay a kernel at each position of a window: ``(frames, span, channels, positions, filters)``.

    A row of one zero more than the span, written again and again and cut into spans, moves on by
    one from span to span.
    """
    high, wide, channels, filters = kernel.shape
    span = wide + positions - 1
    row = ops.pad(kernel, [(0, 0), (0, positions), (0, 0), (0, 0)])
    rows = ops.tile(row, (1, positions, 1, 1))[:, : positions * span]
    rows = ops.reshape(rows, (high, positions, span, channels, filters))
    return ops.transpose(rows, (0, 2, 3, 1, 4))


def choose_positions(shape: tuple[int, ...], kernel: tuple[int, ...]) -> int:
    """Return how many positions of :func:`convolve` are fastest; 0 if none is a gain.

    Parameters
    ----------
    shape
        Shape of one item, ``(frames, bins, channels)``.
    kernel
        Shape of the kernel, ``(frames, bins, channels, filters)``.

    Examples
    --------
    >>> choose_positions((322, 96, 1), (4, 96, 1, 64))
    1
    >>> choose_positions((322, 96, 1), (4, 70, 1, 64))
    9
    >>> choose_positions((322, 96, 1), (3, 3, 1, 64))  # too few weights
    0
    """
    high, wide, channels, filters = kernel
    frames, bins = shape[0] - high + 1, shape[1] - wide + 1

    def unfolded(positions: int) -> int:
        return -(-bins // positions) * (wide + positions - 1)

    def cost(positions: int) -> int:
        return unfolded(positions) * (positions * filters + UNFOLDING_COST)

    best = min(range(1, bins + 1), key=cost)
    fits = frames * high * channels * unfolded(best) <= MAX_UNFOLDED
    return best if fits and prod(kernel[:3]) >= MIN_FILTER_WEIGHTS else 0


def _runs_on_jax_cpu() -> bool:
    """Whether the convolutions would be XLA's on a CPU, where they are slow."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return bool(jax.default_backend() == "cpu")


@keras.saving.register_keras_serializable("tartarus")
class Convolution(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' convolution over frames and bins; on a CPU with JAX a product of matrices.

    The result is the same to float32's precision. Only stride 1 and channels last.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve, before bias and activation."""
        if not _runs_on_jax_cpu() or None in inputs.shape[1:]:
            return super().convolution_op(inputs, kernel)
        x = inputs
        if self.padding == "same":
            around = [((size - 1) // 2, size // 2) for size in kernel.shape[:2]]
            x = ops.pad(x, [(0, 0), *around, (0, 0)])
        positions = choose_positions(x.shape[1:], kernel.shape)
        if not positions:
            return super().convolution_op(inputs, kernel)
        return convolve(x, kernel, positions)


@keras.saving.register_keras_serializable("tartarus")
class WordConvolution(keras.layers.Conv1D):  # type: ignore[misc]
    """Keras' convolution over the words of a sequence, computed as :class:`Convolution` is."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve, before bias and activation."""
        if not _runs_on_jax_cpu() or None in inputs.shape[1:]:
            return super().convolution_op(inputs, kernel)
        x = convolve(ops.expand_dims(inputs, 2), ops.expand_dims(kernel, 1), 1)
        return ops.squeeze(x, 2)


@keras.saving.register_keras_serializable("tartarus")
class MaxPool(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras' max pooling without overlap or padding, as the maximum over axes.

    Its gradient needs no search, which is what makes Keras' slow with JAX; where several numbers of
    a window are the largest, they share the gradient, which Keras gives to the first of them.
    """

    def call(self, inputs: Any) -> Any:
        """Return the maximum of each window; what does not fill one at the end is left out."""
        if keras.backend.backend() != "jax" or None in inputs.shape[1:]:
            return super().call(inputs)
        high, wide = self.pool_size
        frames, bins, channels = inputs.shape[1] // high, inputs.shape[2] // wide, inputs.shape[3]
        x = inputs[:, : frames * high, : bins * wide]
        return ops.max(ops.reshape(x, (-1, frames, high, bins, wide, channels)), (2, 4))


class LayerFactory:
    """Makes the layers of one network: names them by kind and number, and seeds each of them.

    Parameters
    ----------
    seed
        Seed from which the first weights and the dropout of every layer are drawn.
    weights
        How the kernels of dense layers and convolutions start.
    """

    def __init__(self, seed: int, weights: FirstWeights = "uniform") -> None:
        self._seed, self._weights = seed, weights
        self._counts: Counter[str] = Counter()

    def input(self, shape: tuple[int, ...]) -> Any:
        """``input_1``, ``input_2``, …: one input of the network; ``shape`` is that of one item."""
        return keras.Input(shape, name=self._next("input"))

    def dense(
        self,
        x: Any,
        width: int,
        activation: str | None = None,
        *,
        weights: FirstWeights | None = None,
    ) -> Any:
        """``dense_1``, ``dense_2``, …: a dense layer, activation included."""
        initial, name = self._kernel_initializer(weights), self._next("dense")
        return keras.layers.Dense(width, activation, kernel_initializer=initial, name=name)(x)

    def conv(
        self,
        x: Any,
        filters: int,
        kernel: tuple[int, int],
        *,
        padding: str = "valid",
        activation: str | None = "relu",
    ) -> Any:
        """``conv_1``, …: a convolution over frames and bins, activation included."""
        return Convolution(
            filters,
            kernel,
            padding=padding,
            activation=activation,
            kernel_initializer=self._kernel_initializer(),
            name=self._next("conv"),
        )(x)

    def word_conv(self, x: Any, filters: int, words: int) -> Any:
        """``conv_1``, …: a convolution over the words of a sequence, and relu."""
        return WordConvolution(
            filters,
            words,
            activation="relu",
            kernel_initializer=self._kernel_initializer(),
            name=self._next("conv"),
        )(x)

    def pool(self, x: Any, size: tuple[int, int]) -> Any:
        """``pool_1``, …: the maximum of each window; ``size`` is in frames and bins."""
        return MaxPool(size, name=self._next("pool"))(x)

    def global_pool(self, x: Any) -> Any:
        """``pool_1``, …: the maximum of each filter over a whole sequence."""
        return keras.layers.GlobalMaxPooling1D(name=self._next("pool"))(x)

    def activation(self, x: Any, kind: str) -> Any:
        """``elu_1``, …: an activation as a layer, named by its kind."""
        return keras.layers.Activation(kind, name=self._next(kind))(x)

    def flatten(self, x: Any) -> Any:
        """``flatten``: all numbers of an item in one row."""
        return keras.layers.Flatten(name="flatten")(x)

    def pad_frames(self, x: Any, multiple: int) -> Any:
        """Add frames of zeros on both sides, up to a multiple, as ``padding``, if it needs any."""
        missing = -x.shape[1] % multiple
        if not missing:
            return x
        sides = missing // 2, missing - missing // 2
        return keras.layers.ZeroPadding2D((sides, (0, 0)), name="padding")(x)

    def sequence(self, x: Any) -> Any:
        """``sequence``: the frames in order, all numbers of each in one row."""
        _, frames, bins, channels = x.shape
        return keras.layers.Reshape((frames, bins * channels), name="sequence")(x)

    def embedding(self, x: Any, words: int, width: int, *, masked: bool = False) -> Any:
        """``embedding``: a vector for each word id; if ``masked``, 0 is no word."""
        initial = Spread(INITIAL_WORD_VECTORS, self._draw_seed())
        return keras.layers.Embedding(
            words, width, embeddings_initializer=initial, mask_zero=masked, name="embedding"
        )(x)

    def lstm(self, x: Any, width: int) -> Any:
        """``lstm_1``, …: the last state of an LSTM."""
        return keras.layers.LSTM(width, **self._recurrent(), name=self._next("lstm"))(x)

    def gru(self, x: Any, width: int, *, sequences: bool = False) -> Any:
        """``gru_1``, …: the last state of a GRU, or all of them as a sequence."""
        name = self._next("gru")
        return keras.layers.GRU(width, **self._recurrent(), return_sequences=sequences, name=name)(
            x
        )

    def dropout(self, x: Any, rate: float) -> Any:
        """``dropout_1``, …; a rate of 0 adds no layer."""
        if not rate:
            return x
        return keras.layers.Dropout(rate, seed=self._draw_seed(), name=self._next("dropout"))(x)

    def hidden(self, x: Any, widths: tuple[int, ...], rate: float = 0.0) -> Any:
        """Dense relu layers, each followed by dropout."""
        for width in widths:
            x = self.dropout(self.dense(x, width, "relu"), rate)
        return x

    def input_norm(self, x: Any) -> Any:
        """``input_norm_1``, …: each row divided by its L2 norm."""
        return UnitNorm(name=self._next("input_norm"))(x)

    def batch_norm(self, x: Any, axis: int = -1) -> Any:
        """``batch_norm_1``, …: batch normalization of each place of an axis; channels are last."""
        return keras.layers.BatchNormalization(axis, name=self._next("batch_norm"))(x)

    def concatenate(self, branches: list[Any]) -> Any:
        """Put all branches side by side, as ``joined``; a single branch is left as it is."""
        if len(branches) == 1:
            return branches[0]
        return keras.layers.Concatenate(name="joined")(branches)

    def output(self, x: Any, width: int, kind: str, *, weights: FirstWeights | None = None) -> Any:
        """Make the last layer: dense with the activation ``kind``, or ``unit_norm`` after it.

        Its kernel starts as those of the other layers, if ``weights`` do not say otherwise.
        """
        if kind == "unit_norm":
            return UnitNorm(name="unit_norm")(self.dense(x, width, weights=weights))
        return self.dense(x, width, None if kind == "linear" else kind, weights=weights)

    def _kernel_initializer(self, weights: FirstWeights | None = None) -> Spread | GlorotSpread:
        seed = self._draw_seed()
        if (weights or self._weights) == "glorot":
            return GlorotSpread(seed)
        return Spread(INITIAL_WEIGHTS, seed)

    def _recurrent(self) -> dict[str, Any]:
        """Keras' own first weights of recurrent layers, seeded."""
        return {
            "kernel_initializer": keras.initializers.GlorotUniform(self._draw_seed()),
            "recurrent_initializer": keras.initializers.Orthogonal(seed=self._draw_seed()),
        }

    def _next(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"

    def _draw_seed(self) -> int:
        """Draw the seed of the next layer from that of the network."""
        self._counts["seed"] += 1
        (bits,) = np.random.SeedSequence([self._seed, self._counts["seed"]]).generate_state(1)
        # Keras takes seeds of 31 bits.
        return int(bits) >> 1


def add_log_norm(network: keras.Model, seed: int, start: float) -> keras.Model:
    """Let a network also predict the logarithm of a norm, from what its last dense layer reads.

    Parameters
    ----------
    network
        Its last dense layer gives the direction, ``(items, dim)``.
    seed
        Of the first weights.
    start
        What it predicts before it has learnt anything.

    Returns
    -------
    A network of ``dim + 1`` outputs, the layer ``log_norm`` being the last of them.
    """
    last = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)][-1]
    norm = keras.layers.Dense(
        1,
        kernel_initializer=Spread(INITIAL_WEIGHTS, seed),
        bias_initializer=keras.initializers.Constant(start),
        name="log_norm",
    )(last.input)
    joined = keras.layers.Concatenate(name="direction_and_norm")([network.output, norm])
    return keras.Model(network.inputs, joined)
