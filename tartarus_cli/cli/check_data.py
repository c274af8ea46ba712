"""``tartarus check-data``."""

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Code, Json, OneDataset, Root, run_code


def check_data(
    dataset: OneDataset = None, *, code: Code = None, workspace: Root = None, json: Json = False
) -> None:
    """Check every file, and how the files fit together; exit 1 where something is wrong."""
    from tartarus_cli.checking.check import check_data as check
    from tartarus_cli.workspace import open_workspace

    run_code(code)
    result = check(open_workspace(workspace), dataset, progress=render.ConsoleProgress())
    render.check_result(result, json=json)
    raise typer.Exit(0 if result.ok else 1)
