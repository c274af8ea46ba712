"""Tokens of documents that were read once, in memory: each document is opened a single time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.text import ExtractorOptions, Tokens
from tartarus_cli.text.numbered import NumberedTokens, Numbering, join_numbers

MAX_TOKENS = 1 << 28
"""Tokens that are held at most, in four bytes each; where there are more, none is."""

_NO_TOKENS = np.empty(0, np.int32)


@dataclass
class HeldTokens:
    """The tokens of documents, by the ids of their items."""

    options: ExtractorOptions
    """Find the tokens."""
    complete: bool = True
    """Whether those of all documents are held."""
    _numbering: Numbering = field(default_factory=Numbering)
    _documents: dict[str, tuple[NDArray[np.int32], bool]] = field(default_factory=dict)
    _count: int = 0

    def add(self, item: str, tokens: Tokens) -> None:
        """Hold the tokens of the document of an item; too many, and none is held any more."""
        self._count += len(tokens.values)
        self.complete = self.complete and self._count <= MAX_TOKENS
        if self.complete:
            self._documents[item] = self._numbering.number(tokens.values), tokens.longer
        else:
            self._numbering, self._documents = Numbering(), {}

    def numbered(self, items: Iterable[str]) -> NumberedTokens:
        """Return the tokens of the documents of items; an item without one has none."""
        documents = [self._documents.get(item, (_NO_TOKENS, False)) for item in items]
        longer = [longer for _, longer in documents]
        return join_numbers(self._numbering, [numbers for numbers, _ in documents], longer)
