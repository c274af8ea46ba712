"""Factorizations, against closed forms and dense computations."""

from math import e, log

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, TrainingError
from tartarus_cli.factorization.als import AlsFactors, AlsOptions, als
from tartarus_cli.factorization.pmi import PmiFactors, pmi
from tartarus_cli.factorization.popularity import spearman

BLOCKS, ITEMS, USERS = 3, 8, 6  # groups; items and users in each
GROUP_OF_ITEM = np.repeat(np.arange(BLOCKS), ITEMS)
GROUP_OF_USER = np.repeat(np.arange(BLOCKS), USERS)
OPTIONS = AlsOptions(dim=3, regularization=0.1, alpha=4.0, eps=2.5, seed=1)


def blocks(seed: int = 0) -> csr_array:
    """Play counts, ``(items, users)``; every user plays most items of one group and no other."""
    rng = np.random.default_rng(seed)
    together = GROUP_OF_ITEM[:, None] == GROUP_OF_USER
    played = together & (rng.random(together.shape) < 0.8)
    return csr_array(np.where(played, rng.integers(1, 30, together.shape), 0).astype(np.float32))


@pytest.fixture(scope="module")
def factors() -> AlsFactors:
    return als(blocks(), OPTIONS)


def cosines(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / norms, np.float64)


def closed_form(
    plays: NDArray[np.float64], users: NDArray[np.float64], options: AlsOptions
) -> NDArray[np.float64]:
    """Solve equation 5 of Hu, Koren and Volinsky (2008) for each item, dense, in float64."""
    solved = []
    for row in plays:
        confidence = np.where(row > 0, 1 + options.alpha * np.log(1 + row / options.eps), 1)
        weighted = users.T * confidence  # Yᵀ C
        left = weighted @ users + options.regularization * np.eye(users.shape[1])
        solved.append(np.linalg.solve(left, weighted @ (row > 0)))
    return np.array(solved)


def test_same_seed_gives_identical_factors() -> None:
    first, second = als(blocks(), OPTIONS), als(blocks(), OPTIONS)
    assert first.items.tobytes() == second.items.tobytes()
    assert first.users.tobytes() == second.users.tobytes()
    assert first.items.dtype == first.users.dtype == np.float32


def test_another_seed_gives_other_factors(factors: AlsFactors) -> None:
    other = als(blocks(), AlsOptions(dim=3, regularization=0.1, alpha=4.0, eps=2.5, seed=2))
    assert not np.allclose(other.items, factors.items, atol=1e-3)


def test_factors_have_a_row_an_item_and_a_row_a_user(factors: AlsFactors) -> None:
    assert factors.items.shape == (BLOCKS * ITEMS, 3)
    assert factors.users.shape == (BLOCKS * USERS, 3)


def test_an_item_scores_each_of_its_listeners_above_all_users_of_other_groups(
    factors: AlsFactors,
) -> None:
    scores = factors.items @ factors.users.T
    together = GROUP_OF_ITEM[:, None] == GROUP_OF_USER
    worst_own = np.where(together, scores, np.inf).min(axis=1)
    best_other = np.where(together, -np.inf, scores).max(axis=1)
    assert (worst_own > best_other + 0.3).all()


def test_product_reconstructs_who_played_what(factors: AlsFactors) -> None:
    together = GROUP_OF_ITEM[:, None] == GROUP_OF_USER
    assert np.abs(factors.items @ factors.users.T - together).mean() < 0.1


def test_folding_in_a_train_item_gives_its_factors_again(factors: AlsFactors) -> None:
    again = factors.fold_in(blocks(), OPTIONS)
    assert again.dtype == np.float32
    assert cosines(again, factors.items).min() > 0.9
    assert np.linalg.norm(again, axis=1) == pytest.approx(
        np.linalg.norm(factors.items, axis=1), rel=0.1
    )


def test_a_new_item_points_to_the_group_that_plays_it(factors: AlsFactors) -> None:
    plays = np.zeros((BLOCKS, BLOCKS * USERS))
    plays[np.arange(BLOCKS), np.arange(BLOCKS) * USERS] = 3  # one listener each
    scores = factors.fold_in(csr_array(plays), OPTIONS) @ factors.users.T
    assert np.array_equal(GROUP_OF_USER[scores.argmax(axis=1)], np.arange(BLOCKS))


@pytest.mark.parametrize(("alpha", "eps"), [(1.0, 1.0), (4.0, 2.5), (40.0, 0.01)])
def test_fold_in_solves_the_equation_with_confidences_of_alpha_and_eps(
    factors: AlsFactors, alpha: float, eps: float
) -> None:
    options = AlsOptions(dim=3, regularization=0.1, alpha=alpha, eps=eps)
    plays = blocks(seed=7).toarray() + np.eye(BLOCKS * ITEMS, BLOCKS * USERS)
    expected = closed_form(plays, factors.users.astype(np.float64), options)
    assert factors.fold_in(csr_array(plays), options) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("options", [OPTIONS, AlsOptions(dim=2, regularization=5.0, seed=3)])
def test_train_factors_solve_the_equation_too(options: AlsOptions) -> None:
    factors = als(blocks(), options)
    expected = closed_form(blocks().toarray(), factors.users.astype(np.float64), options)
    assert factors.items == pytest.approx(expected, rel=0.01, abs=1e-3)


def test_eps_times_e_minus_1_plays_have_a_confidence_of_1_plus_alpha() -> None:
    played = (blocks().toarray() > 0).astype(np.float32)
    many = als(csr_array(played * np.float32(5 * (e - 1))), AlsOptions(dim=3, alpha=2, eps=5))
    once = als(csr_array(played), AlsOptions(dim=3, alpha=2 / log(2), eps=1))  # 1 + 2 as well
    assert many.items == pytest.approx(once.items, rel=1e-3, abs=1e-4)


def test_an_item_nobody_played_has_zero_factors(factors: AlsFactors) -> None:
    assert not factors.fold_in(csr_array((2, BLOCKS * USERS)), OPTIONS).any()


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_plays_are_left_as_they_were(dtype: type[np.generic], factors: AlsFactors) -> None:
    plays = blocks().astype(dtype)
    als(plays, OPTIONS)
    factors.fold_in(plays, OPTIONS)
    assert plays.dtype == dtype
    assert np.array_equal(plays.toarray(), blocks().toarray())


def test_any_number_of_threads_gives_identical_factors(factors: AlsFactors) -> None:
    many = als(blocks(), OPTIONS, threads=4)
    assert many.items.tobytes() == factors.items.tobytes()
    assert many.users.tobytes() == factors.users.tobytes()
    further = blocks(seed=7)
    assert many.fold_in(further, OPTIONS).tobytes() == factors.fold_in(further, OPTIONS).tobytes()


def test_each_item_is_folded_in_by_itself(factors: AlsFactors) -> None:
    together = factors.fold_in(blocks(seed=7), OPTIONS)
    for number, row in enumerate(together):
        alone = factors.fold_in(csr_array(blocks(seed=7)[[number]]), OPTIONS)
        assert alone.tobytes() == row.tobytes()


def test_each_iteration_is_reported() -> None:
    calls: list[None] = []
    als(
        blocks(),
        OPTIONS.model_copy(update={"iterations": 4}),
        on_iteration=lambda: calls.append(None),
    )
    assert len(calls) == 4


def test_factors_that_grow_beyond_all_bounds_are_an_error(factors: AlsFactors) -> None:
    wild = AlsOptions(dim=3, alpha=1e38, eps=1e-30)
    with pytest.raises(TrainingError, match="the factors diverged"):
        als(blocks(), wild)
    with pytest.raises(TrainingError, match="the factors diverged"):
        factors.fold_in(blocks(), wild)


# The last two labels always come together, so two factors are enough.
ASSIGNED = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]], np.float64)
PPMI = np.array(
    [
        [log(7 / 3), 0, 0],  # all of the item's labels, against 3 of 7 assignments
        [log(7 / 3), 0, 0],
        [0, log(7 / 4), log(7 / 4)],  # half of its labels, against 2 of 7
        [0, log(7 / 6), log(7 / 6)],  # a third, against 2 of 7; and against 3 of 7: below 0
    ]
)


def labelled(items: int = 30, labels: int = 8) -> NDArray[np.float64]:
    rng = np.random.default_rng(4)
    assigned = rng.random((items, labels)) < rng.uniform(0.1, 0.6, labels)
    assigned[:, 0] |= ~assigned.any(axis=1)
    return assigned.astype(np.float64)


def dense_ppmi(assigned: NDArray[np.float64]) -> NDArray[np.float64]:
    joint = assigned / assigned.sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    return np.asarray(np.maximum(np.log(ratio), 0), np.float64)


@pytest.fixture(scope="module")
def label_factors() -> PmiFactors:
    return pmi(csr_array(labelled()), dim=7)


def test_product_is_the_ppmi_worked_by_hand() -> None:
    assert dense_ppmi(ASSIGNED) == pytest.approx(PPMI)
    factors = pmi(csr_array(ASSIGNED), dim=2)
    assert factors.items @ factors.contexts.T == pytest.approx(PPMI, abs=1e-6)
    assert factors.frequency == pytest.approx([3 / 7, 2 / 7, 2 / 7])


@pytest.mark.parametrize("dim", [2, 5, 7])
def test_product_misses_no_more_of_the_ppmi_than_the_singular_values_left_out(dim: int) -> None:
    factors = pmi(csr_array(labelled()), dim=dim)
    ppmi = dense_ppmi(labelled())
    singular_values = np.linalg.svd(ppmi, compute_uv=False)
    missed = np.linalg.norm(ppmi - factors.items @ factors.contexts.T)
    assert missed == pytest.approx(np.linalg.norm(singular_values[dim:]), rel=1e-4)
    assert factors.singular_values == pytest.approx(singular_values[:dim])


def test_singular_values_are_shared_out_evenly(label_factors: PmiFactors) -> None:
    for factors in (label_factors.items, label_factors.contexts):
        assert factors.T @ factors == pytest.approx(
            np.diag(label_factors.singular_values), abs=1e-5
        )


def test_labels_that_always_come_together_have_the_same_factors() -> None:
    factors = pmi(csr_array(ASSIGNED), dim=2)
    assert factors.contexts[1] == pytest.approx(factors.contexts[2], abs=1e-6)
    assert factors.contexts[0] @ factors.contexts[1] == pytest.approx(0, abs=1e-6)


def test_folding_in_a_train_row_gives_the_factors_of_its_item(label_factors: PmiFactors) -> None:
    again = label_factors.fold_in(csr_array(labelled()))
    assert again == pytest.approx(label_factors.items, abs=1e-5)
    assert again.dtype == np.float32


def test_fold_in_weighs_labels_by_their_frequency_in_train(label_factors: PmiFactors) -> None:
    one = label_factors.fold_in(csr_array(labelled()[[3]]))  # whose labels are equally frequent
    assert one == pytest.approx(label_factors.items[[3]], abs=1e-5)


def test_an_item_without_labels_has_zero_factors(label_factors: PmiFactors) -> None:
    assert not label_factors.fold_in(csr_array((2, 8))).any()
    assigned = labelled()
    assigned[5] = 0
    assert np.abs(pmi(csr_array(assigned), dim=4).items[5]).max() < 1e-6


def test_a_label_of_no_item_has_zero_factors_and_adds_nothing_to_an_item_that_has_it() -> None:
    assigned = labelled()
    assigned[:, 6] = 0
    factors = pmi(csr_array(assigned), dim=4)
    assert np.abs(factors.contexts[6]).max() < 1e-6
    only = np.zeros((1, 8))
    only[0, 6] = 1
    assert np.abs(factors.fold_in(csr_array(only))).max() < 1e-4


def test_same_seed_gives_identical_label_factors(label_factors: PmiFactors) -> None:
    again = pmi(csr_array(labelled()), dim=7)
    assert again.items.tobytes() == label_factors.items.tobytes()
    assert again.contexts.tobytes() == label_factors.contexts.tobytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_seed_turns_no_factor_round(label_factors: PmiFactors, seed: int) -> None:
    other = pmi(csr_array(labelled()), dim=7, seed=seed)
    assert other.items == pytest.approx(label_factors.items, abs=1e-4)
    assert other.contexts == pytest.approx(label_factors.contexts, abs=1e-4)


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float32])
def test_label_factors_do_not_depend_on_the_type_of_the_assignments(
    label_factors: PmiFactors, dtype: type[np.generic]
) -> None:
    factors = pmi(csr_array(labelled().astype(dtype)), dim=7)
    assert factors.items == pytest.approx(label_factors.items, abs=1e-5)


@pytest.mark.parametrize("shift", [1, 1.5, 2])
def test_play_counts_give_the_shifted_ppmi(shift: float) -> None:
    counts = blocks(seed=3).toarray().astype(np.float64) + (GROUP_OF_USER == 0)
    joint = counts / counts.sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    ratio = np.divide(joint, independent, out=np.full_like(joint, 1e-9), where=joint > 0)
    shifted = np.maximum(np.log(ratio) - np.log(shift), 0)
    u, s, vt = np.linalg.svd(shifted, full_matrices=False)
    factors = pmi(csr_array(counts), dim=17, shift=shift)
    assert factors.items @ factors.contexts.T == pytest.approx(
        u[:, :17] * s[:17] @ vt[:17], abs=1e-5
    )
    assert factors.fold_in(csr_array(counts)) == pytest.approx(factors.items, abs=1e-4)


def test_counts_in_other_units_give_the_same_factors() -> None:
    whole, parts = pmi(blocks(), dim=5), pmi(csr_array(blocks() / 1000), dim=5)
    assert parts.items == pytest.approx(whole.items, abs=1e-4)


def test_counts_of_0_and_less_are_nothing() -> None:
    counts = blocks().toarray()
    counts[np.nonzero(counts == 0)[0][:5], np.nonzero(counts == 0)[1][:5]] = -2
    stored = csr_array(counts)
    stored.data[:3] = 0  # stored all the same
    without = csr_array(np.maximum(stored.toarray(), 0))
    assert pmi(stored, dim=5).items == pytest.approx(pmi(without, dim=5).items, abs=1e-6)
    assert np.array_equal(stored.toarray() < 0, counts < 0)


def test_a_shift_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(DataError, match="no PMI is above log 1000"):
        pmi(blocks(), dim=5, shift=1000)


def test_more_factors_than_there_are_is_an_error() -> None:
    with pytest.raises(DataError, match="24 × 18 has no 18 factors"):
        pmi(blocks(), dim=18)


def test_reporting_products_changes_nothing(label_factors: PmiFactors) -> None:
    calls: list[None] = []
    again = pmi(csr_array(labelled()), dim=7, on_product=lambda: calls.append(None))
    assert calls
    assert again.items.tobytes() == label_factors.items.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_that_of_mean_ranks_ties_included(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 9, 40), rng.random(40)
    ranks = [
        [(series < value).sum() + (series == value).sum() / 2 for value in series]
        for series in (one, other)
    ]
    assert spearman(one, other) == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert spearman(one, -one) == -1


def test_the_rank_correlation_of_a_series_worked_by_hand() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4: deviations -1.5, 0, 0, 1.5 and -0.5, -1.5, 0.5, 1.5.
    correlation = spearman(np.array([3, 7, 7, 9]), np.array([0.2, 0.1, 0.5, 8.0]))
    assert correlation == pytest.approx(3 / np.sqrt(4.5 * 5), abs=1e-12)


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_a_series_that_is_constant_has_no_rank_correlation(rows: int) -> None:
    assert np.isnan(spearman(np.ones(rows), np.arange(rows)))
    assert np.isnan(spearman(np.arange(rows), np.ones(rows)))
