"""Where rows end in a table of text, and how many fields they have, in one pass over its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tartarus_cli.compiled import compiled

LINE_FEED, RETURN = ord("\n"), ord("\r")
NO_QUOTE = 256  # no byte is this
START, PLAIN, QUOTED, CLOSED = range(4)  # of a field; CLOSED: after what may be its last quote


@dataclass(frozen=True)
class RowEnds:
    """What stands in some text."""

    end: int  # where the last whole row ends; a line feed between quotes ends none
    fields: int  # of each row; 0 if rows differ, lines are no rows, or quotes stand within fields


def find_rows(text: bytes, separator: str, quote: str | None) -> RowEnds:
    """Go through text that begins with a row, and ends with one if it is looked at as a whole."""
    letters = np.frombuffer(text, np.uint8)
    end, fields = _find(letters, ord(separator), NO_QUOTE if quote is None else ord(quote))
    return RowEnds(int(end), int(fields))


@compiled
def _find(text: Any, separator: int, quote: int) -> Any:  # pragma: no cover  # noqa: C901 — one machine
    end, fields, first, state, regular = 0, 1, 0, START, True
    for place in range(text.size):
        letter = text[place]
        if state == QUOTED:
            if letter == quote:
                state = CLOSED
            elif letter == LINE_FEED:
                regular = False
        elif letter == quote:
            regular &= state != PLAIN
            state = PLAIN if state == PLAIN else QUOTED
        elif letter == separator:
            fields += 1
            state = START
        elif letter == LINE_FEED:
            first = fields if end == 0 else first
            regular &= fields == first
            end, fields, state = place + 1, 1, START
        elif letter != RETURN or state != CLOSED:
            regular &= state != CLOSED
            state = PLAIN
    return end, first if regular else 0
