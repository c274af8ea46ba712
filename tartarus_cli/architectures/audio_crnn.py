"""A network on patches: convolutions, and recurrent layers over the frames that they leave."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tartarus_cli.architectures import DropoutRate, Shape, Widths, architecture
from tartarus_cli.architectures.audio import AudioCnnOptions, Windows, check_fit, window_steps

if TYPE_CHECKING:
    import keras

BINS = 2
"""Axis of the bins in ``(items, frames, bins, channels)``."""


class AudioCrnnOptions(AudioCnnOptions):
    """Stages of convolution, batch norm, ELU, max pooling and dropout, then recurrent layers."""

    kernels: Windows = ((3, 3), (3, 3), (3, 3), (3, 3))
    filters: Widths = (64, 128, 128, 128)
    pools: Windows = ((2, 2), (3, 3), (4, 4), (4, 4))
    dropout: DropoutRate = 0.1
    """Dropout after each stage."""

    recurrent: Annotated[Widths, Field(min_length=1)] = (32, 32)
    """Widths of the recurrent layers (GRU)."""

    dropout_recurrent: DropoutRate = 0.3
    """Dropout after the recurrent layers, and after each hidden one."""


@architecture("audio_crnn", options=AudioCrnnOptions, inputs="patches", most_inputs=1)
def audio_crnn(
    shapes: Sequence[Shape], options: AudioCrnnOptions, width: int, seed: int
) -> keras.Model:
    """Batch norm of each bin, convolutions with batch norm, ELU and max pooling, GRUs, the output.

    The CRNN of Choi et al. (ICASSP 2017), on any number of frames that the pools allow: frames of
    zeros on both sides fill up the last windows, so that 1366 become 1440.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    check_fit(shapes[0], window_steps(options, padded=True))
    layers = LayerFactory(seed, "glorot")
    start = layers.input(shapes[0])
    x = layers.pad_frames(start, prod(frames for frames, _ in options.pools))
    x = layers.batch_norm(x, axis=BINS)
    for kernel, filters, pool in zip(options.kernels, options.filters, options.pools, strict=True):
        x = layers.conv(x, filters, kernel, padding="same", activation=None)
        x = layers.pool(layers.activation(layers.batch_norm(x), "elu"), pool)
        x = layers.dropout(x, options.dropout)
    x = layers.sequence(x)
    for units in options.recurrent[:-1]:
        x = layers.gru(x, units, sequences=True)
    x = layers.dropout(layers.gru(x, options.recurrent[-1]), options.dropout_recurrent)
    x = layers.hidden(x, options.hidden, options.dropout_recurrent)
    return keras.Model(start, layers.output(x, width, options.output))
