"""A recurrent network on sequences of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tartarus_cli.architectures import Shape, Width, architecture
from tartarus_cli.architectures.text import TextOptions

if TYPE_CHECKING:
    import keras


class TextLstmOptions(TextOptions):
    """Word vectors, then an LSTM."""

    units: Width = 2048
    """Width of the state of the LSTM."""


@architecture("text_lstm", options=TextLstmOptions, inputs="sequence", most_inputs=1)
def text_lstm(
    shapes: Sequence[Shape], options: TextLstmOptions, width: int, seed: int
) -> keras.Model:
    """Word vectors, an LSTM that stops at the end of the document, dropout, dense layers."""
    import keras

    from tartarus_cli.layers import LayerFactory

    layers = LayerFactory(seed)
    start = layers.input(shapes[0])
    x = layers.embedding(start, options.rows, options.embedding, masked=True)
    x = layers.dropout(layers.lstm(x, options.units), options.dropout)
    x = layers.hidden(x, options.hidden, options.dropout)
    return keras.Model(start, layers.output(x, width, options.output))
