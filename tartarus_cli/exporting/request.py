"""What is asked of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

What = Literal["predictions", "embeddings", "rankings", "run", "qrels"]


@dataclass(frozen=True)
class ExportRequest:
    """What to write, and where."""

    what: What
    path: Path
    layer: str | None = None  # of the embeddings
    split: str | None = None  # train, val, test or all; None: what is usual
    top: int | None = None  # items for each user; None: 10, in a run 1000
    memory: int | None = None  # bytes for scores and factors; None: as in an evaluation
    blanks: str | None = None  # what stands for each blank in ids of a run or qrels
    force: bool = False  # write over what is there
