"""Messages of a command: on standard error, and in its log."""

from __future__ import annotations

import logging

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import aside, message
from tartarus_cli.cli.render.log import log_shown
from tartarus_cli.errors import TartarusError


def remark(text: str) -> None:
    """Print something worth knowing."""
    aside().print(f"[dim]{message(text)}[/]")
    log_shown(logging.INFO, in_shell(text))


def warning(text: str) -> None:
    """Print something that may be a mistake of the user's."""
    aside().print(f"[yellow]warning:[/] {message(text)}")
    log_shown(logging.WARNING, in_shell(text))


def error(problem: TartarusError) -> None:
    """Print what is wrong and what to do next."""
    aside().print(f"[red]error:[/] {message(str(problem))}")
    aside().print(f"[cyan]hint:[/]  {message(problem.hint)}")
    log_shown(logging.ERROR, in_shell(str(problem)))
    log_shown(logging.ERROR, f"hint: {in_shell(problem.hint)}")


def interrupted() -> None:
    """Say that the user stopped the work."""
    aside().print("[yellow]interrupted[/]")
    log_shown(logging.WARNING, "interrupted")
