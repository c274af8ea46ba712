"""Make a workspace, empty or with the example world."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tartarus_cli.errors import (
    DataError,
    Placeholder,
    RequestError,
    call,
    display_path,
    expand_home,
)
from tartarus_cli.example.world import DATASETS, write_example
from tartarus_cli.files import (
    TomlError,
    atomic_write,
    make_own_folder,
    read_text,
    read_toml,
    remove_own_folder,
    write_text,
)
from tartarus_cli.layout import FOLDERS, MARK, WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import is_data_folder, is_workspace

STAGE = ".example"
"""Folder below ``data`` in which the example is made before its files take their places."""

EMPTY_SETTINGS = """\
# A Tartarus workspace. What is set here holds for every command, unless the command says otherwise.
# dataset = "NAME"   # instead of the dataset that each preset names
# seed = 0
"""

EXAMPLE_SETTINGS = """\

# The datasets {datasets} are synthetic:
# their artists, songs, albums, listeners, recordings and lyrics are invented.
[example]
seed = {seed}
"""


@dataclass(frozen=True)
class InitResult:
    """A workspace that was made, or completed."""

    root: Path
    is_new: bool
    """Whether there was no workspace before."""
    example_seed: int | None
    """Seed of the example world in it; None: there is none."""
    example_files: int
    """How many files of the example were written."""


def init(
    path: Path, *, example: bool = False, seed: int = 0, progress: Progress = UNWATCHED
) -> InitResult:
    """Make the folders of a workspace; what is already there stays as it is.

    Parameters
    ----------
    path
        The root: a new folder, an empty one, or a workspace.
    example
        Whether to add the synthetic example world.
    seed
        Seed of the example world; the same seed gives the same files, byte for byte.
    progress
        Hears how the example is being made.

    Raises
    ------
    RequestError
        If the folder holds something else.
    """
    root = expand_home(path).resolve()
    _refuse_other_folder(path, root)
    is_new = not is_workspace(root)
    workspace = WorkspacePaths(root, root / "data")
    present_seed = example_seed(root)
    if example and present_seed is None:
        _refuse_other_data(workspace)
    for folder in ("experiments", "audio", "text", *(f"data/{name}" for name in FOLDERS)):
        (root / folder).mkdir(parents=True, exist_ok=True)
    if not (root / MARK).exists():
        write_text(root / MARK, EMPTY_SETTINGS)
    if not example:
        return InitResult(root, is_new, present_seed, 0)
    if present_seed is not None and present_seed != seed:
        name = display_path(root)
        progress.warn(f"{name} holds the example world of seed {present_seed}, which stays")
        seed = present_seed
    if present_seed is None:
        settings = read_text(root / MARK)
        added = EXAMPLE_SETTINGS.format(datasets=", ".join(DATASETS), seed=seed)
        write_text(root / MARK, settings + added)
    return InitResult(root, is_new, seed, _add_example(workspace, seed, progress))


def _refuse_other_folder(path: Path, root: Path) -> None:
    if root.exists() and not root.is_dir():
        msg = f"{path} is a file"
        raise RequestError(msg, hint="Give the path of a folder.")
    if not root.is_dir() or is_workspace(root):
        return
    if is_data_folder(root):
        msg = f"{path} is a data folder already"
        hint = f"Use it as it is: {call('check', workspace=str(path))}"
        raise RequestError(msg, hint=hint)
    names = ", ".join(sorted(file.name for file in root.iterdir())[:3])
    if names:
        msg = f"{path} holds something else ({names})"
        raise RequestError(msg, hint="Give the path of a new or an empty folder.")


def example_seed(root: Path) -> int | None:
    """Return the seed of the example in a workspace, finished or not; None: there is none.

    Raises
    ------
    DataError
        If the settings of the workspace are not valid TOML.
    """
    try:
        settings = read_toml(root / MARK) if (root / MARK).exists() else {}
    except TomlError as problem:
        msg = f"{display_path(root / MARK)} is not valid TOML: {problem}"
        raise DataError(msg, hint="Correct that line.") from None
    example = settings.get("example")
    seed = example.get("seed") if isinstance(example, dict) else None
    return seed if isinstance(seed, int) else None


def _refuse_other_data(workspace: WorkspacePaths) -> None:
    names = sorted({*workspace.scan().datasets()} & {*DATASETS})
    if names:
        msg = f"{display_path(workspace.root)} holds other datasets called {', '.join(names)}"
        make = call("init", Placeholder("OTHER"), example=True)
        raise RequestError(msg, hint=f"Make the example in another folder: {make}")


def _add_example(workspace: WorkspacePaths, seed: int, progress: Progress) -> int:
    """Make the world in a folder of its own, then move the files that are missing; count them."""
    stage = workspace.data / STAGE
    remove_own_folder(stage)
    make_own_folder(stage)
    try:
        write_example(WorkspacePaths(stage, stage / "data"), seed, progress)
        return _move_missing(sorted(stage.rglob("*")), stage, workspace.root)
    finally:
        remove_own_folder(stage)


def _move_missing(files: Iterable[Path], stage: Path, root: Path) -> int:
    moved = 0
    for file in files:
        target = root / file.relative_to(stage)
        if file.is_file() and not target.exists():
            # The folders of the root may lie on several disks.
            with atomic_write(target, one_of_many=True) as temporary:
                shutil.copyfile(file, temporary)
            moved += 1
    return moved
