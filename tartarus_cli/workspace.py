"""Workspaces: which folder is one, its own settings, and its datasets by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.unknown import unknown_dataset_error
from tartarus_cli.errors import (
    FileError,
    Placeholder,
    RequestError,
    call,
    display_path,
    expand_home,
    nearest,
    parameter,
)
from tartarus_cli.files import TomlError, read_toml
from tartarus_cli.layout import MARK, WorkspacePaths


@dataclass(frozen=True)
class Workspace(WorkspacePaths):
    """A folder with the ``data/`` layout: its datasets, and the path of everything in it."""

    def dataset(self, name: str) -> Dataset:
        """Return a dataset of this name, bound to the files of now; there may be none."""
        return Dataset(self.scan(), name)

    def dataset_name(self, name: str | None = None) -> str:
        """Return the name of a dataset: the default one, or the only one, if None is named.

        It may be the name that folds have in common.

        Raises
        ------
        RequestError
            If it is not known which one is meant.
        """
        chosen = name if name is not None else self.default_dataset
        if chosen is None:
            known = self.scan().names()
            if not known:
                raise unknown_dataset_error(None, self, known)
            msg = f"there are {len(known)} datasets in {self.root}, and none is named"
            raise RequestError(msg, hint=f"Name one: {', '.join(known)}.")
        return chosen

    @property
    def default_dataset(self) -> str | None:
        """The dataset of the workspace's own settings, else the only one; None if there is none."""
        if "dataset" in self.defaults:
            return str(self.defaults["dataset"])
        known = self.scan().names()
        return known[0] if len(known) == 1 else None

    @cached_property
    def defaults(self) -> dict[str, str | int]:
        """The ``dataset`` and the ``seed`` of the workspace's own settings, where it has them.

        Raises
        ------
        RequestError
            If ``tartarus.toml`` is not TOML, or has other keys or values of another type.
        """
        path = self.root / MARK
        if not path.is_file():
            return {}
        try:
            settings = read_toml(path)
        except TomlError as problem:
            msg = f"{display_path(path)} is not valid TOML: {problem}"
            raise RequestError(msg, hint="Correct that line.") from None
        except FileError as problem:
            msg = f"{display_path(path)} is not valid TOML: {problem.found}"
            raise RequestError(msg, hint=problem.hint) from None
        example = settings.pop("example", {})
        misplaced = (
            [name for name in example if name != "seed"] if isinstance(example, dict) else []
        )
        if misplaced:
            subject = f"{display_path(path)}: {misplaced[0]}"
            msg = f"{subject} stands below [example], where it means nothing"
            raise RequestError(msg, hint="Move it above that line.")
        types = {"dataset": str, "seed": int}
        for name, value in settings.items():
            if name not in types or type(value) is not types[name] or _negative(value):
                written = f"{name} = {repr(value)[:80]}"
                msg = f"{display_path(path)}: {written} is no setting of a workspace"
                hint = 'It may hold dataset = "NAME" and seed = NUMBER. '
                raise RequestError(msg, hint=hint + nearest(name, types))
        return settings


def _negative(value: object) -> bool:
    return isinstance(value, int) and value < 0


def open_workspace(root: Path | None = None) -> Workspace:
    """Return the workspace in a folder, or the nearest one from the current folder upwards.

    Parameters
    ----------
    root
        The folder, which may also be a data folder itself (with ``datasets`` or ``splits``); None:
        the nearest workspace.

    Raises
    ------
    RequestError
        If there is no workspace there.
    """
    if root is not None:
        return _workspace_at(root)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if is_workspace(folder):
            return Workspace(folder, folder / "data")
    msg = f"there is no workspace in {Path.cwd()} or above it"
    make, option = call("init", Placeholder("PATH")), parameter("workspace", Placeholder("PATH"))
    hint = f"Name one with {option}, or make one: {make}"
    if is_data_folder(Path.cwd()):
        option = parameter("workspace", ".")
        hint = f"This looks like a data folder; to work in it, add {option}."
    raise RequestError(msg, hint=hint)


def is_workspace(folder: Path) -> bool:
    """Whether a folder is the root of a workspace."""
    holds_data = any((folder / "data" / name).is_dir() for name in ("datasets", "splits"))
    return (folder / MARK).is_file() or holds_data


def is_data_folder(folder: Path) -> bool:
    """Whether a folder has the folders that ``data`` has in a workspace."""
    return any((folder / name).is_dir() for name in ("datasets", "splits"))


def _workspace_at(root: Path) -> Workspace:
    folder = expand_home(root).resolve()
    if not folder.is_dir():
        msg = f"there is no folder {root}"
        command = call("init", str(expand_home(root)))
        raise RequestError(msg, hint=f"Make a workspace: {command}")
    if is_workspace(folder):
        return Workspace(folder, folder / "data")
    if not is_data_folder(folder):
        msg = f"{root} is not a workspace: it has no {MARK}, data/datasets, data/splits or datasets"
        command = call("init", str(expand_home(root)))
        raise RequestError(msg, hint=f"Name another folder, or make a workspace: {command}")
    inside = folder.name == "data" and is_workspace(folder.parent)
    return Workspace(folder.parent if inside else folder, folder)
