"""How the command line writes what messages name: parameters as options, calls as commands.

The one place that knows which option stands for which parameter of the package's functions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from shlex import quote
from typing import Any

from tartarus_cli.errors import TartarusError

FLAGS = {
    "overrides": "--set",
    "source": "--from",
    "id_column": "--id",
    "per_item": "--patches",
    "path": "--to",
    "metrics": "--metric",
    "files": "--file",
    "archives": "--archive",
}
"""Parameter → option, where the option is not the parameter's name."""

NEGATIONS = {"sparse": "--dense"}
"""Parameter → option that sets it to False, where the option is not ``--no-…``."""

COMMANDS = {
    "check": "check-data",
    "list_experiments": "experiments list",
    "show_experiment": "experiments show",
    "show_encoder": "encoders show",
    "add_encoder": "encoders add",
    "list_models": "models list",
    "list_papers": "reproduce",
    "show_model": "models show",
    "list_studies": "studies list",
    "show_study": "studies show",
    "delete_models": "models delete",
}
"""Function → command, where the command is not the function's name."""

WITHOUT_WORKSPACE = ("init", "encoders", "show_encoder", "add_encoder")
"""Functions whose commands take no ``--workspace``."""

COMPLETE = ("check", "encoders", "list_experiments", "list_models", "list_papers", "list_studies")
"""Functions that are called without arguments; of others, ``text()`` is only the name."""

_named_workspace: ContextVar[Path | None] = ContextVar("named_workspace", default=None)

_QUOTED = re.compile(r"`([a-z_]+)(?:(=)([^`]*)|(\([^`]*\)))?`")


def name_workspace(path: Path | None) -> None:
    """Add the workspace that the command line names to all commands that are shown from now on.

    Parameters
    ----------
    path
        As it stands on the command line; None if it is named elsewhere, or found.
    """
    _named_workspace.set(path)


def _workspace_option() -> list[str]:
    """Return the option that names the workspace, unless the command would find it anyway."""
    from tartarus_cli.workspace import open_workspace

    path = _named_workspace.get()
    if path is None:
        return []
    try:
        found = open_workspace().data.resolve() == open_workspace(path).data.resolve()
    except (TartarusError, OSError):
        found = False
    return [] if found else ["--workspace", quote(str(path))]


def flag(parameter: str) -> str:
    """Return the option that stands for a parameter.

    >>> flag("min_plays"), flag("overrides")
    ('--min-plays', '--set')
    """
    return FLAGS.get(parameter, f"--{parameter.replace('_', '-')}")


def in_shell(text: str) -> str:
    """Write parameters and calls in a message as options and commands.

    >>> in_shell("Give `force=True`, or `split('my songs', plays=FILE, min_plays=2)`.")
    "Give --force, or tartarus split 'my songs' --plays FILE --min-plays 2."
    >>> in_shell("`by` and `users='0:9'` exclude each other")
    '--by and --users 0:9 exclude each other'
    """
    return _QUOTED.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    try:
        if match[4]:
            is_name = match[4] == "()" and match[1] not in COMPLETE
            no_option = is_name or match[1] in WITHOUT_WORKSPACE
            workspace = [] if no_option else _workspace_option()
            return " ".join([*_command(match[1] + match[4]), *workspace])
        value = ast.parse(match[3], mode="eval").body if match[2] else None
        return " ".join(_option(match[1], value))
    except (SyntaxError, ValueError):
        return match[0]


def _command(written: str) -> Iterator[str]:
    function, _, arguments = written.partition("(")
    called: Any = ast.parse(f"f({arguments}", mode="eval").body
    yield "tartarus"
    yield COMMANDS.get(function, function)
    for argument in called.args:
        yield from _words(argument)
    for keyword in called.keywords:
        yield from _option(keyword.arg, keyword.value)


def _option(name: str, value: ast.expr | None) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        negation = NEGATIONS.get(name, f"--no-{flag(name).removeprefix('--')}")
        yield flag(name) if value.value else negation
    elif isinstance(value, ast.List | ast.Tuple):
        for element in value.elts:
            yield from (flag(name), *_words(element))
    else:
        yield flag(name)
        yield from _words(value)


def _words(value: ast.expr | None) -> Iterator[str]:
    """Write a value as words of a shell; a placeholder stays as it is."""
    if isinstance(value, ast.List | ast.Tuple):
        for element in value.elts:
            yield from _words(element)
    elif isinstance(value, ast.Name):
        yield value.id
    elif value is not None:
        yield quote(str(ast.literal_eval(value)))
