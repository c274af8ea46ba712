"""Messages of a command: on standard error, and in its log."""

from __future__ import annotations

import logging

from tartarus_cli.cli.render.console import aside, plain
from tartarus_cli.cli.render.log import log_shown
from tartarus_cli.errors import TartarusError


def remark(message: str) -> None:
    """Print something worth knowing."""
    aside().print(f"[dim]{plain(message)}[/]")
    log_shown(logging.INFO, message)


def warning(message: str) -> None:
    """Print something that may be a mistake of the user's."""
    aside().print(f"[yellow]warning:[/] {plain(message)}")
    log_shown(logging.WARNING, message)


def error(problem: TartarusError) -> None:
    """Print what is wrong and what to do next."""
    aside().print(f"[red]error:[/] {plain(problem)}")
    aside().print(f"[cyan]hint:[/]  {plain(problem.hint)}")
    log_shown(logging.ERROR, str(problem))
    log_shown(logging.ERROR, f"hint: {problem.hint}")


def interrupted() -> None:
    """Say that the user stopped the work."""
    aside().print("[yellow]interrupted[/]")
    log_shown(logging.WARNING, "interrupted")
