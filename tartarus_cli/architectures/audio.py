"""The convolutional network on spectrogram patches, and what networks on patches share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from tartarus_cli.architectures import Length, NetworkOptions, Shape, Widths, architecture
from tartarus_cli.errors import RequestError, parameter

if TYPE_CHECKING:
    import keras

    from tartarus_cli.layers import LayerFactory

Window = tuple[Length, Length]
"""Size of a window: frames, bins."""

Windows = Annotated[tuple[Window, ...], Field(min_length=1)]

LONGER_PATCHES = f"longer patches: {parameter('overrides', ['patches.seconds=…'])}"
"""What a hint says where a window has more frames than what a network reads."""


class AudioCnnOptions(NetworkOptions):
    """Stages of convolution, relu, max pooling and dropout, then dense layers.

    The defaults are the stages of Oramas et al. (TISMIR 2018), for patches of 96 bins.
    """

    kernels: Windows = ((4, 96), (4, 1), (4, 1))
    """Frames and bins of the convolution of each stage."""

    filters: Widths = (64, 128, 256)
    """Number of filters of each stage."""

    pools: Windows = ((4, 1), (4, 1), (2, 1))
    """Frames and bins of the max pooling of each stage."""

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        counts = len(self.kernels), len(self.filters), len(self.pools)
        if len({*counts}) > 1:
            msg = "there are {} kernels, {} filters and {} pools; each stage takes one of each"
            raise ValueError(msg.format(*counts))
        return self


@architecture("audio_cnn", options=AudioCnnOptions, inputs="patches", most_inputs=1)
def audio_cnn(
    shapes: Sequence[Shape], options: AudioCnnOptions, width: int, seed: int
) -> keras.Model:
    """Stages of convolution, relu, max pooling and dropout; flattened; dense layers; the output.

    The audio network of Oramas et al. (ISMIR 2017, DLRS 2017).
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    check_fit(shapes[0], window_steps(options))
    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    x = layers.flatten(add_stages(layers, start, options))
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))


def add_stages(layers: LayerFactory, x: Any, options: AudioCnnOptions) -> Any:
    """Add the stages of convolution (valid padding), relu, max pooling and dropout to ``x``."""
    for kernel, filters, pool in zip(options.kernels, options.filters, options.pools, strict=True):
        x = layers.pool(layers.conv(x, filters, kernel), pool)
        x = layers.dropout(x, options.dropout)
    return x


@dataclass(frozen=True)
class WindowStep:
    """A convolution or a pooling, as far as it makes patches smaller."""

    option: str
    """Option of the network that sets the window."""

    stage: int
    """Number of its stage, from 1."""

    window: Window

    pools: bool = False
    """Whether its windows do not overlap."""

    def after(self, size: Window) -> Window:
        """Return the frames and bins that are left; 0 where the window does not fit."""
        (high, wide), (frames, bins) = self.window, size
        if self.pools:
            return frames // high, bins // wide
        return max(frames - high + 1, 0), max(bins - wide + 1, 0)


def window_steps(
    options: AudioCnnOptions, *, first: int = 1, padded: bool = False
) -> list[WindowStep]:
    """List the steps that make patches smaller, from the ``first`` stage on.

    Convolutions that are ``padded`` (with same padding) do not.
    """
    steps = []
    for stage, (kernel, pool) in enumerate(zip(options.kernels, options.pools, strict=True), first):
        steps += [] if padded else [WindowStep("kernels", stage, kernel)]
        steps.append(WindowStep("pools", stage, pool, pools=True))
    return steps


def check_fit(shape: Shape, steps: Sequence[WindowStep]) -> None:
    """Make sure that each step over a patch of this shape leaves something.

    Raises
    ------
    RequestError
        If a window does not fit; the message shows the frames and bins after each step.
    """
    size = shape[0], shape[1]
    sizes = [f"input {size[0]} × {size[1]}"]
    for step in steps:
        remaining = step.after(size)
        if 0 in remaining:
            kind = "pool" if step.pools else "kernel"
            msg = f"stage {step.stage}: {kind} {step.window} does not fit into "
            msg += f"{size[0]} × {size[1]} (frames × bins): {' → '.join(sizes)} → …"
            hint = f"Choose smaller {step.option}: {_override(f'network.{step.option}')}"
            if remaining[0] == 0:
                hint += f", or {LONGER_PATCHES}"
            raise RequestError(msg, hint=hint)
        size = remaining
        sizes.append(f"{'pool' if step.pools else 'conv'} {size[0]} × {size[1]}")


def _override(key: str) -> str:
    return parameter("overrides", [f"{key}=…"])
