"""The basics of printing: consoles, tables, and text without markup or control characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.errors import RequestError

if TYPE_CHECKING:
    from rich.table import Table

UNLIMITED = 10_000
"""Columns of a terminal that is never too narrow."""


def printable(value: object) -> str:
    """Write a text with its control characters as escapes, as Python does."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def plain(value: object) -> str:
    """Write a text so that it holds no markup and no control characters."""
    return escape(printable(value))


def message(text: str) -> str:
    """Write a message of the package: parameters as options, without markup."""
    return plain(in_shell(text))


@dataclass
class CollectedResults:
    """What would have been printed of several results, and is put together instead."""

    documents: list[Any] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    """What to do next, after each result."""


_collected: ContextVar[CollectedResults | None] = ContextVar("collected", default=None)


@contextmanager
def collect_results() -> Iterator[CollectedResults]:
    """Collect documents, and what to do next, instead of printing them."""
    results = CollectedResults()
    token = _collected.set(results)
    try:
        yield results
    finally:
        _collected.reset(token)


def next_step(text: str) -> None:
    """Print what to do next: a text with calls, which are shown as commands."""
    collected = _collected.get()
    if collected is not None:
        collected.steps.append(text)
        return
    out().print(f"Next: {message(text)}", soft_wrap=True)


def out() -> Console:
    """Return where results are printed."""
    return Console(highlight=False, emoji=False)


def aside() -> Console:
    """Return where progress, messages and errors are printed."""
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def document(value: Any) -> None:
    """Print one JSON document on standard output."""
    collected = _collected.get()
    if collected is not None:
        collected.documents.append(value)
        return
    sys.stdout.write(dumps(value, indent=2) + "\n")


def version(value: bool) -> None:
    """Print the version, and exit, if the option is given."""
    if value:
        from importlib.metadata import version as installed

        out().print(f"tartarus {installed('tartarus-cli')}")
        raise typer.Exit


def confirmed(question: str) -> bool:
    """Ask a question on a terminal, and return whether the answer is yes.

    Raises
    ------
    RequestError
        If standard input is no terminal.
    """
    if not sys.stdin.isatty():
        msg = "the question cannot be answered without a terminal, and nothing was done"
        raise RequestError(msg, hint="To answer it in advance, add --yes.")
    return typer.confirm(question)


def figure(value: float | str | None) -> str:
    """Write a metric with four digits; a dash where it has no value, and text as it is."""
    if isinstance(value, str):
        return value
    return "—" if value is None or value != value else f"{value:.4f}"  # noqa: PLR0124 — NaN


def unbroken(shown: Table) -> None:
    """Print a table none of whose cells breaks: a number in two halves would mislead."""
    for column in shown.columns:
        column.no_wrap = True
    needed = Console(width=UNLIMITED).measure(shown).maximum
    Console(highlight=False, emoji=False, width=max(out().width, needed)).print(shown)


def table(*headings: str, narrow: bool = False) -> Table:
    """Return a table; a heading that begins with ``>`` is that of a column of numbers.

    A narrow one has no lines and a single space between its columns.
    """
    from rich import box
    from rich.table import Table

    shown = Table(box=None if narrow else box.SIMPLE, pad_edge=False)
    shown.padding = (0, 1, 0, 0) if narrow else (0, 1)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading[:1] == ">" else "left"
        shown.add_column(heading.removeprefix(">"), justify=justify, overflow="fold")
    return shown
