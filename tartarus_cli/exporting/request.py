"""Requests for exports: what to write, and to which file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ExportKind = Literal["predictions", "users", "embeddings", "rankings", "run", "qrels", "figures"]


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
    system and metric of its evaluation."""
    path: Path
    """File to write; its extension says in which format, but for ``run`` and ``qrels``."""
    layer: str | None = None
    """Layer of the embeddings."""
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
