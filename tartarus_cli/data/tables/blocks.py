"""What tables of all forms are read as: blocks of rows, with the place of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import FileError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, by name, and as what."""

    texts: tuple[str, ...]  # ids, tags: to the letter
    numbers: tuple[str, ...] = ()  # finite
    times: tuple[str, ...] = ()  # seconds or any other numbers, or dates
    vectors: bool = False  # whether numbers of Parquet may be vectors
    leave_out: str = ""  # the option that leaves a column out, if there is one
    empty: bool = False  # whether texts may be empty


@dataclass(frozen=True)
class Block:
    """Some rows of a table."""

    texts: tuple[pl.Series, ...]  # none is missing; where they may be empty, they are ""
    values: NDArray[np.float64]  # (rows, width) numbers, then times in seconds; finite
    lines: NDArray[np.int64]  # (rows,) where they stand, counted from 1
    done: int  # units of the table's size that were read for it


def no_number(path: Path, cell: str, where: str, column: str, leave_out: str = "") -> FileError:
    """Return the error of a cell that is no number; ``where`` is such as ``line 7``."""
    hint = "Correct it, or " + (
        f"leave the column out: {leave_out} {quote(column)}" if leave_out else "delete that row."
    )
    if cell.strip().lstrip("+-").replace(",", "", 1).isdigit():
        hint = "Write numbers with a point, not with a comma."
    return _no(path, cell, f"{where}, column {column!r}", "a finite number", hint)


def no_time(path: Path, cell: str, where: str, column: str) -> FileError:
    """Return the error of a cell that is no time; ``where`` is such as ``line 7``."""
    expected = "seconds, or a date and time such as 2009-05-04T23:08:57, in one form"
    hint = "Correct it, or write the column in another way."
    return _no(path, cell, f"{where}, column {column!r}", expected, hint)


def no_text(path: Path, cell: str, where: str, column: str) -> FileError:
    """Return the error of a cell that names no user, item or tag."""
    hint = "Fill it in, or delete that row ('split' leaves such rows out with --skip-empty)."
    return _no(path, cell, f"{where}, column {column!r}", "a name", hint)


def _no(path: Path, cell: str, where: str, expected: str, hint: str) -> FileError:
    told = f"{cell[:60]!r}" if cell.strip() else "nothing"
    return FileError(path, found=f"{told} in {where}", expected=expected, hint=hint)
