"""``tartarus doctor``."""

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Json, Root


def doctor(*, workspace: Root = None, json: Json = False) -> None:
    """Say what is installed and can be used, what is missing, and what mends it.

    Exit 1 where something is broken that commands need.
    """
    from tartarus_cli.api.system import doctor as diagnose

    found = diagnose(workspace=workspace)
    render.diagnosis(found, json=json)
    raise typer.Exit(0 if found.ok else 1)
