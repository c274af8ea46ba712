"""Find the papers that can be reproduced, and read their files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from tartarus_cli.errors import FileError, RequestError, display_path, nearest
from tartarus_cli.files import TomlError, read_toml
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.reproducing.schema import Paper, known_keys


@dataclass(frozen=True)
class PaperFile:
    """A paper, and the file that describes it."""

    name: str
    path: Path
    shipped: bool
    """Whether it is one of the package's, not one of the workspace's own."""
    paper: Paper


@cache
def shipped_papers() -> dict[str, Path]:
    """Return the files of the package's papers by name."""
    folder = Path(str(resources.files("tartarus_cli.reproducing") / "papers"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def paper_files(workspace: WorkspacePaths | None) -> dict[str, Path]:
    """Return the files of all papers by name; one of the workspace replaces one of the package."""
    found = sorted(workspace.papers.glob("*.toml")) if workspace is not None else []
    own = {path.stem: path for path in found if not path.name.startswith(".")}
    return shipped_papers() | own


def find_paper(workspace: WorkspacePaths | None, name: str) -> PaperFile:
    """Return a paper by its name.

    Raises
    ------
    RequestError
        If there is none of this name, or its file cannot be used.
    """
    files = paper_files(workspace)
    if name not in files:
        msg = f"no paper called {name!r} is known"
        raise RequestError(msg, hint=nearest(name, files))
    path = files[name]
    return PaperFile(name, path, path == shipped_papers().get(name), _read(path))


def _read(path: Path) -> Paper:
    try:
        return Paper.model_validate(read_toml(path))
    except TomlError as problem:
        msg = f"{display_path(path)} is not valid TOML: {problem}"
        raise RequestError(msg, hint="Correct that line.") from None
    except FileError as problem:
        msg = f"{display_path(path)} is not valid TOML: {problem.found}"
        raise RequestError(msg, hint=problem.hint) from None
    except ValidationError as problem:
        raise _invalid(path, problem) from None


def _invalid(path: Path, problem: ValidationError) -> RequestError:
    """Explain the first fault of a file: what it says where, and what may stand there."""
    first = problem.errors(include_url=False)[0]
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
    if first["type"] == "extra_forbidden":
        msg = f"{display_path(path)}: there is no key {where}"
        hint = nearest(str(first["loc"][-1]), known_keys(first["loc"]))
        return RequestError(msg, hint=hint)
    reason = first["msg"].removeprefix("Value error, ")
    msg = f"{display_path(path)}: {f'{where}: ' if where else ''}{reason}"
    example = display_path(next(iter(shipped_papers().values())))
    return RequestError(msg, hint=f"Correct it; {example} is a file that is right.")
