"""Make a workspace, empty or with the example world."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tartarus_cli.errors import DataError, RequestError, display_path
from tartarus_cli.example.world import DATASETS, write_example
from tartarus_cli.files import atomic_write, write_text
from tartarus_cli.layout import FOLDERS, MARK
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.workspace import Workspace, is_data_folder, is_workspace

STAGE = ".example"  # where the example is made before its files take their places

EMPTY = """\
# A Tartarus workspace. What is set here holds for every command, unless the command says otherwise.
# dataset = "NAME"   # instead of the dataset that each preset names
# seed = 0
"""

EXAMPLE = """\

# The datasets {datasets} are synthetic:
# their artists, songs, albums, listeners, recordings and lyrics are invented
# by 'tartarus init --example'.
[example]
seed = {seed}
"""


@dataclass(frozen=True)
class InitResult:
    """What ``init`` did."""

    root: Path
    fresh: bool  # there was no workspace before
    example: int | None  # seed of the example world that is in it now
    written: int  # files of the example that were written


def init(
    path: Path, *, example: bool = False, seed: int = 0, progress: Progress = UNWATCHED
) -> InitResult:
    """Make the layout of a workspace; what is already there stays as it is.

    Parameters
    ----------
    path
        The root: a new folder, an empty one, or a workspace.
    example
        Add the synthetic example world.
    seed
        Of the example world; the same seed gives the same files, byte for byte.
    progress
        Told how it goes.

    Raises
    ------
    RequestError
        If the folder holds something else.
    """
    root = path.expanduser().resolve()
    _refuse_foreign(path, root)
    fresh = not is_workspace(root)
    workspace = Workspace(root, root / "data")
    made_by = example_seed(root)
    if example and made_by is None:
        _refuse_taken(workspace)
    for folder in ("experiments", "audio", "text", *(f"data/{name}" for name in FOLDERS)):
        (root / folder).mkdir(parents=True, exist_ok=True)
    if not (root / MARK).exists():
        write_text(root / MARK, EMPTY)
    if not example:
        return InitResult(root, fresh, made_by, 0)
    if made_by is not None and made_by != seed:
        progress.warn(f"{display_path(root)} holds the example world of seed {made_by}; it is kept")
        seed = made_by
    if made_by is None:
        said = (root / MARK).read_text(encoding="utf-8")
        added = EXAMPLE.format(datasets=", ".join(DATASETS), seed=seed)
        write_text(root / MARK, said + added)
    return InitResult(root, fresh, seed, _add_example(workspace, seed, progress))


def _refuse_foreign(path: Path, root: Path) -> None:
    if root.exists() and not root.is_dir():
        msg = f"{path} is a file"
        raise RequestError(msg, hint="Name a folder.")
    if not root.is_dir() or is_workspace(root):
        return
    if is_data_folder(root):
        msg = f"{path} is a data folder already"
        use = f"tartarus check-data --workspace {quote(str(path))}"
        raise RequestError(msg, hint=f"Use it as it is: {use}")
    if any(root.iterdir()):
        some = ", ".join(sorted(each.name for each in root.iterdir())[:3])
        msg = f"{path} holds something else ({some})"
        raise RequestError(msg, hint="Name a new or an empty folder.")


def example_seed(root: Path) -> int | None:
    """Return the seed of the example that was begun in a workspace, finished or not."""
    try:
        said = tomllib.loads((root / MARK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        msg = f"{display_path(root / MARK)} is not valid TOML: {problem}"
        raise DataError(msg, hint="Correct that line.") from None
    seed = said.get("example", {}).get("seed")
    return seed if isinstance(seed, int) else None


def _refuse_taken(workspace: Workspace) -> None:
    taken = sorted({*workspace.scan().datasets()} & {*DATASETS})
    if taken:
        msg = f"{display_path(workspace.root)} has data of its own for {', '.join(taken)}"
        raise RequestError(
            msg, hint="Make the example in another folder: tartarus init OTHER --example"
        )


def _add_example(workspace: Workspace, seed: int, progress: Progress) -> int:
    """Make the world aside, then move what is not there yet into its place."""
    stage = workspace.data / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    try:
        write_example(Workspace(stage, stage / "data"), seed, progress)
        return _move_missing(sorted(stage.rglob("*")), stage, workspace.root)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move_missing(files: Iterable[Path], stage: Path, root: Path) -> int:
    moved = 0
    for file in files:
        place = root / file.relative_to(stage)
        if file.is_file() and not place.exists():
            with atomic_write(place) as beside:  # the folders of the root may lie on several disks
                shutil.move(file, beside)
            moved += 1
    return moved
