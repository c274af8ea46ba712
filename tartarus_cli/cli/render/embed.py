"""Results of ``embed``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, next_step, out, plain
from tartarus_cli.cli.render.features import next_run
from tartarus_cli.cli.render.file_lists import print_failures, print_items
from tartarus_cli.cli.render.shards import shard_result
from tartarus_cli.cli.render.text import print_absent
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.extraction.embed import EmbedResult
    from tartarus_cli.extraction.shards import ShardResult
    from tartarus_cli.workspace import Workspace


def embed_result(workspace: Workspace, result: EmbedResult | ShardResult, *, json: bool) -> None:
    """Print the files that were written, and what can be done with the setting."""
    from tartarus_cli.extraction.shards import ShardResult

    if isinstance(result, ShardResult):
        shard_result(result, json=json)
        return
    files = [workspace.relative(path) for path in result.files]
    if json:
        document(_document(result, files))
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    sets = ", ".join(f"{split} {count:,}" for split, count in result.splits.items())
    window_s = result.recipe.window_s if result.recipe else None
    pool = f", {result.pool} of windows" if window_s else ""
    console.print(
        f"[bold]{plain(result.setting)}[/] is a new setting of {plain(result.dataset)} "
        f"({sets} items × {result.width:,}), by {plain(result.maker)}{pool}, in "
        f"{result.seconds:.0f} s",
        soft_wrap=True,
    )
    _print_remarks(workspace, result)
    next_step(next_run(result.dataset, result.setting, result.suggestion))


def _print_remarks(workspace: Workspace, result: EmbedResult) -> None:
    print_failures(workspace, result.failures, result.remarks, result.failure_list)
    print_items("a silent recording", result.silent_items)
    if result.short_items:
        window = f"{(result.recipe and result.recipe.window_s) or 0:g} s"
        recordings = count_noun(
            len(result.short_items), "recording is shorter", "recordings are shorter"
        )
        named = [f"{item} ({seconds:g} s)" for item, seconds in [*result.short_items.items()][:3]]
        names = ", ".join(named) + (", …" if len(result.short_items) > 3 else "")
        text = f"{recordings} than a window of {window}: {names}"
        out().print(f"[yellow]warning:[/] {message(text)}", soft_wrap=True)
    print_absent(result.absent, result.splits)
    print_absent(result.zeros, result.splits, "rows of zeros")


def _document(result: EmbedResult, files: list[str]) -> dict[str, Any]:
    suggestion = result.suggestion
    return {
        "dataset": result.dataset,
        "setting": result.setting,
        "kind": result.kind,
        "recipe": result.recipe and result.recipe.model_dump(mode="json"),
        "command": result.command,
        "pool": result.pool,
        "splits": result.splits,
        "width": result.width,
        "absent": result.absent,
        "zeros": result.zeros,
        "failed": result.failures,
        "remarks": result.remarks,
        "silent": result.silent_items,
        "short": result.short_items,
        "files": files,
        "experiments": suggestion.experiments,
        "default": suggestion.default,
        "overrides": suggestion.overrides,
        "before": in_shell(suggestion.before),
    }
