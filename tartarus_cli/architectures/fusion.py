"""Networks that combine several feature vectors of an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from tartarus_cli.architectures import DropoutRate, NetworkOptions, Shape, Widths, architecture

if TYPE_CHECKING:
    import keras

    from tartarus_cli.layers import LayerFactory


class FusionOptions(NetworkOptions):
    """Weights of the settings, which are learnt, and settings that are dropped in training."""

    gate: Literal["none", "scalar", "item"] = "none"
    """Weights of the settings: ``none``, one learnt for each (``scalar``), or those of each item,
    from its own content (``item``). They are shared out among the settings that an item has: a row
    of zeros is one that it lacks. The layer ``gate`` gives them."""

    modality_dropout: DropoutRate = 0.0
    """Probability that a whole setting of an item is dropped in a training step; one of those that
    the item has always stays."""


class BranchesOptions(NetworkOptions):
    """A dense relu branch for each input."""

    hidden: Widths = (512,)
    """Widths of the dense layers of each branch."""


@architecture("fusion", options=FusionOptions)
def fusion(shapes: Sequence[Shape], options: FusionOptions, width: int, seed: int) -> keras.Model:
    """Each input divided by its L2 norm, weighted, joined, dropout, dense relu layers, the output.

    The late fusion of Oramas et al. (DLRS 2017), which has no weights; it takes any number of
    inputs.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    starts = [layers.input(shape) for shape in shapes]
    settings = [layers.input_norm(start) for start in starts]
    if options.gate != "none" or options.modality_dropout:
        settings = _weigh_settings(layers, starts, settings, options)
    x = layers.dropout(layers.concatenate(settings), options.dropout)
    x = layers.hidden(x, options.hidden)
    return keras.Model(starts, layers.output(x, width, options.output))


def _weigh_settings(
    layers: LayerFactory, starts: list[Any], settings: list[Any], options: FusionOptions
) -> list[Any]:
    """Drop whole settings in training, and multiply each by its weight."""
    presence = layers.setting_dropout(layers.presence(starts), options.modality_dropout)
    if options.gate == "scalar":
        gate = layers.gate(presence)
        return [layers.weighted(x, presence, gate, number=n) for n, x in enumerate(settings)]
    if options.modality_dropout:
        settings = [layers.weighted(x, presence, number=n) for n, x in enumerate(settings)]
    if options.gate == "none":
        return settings
    gate = layers.gate(presence, layers.concatenate(settings, "gate_content"))
    return [layers.weighted(x, presence, gate, number=n) for n, x in enumerate(settings)]


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
