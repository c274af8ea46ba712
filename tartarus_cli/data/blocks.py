"""What tables of all kinds are read as: blocks of rows, with the place of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import FileError

Rows: TypeAlias = Any  # an array of float32, or a csr_array


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, by name."""

    id: str
    tag: str | None
    numbers: tuple[str, ...]  # of a table of tags: the weight, if there is one


@dataclass(frozen=True)
class Block:
    """Some rows of a table."""

    ids: Sequence[str]
    tags: Sequence[str]  # empty where there is no column of tags
    values: Rows  # (rows, width), finite
    lines: NDArray[np.int64]  # (rows,) where they stand, counted from 1
    done: int  # units of the table's size that were read for it


def narrowed(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return numbers as float32; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def no_number(path: Path, cell: str, where: str, column: str) -> FileError:
    """Return the error of a cell that is no number; ``where`` is such as ``line 7``."""
    hint = f"Correct it, or leave the column out: --without {quote(column)}"
    if cell.strip().lstrip("+-").replace(",", "", 1).isdigit():
        hint = "Write numbers with a point, not with a comma."
    told = f"{cell[:60]!r}" if cell.strip() else "an empty cell"
    found = f"{told} in {where}, column {column!r}"
    return FileError(path, found=found, expected="a finite number", hint=hint)


def no_id(path: Path, where: str, column: str | None = None) -> FileError:
    """Return the error of a row that names no item, or no tag."""
    told = "" if column is None else f", column {column!r}"
    found = f"nothing in {where}{told}"
    hint = "Fill it in, or delete that row."
    return FileError(path, found=found, expected="a name", hint=hint)
