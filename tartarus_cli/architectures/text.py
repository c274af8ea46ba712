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
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    import keras


class TextOptions(NetworkOptions):
    """Word ids, each of which becomes a vector; id 0 fills up short documents."""

    vocabulary: Annotated[int, Field(ge=0, strict=True)] = 0  # word vectors; 0: the setting's
    sequence: Length = 500  # words of a document
    embedding: Length = 300  # width of a word vector

    @property
    def rows(self) -> int:
        """How many word vectors there are, once that is known."""
        if not self.vocabulary:
            msg = "network.vocabulary is not filled in"
            raise ValueError(msg)
        return self.vocabulary


class TextCnnOptions(TextOptions):
    """Word vectors, parallel convolutions, global max pooling, dense layers (Kim, EMNLP 2014)."""

    widths: Annotated[Widths, Field(min_length=1)] = (2, 3)  # words that a filter spans
    filters: Width = 150  # of each width
    dropout_hidden: DropoutRate = 0.8  # after the hidden layers; ``dropout`` comes before them


@architecture("text_cnn", options=TextCnnOptions, inputs="sequence", most_inputs=1)
def text_cnn(
    shapes: Sequence[Shape], options: TextCnnOptions, width: int, seed: int
) -> keras.Model:
    """Word vectors, convolutions of several widths side by side, the maximum of each, dense layers.

    The network of Kim (EMNLP 2014); the word vectors are trained on.
    """
    import keras

    from tartarus_cli.layers import LayerFactory

    (words,) = shapes[0]
    if words < max(options.widths):
        msg = f"a filter of {max(options.widths)} words does not fit into sequences of {words}"
        raise RequestError(msg, hint="Name smaller ones: --set network.widths=…")
    make = LayerFactory(seed)
    start = make.input(shapes[0])
    vectors = make.embedding(start, options.rows, options.embedding)
    found = [make.word_conv(vectors, options.filters, each) for each in options.widths]
    x = make.dropout(make.joined([make.global_pool(each) for each in found]), options.dropout)
    x = make.hidden(x, options.hidden, options.dropout_hidden)
    return keras.Model(start, make.output(x, width, options.output))
