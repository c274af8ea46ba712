"""Results of shards of ``patches`` and ``text``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, message, out, plain
from tartarus_cli.errors import count_noun, parameter

if TYPE_CHECKING:
    from tartarus_cli.extraction.shards import ShardResult

MAX_FAILURES = 5
"""Failures that are shown; the command that joins the shards lists them all."""

MAX_NUMBERS = 20
"""Numbers of shards that are shown."""


def shard_result(result: ShardResult, *, json: bool) -> None:
    """Print what a shard came to, and which shards are left."""
    if json:
        document(
            {
                "dataset": result.dataset,
                "shard": str(result.shard),
                f"{result.noun}s": result.units,
                "failed": result.failures,
                "done": result.done,
                "left": result.left,
            }
        )
        return
    console = out()
    units = count_noun(result.units, result.noun)
    failed = f", {len(result.failures):,} of them cannot be used" if result.failures else ""
    console.print(
        f"Shard {result.shard} of {plain(result.dataset)}: {units}{failed}, in "
        f"{result.seconds:.0f} s",
        soft_wrap=True,
    )
    for item, reason in [*result.failures.items()][:MAX_FAILURES]:
        console.print(f"  {plain(item)}: {message(reason)}", soft_wrap=True)
    if len(result.failures) > MAX_FAILURES:
        console.print("  …")
    if result.left:
        numbers = ", ".join(map(str, result.left[:MAX_NUMBERS]))
        more = ", …" * (len(result.left) > MAX_NUMBERS)
        text = f"Left of {result.shard.of:,}: {numbers}{more}"
    else:
        text = f"All {result.shard.of:,} shards are done: the same command without "
        text += f"{parameter('shard')} joins them."
    console.print(message(text), soft_wrap=True)
