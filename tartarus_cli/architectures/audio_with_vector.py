"""A network on a spectrogram patch and a feature vector of the same item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tartarus_cli.architectures import Shape, Widths, architecture
from tartarus_cli.architectures.audio import AudioCnnOptions, add_stages, check_fit, window_steps

if TYPE_CHECKING:
    import keras


class AudioWithVectorOptions(AudioCnnOptions):
    """The stages of ``audio_cnn`` on the patch, and dense relu layers on the vector."""

    vector: Widths = (512,)
    """Widths of the dense layers on the vector."""


@architecture("audio_with_vector", options=AudioWithVectorOptions, inputs=("patches", "features"))
def audio_with_vector(
    shapes: Sequence[Shape], options: AudioWithVectorOptions, width: int, seed: int
) -> keras.Model:
    """``audio_cnn``, flattened, joined with dense relu layers on the vector; then the output."""
    import keras

    from tartarus_cli.layers import LayerFactory

    check_fit(shapes[0], window_steps(options))
    layers = LayerFactory(seed)
    patch, vector = (layers.input(shape) for shape in shapes)
    audio = layers.flatten(add_stages(layers, patch, options))
    x = layers.concatenate([audio, layers.hidden(vector, options.vector, options.dropout)])
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model([patch, vector], layers.output(x, width, options.output))
