"""What a dataset or an experiment is for."""

from dataclasses import dataclass
from typing import Literal

Task = Literal["recommendation", "multilabel", "multiclass"]
"""Rank items for users; give items any number of classes; give each item one class."""

PLAYS_KIND = "plays"
"""Kind of the targets of what learns from plays: who played an item."""

Scoring = Literal["cosine", "dot", "norm"]
"""How predicted factors rank for a user: their direction, the product as it is, or the product with
a norm that was learnt beside the direction."""


ScoringChoice = Literal[Scoring, "validated"]
"""One of these, or that which ranks validation items best."""


@dataclass(frozen=True)
class TargetSpec:
    """Kind and number of the targets of a network: als 200, pmi 50, class 15."""

    kind: str
    """``als``, ``pmi``, ``class`` or ``plays``."""
    dim: int
    """Number of factors, or of classes; for plays, of a vector that is learnt."""

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the names of its files."""
        return {"fact": self.kind, "dim": str(self.dim)}
