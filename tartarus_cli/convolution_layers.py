"""Convolutions and pooling that are fast with JAX on a CPU.

It imports Keras at its head, since its classes derive from Keras'; import it inside functions.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras
from keras import ops

from tartarus_cli.devices import computes_on_cpu

# When a convolution is computed as a product of matrices, and how, was found by measurement.
MIN_FILTER_WEIGHTS = 48
"""Weights of a filter; with fewer, most of the time would go into moving the results."""

MAX_UNFOLDED = 5 << 19
"""Numbers that one item may be unfolded into; 10 MiB of float32."""

UNFOLDING_COST = 80
"""Cost of unfolding one number, in multiplications."""


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
    return keras.backend.backend() == "jax" and computes_on_cpu()


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


@keras.saving.register_keras_serializable("tartarus")
class TimePool(keras.layers.Layer):  # type: ignore[misc]
    """The mean over the bins; of that, mean and maximum over the frames, added up."""

    def call(self, inputs: Any) -> Any:
        """Return ``(items, channels)`` of ``(items, frames, bins, channels)``."""
        x = ops.mean(inputs, axis=2)
        return ops.mean(x, axis=1) + ops.max(x, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return items and channels."""
        return input_shape[0], input_shape[3]
