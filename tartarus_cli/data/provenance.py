"""Documents kept beside data that say how it was made: reading them again."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tartarus_cli.errors import FileError
from tartarus_cli.files import read_text

Said = TypeVar("Said", bound=BaseModel)


def read_kept(path: Path, model: type[Said], *, expected: str, hint: str) -> Said:
    """Read a JSON document that a command kept.

    Parameters
    ----------
    path
        Where it is.
    model
        What it holds.
    expected, hint
        Told if it holds something else.

    Raises
    ------
    FileError
        If the file is damaged; it tells the first fault.
    """
    try:
        return model.model_validate_json(read_text(path))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        found = f"{where}: {first['msg']}" if where else first["msg"]
    except RecursionError:
        found = "a document that is nested too deeply"
    raise FileError(path, found=found[:200], expected=expected, hint=hint)
