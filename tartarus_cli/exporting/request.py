"""Requests for exports: what to write, and to which file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tartarus_cli.errors import RequestError, nearest, parameter

ExportKind = Literal[
    "predictions",
    "users",
    "embeddings",
    "rankings",
    "run",
    "qrels",
    "figures",
    "onnx",
    "safetensors",
    "card",
]

EXTENSIONS: dict[ExportKind, str] = {"onnx": ".onnx", "safetensors": ".safetensors", "card": ".md"}
"""Exports of a model itself → the extension of their file."""


@dataclass(frozen=True)
class ExportRequest:
    """What to write of a model, and to which file."""

    what: ExportKind
    """``predictions``: a row for each item, with its factors, or with its class scores by the names
    of the classes; of a baseline that finds neighbours, a row for each neighbour; of a model that
    learns from plays, the vector and the bias of each item. ``users``: a row for each user, with
    the factors or the vector that those of items are multiplied by. ``embeddings``: a row for each
    item, with the values of a layer. ``rankings``: the first items of each user. ``run`` and
    ``qrels``: rankings and truth for trec_eval and similar programs. ``figures``: a row for each
    system and metric of its evaluation. ``onnx``: the network for other programs; ``safetensors``:
    its weights, or the arrays of a baseline; ``card``: what there is to know of it, in
    Markdown."""
    path: Path
    """File to write; its extension says in which format, but for ``run`` and ``qrels``."""
    layer: str | None = None
    """Layer of the embeddings; the last one of a network in ONNX."""
    split: str | None = None
    """Train, val, test or all; None: test items, or of embeddings all that were read out."""
    top: int | None = None
    """Items of each user; None: 10, in a run 1000."""
    memory: int | None = None
    """Bytes for scores and factors; None: as in an evaluation."""
    replace_whitespace: str | None = None
    """Characters that replace each whitespace character in the ids of a run or qrels."""
    escape_formulas: bool = False
    """Whether an apostrophe is written before texts of CSV and TSV that begin like formulas."""
    force: bool = False
    """Whether to write over an existing file."""


def export_path(name: str, what: ExportKind, path: Path | str | None) -> Path:
    """Return the file to write: the one that is named, else one that is called like the model.

    Parameters
    ----------
    name
        Name of the model, or of the group.
    what
        What is written.
    path
        As it was given; None: not at all.

    Raises
    ------
    RequestError
        If none is named of what has several formats, or there is no such export.

    Examples
    --------
    >>> export_path("model_1", "onnx", None).name
    'model_1.onnx'
    """
    if what not in get_args(ExportKind):
        msg = f"{parameter('what', what)} is nothing that can be exported"
        raise RequestError(msg, hint=nearest(str(what), get_args(ExportKind)))
    if path is not None:
        return Path(path)
    if what not in EXTENSIONS:
        msg = f"{parameter('what', what)}: which file to write is not given"
        example = f"{what}.{'trec' if what in ('run', 'qrels') else 'parquet'}"
        raise RequestError(msg, hint=f"Name it: {parameter('path', example)}")
    return Path(f"{name}{EXTENSIONS[what]}")
