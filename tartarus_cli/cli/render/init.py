"""New workspaces."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import message, next_step, out, plain
from tartarus_cli.errors import Placeholder, call, parameter

if TYPE_CHECKING:
    from tartarus_cli.example.init import InitResult


def created_workspace(result: InitResult) -> None:
    """Say what ``init`` did."""
    path = _relative(result.root)
    root = plain(path)
    console = out()
    console.print(f"{'Made' if result.is_new else 'There already:'} the workspace {root}")
    if result.example_seed is not None:
        console.print(
            "It holds an example world, which is [bold]synthetic[/]: its artists, songs, albums, "
            "listeners, recordings and lyrics are invented "
            f"(seed {result.example_seed}; {result.example_files} files written)."
        )
        command = call("run", "cold_multi", "a-sem-emb", "audio-emb", baselines=True)
        next_step(f"cd {quote(str(path))} && {command}")
    else:
        command = call("split", Placeholder("NAME"), plays=Placeholder("FILE"))
        other = parameter("labels", Placeholder("FILE"))
        next_step(f"cd {quote(str(path))} && {command}   (or {other})")
        for line in (
            f"Published datasets: {call('fetch')}",
            f"Files of your own: put them into {path}/data   (then {call('check')})",
        ):
            console.print(message(line), soft_wrap=True)


def _relative(path: Path) -> Path:
    current = Path.cwd()
    return path.relative_to(current) if path.is_relative_to(current) else path
