"""How sure the difference of two groups of trainings is: over users, or items, and over seeds.

The figures of a group are a table: a row for each seed, a column for each user. The users are the
same for all seeds, so that both are drawn: first seeds, then users, with replacement, and the mean
over all cells of the drawn rows and columns is a draw of the figure.

Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8 (hierarchical
data); Owen, *The Pigeonhole Bootstrap*, Annals of Applied Statistics 1, 2007 (rows and columns are
crossed); Saravanan, Berman and Sober, *Application of the Hierarchical Bootstrap to Multi-Level
Data in Neuroscience*, Neurons, Behavior, Data Analysis, and Theory 3, 2020 (tests by it).

A few seeds drawn with replacement differ too little: of n, the variance is (n - 1) / n of what it
should be, and it is itself hardly known. What the draw of seeds changes is therefore multiplied by
the square root of n / (n - 1), and divided by that of a draw of chi-squared / (n - 1), as the
deviations of a Student's t are (Hesterberg, *What Teachers Should Know About the Bootstrap*, The
American Statistician 69, 2015, on samples that are small). With two or three seeds, an interval is
wide, and rightly so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tartarus_cli.metrics import Values
from tartarus_cli.metrics.significance import WorkCallback

MAX_CELLS = 1 << 21
"""Counts of users that are held at a time."""


class HierarchicalTest(NamedTuple):
    """What the bootstrap says of a difference."""

    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    p: float
    """Twice the share of draws on the rarer side of zero."""


def hierarchical_test(
    tables: Sequence[Values],
    rng: Generator,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    advance: WorkCallback = lambda _work: None,
) -> HierarchicalTest:
    """Return the interval and the p-value of a sum of means, by the hierarchical bootstrap.

    Parameters
    ----------
    tables
        ``(seeds, users)`` each, without NaN, of the same users. For two groups of the same seeds:
        one table of the differences, cell by cell. For others: the table of the one, and that of
        the other with the opposite sign, whose seeds are then drawn apart from each other. A table
        of one row has no noise of training that could be known.
    rng
        Generator of the random numbers.
    resamples
        Number of draws.
    level
        Share of the draws within the interval.
    advance
        Called with the work done since its last call, ``users × resamples`` in all.

    Examples
    --------
    >>> better = np.array([[0.2, 0.3, 0.1, 0.2], [0.3, 0.2, 0.2, 0.3], [0.2, 0.2, 0.1, 0.3]])
    >>> low, high, p = hierarchical_test([better], np.random.default_rng(0))
    >>> 0 < low < float(better.mean()) < high, p < 0.05
    (True, True)
    """
    draws = hierarchical_draws(tables, rng, resamples=resamples, advance=advance)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return HierarchicalTest(float(low), float(high), min(1.0, 2 * (1 + rarer) / (1 + resamples)))


def hierarchical_draws(
    tables: Sequence[Values],
    rng: Generator,
    *,
    resamples: int,
    advance: WorkCallback = lambda _work: None,
) -> Values:
    """Return the draws of the sum of the means of tables, ``(resamples,)``.

    Parameters
    ----------
    tables, rng, resamples, advance
        As for :func:`hierarchical_test`.
    """
    users = tables[0].shape[1]
    rows = np.concatenate(tables)
    draws = np.zeros(resamples)
    size = max(1, min(resamples, MAX_CELLS // users))
    for first in range(0, resamples, size):
        batch = slice(first, min(first + size, resamples))
        count = batch.stop - batch.start
        counts = _user_counts(users, count, rng)
        means = counts @ rows.T / users  # of each seed, over the drawn users
        start = 0
        for table in tables:
            seeds = len(table)
            drawn = means[:, start : start + seeds]
            draws[batch] += drawn.mean(axis=1) + _noise_of_training(drawn, rng)
            start += seeds
        advance(count * users)
    return draws


def _user_counts(users: int, resamples: int, rng: Generator) -> NDArray[np.float64]:
    """Draw as many users as there are, with replacement; count how often each is there."""
    indices = rng.integers(0, users, (resamples, users))
    indices += users * np.arange(resamples)[:, None]
    counts = np.bincount(indices.ravel(), minlength=resamples * users)
    return counts.reshape(resamples, users).astype(np.float64)


def _noise_of_training(means: Values, rng: Generator) -> Values:
    """Return what a draw of seeds changes in the mean, widened as there are few of them.

    Parameters
    ----------
    means
        The mean of each seed over the drawn users, ``(resamples, seeds)``.
    rng
        Generator of the random numbers.
    """
    resamples, seeds = means.shape
    if seeds == 1:
        return np.zeros(resamples)
    drawn = np.take_along_axis(means, rng.integers(0, seeds, (resamples, seeds)), axis=1)
    free = seeds - 1
    widening = np.sqrt(seeds / free) / np.sqrt(rng.chisquare(free, resamples) / free)
    noise: Values = (drawn.mean(axis=1) - means.mean(axis=1)) * widening
    return noise
