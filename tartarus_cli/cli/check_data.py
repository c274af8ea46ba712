"""``tartarus check-data``."""

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Code, Json, OneDataset, Root


def check_data(
    dataset: OneDataset = None, *, code: Code = None, workspace: Root = None, json: Json = False
) -> None:
    """Check every file, and how the files fit together; exit 1 where something is wrong."""
    from tartarus_cli.api.data import check

    result = check(dataset, code=code or (), workspace=workspace, progress=render.ConsoleProgress())
    render.check_result(result, json=json)
    raise typer.Exit(0 if result.ok else 1)
