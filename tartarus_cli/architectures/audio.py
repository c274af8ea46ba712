"""The convolutional network on spectrogram patches, and what networks on patches share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from tartarus_cli.architectures import Length, NetworkOptions, Shape, Widths, architecture
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    import keras

    from tartarus_cli.layers import LayerFactory

Window = tuple[Length, Length]  # frames, bins
Windows = Annotated[tuple[Window, ...], Field(min_length=1)]


class AudioCnnOptions(NetworkOptions):
    """Stages of convolution, relu, max pooling and dropout, then dense layers.

    The defaults are the stages of Oramas et al. (TISMIR 2018), for patches of 96 bins.
    """

    kernels: Windows = ((4, 96), (4, 1), (4, 1))
    filters: Widths = (64, 128, 256)
    pools: Windows = ((4, 1), (4, 1), (2, 1))

    @model_validator(mode="after")
    def _one_of_each_a_stage(self) -> Self:
        counts = len(self.kernels), len(self.filters), len(self.pools)
        if len({*counts}) > 1:
            said = "there are {} kernels, {} filters and {} pools; each stage takes one of each"
            raise ValueError(said.format(*counts))
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
    make = LayerFactory(seed)
    start = make.input(shapes[0])
    x = make.flatten(add_stages(make, start, options))
    x = make.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, make.output(x, width, options.output))


def add_stages(make: LayerFactory, x: Any, options: AudioCnnOptions) -> Any:
    """Lay the stages of convolution (valid padding), relu, max pooling and dropout over ``x``."""
    for kernel, filters, pool in zip(options.kernels, options.filters, options.pools, strict=True):
        x = make.pool(make.conv(x, filters, kernel), pool)
        x = make.dropout(x, options.dropout)
    return x


@dataclass(frozen=True)
class WindowStep:
    """A window that goes over frames and bins."""

    option: str  # which sets it
    stage: int
    window: Window
    pools: bool = False  # without overlap

    def after(self, size: Window) -> Window:
        """Frames and bins that it leaves; 0 where it does not fit."""
        (high, wide), (frames, bins) = self.window, size
        if self.pools:
            return frames // high, bins // wide
        return max(frames - high + 1, 0), max(bins - wide + 1, 0)


def window_steps(
    options: AudioCnnOptions, *, first: int = 1, padded: bool = False
) -> list[WindowStep]:
    """List what makes patches smaller, from the ``first`` stage on.

    Convolutions do not where they are ``padded``.
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
        Which shows the frames and bins after each step.
    """
    size = shape[0], shape[1]
    course = [f"input {size[0]} × {size[1]}"]
    for step in steps:
        left = step.after(size)
        if 0 in left:
            kind = "pool" if step.pools else "kernel"
            msg = f"stage {step.stage}: {kind} {step.window} does not fit into "
            msg += f"{size[0]} × {size[1]} (frames × bins): {' → '.join(course)} → …"
            longer = ", or make longer patches: --set patches.seconds=…" if 0 in left[:1] else ""
            raise RequestError(
                msg, hint=f"Name smaller ones: --set network.{step.option}=…{longer}"
            )
        size = left
        course.append(f"{'pool' if step.pools else 'conv'} {size[0]} × {size[1]}")
