"""Workspaces: which folder is one, what its own settings say, and its datasets by name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import RequestError, display_path, nearest
from tartarus_cli.layout import MARK, WorkspacePaths


@dataclass(frozen=True)
class Workspace(WorkspacePaths):
    """A folder with the ``data/`` layout: its datasets, and the path of everything in it."""

    def dataset(self, name: str) -> Dataset:
        """Return a dataset bound to its files as they are now."""
        return Dataset(self.scan(), name)

    @cached_property
    def defaults(self) -> dict[str, str | int]:
        """The ``dataset`` and ``seed`` that the workspace's own settings name.

        Raises
        ------
        RequestError
            If ``tartarus.toml`` is not TOML or says something else.
        """
        path = self.root / MARK
        if not path.is_file():
            return {}
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            msg = f"{display_path(path)} is not valid TOML: {problem}"
            raise RequestError(msg, hint="Correct that line.") from None
        example = said.pop("example", {})
        below = [name for name in example if name != "seed"] if isinstance(example, dict) else []
        if below:
            msg = f"{display_path(path)}: {below[0]} stands below [example], where it means nothing"
            raise RequestError(msg, hint="Move it above that line.")
        types = {"dataset": str, "seed": int}
        for name, value in said.items():
            if name not in types or type(value) is not types[name] or _negative(value):
                msg = f"{display_path(path)}: {name} = {value!r} is no setting of a workspace"
                hint = 'It may hold dataset = "NAME" and seed = NUMBER. '
                raise RequestError(msg, hint=hint + nearest(name, types))
        return said


def _negative(value: object) -> bool:
    return isinstance(value, int) and value < 0


def open_workspace(named: Path | None = None) -> Workspace:
    """Return the workspace at ``named``, or the nearest one from here upwards.

    A named folder may also be a data folder itself (holds ``datasets`` or ``splits``).

    Raises
    ------
    RequestError
        If there is no workspace there.
    """
    if named is not None:
        return _named_workspace(named)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if is_workspace(folder):
            return Workspace(folder, folder / "data")
    msg = f"there is no workspace in {Path.cwd()} or above it"
    hint = "Make one with 'tartarus init PATH', or name one with --workspace PATH."
    if is_data_folder(Path.cwd()):
        hint = "This looks like a data folder: add --workspace . to the command."
    raise RequestError(msg, hint=hint)


def is_workspace(folder: Path) -> bool:
    """Whether a folder is the root of a workspace."""
    holds_data = any((folder / "data" / name).is_dir() for name in ("datasets", "splits"))
    return (folder / MARK).is_file() or holds_data


def is_data_folder(folder: Path) -> bool:
    """Whether a folder is what is called ``data`` in a workspace."""
    return any((folder / name).is_dir() for name in ("datasets", "splits"))


def _named_workspace(named: Path) -> Workspace:
    folder = named.expanduser().resolve()
    if not folder.is_dir():
        msg = f"there is no folder {named}"
        raise RequestError(msg, hint=f"Make a workspace: tartarus init {quote(str(named))}")
    if is_workspace(folder):
        return Workspace(folder, folder / "data")
    if not is_data_folder(folder):
        msg = f"{named} is no workspace: it has no {MARK}, data/datasets, data/splits or datasets"
        raise RequestError(
            msg, hint=f"Name another, or make one: tartarus init {quote(str(named))}"
        )
    inside = folder.name == "data" and is_workspace(folder.parent)
    return Workspace(folder.parent if inside else folder, folder)
