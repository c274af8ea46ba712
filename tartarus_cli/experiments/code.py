"""Files of code that experiments name: where they may lie, and when they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from tartarus_cli.errors import RequestError, display_path
from tartarus_cli.plugins import has_run, run_file

Table = dict[str, Any]


class CodeNotRunError(RequestError):
    """An experiment names code that has not been run; what its files say of it is known."""

    def __init__(self, lineage: Sequence[tuple[Path, Table]], code: list[str]) -> None:
        table = lineage[0][1]
        name, files = str(table["name"]), ", ".join(code)
        flags = " ".join(f"--code {quote(file)}" for file in code)
        hint = f"'tartarus experiments show {quote(name)}' runs it, and so does {flags}."
        super().__init__(f"{name} uses code that was not run: {files}", hint=hint)
        self.code = tuple(code)
        self.description = str(table.get("description", ""))
        sections = [each.get("dataset") for _, each in lineage]
        names = [each.get("name") for each in sections if isinstance(each, dict)]
        self.dataset = str(next((each for each in names if each), ""))


def prepare_code(
    lineage: Sequence[tuple[Path, Table]], own: Path | None, *, run: bool
) -> list[str]:
    """Return the code that an experiment and what it extends name, once it has run.

    Parameters
    ----------
    lineage
        The file of the experiment, then that of the one it extends, and so on.
    own
        The folder of the user's own experiments; code is relative to the workspace around it.
    run
        Whether code that has not been run is run now.

    Raises
    ------
    RequestError
        If the code lies outside of the workspace, or cannot be run.
    CodeNotRunError
        If it has not been run, and is not to be.
    """
    named = [file for path, table in reversed(lineage) for file in _code_of(path, table, own)]
    code = list(dict.fromkeys(named))
    for file in code:
        path = _root(own) / file
        if run:
            run_file(path)
        elif not has_run(path):
            raise CodeNotRunError(lineage, code)
    return code


def _code_of(path: Path, table: Table, own: Path | None) -> list[str]:
    """Read which code a file of an experiment names; all of it lies in the workspace."""
    code = table.get("code", [])
    if not isinstance(code, list) or not all(isinstance(file, str) for file in code):
        msg = f"{display_path(path)}: code: Input should be a list of files, not {code!r}"
        raise RequestError(msg, hint='For example code = ["my_networks.py"].')
    root = _root(own).resolve()
    for file in code:
        if not (root / file).resolve().is_relative_to(root):
            msg = f"{display_path(path)}: code: {file} is outside of the workspace"
            hint = "Copy it into the workspace, or name it on the command line: --code FILE."
            raise RequestError(msg, hint=hint)
    return code


def _root(own: Path | None) -> Path:
    """Return the workspace, which the folder of experiments lies in."""
    return own.parent if own is not None else Path()
