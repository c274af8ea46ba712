"""A network in which all settings of an item pass the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tartarus_cli.architectures import (
    DropoutRate,
    NetworkOptions,
    Shape,
    Width,
    Widths,
    architecture,
)

if TYPE_CHECKING:
    import keras


class SingleBranchOptions(NetworkOptions):
    """A linear adapter for each input, then layers that all of them share."""

    adapter: Width = 256
    """Width that each setting is projected to."""

    hidden: Widths = (256,)
    """Widths of the dense relu layers that all settings pass."""

    modality_dropout: DropoutRate = 0.3
    """Probability that a whole setting of an item is dropped in a training step; one of those that
    the item has always stays."""

    contrast: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0.1
    """Weight of a loss that pulls the settings of an item together, away from those of other items
    of the batch; it counts in training alone."""

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] = 0.1
    """Temperature of that loss: the smaller, the more the most similar items count."""


@architecture("single_branch", options=SingleBranchOptions)
def single_branch(
    shapes: Sequence[Shape], options: SingleBranchOptions, width: int, seed: int
) -> keras.Model:
    """Each input: L2 norm, dropout, a linear adapter; then shared layers, the mean, the output.

    The mean is over the settings that an item has; a row of zeros is one that it lacks. After
    SiBraR (Ganhör et al., RecSys 2024), with a softmax over items or a loss on targets where that
    has pairs of items; interactions are no input of it.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    # With the small weights of published networks, the shared layers often learn nothing at all.
    layers = LayerFactory(seed, "glorot")
    starts = [layers.input(shape) for shape in shapes]
    normed = [layers.dropout(layers.input_norm(start), options.dropout) for start in starts]
    x = layers.stack([layers.dense(each, options.adapter) for each in normed])
    x = layers.hidden(x, options.hidden)
    presence = layers.presence(starts)
    x = layers.contrast(x, presence, options.contrast, options.temperature)
    x = layers.present_mean(x, layers.setting_dropout(presence, options.modality_dropout))
    return keras.Model(starts, layers.output(x, width, options.output))
