"""Times and sizes in words."""

from __future__ import annotations


def written_size(size: int) -> str:
    """Write a number of bytes in the unit that fits."""
    from tartarus_cli.files import format_bytes

    return format_bytes(size)


def written_span(seconds: tuple[float, float] | None) -> str:
    """Write the least and the most time; one time where they are written alike."""
    if seconds is None:
        return "not known"
    return " to ".join(dict.fromkeys(map(written_duration, seconds)))


def written_duration(seconds: float) -> str:
    """Write a time in the unit that fits.

    >>> [*map(written_duration, (4.2, 200, 9000, 400_000))]
    ['4 s', '3 min', '2.5 h', '4.6 days']
    """
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
