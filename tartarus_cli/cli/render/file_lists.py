"""Recordings and documents that were left out, or used though they are not as they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import message, out, plain, table
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.workspace import Workspace

MAX_FAILURES = 20
"""Failures that are shown; the file lists them all."""


def print_items(problem: str, items: Sequence[str]) -> None:
    """Warn of items that have a problem, if any has."""
    if items:
        names = ", ".join(items[:3]) + (", …" if len(items) > 3 else "")
        have = "item has" if len(items) == 1 else "items have"
        warning = f"[yellow]warning:[/] {len(items):,} {have} {problem}: {plain(names)}"
        out().print(warning, soft_wrap=True)


def print_failures(
    workspace: Workspace,
    failures: Mapping[str, str],
    remarks: Mapping[str, str],
    failure_list: Path | None,
) -> None:
    """Print which items were left out, which were used all the same, and where all stand.

    Parameters
    ----------
    workspace
        What the path of the file is shown relative to.
    failures, remarks
        Id → the reason, and what is not as it should be.
    failure_list
        The file that lists them all; None if there is none.
    """
    if failure_list is None:
        return
    path = plain(workspace.relative(failure_list))
    for reasons, heading, one, several in (
        (failures, "left out", "item is left out", "items are left out"),
        (
            remarks,
            "used all the same",
            "recording is used, though not as it should be",
            "recordings are used, though not as they should be",
        ),
    ):
        if not reasons:
            continue
        rows = table(heading, "why")
        for item, reason in list(reasons.items())[:MAX_FAILURES]:
            rows.add_row(plain(item), message(reason))
        out().print(rows)
        items = count_noun(len(reasons), one, several)
        out().print(f"[yellow]warning:[/] {items}: {path}", soft_wrap=True)
