"""What the functions take in several forms: workspaces, models, overrides, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Literal

from tartarus_cli.errors import RequestError
from tartarus_cli.models.groups import Group, Groups
from tartarus_cli.models.lookup import is_group_name
from tartarus_cli.models.store import Model, Store
from tartarus_cli.options import parse_bytes
from tartarus_cli.plugins import CodeFile, run_files
from tartarus_cli.workspace import Workspace, open_workspace

WorkspaceLike = Workspace | Path | str | None
"""A workspace, its folder, or None for the nearest one from the current folder upwards."""
ModelLike = Model | str | None
"""A model, its name, or None for the newest one."""
Overrides = Mapping[str, Any] | Sequence[str]
"""``{"training.epochs": 5}``, or ``["training.epochs=5"]`` as on the command line."""
SplitName = Literal["train", "val", "test", "all"]
"""A set of items, or all of them."""
Code = Path | str | Sequence[Path | str]
"""Python files whose networks, metrics, … are used; they are run."""


TimeLike = date | str | float | None
"""A date, with or without a time; a text of one; or a number, as a column of times has it."""


def text_of_time(time: TimeLike) -> str | None:
    """Write a time as the command line takes it.

    >>> text_of_time(date(2024, 6, 1)), text_of_time(1717200000), text_of_time(None)
    ('2024-06-01', '1717200000', None)
    """
    return time.isoformat() if isinstance(time, date) else None if time is None else str(time)


def workspace_of(workspace: WorkspaceLike) -> Workspace:
    """Return the workspace that is meant; a deletion in it that was cut short is ended first.

    Raises
    ------
    RequestError
        If there is none.
    """
    if not isinstance(workspace, Workspace):
        workspace = open_workspace(Path(workspace) if workspace is not None else None)
    if workspace.deletions():
        from tartarus_cli.evaluation.delete import end_deletions

        with suppress(OSError):  # a disk that is only read
            end_deletions(workspace)
    return workspace


def model_of(model: ModelLike | Group, workspace: WorkspaceLike) -> Model:
    """Return the model that is meant.

    Raises
    ------
    RequestError
        If there is none.
    """
    if isinstance(model, Group):
        return Store(model.workspace).get(model.name)  # which says that a single one is meant
    return model if isinstance(model, Model) else Store(workspace_of(workspace)).get(model)


def group_of(model: object, workspace: WorkspaceLike) -> Group | None:
    """Return the group of models that is meant; None if it is none.

    Raises
    ------
    RequestError
        If there is no group of that name.
    """
    if isinstance(model, Group):
        return model
    if isinstance(model, str) and is_group_name(model):
        return Groups(workspace_of(workspace)).find(model)
    return None


def overrides_of(overrides: Overrides) -> tuple[str, ...]:
    """Write overrides as the command line takes them.

    >>> overrides_of({"training.epochs": 5, "network.hidden": [256], "targets.kind": "pmi"})
    ('training.epochs=5', 'network.hidden=[256]', 'targets.kind="pmi"')
    """
    import tomlkit

    if isinstance(overrides, Mapping):
        return tuple(f"{name}={tomlkit.item(v).as_string()}" for name, v in overrides.items())
    return tuple(overrides)


def run_code(code: Code) -> tuple[CodeFile, ...]:
    """Run files of Python code, once each."""
    paths = [code] if isinstance(code, str | Path) else code
    return run_files([Path(path) for path in paths])


def path_of(path: Path | str | None) -> Path | None:
    """Return a path, if there is one."""
    return None if path is None else Path(path)


def bytes_of(memory: int | str) -> int:
    """Return a number of bytes, written as a number or as ``"1GiB"``."""
    return memory if isinstance(memory, int) else parse_bytes(memory)


def workspace_of_models(models: Sequence[Model | Group | str]) -> Path | None:
    """Return the workspace that models are of; None if there are only names.

    Raises
    ------
    RequestError
        If they are of several.
    """
    roots = {model.workspace.root for model in models if not isinstance(model, str)}
    if len(roots) > 1:
        msg = f"the models are of several workspaces: {', '.join(sorted(map(str, roots)))}"
        raise RequestError(msg, hint="Name models of one workspace.")
    return roots.pop() if roots else None
