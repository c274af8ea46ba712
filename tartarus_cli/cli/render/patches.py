"""Results of ``patches``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, message, out, plain, table
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.extraction.patches import PatchesResult
    from tartarus_cli.workspace import Workspace

MAX_FAILURES = 20
"""Failures that are shown; the file lists them all."""


def patches_result(workspace: Workspace, result: PatchesResult, *, json: bool) -> None:
    """Print the files that were written, and the items without patches."""
    files = [workspace.relative(path) for path in result.files]
    recipe = result.recipe
    if json:
        document(
            {
                "dataset": result.dataset,
                "recipe": recipe.model_dump(mode="json"),
                "shape": result.shape,
                "items": result.items,
                "files": files,
                "failed": result.failures,
                "silent": result.silent_items,
                "short": result.short_items,
            }
        )
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    frames, bins = result.shape
    items = " · ".join(f"{split} {count:,}" for split, count in result.items.items())
    patches = f"{recipe.per_item} patch{'es' * (recipe.per_item > 1)} of {recipe.seconds:g} s"
    console.print(
        f"Items with patches: {items}; {patches} each ({frames} frames × {bins} bins of "
        f"{plain(recipe.transform)}), seed {recipe.seed}, in {result.seconds:.0f} s"
    )
    _print_failures(workspace, result)
    _warn("silent patches", result.silent_items)
    short = "a patch that ends in silence or is longer than the recording (filled up with -80 dB)"
    _warn(short, [item for item in result.short_items if item not in result.silent_items])
    dataset = plain(quote(result.dataset))
    console.print(f"Next: tartarus check-data {dataset}   (says what can be run)", soft_wrap=True)


def _warn(problem: str, items: Sequence[str]) -> None:
    if items:
        names = ", ".join(items[:3]) + (", …" if len(items) > 3 else "")
        have = "item has" if len(items) == 1 else "items have"
        warning = f"[yellow]warning:[/] {len(items):,} {have} {problem}: {plain(names)}"
        out().print(warning, soft_wrap=True)


def _print_failures(workspace: Workspace, result: PatchesResult) -> None:
    if not result.failures or result.failure_list is None:
        return
    rows = table("left out", "why")
    for item, reason in list(result.failures.items())[:MAX_FAILURES]:
        rows.add_row(plain(item), message(reason))
    out().print(rows)
    path = plain(workspace.relative(result.failure_list))
    items = count_noun(len(result.failures), "item is", "items are")
    out().print(f"[yellow]warning:[/] {items} left out: {path}", soft_wrap=True)


def patches_picture(workspace: Workspace, path: Path, *, json: bool) -> None:
    """Print the path of a picture."""
    if json:
        document({"picture": workspace.relative(path)})
        return
    out().print(f"Drawn: {plain(workspace.relative(path))}", soft_wrap=True)
