"""How sure the difference between two systems is, given what each scores for every user.

Differences are one value for each user (or item): the system's minus the reference's. Equal values
are counted together, since only the number of times that they are drawn matters; the others are
drawn in blocks that stay in a processor's cache, so memory does not grow with the users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tartarus_cli.metrics import Values

WorkCallback = Callable[[int], object]
"""Called with the work done since the last call, in differences × resamples."""

MAX_WORK = 5_000_000_000
"""Differences × resamples that are worth their time."""

MIN_RESAMPLES = 1_000
"""Resamples that are drawn in any case."""

# What is drawn of a block has to stay in the cache.
DRAW_BATCH = 1024
"""Resamples that are drawn at a time."""

SIGN_BATCH = 8192
"""Patterns of signs that are drawn at a time."""

# One random byte draws one of them.
BLOCK = 256
"""Differences that are drawn from at a time."""

MIN_REPEATS = 64
"""Number of equal values from which on they are counted, not drawn one by one."""

SIGNS_PER_BYTE = 8
"""Signs that one random byte stands for."""

ROUNDING = 1e-12
"""Sums that differ by less, relative to the largest possible one, are equal."""

SIGNS = 2.0 * ((np.arange(1 << SIGNS_PER_BYTE) >> np.arange(SIGNS_PER_BYTE)[:, None]) & 1) - 1
"""The signs that each byte stands for, ``(signs, bytes)``."""


class DifferenceBlock(NamedTuple):
    """Some of the differences: the values of a block, or one value that many of them have."""

    values: Values
    """``(size,)``, or ``(1,)`` if all of them have the same value."""

    size: int
    """Number of the differences."""


@dataclass
class SampleBuffer:
    """Memory that is used again: new memory would cost several times as much as the drawing."""

    indices: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    values: Values = field(default_factory=lambda: np.empty(0))

    def take(self, values: Values, indices: NDArray[np.uint8]) -> Values:
        """Return the values at the indices, and a zero after them; valid until the next call."""
        count = len(indices)
        if count >= len(self.values):
            self.indices, self.values = np.empty(2 * count, np.intp), np.empty(2 * count + 1)
        self.indices[:count] = indices
        # With mode="raise" NumPy would write to a copy first; no index lies outside.
        values.take(self.indices[:count], out=self.values[:count], mode="clip")
        self.values[count] = 0
        return self.values[: count + 1]


def _ignore_work(_work: int) -> None:
    """Report nothing."""


def affordable_resamples(differences: int, resamples: int) -> int:
    """Return how many resamples of this many differences are worth their time.

    It is ``resamples``, or fewer if the work would be too much, but never below a thousand.

    >>> affordable_resamples(2_000, 10_000), affordable_resamples(1_000_000, 10_000)
    (10000, 5000)
    """
    return min(resamples, max(MIN_RESAMPLES, MAX_WORK // max(differences, 1)))


def bootstrap_interval(
    differences: Values,
    rng: Generator,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    advance: WorkCallback = _ignore_work,
) -> tuple[float, float]:
    """Return the bootstrap percentile interval of the mean difference: its low and high end.

    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, section 13.3: as many
    differences as there are get drawn with replacement, again and again, and the interval holds
    the middle of their means.

    Parameters
    ----------
    differences
        ``(users,)``, one or more, without NaN.
    rng
        Generator of the random numbers.
    resamples
        Number of times that the differences are drawn.
    level
        Share of the means within the interval.
    advance
        Called with the work done since its last call, ``users × resamples`` in all.

    Examples
    --------
    >>> differences = np.array([0.1, 0.2, 0.3, 0.2])
    >>> low, high = bootstrap_interval(differences, np.random.default_rng(0))
    >>> 0.1 < low < 0.2 < high < 0.3
    True
    """
    blocks, buffer = list(_split_differences(differences)), SampleBuffer()
    batches = _batch_sizes(resamples, DRAW_BATCH)
    sums = [_resampled_sums(blocks, size, rng, buffer, advance) for size in batches]
    means = np.concatenate(sums) / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def randomization_test(
    differences: Values,
    rng: Generator,
    *,
    resamples: int = 10_000,
    advance: WorkCallback = _ignore_work,
) -> float:
    """Return the two-sided p-value of the mean difference by a randomization test.

    If it made no difference which of the two systems a value came from, every difference could as
    well have the other sign: p is the share of random patterns of signs that give a mean at least
    as far from zero, ``(1 + such patterns) / (1 + resamples)``. Where there are no more patterns
    than resamples, all of them are counted and p is exact. Smucker, Allan and Carterette, *A
    Comparison of Statistical Significance Tests for Information Retrieval Evaluation*, CIKM 2007.

    Parameters
    ----------
    differences
        ``(users,)``, without NaN.
    rng
        Generator of the random numbers.
    resamples
        Number of random patterns of signs.
    advance
        Called with the work done since its last call, ``users × resamples`` in all.

    Examples
    --------
    >>> randomization_test(np.array([1.0, 2.0, 3.0]), np.random.default_rng(0))
    0.25
    """
    sizes = np.abs(differences[differences != 0])
    distance = abs(float(differences.sum())) - ROUNDING * float(sizes.sum())
    if len(sizes) < resamples.bit_length():
        advance(len(differences) * resamples)
        return float(np.mean(np.abs(_all_signed_sums(sizes)) >= distance))
    advance((len(differences) - len(sizes)) * resamples)
    blocks = list(_split_differences(sizes))
    extreme = 0
    for size in _batch_sizes(resamples, SIGN_BATCH):
        sums = np.abs(_sums_of_signs(blocks, size, rng, advance))
        extreme += int((sums >= distance).sum())
    return (1 + extreme) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for the number of tests, so that any false alarm among them stays rare.

    Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
    Statistics 6, 1979: the smallest of m is multiplied by m, the next by m - 1 and so on; none is
    made smaller than one before it.

    Parameters
    ----------
    p_values
        Of each test, in any order; the corrected ones are returned in the same order.

    Examples
    --------
    >>> holm([0.03, 0.01, 0.04])
    [0.06, 0.03, 0.06]
    """
    raw = np.asarray(p_values, np.float64)
    order = np.argsort(raw, kind="stable")
    scaled = raw[order] * np.arange(len(raw), 0, -1)
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(p) for p in corrected]


def _batch_sizes(resamples: int, batch: int) -> Iterator[int]:
    for first in range(0, resamples, batch):
        yield min(batch, resamples - first)


def _split_differences(values: Values) -> Iterator[DifferenceBlock]:
    """Group values that repeat many times, and cut the others into blocks."""
    distinct, counts = np.unique(values, return_counts=True)
    frequent = counts >= MIN_REPEATS
    for value, count in zip(distinct[frequent], counts[frequent], strict=True):
        yield DifferenceBlock(np.array([value]), int(count))
    others = np.repeat(distinct[~frequent], counts[~frequent])
    for first in range(0, len(others), BLOCK):
        block = others[first : first + BLOCK]
        yield DifferenceBlock(block, len(block))


def _resampled_sums(
    blocks: Sequence[DifferenceBlock],
    resamples: int,
    rng: Generator,
    buffer: SampleBuffer,
    advance: WorkCallback,
) -> Values:
    """Draw from all blocks, with replacement, as many values as they hold; add them up.

    The number of draws from each block is multinomial: binomial among the draws that the earlier
    blocks left over.
    """
    remaining = sum(block.size for block in blocks)
    draws_left = np.full(resamples, remaining)
    sums = np.zeros(resamples)
    for values, size in blocks:
        draws = rng.binomial(draws_left, size / remaining)
        if len(values) == 1:
            sums += values[0] * draws
        else:
            sums += _sums_of_draws(values, draws, rng, buffer)
        draws_left -= draws
        remaining -= size
        advance(size * resamples)
    return sums


def _sums_of_draws(
    values: Values, draws: NDArray[Any], rng: Generator, buffer: SampleBuffer
) -> Values:
    """Draw from at most 256 values, ``draws`` times for each resample, and add them up."""
    total = int(draws.sum())
    if len(values) == BLOCK:
        indices = np.frombuffer(rng.bytes(total), np.uint8)
    else:
        indices = rng.integers(0, len(values), total, dtype=np.uint8)
    sums = np.add.reduceat(buffer.take(values, indices), np.cumsum(draws) - draws)
    return np.where(draws > 0, sums, 0.0)


def _sums_of_signs(
    blocks: Sequence[DifferenceBlock], resamples: int, rng: Generator, advance: WorkCallback
) -> Values:
    """Add up all values of all blocks, each with a random sign, for each resample."""
    sums = np.zeros(resamples)
    for values, size in blocks:
        if len(values) == 1:
            sums += values[0] * (2.0 * rng.binomial(size, 0.5, resamples) - size)
        else:
            _add_signed(sums, values, rng)
        advance(size * resamples)
    return sums


def _add_signed(sums: Values, values: Values, rng: Generator) -> None:
    """Add values with random signs: a random byte looks up the sum of eight of them."""
    rows = np.append(values, np.zeros(-len(values) % SIGNS_PER_BYTE)).reshape(-1, SIGNS_PER_BYTE)
    patterns = np.frombuffer(rng.bytes(len(rows) * len(sums)), np.uint8).reshape(len(rows), -1)
    for table, row_bytes in zip(rows @ SIGNS, patterns, strict=True):
        sums += table.take(row_bytes)


def _all_signed_sums(sizes: Values) -> Values:
    """Return the sum of the values for every pattern of their signs."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums
