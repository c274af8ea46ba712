"""``onnx-text``: any model of documents in the format of ONNX.

It takes texts themselves, or the tokens that a file ``tokenizer.json`` makes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, Vectors, Weights, encoder
from tartarus_cli.encoders.onnx_session import (
    INTEGERS,
    LIBRARY,
    TEXT,
    OnnxSession,
    any_model,
    average,
)
from tartarus_cli.encoders.passages import encode_passages
from tartarus_cli.encoders.weights import find_weights
from tartarus_cli.errors import FileError
from tartarus_cli.extras import require

TOKENIZERS = "tokenizers"
ONES = "attention_mask"
ZEROS = "token_type_ids"
"""Inputs beside the tokens that transformers have."""


class OnnxTextOptions(EncoderOptions):
    """What ``--set`` may say."""

    tokenizer: str = ""
    """File tokenizer.json of the model; by default the model takes text itself."""
    tokens: Annotated[int, Field(ge=8, le=1 << 20, strict=True)] = 256
    """Tokens of a passage at most; what is behind them is not read."""
    passage: Annotated[int, Field(ge=100, le=1_000_000, strict=True)] = 1_000
    """Characters that are encoded at once; the vectors of a longer document's passages are
    averaged."""
    output: str = ""
    """Name of the output; the first one by default."""

    @field_validator("tokenizer")
    @classmethod
    def _is_absolute(cls, tokenizer: str) -> str:
        """Write the path in full: processes elsewhere read it too."""
        return str(Path(tokenizer).expanduser().absolute()) if tokenizer else ""


def _weights(options: OnnxTextOptions) -> Weights:
    return any_model((Path(options.tokenizer),) if options.tokenizer else ())


@encoder(
    "onnx-text",
    kind="text",
    summary="a model of yours in the format of ONNX, for documents",
    options=OnnxTextOptions,
    width=lambda _options, _layer: None,
    weights=_weights,
    modules=(LIBRARY,),
    packages=(LIBRARY, TOKENIZERS),
)
def load(options: OnnxTextOptions, weights: Path | None, _layer: str) -> LoadedEncoder:
    """Read the model; of an output for each token, the mean is taken."""
    require(LIBRARY)
    path = find_weights("onnx-text", _weights(options), weights)
    session = OnnxSession(path, options.output)
    inputs_of = _tokens(session, options) if options.tokenizer else _texts(session)

    def encode_one(text: str) -> Vectors:
        return average(session.run(inputs_of(text)), -1)

    def encode(texts: Sequence[str]) -> Vectors:
        return encode_passages(texts, options.passage, encode_one)

    return LoadedEncoder(encode(["a"]).shape[1], encode)


def _texts(session: OnnxSession) -> Callable[[str], dict[str, Any]]:
    """Return what makes the input of a text, of a model that takes it as it is."""
    inputs = list(session.inputs.values())
    if len(inputs) != 1 or inputs[0].type != TEXT:
        msg = "one input of text; for one of tokens, name tokenizer=FILE"
        raise session.other_inputs(msg)
    shape = (1,) * len(inputs[0].shape)
    return lambda text: {inputs[0].name: np.array([text], object).reshape(shape)}


def _tokens(session: OnnxSession, options: OnnxTextOptions) -> Callable[[str], dict[str, Any]]:
    """Return what makes the inputs of a text, of a model that takes tokens."""
    require(TOKENIZERS)
    from tokenizers import Tokenizer

    path = Path(options.tokenizer)
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as problem:  # noqa: BLE001 — tokenizers raises plain exceptions
        raise FileError(
            path,
            found=f"it cannot be read ({problem})",
            expected="a file tokenizer.json",
            hint="Name the one that belongs to the model: tokenizer=FILE.",
        ) from None
    tokenizer.enable_truncation(options.tokens)
    tokenizer.no_padding()
    others = {name for name in session.inputs if name in (ONES, ZEROS)}
    tokens = [name for name in session.inputs if name not in others]
    if len(tokens) != 1 or any(each.type not in INTEGERS for each in session.inputs.values()):
        msg = f"tokens, and perhaps {ONES} and {ZEROS}"
        raise session.other_inputs(msg)

    def inputs_of(text: str) -> dict[str, Any]:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        extra = {ONES: np.ones_like(ids), ZEROS: np.zeros_like(ids)}
        return {tokens[0]: ids} | {name: extra[name] for name in others}

    return inputs_of
