"""What was made of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, out, plain, table

if TYPE_CHECKING:
    from tartarus_cli.extraction.patches import PatchesResult
    from tartarus_cli.workspace import Workspace

MOST_FAILURES = 20  # shown; the file has them all


def patches_made(workspace: Workspace, result: PatchesResult, *, json: bool) -> None:
    """Say what ``patches`` made, and what it had to leave out."""
    files = [workspace.within(path) for path in result.files]
    recipe = result.recipe
    if json:
        what = {"dataset": result.dataset, "recipe": recipe.model_dump(mode="json")}
        made = {"shape": result.shape, "items": result.items, "files": files}
        doubtful = {"failed": result.failed, "silent": result.silent, "short": result.short}
        document({**what, **made, **doubtful})
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    frames, bins = result.shape
    items = " · ".join(f"{split} {count:,}" for split, count in result.items.items())
    each = f"{recipe.per_item} patch{'es' * (recipe.per_item > 1)} of {recipe.seconds:g} s"
    console.print(
        f"Items with patches: {items}; {each} each ({frames} frames × {bins} bins of "
        f"{plain(recipe.transform)}), seed {recipe.seed}, in {result.seconds:.0f} s"
    )
    _left_out(workspace, result)
    _warn("silent patches", result.silent)
    short = "a patch that ends in silence or is longer than the recording (filled up with -80 dB)"
    _warn(short, [item for item in result.short if item not in result.silent])
    see = f"Next: tartarus check-data {plain(quote(result.dataset))}   (says what can be run)"
    console.print(see, soft_wrap=True)


def _warn(what: str, items: Sequence[str]) -> None:
    if items:
        some = ", ".join(items[:3]) + (", …" if len(items) > 3 else "")
        have = "item has" if len(items) == 1 else "items have"
        told = f"[yellow]warning:[/] {len(items):,} {have} {what}: {plain(some)}"
        out().print(told, soft_wrap=True)


def _left_out(workspace: Workspace, result: PatchesResult) -> None:
    if not result.failed or result.errors is None:
        return
    shown = table("left out", "why")
    for item, reason in list(result.failed.items())[:MOST_FAILURES]:
        shown.add_row(plain(item), plain(reason))
    out().print(shown)
    are = "items are" if len(result.failed) > 1 else "item is"
    told = f"{len(result.failed):,} {are} left out: {plain(workspace.within(result.errors))}"
    out().print(f"[yellow]warning:[/] {told}", soft_wrap=True)


def drawn(workspace: Workspace, path: Path, *, json: bool) -> None:
    """Say where a picture is."""
    if json:
        document({"picture": workspace.within(path)})
        return
    out().print(f"Drawn: {plain(workspace.within(path))}", soft_wrap=True)
