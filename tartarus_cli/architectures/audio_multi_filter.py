"""A network on patches whose first layer has filters of several shapes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from tartarus_cli.architectures import Shape, Widths, architecture
from tartarus_cli.architectures.audio import (
    AudioCnnOptions,
    Window,
    Windows,
    WindowStep,
    add_stages,
    check_fit,
    window_steps,
)

if TYPE_CHECKING:
    import keras


class MultiFilterOptions(AudioCnnOptions):
    """Parallel filters over time and frequency, then the stages of ``audio_cnn``."""

    parallel_kernels: Windows = ((1, 70), (5, 70), (10, 70), (1, 35), (5, 35), (10, 35))
    """Frames and bins of the parallel convolutions."""

    parallel_filters: Widths = (64, 32, 32, 64, 32, 32)
    """Number of filters of each parallel convolution."""

    parallel_pool: Window = (4, 16)
    """Frames and bins of the max pooling after each of them."""

    kernels: Windows = ((4, 1), (4, 1))
    filters: Widths = (128, 256)
    pools: Windows = ((4, 6), (2, 1))

    @model_validator(mode="after")
    def _check_parallel(self) -> Self:
        counts = len(self.parallel_kernels), len(self.parallel_filters)
        if len({*counts}) > 1:
            msg = "there are {} parallel_kernels and {} parallel_filters; give as many of each"
            raise ValueError(msg.format(*counts))
        return self


@architecture("audio_multi_filter_cnn", options=MultiFilterOptions, inputs="patches", most_inputs=1)
def audio_multi_filter_cnn(
    shapes: Sequence[Shape], options: MultiFilterOptions, width: int, seed: int
) -> keras.Model:
    """Parallel convolutions (same padding), relu, max pooling, joined; then as ``audio_cnn``.

    Tall filters see timbre, long ones rhythm (Pons, Lidy and Serra, CBMI 2016). Pooling before
    joining gives the same numbers as after it, with a fraction of the memory.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    pool = options.parallel_pool
    first = WindowStep("parallel_pool", 1, pool, pools=True)
    check_fit(shapes[0], [first, *window_steps(options, first=2)])
    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    branches = [
        layers.pool(layers.conv(start, filters, kernel, padding="same"), pool)
        for kernel, filters in zip(options.parallel_kernels, options.parallel_filters, strict=True)
    ]
    x = layers.dropout(layers.concatenate(branches), options.dropout)
    x = layers.flatten(add_stages(layers, x, options))
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))
