"""Networks on one feature vector of an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tartarus_cli.architectures import NetworkOptions, Shape, Width, Widths, architecture

if TYPE_CHECKING:
    import keras

Activation = Literal["relu", "tanh", "sigmoid"]


class MixedOptions(NetworkOptions):
    """Dense layers of different activations side by side, then the hidden ones."""

    width: Width = 2048
    """Width of each of the parallel layers."""

    activations: Annotated[tuple[Activation, ...], Field(min_length=1)] = (
        *("relu", "tanh", "sigmoid"),
    )
    """Activations of the parallel layers."""

    hidden: Widths = (1024,)


@architecture("vector", options=NetworkOptions, most_inputs=1)
def vector(shapes: Sequence[Shape], options: NetworkOptions, width: int, seed: int) -> keras.Model:
    """Input, dropout, then dense relu layers each with dropout, then the output."""
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    x = layers.dropout(start, options.dropout)
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))


@architecture("mixed", options=MixedOptions, most_inputs=1)
def mixed(shapes: Sequence[Shape], options: MixedOptions, width: int, seed: int) -> keras.Model:
    """Parallel dense layers of several activations, joined, dropout, then as ``vector``."""
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    x = layers.concatenate(
        [layers.dense(start, options.width, name) for name in options.activations]
    )
    x = layers.hidden(layers.dropout(x, options.dropout), options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))
