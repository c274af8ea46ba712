"""Small tables in HTML, as notebooks show values; whatever is in them is escaped."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table.

    >>> html_table("a < b", ["x"], [[1.5], [None]])[:58]
    '<table><caption>a &lt; b</caption><thead><tr><th>x</th></t'
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    lines = ("".join(f"<td>{_cell(value)}</td>" for value in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    top = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f"{top}<tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return escape(f"{value:,}" if isinstance(value, int) else str(value))
