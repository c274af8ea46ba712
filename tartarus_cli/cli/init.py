"""``tartarus init``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Seed

Where = Annotated[Path, typer.Argument(metavar="PATH", help="A new or an empty folder.")]
Example = Annotated[
    bool, typer.Option("--example", help="Add a small synthetic world to try everything on.")
]


def init(path: Where, *, example: Example = False, seed: Seed = None) -> None:
    """Make a workspace: a folder with the layout that every command works in."""
    from tartarus_cli.example.init import init as create

    render.created_workspace(
        create(path, example=example, seed=seed or 0, progress=render.ConsoleProgress())
    )
