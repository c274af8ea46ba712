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
# From 1990 to 2100, in seconds.
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800


@dataclass
class Clock:
    """Reads a column of times, block by block, all in the form of the first one."""

    form: str | None = None
    """One of ``DATE_FORMS``, or ``NUMBERS``; None before the first time was read."""

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
