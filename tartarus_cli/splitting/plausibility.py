"""What in a table is possible and yet most likely a mistake: reported, never refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.several_names import find_joined, same_but_for_case
from tartarus_cli.data.tables.numbering import Ids
from tartarus_cli.data.tables.reading import Table, ending
from tartarus_cli.data.tables.times import FIRST_TIMES, TIME_UNITS, kind_of_times
from tartarus_cli.data.unicode_forms import same_but_for_form
from tartarus_cli.errors import display_path, parameter
from tartarus_cli.progress import Progress

QUOTED_SHARE = 0.5
"""Share of the ids of a TSV that may stand between quotes before it is likely a mistake."""


def warn_of_ids(table: Table, columns: Sequence[Ids | list[str]], progress: Progress) -> None:
    """Warn of whitespace around ids, of quotes around those of a TSV, and of two Unicode forms."""
    import polars as pl

    series = [pl.Series([*ids], dtype=pl.String) for ids in columns]
    names = pl.concat(series)
    path = display_path(table.path)
    padded = names.filter(names != names.str.strip_chars())
    if len(padded):
        progress.warn(
            f"ids of {path} with whitespace around them, such as {padded[0]!r}: {len(padded):,} "
            "(they are not the same ids as those without it)"
        )
    foreign = (ids.filter(ids.str.contains(r"[^\x00-\x7f]")) for ids in series)
    forms = [forms for ids in foreign for forms in same_but_for_form(ids)]
    if forms:
        progress.warn(
            f"ids of {path} that differ by their Unicode form alone, and look the same, such as "
            f"{forms[0][0]!a} and {forms[0][1]!a}: {len(forms):,} (each form is an id of "
            "its own; write them all in one form, for example composed, NFC)"
        )
    if ending(table.path) in (".tsv", ".tab"):
        _warn_of_quotes(path, names, progress)


def _warn_of_quotes(path: str, names: Any, progress: Progress) -> None:
    """Warn of quotes that were meant as in a CSV: doubled ones, or some around most ids."""
    doubled = names.filter(names.str.contains(r'^".*"".*"$'))
    enclosed = names.filter(names.str.contains(r'^".*"$'))
    quoted = enclosed if len(enclosed) > QUOTED_SHARE * len(names) else doubled
    if len(quoted):
        progress.warn(
            f"ids of {path} that look quoted, such as {quoted[0]}: {len(quoted):,} (quotes in a TSV"
            " are part of the id, unless all names in the first line are quoted too; if they "
            "should not be, write the table as CSV, or without quotes, in R with quote = FALSE)"
        )


def count_warnings(path: Path, column: str, count: NDArray[Any]) -> Iterator[str]:
    """Yield what is suspicious about numbers of plays, one of each row.

    Parameters
    ----------
    path, column
        Where they come from.
    count
        ``(rows,)``.
    """
    positive = count[count > 0]
    if not positive.size:
        return
    kind = kind_of_times(positive)
    if kind is not None:
        total = float(count.sum(dtype=np.float64))
        time = parameter("time", column)
        yield (
            f"{display_path(path)}: the numbers of plays in column {column!r} look like {kind}, "
            f"such as {positive[0]:.0f}, and make {total:,.0f} plays; if they are, say so: {time}, "
            f"or name another column with {parameter('count')}"
        )
    if _look_grouped(positive):
        example = positive[positive != np.floor(positive)][0]
        yield (
            f"{display_path(path)}: each fraction in column {column!r} has three digits, such as "
            f"{example:.3f}: if the point separates thousands, write the numbers without it"
        )


def _look_grouped(positive: NDArray[Any]) -> bool:
    """Whether points may separate thousands: three digits after each, and none above a thousand."""
    if positive.dtype.kind != "f" or positive.max() >= 1000 or positive.min() < 1:
        return False
    fractions = positive[positive != np.floor(positive)]
    thousandths = np.round(fractions * 1000)
    if not fractions.size or not np.allclose(fractions * 1000, thousandths, rtol=0, atol=1e-6):
        return False
    return bool(np.count_nonzero(thousandths % 10) >= 0.5 * fractions.size)


class TimeUnits:
    """Counts how many times of a column are in seconds, in milliseconds, and so on."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(FIRST_TIMES) + 1, np.int64)
        self._first: dict[int, tuple[int, float]] = {}

    def add(self, times: NDArray[np.float64], lines: NDArray[np.int64]) -> None:
        """Count the times of a block, ``(rows,)``."""
        unit = np.searchsorted(FIRST_TIMES, times, side="right")
        self._counts += np.bincount(unit, minlength=len(self._counts))
        for number in range(1, len(FIRST_TIMES)):
            if self._counts[number] and number not in self._first:
                row = int((unit == number).argmax())
                self._first[number] = int(lines[row]), float(times[row])

    def warning(self, path: Path, column: str, noun: str) -> str:
        """Say that times of several units stand in one column; "" if they do not."""
        if len(self._first) < 2:
            return ""
        found = " and ".join(
            f"{self._counts[number]:,} in {TIME_UNITS[number - 1]} ({noun} {line}: {time:.0f})"
            for number, (line, time) in sorted(self._first.items())
        )
        return (
            f"{display_path(path)}: the times in column {column!r} seem to be of different units: "
            f"{found}; their order is wrong unless they are written in one unit"
        )


def label_warnings(path: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield what is suspicious about the names of labels."""
    joined = find_joined(names)
    if joined is not None:
        yield f"{display_path(path)}: {joined.describe('labels', 'label_separator')}"
    alike = same_but_for_case(names)
    if alike:
        first, second = map(repr, alike[0][:2])
        yield (
            f"{display_path(path)}: labels that differ by case or whitespace alone, "
            f"such as {first} and {second}: {len(alike):,} (each is a class of its own)"
        )
