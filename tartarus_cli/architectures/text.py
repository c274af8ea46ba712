"""Networks on sequences of words: what their options are; they cannot be built yet."""

from typing import Annotated

from pydantic import Field

from tartarus_cli.architectures import ARCHITECTURES, Architecture, NetworkOptions, Rate, Widths

Length = Annotated[int, Field(ge=1, strict=True)]


class TextCnnOptions(NetworkOptions):
    """Word vectors, parallel convolutions, global max pooling, dense layers (Kim, EMNLP 2014)."""

    sequence: Length = 500  # words of a document
    embedding: Length = 300  # width of a word vector
    widths: Widths = (2, 3)  # words that a filter spans
    filters: Length = 150  # of each width
    dropout_hidden: Rate = 0.8  # after the hidden layers; ``dropout`` comes before them


ARCHITECTURES.register("text_cnn")(Architecture(TextCnnOptions, "sequence", 1, build=None))
