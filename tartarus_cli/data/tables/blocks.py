"""What tables of all forms are read as: blocks of rows, with the place of each row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import FileError, parameter

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, by name, and as what."""

    texts: tuple[str, ...]
    """Columns of ids or tags, read as they are written."""
    numbers: tuple[str, ...] = ()
    """Columns of finite numbers."""
    times: tuple[str, ...] = ()
    """Columns of dates, of seconds, or of any other numbers."""
    vectors: bool = False
    """Whether the columns of numbers of a Parquet file may hold vectors."""
    exclude_parameter: str = ""
    """The parameter by which the user leaves a column out, if there is one."""
    allow_empty: bool = False
    """Whether texts may be empty."""


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a table."""

    texts: tuple[pl.Series, ...]
    """The columns of texts; none is missing, and where they may be empty, they are ""."""
    values: NDArray[np.float64]
    """``(rows, width)`` finite numbers, then times in seconds."""
    lines: NDArray[np.int64]
    """``(rows,)`` line or row of each in the file, counted from 1."""
    size: int
    """How much of the table's size was read for it."""
    dates: bool = False
    """Whether the times are dates, in seconds since 1970, and not numbers as they are written."""


def number_error(
    path: Path, cell: str, where: str, column: str, exclude_parameter: str = ""
) -> FileError:
    """Return the error of a cell that is no number; ``where`` is such as ``line 7``."""
    hint = "Correct it, or delete that row."
    if exclude_parameter:
        hint = f"Correct it, or leave the column out: {parameter(exclude_parameter, [column])}"
    hint = _number_hint(cell.strip()) or hint
    return _cell_error(path, cell, f"{where}, column {column!r}", "a finite number", hint)


# Digits in groups of three; after the last of other separators there may be a fraction.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([.,'’_\s])\d{3})(?:\1\d{3})*(?:[.,]\d*)?")  # noqa: RUF001
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+|[+-]?\d+,")


def _number_hint(cell: str) -> str:
    """Say how to write a number that has a comma, or separators of thousands; "" of another cell.

    >>> _number_hint("1,234,567")
    'Write numbers without separators of thousands: 1234567.'
    >>> _number_hint("0,5"), _number_hint("one")
    ('Write numbers with a point, not with a comma: 0.5.', '')
    """
    if match := _THOUSANDS.fullmatch(cell):
        plain, separator = cell.replace(match[1], ""), match[1]
        if separator == "," and cell.count(",") == 1 and "." not in cell:
            decimal = cell.replace(",", ".")
            return (
                f"Write numbers without separators of thousands and with a decimal point: {plain} "
                f"if this comma separates thousands, {decimal} if it is a decimal comma."
            )
        return f"Write numbers without separators of thousands: {plain.replace(',', '.')}."
    if _DECIMAL_COMMA.fullmatch(cell):
        return f"Write numbers with a point, not with a comma: {cell.replace(',', '.')}."
    return ""


def time_error(path: Path, cell: str, where: str, column: str) -> FileError:
    """Return the error of a cell that is no time; ``where`` is such as ``line 7``."""
    expected = "seconds, or a date and time such as 2009-05-04T23:08:57, in one form"
    hint = "Correct it, or write the times of the whole column in such a form."
    hint = _number_hint(cell.strip()) or hint
    return _cell_error(path, cell, f"{where}, column {column!r}", expected, hint)


def text_error(path: Path, cell: str, where: str, column: str) -> FileError:
    """Return the error of a cell that names no user, item or tag; ``where``: such as ``line 7``."""
    hint = "Fill it in, or delete that row (a split leaves such rows out with `skip_empty=True`)."
    return _cell_error(path, cell, f"{where}, column {column!r}", "a name", hint)


def _cell_error(path: Path, cell: str, where: str, expected: str, hint: str) -> FileError:
    content = f"{cell[:60]!r}" if cell.strip() else "nothing"
    return FileError(path, found=f"{content} in {where}", expected=expected, hint=hint)
