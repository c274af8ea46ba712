"""How differences between figures, and how sure they are, are written."""

MARK = "†"
"""Stands at differences that are significant."""


def signed_interval(low: float, high: float) -> str:
    """Write the interval of a difference."""
    return f"[{signed(low)}, {signed(high)}]"


def signed(value: float) -> str:
    """Write a difference with its sign; none of one that is zero in four digits."""
    written = f"{value:+.4f}"
    return written if written.strip("+-0.") else "0.0000"


def probability(p: float) -> str:
    """Write a p with four digits."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"
