"""Text of Markdown (CommonMark, with GitHub's tables): nothing of a user's runs as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

SPECIAL = re.compile(r"([\\`*_\[\]~|#$])")
"""What means something anywhere in a line; ``<``, ``>`` and ``&`` are written as HTML does."""
BACKQUOTES = re.compile(r"`+")


def one_line(text: object) -> str:
    r"""Return a text in a line, without characters that control a terminal or the direction.

    >>> one_line("a\n b\x1b")
    'a b�'
    """
    words = " ".join(str(text).split())
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in words)


def plain(text: object) -> str:
    r"""Write a text so that it stands there as it is.

    >>> print(plain("a|b_c <b>"))
    a\|b\_c &lt;b&gt;
    """
    return SPECIAL.sub(r"\\\1", escape(one_line(text), quote=False))


def code(text: object) -> str:
    r"""Write a name as code, also in the cell of a table.

    >>> print(code("a_b"), code("a`b"), code("a|b"))
    `a_b` `` a`b `` `a\|b`
    """
    words = one_line(text).replace("|", "\\|")
    longest = max((len(run) for run in BACKQUOTES.findall(words)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not words.strip() else ""
    return f"{fence}{space}{words}{space}{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are Markdown already; the first column is that of names."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = (f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
    return "\n".join(lines)


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """Write a list of names and values, Markdown already; what has no value is left out."""
    return "\n".join(f"- {name}: {value}" for name, value in rows if value not in (None, ""))


def block(text: str, language: str = "") -> str:
    """Write lines of code, fenced by more backquotes than they have."""
    longest = max((len(run) for run in BACKQUOTES.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def folded(title: str, content: str) -> str:
    """Write something long that a reader opens; the title is Markdown already."""
    return f"<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>"
