"""Networks that combine several feature vectors of an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tartarus_cli.architectures import NetworkOptions, Shape, Widths, architecture

if TYPE_CHECKING:
    import keras


class BranchesOptions(NetworkOptions):
    """A dense relu branch for each input."""

    hidden: Widths = (512,)
    """Widths of the dense layers of each branch."""


@architecture("fusion", options=NetworkOptions)
def fusion(shapes: Sequence[Shape], options: NetworkOptions, width: int, seed: int) -> keras.Model:
    """Each input divided by its L2 norm, joined, dropout, dense relu layers, the output.

    The late fusion of Oramas et al. (DLRS 2017); it takes any number of inputs.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    starts = [layers.input(shape) for shape in shapes]
    x = layers.concatenate([layers.input_norm(start) for start in starts])
    x = layers.hidden(layers.dropout(x, options.dropout), options.hidden)
    return keras.Model(starts, layers.output(x, width, options.output))


@architecture("branches", options=BranchesOptions)
def branches(
    shapes: Sequence[Shape], options: BranchesOptions, width: int, seed: int
) -> keras.Model:
    """Each input: batch norm, dropout, dense relu, dropout; then joined, then the output."""
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    starts = [layers.input(shape) for shape in shapes]
    normed = [layers.dropout(layers.batch_norm(start), options.dropout) for start in starts]
    x = layers.concatenate([layers.hidden(x, options.hidden, options.dropout) for x in normed])
    return keras.Model(starts, layers.output(x, width, options.output))
