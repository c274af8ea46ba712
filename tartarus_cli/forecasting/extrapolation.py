"""From measured pieces of a piece of work to the time of all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WARMING = 16
"""Part of the first piece that warms up."""


@dataclass(frozen=True)
class Piece:
    """A piece that was measured."""

    size: float
    """Units of it, such as users."""
    seconds: float


def measure_pieces(
    work: Callable[[int], object], total: int, *, first: int, budget_s: float, factor: int = 2
) -> list[Piece]:
    """Do larger and larger pieces of a piece of work, for about as long as there is time.

    Parameters
    ----------
    work
        Does a piece of a number of units.
    total
        Units of all of it; no piece is larger.
    first
        Units of the first piece.
    budget_s
        Seconds for all of them; another one is begun only if it is likely to fit.
    factor
        Between the size of a piece and that of the next.

    Returns
    -------
    The pieces, the largest last. A small one before them, which does not count, warms up what they
    find warm.
    """
    size = max(1, min(first, total))
    work(max(1, size // WARMING))
    begun = time.perf_counter()
    pieces = [Piece(size, _timed(work, size))]
    while pieces[-1].size < total:
        left = budget_s - (time.perf_counter() - begun)
        size = int(min(total, pieces[-1].size * factor))
        if pieces[-1].seconds * size / pieces[-1].size > left:
            break
        pieces.append(Piece(size, _timed(work, size)))
    return pieces


def _timed(work: Callable[[int], object], size: int) -> float:
    start = time.perf_counter()
    work(size)
    return time.perf_counter() - start


def extrapolate(pieces: Sequence[Piece], total: float, *, power: float = 1) -> float:
    """Return the seconds of all units, from those of pieces.

    The time is taken for ``a + b · sizeᵖ``, neither of them negative, through the two largest
    pieces.

    Parameters
    ----------
    pieces
        The pieces, the largest last.
    total
        Units of all of it.
    power
        The p.

    Examples
    --------
    >>> extrapolate([Piece(1, 3.0), Piece(2, 5.0)], 10)
    21.0
    >>> extrapolate([Piece(1, 2.0), Piece(2, 5.0)], 10, power=2)
    101.0
    >>> extrapolate([Piece(10, 2.0)], 10)
    2.0
    """
    last = pieces[-1]
    if last.size >= total:
        return last.seconds
    each = last.seconds / last.size**power
    if len(pieces) > 1:
        before = pieces[-2]
        slope = (last.seconds - before.seconds) / (last.size**power - before.size**power)
        each = min(max(slope, 0.0), each)
    return float(last.seconds + each * (total**power - last.size**power))
