"""A time that divides items: those first played before it, and those first played from it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.blocks import Block
from tartarus_cli.data.tables.reading import Table
from tartarus_cli.data.tables.times import Moment, parse_moment, show_time
from tartarus_cli.errors import RequestError, display_path, parameter

Periods = NDArray[np.int8]
"""0 before the cut, 1 from then on, 2 from the end of the test items' time on."""


@dataclass(frozen=True)
class TimeCut:
    """Where train and val items end and test items begin, as a column of times has it."""

    start: float
    """Items first played before it are train and val items."""
    end: float
    """Items first played from it on are left out; infinite if none are."""
    drop_later: bool
    """Whether plays later than the period in which their item was first played are dropped."""
    text: str
    """The start, as the user wrote it."""
    second: float | None
    """A second in the unit of the column, to write its times as dates; None to write numbers."""

    def periods(self, times: NDArray[np.float64]) -> Periods:
        """Return the period of each time."""
        return np.searchsorted((self.start, self.end), times, side="right").astype(np.int8)

    def check_range(self, first_played: NDArray[np.float64]) -> None:
        """Make sure that there are items before the cut, and test items.

        Parameters
        ----------
        first_played
            ``(items,)`` time of each item's first play; infinite for one that was never played.

        Raises
        ------
        RequestError
            If there are none; the hint says between which times to cut.
        """
        played = np.sort(first_played[np.isfinite(first_played)])
        periods = self.periods(played)
        if {0, 1} <= {*periods.tolist()} or not played.size:
            return
        msg = f"{parameter('cut', self.text)}: no item is first played "
        if 0 not in periods:
            msg += "before it"
        else:
            msg += "from then on" + " and before `until`" * (2 in periods)
        later = played[played > played[0]]
        first, last = self._show(played[0]), self._show(played[-1])
        hint = f"All items are first played at {first}: divide them in another way."
        if later.size:
            hint = f"Items are first played from {first} to {last}: give a time in between"
            example = parameter("cut", self._show(later[int(0.6 * len(later))]))
            hint += f", such as {example}." if np.isinf(self.end) else "."
        raise RequestError(msg, hint=hint)

    def _show(self, time: float) -> str:
        dates = self.second is not None
        return show_time(float(time) / (self.second or 1), dates=dates)


@dataclass(frozen=True)
class RequestedCut:
    """Where the user wants to cut time."""

    cut: Moment
    until: Moment | None
    drop_later: bool
    """Whether plays later than the period in which their item was first played are dropped."""

    @classmethod
    def parse(cls, cut: str, until: str | None, *, drop_later: bool) -> RequestedCut:
        """Read the times of a request.

        Raises
        ------
        RequestError
            If one is no time, or the second is not after the first.
        """
        start = _parse("cut", cut)
        if until is None:
            return cls(start, None, drop_later)
        end = _parse("until", until)
        if start.is_date != end.is_date:
            msg = f"{parameter('cut', cut)} and {parameter('until', until)}: a date and a number"
            raise RequestError(msg, hint="Write both alike.")
        if end.value <= start.value:
            msg = f"{parameter('until', until)} is not after {parameter('cut', cut)}"
            raise RequestError(msg, hint="Give a later time, or leave `until` out.")
        return cls(start, end, drop_later)

    def resolve(self, table: Table, block: Block) -> TimeCut:
        """Return the times as the table has them, whose last column of numbers are times.

        Raises
        ------
        RequestError
            If the table has dates and the request numbers, or the other way round.
        """
        start = self._align("cut", self.cut, table, block)
        end = np.inf if self.until is None else self._align("until", self.until, table, block)
        second = start / self.cut.value if self.cut.is_date and self.cut.value else None
        return TimeCut(start, end, self.drop_later, self.cut.text, second)

    def _align(self, name: str, moment: Moment, table: Table, block: Block) -> float:
        """Return a time as the table has it."""
        times = block.values[:, -1]
        value = moment.in_column(times, dates=block.dates)
        if value is not None:
            return value
        example, path = show_time(times[0], dates=block.dates), display_path(table.path)
        if block.dates:
            msg = f"{parameter(name, moment.text)} is a number, and the times of {path} are dates"
            hint = f"Give a date, such as {parameter(name, example)}."
        else:
            msg = f"{parameter(name, moment.text)} is a date, and the times of {path} are numbers "
            msg += f"such as {example}, no seconds since 1970"
            hint = "Give such a number."
        raise RequestError(msg, hint=hint)


def _parse(name: str, text: str) -> Moment:
    moment = parse_moment(text)
    if moment is None:
        msg = f"{parameter(name, text)} is no time"
        hint = "Give a date, or a date and time, such as 2024-06-01 or 2024-06-01T12:30:00; or a "
        hint += "number, as the column of times has it, such as seconds since 1970."
        raise RequestError(msg, hint=hint)
    return moment
