"""Times in tables: seconds, or dates in one of the usual forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

DATE_FORMS = (
    "%Y-%m-%d",
    *(
        f"%Y-%m-%d{separator}{time}"
        for separator in "T "
        for time in ("%H:%M", "%H:%M:%S%.f", "%H:%M:%S%.fZ", "%H:%M:%S%.f%:z")
    ),
)
"""Forms of ISO 8601, with a T or a space between date and time."""
NUMBERS = "numbers"
"""The form of a column of seconds, or of any other numbers."""
TIME_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
TIME_SHARE = 0.5
"""Share of other numbers that may be times before it is likely a mistake."""
# Since 1970: 1e8 s is 1973, 1e11 s the year 5138, and so on for the shorter units.
FIRST_TIMES = (1e8, 1e11, 1e14, 1e17, 1e20)
"""Smallest number that is likely a time in each of the units, and what is too large for any."""
# From 1990 to 2100, in seconds.
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800


@dataclass
class Clock:
    """Reads a column of times, block by block, all in the form of the first one."""

    form: str | None = None
    """One of ``DATE_FORMS``, or ``NUMBERS``; None before the first time was read."""

    @property
    def reads_dates(self) -> bool:
        """Whether what was read so far were dates, not numbers."""
        return self.form not in (None, NUMBERS)

    def read(self, texts: pl.Series) -> NDArray[np.float64]:
        """Return seconds, or the numbers as they are; NaN where a text has another form."""
        import polars as pl

        if len(texts) and self.form is None:
            self.form = _find_form(texts[:1])
        if self.form == NUMBERS:
            return texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        if self.form is None:
            return np.full(len(texts), np.nan)
        return seconds(texts.str.to_datetime(self.form, strict=False))


def seconds(times: pl.Series) -> NDArray[np.float64]:
    """Return dates and times as seconds since 1970; NaN where one is missing."""
    import polars as pl

    elapsed = times.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6
    return elapsed.fill_null(np.nan).to_numpy()


@dataclass(frozen=True)
class Moment:
    """A time as somebody wrote it."""

    text: str
    value: float
    """Seconds since 1970 of a date; a number as it is."""
    is_date: bool

    def in_column(self, times: NDArray[np.float64], *, dates: bool) -> float | None:
        """Return the moment as a column of times has it; None if the column has other times.

        A date is compared with numbers where they are likely seconds, milliseconds, microseconds
        or nanoseconds since 1970.

        Parameters
        ----------
        times
            ``(rows,)``: some of the column's times, at least one.
        dates
            Whether these are dates, in seconds since 1970, or numbers.
        """
        if dates or not self.is_date:
            return self.value if dates == self.is_date else None
        unit = int(np.searchsorted(FIRST_TIMES, np.median(times), side="right"))
        return self.value * 1000.0 ** (unit - 1) if 0 < unit < len(FIRST_TIMES) else None


def parse_moment(text: str) -> Moment | None:
    """Read a number, or a date in one of the usual forms; None if it is neither.

    >>> parse_moment("1970-01-02")
    Moment(text='1970-01-02', value=86400.0, is_date=True)
    >>> parse_moment("86400").is_date, parse_moment("2/1/70")
    (False, None)
    """
    import polars as pl

    clock = Clock()
    value = float(clock.read(pl.Series([text.strip()]))[0])
    return Moment(text.strip(), value, clock.reads_dates) if np.isfinite(value) else None


def show_time(value: float, *, dates: bool) -> str:
    """Write a time as a table of such times may have it.

    >>> show_time(86400, dates=True), show_time(86400.5, dates=True), show_time(86400, dates=False)
    ('1970-01-02', '1970-01-02T00:00:00.500000', '86400')
    """
    if not dates:
        return str(int(value)) if float(value).is_integer() else f"{value:.15g}"
    moment = np.datetime64(0, "us") + np.timedelta64(round(value * 1e6), "us")
    return str(moment).removesuffix(".000000").removesuffix("T00:00:00")


def _find_form(first: pl.Series) -> str | None:
    import polars as pl

    if first.cast(pl.Float64, strict=False).is_not_null().all():
        return NUMBERS
    forms = (f for f in DATE_FORMS if first.str.to_datetime(f, strict=False).is_not_null().all())
    return next(forms, None)


def kind_of_times(positive: NDArray[Any]) -> str | None:
    """Return what times most of these numbers above 0 may be; None if they look like counts."""
    for power, unit in enumerate(TIME_UNITS):
        factor = 1000.0**power
        in_range = (positive >= _EARLIEST * factor) & (positive < _LATEST * factor)
        if np.count_nonzero(in_range) >= TIME_SHARE * positive.size:
            return f"times ({unit} since 1970)"
    if positive.min() >= 19_000_101 and positive.max() <= 21_001_231:
        month, day = positive // 100 % 100, positive % 100
        if ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all():
            return "dates (year, month, day)"
    if positive.size >= 20 and positive.min() >= 1900 and positive.max() <= 2100:
        return "years"
    return None
