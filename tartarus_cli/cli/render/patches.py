"""Results of ``patches``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, message, next_step, out, plain
from tartarus_cli.cli.render.file_lists import print_failures, print_items
from tartarus_cli.cli.render.shards import shard_result
from tartarus_cli.errors import call, parameter

if TYPE_CHECKING:
    from tartarus_cli.extraction.patches import PatchesResult
    from tartarus_cli.extraction.shards import ShardResult
    from tartarus_cli.workspace import Workspace


def patches_result(
    workspace: Workspace, result: PatchesResult | ShardResult, *, json: bool
) -> None:
    """Print the files that were written, and the items without patches; or what a shard did."""
    from tartarus_cli.extraction.shards import ShardResult

    if isinstance(result, ShardResult):
        shard_result(result, json=json)
        return
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
                "remarks": result.remarks,
                "silent": result.silent_items,
                "short": result.short_items,
                "ends_silent": result.ends_silent_items,
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
        f"{plain(recipe.transform)}), {recipe.manner}, in {result.seconds:.0f} s"
    )
    print_failures(workspace, result.failures, result.remarks, result.failure_list)
    print_items("silent patches", result.silent_items)
    _warn_short(result)
    ends_silent = [i for i in result.ends_silent_items if i not in result.silent_items]
    print_items("a patch that ends in digital silence within the recording", ends_silent)
    next_step(f"{call('check', result.dataset)}   (says what can be run)")


def _warn_short(result: PatchesResult) -> None:
    """Say which recordings are shorter than a patch, and which length would fit."""
    lengths = result.short_items
    if not lengths:
        return
    named = [f"{item} ({seconds:g} s)" for item, seconds in [*lengths.items()][:3]]
    names = ", ".join(named) + (", …" if len(lengths) > 3 else "")
    have = "item has" if len(lengths) == 1 else "items have"
    recording = "a recording shorter than a patch"
    text = f"{len(lengths):,} {have} {recording} of {result.recipe.seconds:g} s, filled up with "
    text += f"-80 dB: {names}"
    shortest = min(lengths.values())
    if result.recipe.parameters.frames_of(shortest):
        fits = "it" if len(lengths) == 1 else "all of them"
        text += f"; {parameter('seconds', shortest)} would fit {fits}"
    out().print(f"[yellow]warning:[/] {message(text)}", soft_wrap=True)


def patches_picture(workspace: Workspace, path: Path, *, json: bool) -> None:
    """Print the path of a picture."""
    if json:
        document({"picture": workspace.relative(path)})
        return
    out().print(f"Drawn: {plain(workspace.relative(path))}", soft_wrap=True)
