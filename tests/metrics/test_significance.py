"""Intervals, tests and corrections, against SciPy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tartarus_cli.metrics.significance import (
    MAX_WORK,
    MIN_REPEATS,
    affordable_resamples,
    bootstrap_interval,
    holm,
    randomization_test,
)

RNG = np.random.default_rng(7)
SAMPLES = {
    "a few": RNG.normal(0.3, 1, 12),
    "all distinct": RNG.normal(0.05, 1, 700),
    "mostly zeros": RNG.normal(0.1, 1, 900) * (RNG.random(900) < 0.3),
    "few values": RNG.integers(-2, 3, 500) / 3 + 0.0,
    "one large block and a rest": np.concatenate(
        [RNG.normal(0, 1, 300), np.full(3 * MIN_REPEATS, 0.1)]
    ),
    "skewed": RNG.exponential(1, 300) - 0.9,
}


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_interval_is_that_of_scipy(name: str) -> None:
    sample = SAMPLES[name]
    resampling = {"n_resamples": 20_000, "method": "percentile", "rng": draw(1)}
    expected = stats.bootstrap((sample,), np.mean, batch=500, **resampling).confidence_interval
    interval = bootstrap_interval(sample, draw(), resamples=20_000)
    error = sample.std() / np.sqrt(len(sample))
    assert interval == pytest.approx((expected.low, expected.high), abs=0.1 * error)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_p_value_is_that_of_scipy(name: str) -> None:
    sample = SAMPLES[name]
    expected = stats.permutation_test(
        (sample,),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        batch=500,
        vectorized=True,
        rng=draw(1),
    ).pvalue
    assert randomization_test(sample, draw(), resamples=20_000) == pytest.approx(
        expected, abs=0.015
    )


@pytest.mark.parametrize("name", ["all distinct", "one large block and a rest"])
def test_many_resamples_come_in_batches_of_the_same_distribution(name: str) -> None:
    sample = SAMPLES[name]
    low, high = bootstrap_interval(sample, draw(), resamples=3000, level=0.5)
    normal = stats.norm.interval(0.5, sample.mean(), sample.std() / np.sqrt(len(sample)))
    width = high - low
    assert (low, high) == pytest.approx(normal, abs=0.08 * width)


def test_where_all_patterns_of_signs_can_be_tried_p_is_exact() -> None:
    sample = RNG.normal(0.4, 1, 12)
    exact = stats.permutation_test((sample,), np.mean, permutation_type="samples", n_resamples=4096)
    assert randomization_test(sample, draw(), resamples=4096) == exact.pvalue
    drawn = randomization_test(sample, draw(), resamples=4095)  # one too few: they are drawn
    assert drawn != exact.pvalue
    assert drawn * 4096 == pytest.approx(round(drawn * 4096))


def test_p_is_never_smaller_than_one_over_the_number_of_patterns_tried() -> None:
    sample = np.full(1000, 0.5) + RNG.normal(0, 0.01, 1000)
    assert randomization_test(sample, draw(), resamples=999) == 1 / 1000


def test_the_test_rejects_a_true_null_hypothesis_as_often_as_it_says() -> None:
    rng = draw(3)
    p_values = [
        randomization_test(rng.standard_t(4, 60) * (rng.random(60) < 0.7), rng, resamples=199)
        for _ in range(1000)
    ]
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(np.array(p_values) <= 0.5) == pytest.approx(0.5, abs=0.05)


def test_sums_that_differ_by_rounding_alone_are_equally_extreme() -> None:
    sample = np.array([0.1, 0.2, -0.3, 0.1 + 0.2 - 0.3, 0.7, -0.7])
    assert sample.sum() != 0
    assert randomization_test(sample, draw(), resamples=64) == 1


def test_one_difference_says_nothing() -> None:
    assert randomization_test(np.array([0.7]), draw(), resamples=100) == 1
    assert bootstrap_interval(np.array([0.7]), draw(), resamples=100) == (0.7, 0.7)


@pytest.mark.parametrize("count", [1, 20, 257, 10_000])
def test_identical_systems_have_p_1_and_an_interval_of_zero(count: int) -> None:
    same = np.zeros(count)
    assert randomization_test(same, draw(), resamples=1000) == 1
    assert bootstrap_interval(same, draw(), resamples=1000) == (0, 0)


DIFFERENCES = arrays(np.float64, st.integers(1, 400), elements=st.floats(-1, 1, width=16))


@settings(max_examples=60)
@given(DIFFERENCES)
def test_p_is_the_same_for_either_sign(differences: np.ndarray) -> None:
    one = randomization_test(differences, draw(), resamples=300)
    assert one == randomization_test(-differences, draw(), resamples=300)
    assert 0 < one <= 1


@settings(max_examples=60)
@given(DIFFERENCES)
def test_zeros_change_no_p_value(differences: np.ndarray) -> None:
    more = np.append(differences, np.zeros(100))
    one, other = (
        randomization_test(sample, draw(), resamples=300) for sample in (differences, more)
    )
    assert one == other


@settings(max_examples=60)
@given(DIFFERENCES)
def test_intervals_lie_within_the_values(differences: np.ndarray) -> None:
    low, high = bootstrap_interval(differences, draw(), resamples=300)
    assert differences.min() - 1e-12 <= low <= high <= differences.max() + 1e-12


def test_work_is_reported_to_the_last_difference() -> None:
    for sample in SAMPLES.values():
        done: list[int] = []
        bootstrap_interval(sample, draw(), resamples=1500, advance=done.append)
        assert sum(done) == len(sample) * 1500
        randomization_test(sample, draw(), resamples=1500, advance=done.append)
        assert sum(done) == 2 * len(sample) * 1500


def test_a_corrected_p_value_is_that_of_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1, 1]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_corrected_p_value_is_never_smaller_and_keeps_the_order(raw: list[float]) -> None:
    corrected = holm(raw)
    assert all(1 >= after >= before for before, after in zip(raw, corrected, strict=True))
    order = np.argsort(raw, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)
    bonferroni = np.minimum(np.array(raw) * len(raw), 1)
    assert np.all(np.array(corrected) <= bonferroni)


def test_the_work_of_many_users_is_bounded() -> None:
    assert affordable_resamples(100, 10_000) == 10_000
    assert affordable_resamples(2_000_000, 10_000) * 2_000_000 <= MAX_WORK
    assert affordable_resamples(10**9, 10_000) == 1000
