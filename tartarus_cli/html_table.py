"""Plain HTML tables: how a notebook shows results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

Cell = str | float | int | bool | None
"""Text, a figure, a count, yes or no, or no value."""


def html_table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write a table, every text escaped.

    Figures have four digits, counts separators of thousands; what has no value (None, NaN) is a
    dash.

    >>> html_table("A & B", ["model", "P@1"], [["<m>", 0.25]])  # doctest: +ELLIPSIS
    '<table><caption>A &amp; B</caption>...<td>&lt;m&gt;</td><td ...>0.2500</td></tr>...'
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    if isinstance(value, bool):
        return f"<td>{'yes' if value else ''}</td>"
    return f'<td style="text-align: right">{_number(value)}</td>'


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
