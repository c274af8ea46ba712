"""Where rows end in a table of text, and how many fields they have, in one pass over its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tartarus_cli.compiled import compiled

LINE_FEED, CARRIAGE_RETURN = ord("\n"), ord("\r")
NO_QUOTE = 256
"""A quote that no byte is equal to."""
FIELD_START, IN_PLAIN, IN_QUOTES, AFTER_QUOTE = range(4)
"""States of the scanner; a quote that may be the last of its field leads to AFTER_QUOTE."""


@dataclass(frozen=True)
class RowEnds:
    """The rows of a text."""

    end: int
    """Offset behind the last whole row; a line feed between quotes ends no row."""
    fields: int
    """Fields of each row; 0 if rows differ, a row has several lines, or a field holds quotes."""


def find_rows(text: bytes, separator: str, quote: str | None) -> RowEnds:
    """Find the end of the last row and the number of fields, in text that begins with a row.

    All fields are counted only if the text also ends with a row.
    """
    characters = np.frombuffer(text, np.uint8)
    end, fields = _scan(characters, ord(separator), NO_QUOTE if quote is None else ord(quote))
    return RowEnds(int(end), int(fields))


@compiled
def _scan(text: Any, separator: int, quote: int) -> Any:  # pragma: no cover  # noqa: C901 — one machine
    end, fields, first, state, regular = 0, 1, 0, FIELD_START, True
    for position in range(text.size):
        character = text[position]
        if state == IN_QUOTES:
            if character == quote:
                state = AFTER_QUOTE
            elif character == LINE_FEED:
                regular = False
        elif character == quote:
            regular &= state != IN_PLAIN
            state = IN_PLAIN if state == IN_PLAIN else IN_QUOTES
        elif character == separator:
            fields += 1
            state = FIELD_START
        elif character == LINE_FEED:
            first = fields if end == 0 else first
            regular &= fields == first
            end, fields, state = position + 1, 1, FIELD_START
        elif character != CARRIAGE_RETURN or state != AFTER_QUOTE:
            regular &= state != AFTER_QUOTE
            state = IN_PLAIN
    return end, first if regular else 0
