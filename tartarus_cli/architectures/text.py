"""The convolutional network on sequences of words, and what networks on words share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tartarus_cli.architectures import (
    DropoutRate,
    Length,
    NetworkOptions,
    Shape,
    Width,
    Widths,
    architecture,
)
from tartarus_cli.errors import RequestError, parameter

if TYPE_CHECKING:
    import keras


class TextOptions(NetworkOptions):
    """Numbers of words, each of which becomes a vector; number 0 fills up short documents."""

    vocabulary: Annotated[int, Field(ge=0, strict=True)] = 0
    """Number of word vectors; 0: as many as the setting has."""

    sequence: Length = 500
    """Words of a document."""

    embedding: Length = 300
    """Length of a word vector."""

    @property
    def rows(self) -> int:
        """Number of word vectors, once it is filled in."""
        if not self.vocabulary:
            msg = "network.vocabulary is not filled in"
            raise ValueError(msg)
        return self.vocabulary


class TextCnnOptions(TextOptions):
    """Word vectors, parallel convolutions, global max pooling, dense layers (Kim, EMNLP 2014)."""

    widths: Annotated[Widths, Field(min_length=1)] = (2, 3)
    """Numbers of words that the filters of each convolution span."""

    filters: Width = 150
    """Number of filters of each width."""

    dropout_hidden: DropoutRate = 0.8
    """Dropout after the hidden layers; ``dropout`` is that of the word vectors."""


@architecture("text_cnn", options=TextCnnOptions, inputs="sequence", most_inputs=1)
def text_cnn(
    shapes: Sequence[Shape], options: TextCnnOptions, width: int, seed: int
) -> keras.Model:
    """Word vectors, dropout, convolutions of several widths side by side, the maximum of each.

    Then dense layers. The network of Kim (EMNLP 2014); the word vectors are trained on.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    (words,) = shapes[0]
    if words < max(options.widths):
        msg = f"a filter of {max(options.widths)} words does not fit into sequences of {words}"
        hint = f"Choose smaller widths: {parameter('overrides', ['network.widths=…'])}"
        raise RequestError(msg, hint=hint)
    layers = LayerFactory(seed, "glorot")
    start = layers.input(shapes[0])
    vectors = layers.embedding(start, options.rows, options.embedding)
    vectors = layers.dropout(vectors, options.dropout)
    convolutions = [layers.word_conv(vectors, options.filters, span) for span in options.widths]
    maxima = [layers.global_pool(convolution) for convolution in convolutions]
    x = layers.hidden(layers.concatenate(maxima), options.hidden, options.dropout_hidden)
    return keras.Model(start, layers.output(x, width, options.output, weights="uniform"))
