"""Times as people write them: seconds, or dates in one of the usual forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

FORMS = (  # of ISO 8601, with a T or a blank between date and time
    "%Y-%m-%d",
    *(
        f"%Y-%m-%d{between}{time}"
        for between in "T "
        for time in ("%H:%M", "%H:%M:%S%.f", "%H:%M:%S%.fZ", "%H:%M:%S%.f%:z")
    ),
)
NUMBERS = "numbers"


@dataclass
class Clock:
    """Reads a column of times, all in the form of the first one."""

    form: str | None = None  # one of FORMS, or NUMBERS

    def read(self, texts: pl.Series) -> NDArray[np.float64]:
        """Return seconds, or whatever the numbers are; NaN where there is no time of the form."""
        import polars as pl

        if len(texts) and self.form is None:
            self.form = _form(texts[:1])
        if self.form == NUMBERS:
            return texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        if self.form is None:
            return np.full(len(texts), np.nan)
        return seconds(texts.str.to_datetime(self.form, strict=False))


def seconds(times: pl.Series) -> NDArray[np.float64]:
    """Return dates and times as seconds since 1970; NaN where there is none."""
    import polars as pl

    since = times.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6
    return since.fill_null(np.nan).to_numpy()


def _form(first: pl.Series) -> str | None:
    import polars as pl

    if first.cast(pl.Float64, strict=False).is_not_null().all():
        return NUMBERS
    fits = (f for f in FORMS if first.str.to_datetime(f, strict=False).is_not_null().all())
    return next(fits, None)
