"""How sure the difference between two systems is, given what each scores for every user.

Differences come as one value a user (or item): the system's minus the reference's. Equal values are
taken together, since the number of times they are drawn says all about them; the others go
through in blocks that stay in a processor's cache, so memory does not grow with the users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Values = NDArray[np.float64]
Advance = Callable[[int], object]  # told how many differences × resamples are done

MOST_WORK = 5_000_000_000  # differences × resamples
LEAST_RESAMPLES = 1_000
DRAWN_AT_ONCE = 1024  # resamples, so that what is drawn of a block stays in the cache
SIGNED_AT_ONCE = 8192
BLOCK = 256  # differences at a time: one random byte draws one of them
OFTEN = 64  # equal values are counted, not drawn one by one, from so many on
BYTE = 8  # signs that one random byte gives
ROUNDING = 1e-12  # sums that differ by less, relative to the largest possible one, are equal

SIGNS = 2.0 * ((np.arange(1 << BYTE) >> np.arange(BYTE)[:, None]) & 1) - 1  # (signs, bytes)


class Piece(NamedTuple):
    """Some of the differences, each as likely to be drawn: all distinct, or all the same."""

    values: Values  # a single one if all are the same
    size: int


@dataclass
class SampleBuffer:
    """Memory used again and again: new memory would cost several times what the drawing does."""

    places: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    values: Values = field(default_factory=lambda: np.empty(0))

    def take(self, values: Values, chosen: NDArray[np.uint8]) -> Values:
        """Return the chosen values, and a zero behind them, until the next ones are taken."""
        count = len(chosen)
        if count >= len(self.values):
            self.places, self.values = np.empty(2 * count, np.intp), np.empty(2 * count + 1)
        self.places[:count] = chosen
        # NumPy copies what it writes unless it is told how to treat places outside; none is
        values.take(self.places[:count], out=self.values[:count], mode="clip")
        self.values[count] = 0
        return self.values[: count + 1]


def _nobody(_done: int) -> None:
    """Watch nothing."""


def affordable(differences: int, resamples: int) -> int:
    """Return how many resamples of so many differences are worth their time.

    >>> affordable(2_000, 10_000), affordable(1_000_000, 10_000)
    (10000, 5000)
    """
    return min(resamples, max(LEAST_RESAMPLES, MOST_WORK // max(differences, 1)))


def bootstrap_interval(
    differences: Values,
    rng: Generator,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    advance: Advance = _nobody,
) -> tuple[float, float]:
    """Return the percentile interval of the mean difference.

    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, section 13.3: the differences
    are drawn anew, as many as there are and with replacement, and the interval holds the middle of
    the means so found.

    Parameters
    ----------
    differences
        ``(users,)``, one or more, without NaN.
    rng
        What draws.
    resamples
        How often to draw anew.
    level
        Share of the means within the interval.
    advance
        Told of the work done, ``users × resamples`` in all.
    """
    pieces, room = list(_pieces(differences)), SampleBuffer()
    batches = _batches(resamples, DRAWN_AT_ONCE)
    sums = [_resampled_sums(pieces, size, rng, room, advance) for size in batches]
    means = np.concatenate(sums) / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def randomization_test(
    differences: Values,
    rng: Generator,
    *,
    resamples: int = 10_000,
    advance: Advance = _nobody,
) -> float:
    """Return the two-sided p-value of a mean difference if systems were only labels.

    If it made no difference which of the two systems a value came from, every difference could as
    well have the other sign: p is the share of random signs that give a mean at least as far from
    zero, ``(1 + such signs) / (1 + resamples)``. Where there are no more patterns of signs than
    resamples, all of them are counted and p is exact. Smucker, Allan and Carterette, *A Comparison
    of Statistical Significance Tests for Information Retrieval Evaluation*, CIKM 2007.

    Parameters
    ----------
    differences
        ``(users,)``, without NaN.
    rng
        What draws.
    resamples
        How many random patterns of signs to try.
    advance
        Told of the work done, ``users × resamples`` in all.

    >>> randomization_test(np.array([1.0, 2.0, 3.0]), np.random.default_rng(0))
    0.25
    """
    sizes = np.abs(differences[differences != 0])
    far = abs(float(differences.sum())) - ROUNDING * float(sizes.sum())
    if len(sizes) < resamples.bit_length():
        advance(len(differences) * resamples)
        return float(np.mean(np.abs(_all_signed_sums(sizes)) >= far))
    advance((len(differences) - len(sizes)) * resamples)
    pieces = list(_pieces(sizes))
    extreme = 0
    for size in _batches(resamples, SIGNED_AT_ONCE):
        extreme += int((np.abs(_signed_sums(pieces, size, rng, advance)) >= far).sum())
    return (1 + extreme) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for the number of tests, so that one false alarm among all stays as rare.

    Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
    Statistics 6, 1979: the smallest of m is multiplied by m, the next by m - 1 and so on; none is
    made smaller than one before it.

    >>> holm([0.03, 0.01, 0.04])
    [0.06, 0.03, 0.06]
    """
    raw = np.asarray(p_values, np.float64)
    order = np.argsort(raw, kind="stable")
    scaled = raw[order] * np.arange(len(raw), 0, -1)
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(each) for each in corrected]


def _batches(resamples: int, most: int) -> Iterator[int]:
    for first in range(0, resamples, most):
        yield min(most, resamples - first)


def _pieces(values: Values) -> Iterator[Piece]:
    """Cut values into equal ones, as far as there are many, and blocks of the others."""
    different, counts = np.unique(values, return_counts=True)
    often = counts >= OFTEN
    for value, count in zip(different[often], counts[often], strict=True):
        yield Piece(np.array([value]), int(count))
    others = np.repeat(different[~often], counts[~often])
    for first in range(0, len(others), BLOCK):
        block = others[first : first + BLOCK]
        yield Piece(block, len(block))


def _resampled_sums(
    pieces: Sequence[Piece], resamples: int, rng: Generator, room: SampleBuffer, advance: Advance
) -> Values:
    """Draw from all pieces, with replacement, as many values as they hold; add them up.

    How many draws fall into each piece is multinomial: binomial among what the earlier ones left.
    """
    ahead = sum(piece.size for piece in pieces)
    left = np.full(resamples, ahead)
    sums = np.zeros(resamples)
    for values, count in pieces:
        draws = rng.binomial(left, count / ahead)
        sums += values[0] * draws if len(values) == 1 else _sums_of_draws(values, draws, rng, room)
        left -= draws
        ahead -= count
        advance(count * resamples)
    return sums


def _sums_of_draws(
    values: Values, draws: NDArray[Any], rng: Generator, room: SampleBuffer
) -> Values:
    """Draw so many of at most 256 values, for each resample, and add them up."""
    total = int(draws.sum())
    if len(values) == BLOCK:
        chosen = np.frombuffer(rng.bytes(total), np.uint8)
    else:
        chosen = rng.integers(0, len(values), total, dtype=np.uint8)
    sums = np.add.reduceat(room.take(values, chosen), np.cumsum(draws) - draws)
    return np.where(draws > 0, sums, 0.0)


def _signed_sums(
    pieces: Sequence[Piece], resamples: int, rng: Generator, advance: Advance
) -> Values:
    """Add up all values of all pieces, each with a random sign."""
    sums = np.zeros(resamples)
    for values, count in pieces:
        if len(values) == 1:
            sums += values[0] * (2.0 * rng.binomial(count, 0.5, resamples) - count)
        else:
            _add_signed(sums, values, rng)
        advance(count * resamples)
    return sums


def _add_signed(sums: Values, values: Values, rng: Generator) -> None:
    """Add values with random signs: a random byte looks up the sum of eight of them."""
    rows = np.append(values, np.zeros(-len(values) % BYTE)).reshape(-1, BYTE)
    signs = np.frombuffer(rng.bytes(len(rows) * len(sums)), np.uint8).reshape(len(rows), -1)
    for table, chosen in zip(rows @ SIGNS, signs, strict=True):
        sums += table.take(chosen)


def _all_signed_sums(sizes: Values) -> Values:
    """Return the sum of the values for every pattern of their signs."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums
