"""The hierarchical bootstrap: worked by hand, against a known case, and by simulation."""

import numpy as np
import pytest

from tartarus_cli.metrics.hierarchical import hierarchical_draws, hierarchical_test
from tartarus_cli.metrics.significance import bootstrap_interval


def test_two_seeds_and_one_user_are_drawn_as_worked_by_hand() -> None:
    # Seeds of 1 and 3: a draw of two has the mean 1, 2, 2 or 3. What differs from 2 is multiplied
    # by the root of 2 / 1 and divided by that of a chi-squared of one degree, a |z|. So a draw is
    # over 2 + x in a quarter of the cases in which the root of 2 / |z| is over x: in 2.5% of all
    # where |z| < root(2) / x in a tenth, which it is below 0.12566.
    draws = hierarchical_draws(
        [np.array([[1.0], [3.0]])], np.random.default_rng(0), resamples=200_000
    )
    assert np.mean(draws == 2) == pytest.approx(0.5, abs=0.01)
    assert np.mean(draws > 2) == pytest.approx(0.25, abs=0.01)
    assert np.quantile(draws, 0.975) == pytest.approx(2 + np.sqrt(2) / 0.12566, rel=0.05)


def test_seeds_that_do_not_differ_leave_the_bootstrap_over_users() -> None:
    users = np.random.default_rng(1).normal(0.1, 1, 50)
    table = np.tile(users, (4, 1))
    low, high, _ = hierarchical_test([table], np.random.default_rng(2), resamples=20_000)
    plain = bootstrap_interval(users, np.random.default_rng(3), resamples=20_000)
    assert (low, high) == pytest.approx(plain, abs=0.02)


def test_noise_that_is_the_same_for_a_seed_of_both_cancels_only_where_seeds_are_paired() -> None:
    rng = np.random.default_rng(4)
    noise, users = rng.normal(0, 1, (5, 1)), rng.normal(0, 0.1, (1, 40))
    one, other = noise + users, noise + 2 * users + 0.5
    paired = hierarchical_test([other - one], rng, resamples=2_000)
    apart = hierarchical_test([other, -one], rng, resamples=2_000)
    assert paired.p < 0.01
    assert apart.p > 0.05
    assert apart.high - apart.low > 5 * (paired.high - paired.low)


def test_a_single_training_against_itself_is_no_difference_at_all() -> None:
    table = np.zeros((1, 7))
    assert hierarchical_test([table], np.random.default_rng(0), resamples=100) == (0, 0, 1)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, *, paired: bool) -> None:
    """Trainings differ by more than users do: an interval over users alone is far too narrow."""
    rng, trials, users = np.random.default_rng(seeds), 200, 30
    hits = narrow = 0
    for _ in range(trials):
        table = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 0.3, (1, users))
        table += rng.normal(0, 0.1, (seeds, users))
        tables = [table] if paired else [table, rng.normal(0, 0.3, (seeds, 1)) + 0 * table]
        low, high, p = hierarchical_test(tables, rng, resamples=300)
        hits += low <= 0 <= high
        assert not (p < 0.04 and low < 0 < high)
        over_users = sum(part.mean(axis=0) for part in tables)
        low, high = bootstrap_interval(np.asarray(over_users), rng, resamples=300)
        narrow += low <= 0 <= high
    assert hits / trials > 0.9
    assert narrow / trials < 0.75
