"""A network on patches or crops of them: blocks of two small convolutions, pooled over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tartarus_cli.architectures import (
    DropoutRate,
    NetworkOptions,
    Shape,
    Widths,
    architecture,
)

if TYPE_CHECKING:
    import keras

KERNEL = (3, 3)


class AudioVggOptions(NetworkOptions):
    """Blocks of convolutions, pooling over time and bins, then dense layers."""

    filters: Annotated[Widths, Field(min_length=1)] = (16, 32, 64, 64)
    """Number of filters of each block, in both of its convolutions."""

    dropout: DropoutRate = 0.4
    """Dropout after the pooling over time, and after each hidden layer."""

    dropout_blocks: DropoutRate = 0.0
    """Dropout after each block."""


@architecture("audio_vgg", options=AudioVggOptions, inputs="patches", most_inputs=1)
def audio_vgg(
    shapes: Sequence[Shape], options: AudioVggOptions, width: int, seed: int
) -> keras.Model:
    """Blocks of two convolutions with batch norm and relu, and 2 × 2 max pooling; then the output.

    What the blocks leave is averaged over the bins; its mean and its maximum over time are added
    up, as in the networks of Kong et al. (PANNs, IEEE/ACM TASLP 2020), of which it is a small one.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed, "glorot")
    start = x = layers.input(shapes[0])
    for filters in options.filters:
        x = layers.activation(layers.batch_norm(layers.small_conv(x, filters, KERNEL)), "relu")
        x = layers.batch_norm(layers.small_conv(x, filters, KERNEL))
        # Relu after the pooling, which comes to the same, has a quarter of the numbers.
        x = layers.activation(layers.pool(x, (min(2, x.shape[1]), min(2, x.shape[2]))), "relu")
        x = layers.dropout(x, options.dropout_blocks)
    x = layers.dropout(layers.pool_time(x), options.dropout)
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))
