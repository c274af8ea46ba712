"""Files of code that experiments name: where they may lie, and when they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tartarus_cli.errors import Placeholder, RequestError, call, display_path, parameter
from tartarus_cli.plugins import has_run, run_file

TomlTable = dict[str, Any]
"""A table of TOML: an experiment, or a part of it, as written."""


class CodeNotRunError(RequestError):
    """An experiment names code that has not been run; what its files say in plain text is known."""

    def __init__(self, lineage: Sequence[tuple[Path, TomlTable]], code: list[str]) -> None:
        table = lineage[0][1]
        name, files = str(table["name"]), ", ".join(code)
        hint = f"To run it: {call('show_experiment', name)}; or name it: {parameter('code', code)}"
        super().__init__(f"{name} uses code that was not run: {files}", hint=hint)
        self.code = tuple(code)
        """The files, relative to the workspace."""
        self.description = str(table.get("description", ""))
        """What the file of the experiment says that it is."""
        sections = [ancestor.get("dataset") for _, ancestor in lineage]
        names = [section.get("name") for section in sections if isinstance(section, dict)]
        self.dataset = str(next((name for name in names if name), ""))
        """The dataset that it names, or the nearest experiment that it extends; may be empty."""


def prepare_code(
    lineage: Sequence[tuple[Path, TomlTable]], folder: Path | None, *, run: bool
) -> list[str]:
    """Return the code that an experiment and what it extends name, once it has run.

    Parameters
    ----------
    lineage
        The file of the experiment, then that of the one it extends, and so on.
    folder
        The workspace's folder of experiments; code is relative to the workspace around it.
    run
        Whether code that has not been run is run now.

    Raises
    ------
    RequestError
        If the code lies outside of the workspace, or cannot be run.
    CodeNotRunError
        If it has not been run, and is not to be.
    """
    files = [file for path, table in reversed(lineage) for file in _read_code(path, table, folder)]
    code = list(dict.fromkeys(files))
    for file in code:
        path = _workspace_root(folder) / file
        if run:
            run_file(path)
        elif not has_run(path):
            raise CodeNotRunError(lineage, code)
    return code


def _read_code(path: Path, table: TomlTable, folder: Path | None) -> list[str]:
    """Read which code a file of an experiment names; all of it lies in the workspace."""
    code = table.get("code", [])
    if not isinstance(code, list) or not all(isinstance(file, str) for file in code):
        msg = f"{display_path(path)}: code: Input should be a list of files, not {code!r}"
        raise RequestError(msg, hint='For example code = ["my_networks.py"].')
    root = _workspace_root(folder).resolve()
    for file in code:
        if not (root / file).resolve().is_relative_to(root):
            msg = f"{display_path(path)}: code: {file} is outside of the workspace"
            option = parameter("code", Placeholder("FILE"))
            hint = f"Copy it into the workspace; or take it out of that file, and name it: {option}"
            raise RequestError(msg, hint=hint)
    return code


def _workspace_root(folder: Path | None) -> Path:
    """Return the workspace, which the folder of experiments lies in."""
    return folder.parent if folder is not None else Path()
