"""Results of ``text``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, next_step, out, plain
from tartarus_cli.cli.render.shards import shard_result
from tartarus_cli.errors import Placeholder, call

if TYPE_CHECKING:
    from tartarus_cli.extraction.documents import TextResult
    from tartarus_cli.extraction.shards import ShardResult
    from tartarus_cli.workspace import Workspace


def text_result(workspace: Workspace, result: TextResult | ShardResult, *, json: bool) -> None:
    """Print the files that were written, and what can be done with the setting."""
    from tartarus_cli.extraction.shards import ShardResult

    if isinstance(result, ShardResult):
        shard_result(result, json=json)
        return
    files = [workspace.relative(path) for path in result.files]
    if json:
        failures = result.failure_list and workspace.relative(result.failure_list)
        document(vars(result) | {"files": files, "failure_list": failures})
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    sets = ", ".join(f"{split} {count:,}" for split, count in result.splits.items())
    console.print(
        f"[bold]{plain(result.setting)}[/] is a new setting of {plain(result.dataset)} "
        f"({sets} items × {result.width:,}); a vocabulary of {result.vocabulary:,}"
        f"{_known_words(result)}",
        soft_wrap=True,
    )
    console.print(plain(_read_words(result)), soft_wrap=True)
    print_absent(result.absent, result.splits)
    next_step(_next_command(result))


def print_absent(
    absent: Mapping[str, int], splits: Mapping[str, int], outcome: str = "absent"
) -> None:
    """Say how many items of each set lack the setting, or what else became of them, if any does."""
    sets = [f"{n:,} of {splits[split]:,} {split} items" for split, n in absent.items() if n]
    if sets:
        out().print(f"{outcome}: {', '.join(sets)}", soft_wrap=True)


def _read_words(result: TextResult) -> str:
    """Say how much of each document is read, and how many hold more."""
    if result.words is None:
        return "Whole documents are read."
    unit = "characters" if result.options.get("unit") == "character" else "words"
    longer = f"{result.longer:,} are longer" if result.longer != 1 else "1 is longer"
    return f"The first {result.words:,} {unit} of each document are read (--words); {longer}."


def _known_words(result: TextResult) -> str:
    shares = {split: share for split, share in result.known.items() if share is not None}
    parts = ", ".join(f"{share:.0%} of {split}" for split, share in shares.items())
    return f" knows {parts} words" if parts else ""


def _next_command(result: TextResult) -> str:
    experiment, names = Placeholder("EXPERIMENT"), result.experiments
    if len(names) == 1:
        return call("run", names[0], result.setting)
    if names:
        return f"{call('run', experiment, result.setting)}   (such as {', '.join(names)})"
    reads = "   (one that reads sequences)" if result.form == "sequence" else ""
    return call("run", experiment, result.setting, dataset=result.dataset) + reads
