"""Ranking metrics, against answers worked by hand and against three other computations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log2, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError
from tartarus_cli.metrics import METRICS, Values
from tartarus_cli.metrics.ranks import RelevantRanks, relevant_ranks, top_items

Hits = Sequence[bool]  # of the items from rank 1 on: is it relevant?

LOG3 = 1 / log2(3)  # what the second rank adds to a DCG

# Eight items; those of ranks 2, 3 and 7 are relevant.
RANK_OF_ITEM = np.array([3, 1, 7, 2, 8, 4, 5, 6])
SCORES = -RANK_OF_ITEM[None, :].astype(np.float64)
OWNED = np.isin(RANK_OF_ITEM, [2, 3, 7])[None, :]


@dataclass(frozen=True)
class Case:
    """What some users are offered and what they have."""

    scores: NDArray[np.floating[Any]]  # (users, items)
    owned: NDArray[np.bool_]  # (users, items)


@st.composite
def cases(draw: st.DrawFn, items: int = 1) -> Case:
    """Few users and items, many equal scores, items without a prediction among them."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(items, 9)))
    few = st.sampled_from([-inf, -1.5, -0.0, 0.0, 0.5])
    some = few | st.floats(-2, 2, width=32)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    scores = draw(arrays(dtype, shape, elements=draw(st.sampled_from([few, some]))))
    return Case(scores, draw(arrays(np.bool_, shape, elements=st.booleans())))


def values(name: str, case: Case, k: int = 0) -> Values:
    return METRICS.get(name).measure(relevant_ranks(case.scores, csr_array(case.owned)), k)


def ranking(scores: NDArray[np.floating[Any]]) -> list[int]:
    """Return the items of one user from rank 1 on."""
    each = scores.tolist()
    return sorted(range(len(each)), key=lambda item: (-each[item], item))


def hits(case: Case, user: int) -> list[bool]:
    return [bool(case.owned[user, item]) for item in ranking(case.scores[user])]


def minus_ranks(case: Case) -> NDArray[np.float64]:
    """Scores in the same order as the case's own, but without ties."""
    minus = np.empty(case.scores.shape)
    for user, scores in enumerate(case.scores):
        minus[user, ranking(scores)] = -np.arange(1, scores.size + 1)
    return minus


@pytest.mark.parametrize(
    ("name", "k", "expected"),
    [
        ("MAP", 500, (1 / 2 + 2 / 3 + 3 / 7) / 3),
        ("MAP", 3, (1 / 2 + 2 / 3) / 3),
        ("MAP", 2, (1 / 2) / 2),
        ("MAP", 1, 0),
        ("MAP (users with relevant items)", 500, 67 / 126),
        ("MAP (users with relevant items)", 2, 1 / 4),
        ("P", 1, 0),
        ("P", 2, 1 / 2),
        ("P", 3, 2 / 3),
        ("P", 5, 2 / 5),
        ("P", 10, 3 / 10),
        ("R", 1, 0),
        ("R", 2, 1 / 3),
        ("R", 5, 2 / 3),
        ("R", 7, 1),
        ("R", 10, 1),
        ("HR", 1, 0),
        ("HR", 2, 1),
        ("HR", 10, 1),
        ("nDCG", 1, 0),
        ("nDCG", 2, LOG3 / (1 + LOG3)),
        ("nDCG", 3, (LOG3 + 1 / 2) / (1 + LOG3 + 1 / 2)),
        ("nDCG", 5, (LOG3 + 1 / 2) / (1 + LOG3 + 1 / 2)),
        ("nDCG", 10, (LOG3 + 1 / 2 + 1 / 3) / (1 + LOG3 + 1 / 2)),
        ("nDCG (published)", 1, 0),
        ("nDCG (published)", 3, (LOG3 + 1 / 2) / (1 + LOG3)),  # 2 of its 3 are among the first 5
        ("nDCG (published)", 5, (LOG3 + 1 / 2) / (1 + LOG3)),
        ("MRR", 0, 1 / 2),
        ("ROC-AUC", 0, 9 / 15),  # of 3 × 5 pairs, 1 + 1 + 4 are in the wrong order
        ("PR-AUC", 0, 67 / 126),
    ],
)
def test_metric_has_the_value_worked_by_hand(name: str, k: int, expected: float) -> None:
    assert values(name, Case(SCORES, OWNED), k) == pytest.approx([expected], abs=1e-12)


@pytest.mark.parametrize(
    ("name", "nothing", "everything"),
    [
        ("MAP", 0, 1),
        ("MAP (users with relevant items)", nan, 1),
        ("P", 0, 3 / 5),  # of 3 items, the first 5 hold 3
        ("R", 0, 1),
        ("HR", 0, 1),
        ("nDCG", 0, 1),
        ("nDCG (published)", 0, 1),
        ("MRR", 0, 1),
        ("ROC-AUC", nan, nan),
        ("PR-AUC", nan, 1),
    ],
)
def test_users_without_relevant_items_count_as_zero_but_where_the_metric_leaves_them_out(
    name: str, nothing: float, everything: float
) -> None:
    case = Case(np.array([[0.2, 0.3, 0.1]] * 2), np.array([[False] * 3, [True] * 3]))
    assert values(name, case, 5) == pytest.approx([nothing, everything], nan_ok=True)


def test_published_ndcg_is_1_where_plain_ndcg_misses_relevant_items() -> None:
    case = Case(-np.arange(7.0)[None, :], np.array([[1, 0, 0, 0, 0, 1, 1]], np.bool_))
    assert values("nDCG (published)", case, 3) == pytest.approx([1])
    assert values("nDCG", case, 3) == pytest.approx([1 / (1 + LOG3 + 1 / 2)])


def test_figures_have_the_names_of_the_contract() -> None:
    shown = {name: list(METRICS.get(name).names(name)) for name in METRICS.names()}
    assert shown["MAP"] == ["MAP@500"]
    assert shown["MAP (users with relevant items)"] == ["MAP@500 (users with relevant items)"]
    assert shown["nDCG (published)"] == [f"nDCG@{k} (published)" for k in (1, 3, 5)]
    assert shown["HR"] == ["HR@1", "HR@3", "HR@5"]
    assert shown["ROC-AUC"] == ["ROC-AUC"]
    assert METRICS.get("P").names("P", (10, 3)) == {"P@1": 1, "P@3": 3, "P@5": 5, "P@10": 10}


def test_the_published_ndcg_is_hidden_unless_asked_for_and_the_plain_one_is_not() -> None:
    assert METRICS.get("nDCG (published)").published
    assert not METRICS.get("nDCG").published


def ranks_of(scores: ArrayLike, owned: ArrayLike) -> list[int]:
    ranks = relevant_ranks(np.asarray(scores), csr_array(np.asarray(owned)))
    return [int(rank) for rank in ranks.ranks]


@pytest.mark.parametrize(
    ("scores", "owned", "expected"),
    [
        ([0, 0, 0, 0], [0, 1, 0, 1], [2, 4]),
        ([5, 1, 5, 1, 5], [0, 0, 1, 1, 0], [2, 5]),
        ([0.0, -0.0, 0.0], [0, 1, 1], [2, 3]),
        ([-inf, 1, -inf, 0], [1, 0, 1, 0], [3, 4]),
    ],
)
def test_equal_scores_keep_the_order_of_the_items(
    scores: list[float], owned: list[int], expected: list[int]
) -> None:
    assert ranks_of([[float(each) for each in scores]], [owned]) == expected


def test_scores_that_float32_cannot_tell_apart_are_tied_in_float32_alone() -> None:
    scores = np.array([[0.1, 0.1 + 1e-12]])
    assert ranks_of(scores, [[1, 0]]) == [2]
    assert ranks_of(scores.astype(np.float32), [[1, 0]]) == [1]


def test_ranks_do_not_depend_on_how_the_truth_is_stored() -> None:
    unsorted = csr_array((np.ones(2), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    assert relevant_ranks(np.array([[0.1, 0.5, 0.9]]), unsorted).ranks.tolist() == [1, 3]


def test_a_ranking_without_users_has_no_values() -> None:
    ranks = relevant_ranks(np.empty((0, 3)), csr_array((0, 3)))
    assert {METRICS.get(name).measure(ranks, 3).shape for name in METRICS.names()} == {(0,)}


def test_shapes_that_differ_are_both_named() -> None:
    expected = r"scores are \(2, 2\) but the truth is \(2, 3\) \(users, items\)"
    with pytest.raises(DataError, match=expected) as caught:
        relevant_ranks(np.zeros((2, 2)), csr_array((2, 3)))
    assert "`check()`" in caught.value.hint


# Every metric of the registry, also one that is yet to come.


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_tells_a_perfect_ranking_from_a_reversed_one(name: str) -> None:
    owned = np.array([[0, 1, 0, 1, 0], [1, 0, 0, 0, 0]], np.bool_)
    scores = owned + np.array([0.3, 0.2, 0.1, 0.2, 0.4])
    assert (values(name, Case(scores, owned), 1) > values(name, Case(-scores, owned), 1)).all()


@pytest.mark.parametrize("name", METRICS.names())
@given(case=cases(), k=st.integers(1, 12))
@settings(max_examples=40)
def test_a_perfect_ranking_is_never_worse_than_a_reversed_one(
    name: str, case: Case, k: int
) -> None:
    scores = np.maximum(case.scores, -2) + 10 * case.owned
    perfect = values(name, Case(scores, case.owned), k)
    reverse = values(name, Case(-scores, case.owned), k)
    assert np.array_equal(np.isnan(perfect), np.isnan(reverse))
    assert np.all((perfect >= reverse - 1e-12) | np.isnan(perfect))


@pytest.mark.parametrize("name", METRICS.names())
@given(case=cases(), k=st.integers(1, 12))
@settings(max_examples=40)
def test_every_user_has_one_value_within_0_and_1_or_none(name: str, case: Case, k: int) -> None:
    found = values(name, case, k)
    assert found.shape == (len(case.owned),)
    assert found.dtype == np.float64
    assert np.all(((found >= 0) & (found <= 1 + 1e-12)) | np.isnan(found))


@pytest.mark.parametrize("name", METRICS.names())
@given(case=cases(), k=st.integers(1, 12))
@settings(max_examples=20)
def test_values_do_not_depend_on_which_users_are_ranked_together(
    name: str, case: Case, k: int
) -> None:
    rows = zip(case.scores, case.owned, strict=True)
    alone = [values(name, Case(scores[None], owned[None]), k)[0] for scores, owned in rows]
    assert values(name, case, k) == pytest.approx(alone, nan_ok=True)


# A reference in plain Python: each definition, read off the list of hits.


def found(hits: Hits, k: int) -> int:
    return sum(hits[:k])


def summed_precisions(hits: Hits, k: int) -> float:
    return sum(found(hits, rank) / rank for rank, hit in enumerate(hits[:k], 1) if hit)


def dcg(hits: Hits, k: int) -> float:
    return sum(1 / log2(1 + rank) for rank, hit in enumerate(hits[:k], 1) if hit)


def reference_map(hits: Hits, k: int) -> float:
    return summed_precisions(hits, k) / min(sum(hits), k) if any(hits) else 0


def reference_ndcg(hits: Hits, k: int) -> float:
    return dcg(hits, k) / dcg(sorted(hits, reverse=True), k) if any(hits) else 0


def reference_ndcg_published(hits: Hits, k: int) -> float:
    return reference_ndcg(hits[:5], k)


def reference_roc_auc(hits: Hits, _k: int) -> float:
    relevant = [rank for rank, hit in enumerate(hits) if hit]
    others = [rank for rank, hit in enumerate(hits) if not hit]
    pairs = [mine < other for mine in relevant for other in others]
    return sum(pairs) / len(pairs) if pairs else nan


REFERENCE: dict[str, Callable[[Hits, int], float]] = {
    "MAP": reference_map,
    "MAP (users with relevant items)": lambda h, k: reference_map(h, k) if any(h) else nan,
    "P": lambda h, k: found(h, k) / k,
    "R": lambda h, k: found(h, k) / sum(h) if any(h) else 0,
    "HR": lambda h, k: float(any(h[:k])),
    "nDCG": reference_ndcg,
    "MRR": lambda h, _k: 1 / (1 + h.index(True)) if any(h) else 0,
    "ROC-AUC": reference_roc_auc,
    "PR-AUC": lambda h, _k: summed_precisions(h, len(h)) / sum(h) if any(h) else nan,
}
NOTHING = Case(np.zeros((1, 3)), np.zeros((1, 3), np.bool_))
EVERYTHING = Case(np.zeros((1, 3), np.float32), np.ones((1, 3), np.bool_))
ONE_ITEM = Case(np.zeros((2, 1)), np.array([[True], [False]]))


@pytest.mark.parametrize("name", REFERENCE)
@given(case=cases(), k=st.integers(1, 12))
@example(case=NOTHING, k=2)
@example(case=EVERYTHING, k=2)
@example(case=EVERYTHING, k=4)
@example(case=ONE_ITEM, k=3)
@settings(max_examples=60)
def test_metric_agrees_with_its_definition_applied_to_a_stable_sort(
    name: str, case: Case, k: int
) -> None:
    expected = [REFERENCE[name](hits(case, user), k) for user in range(len(case.owned))]
    ties_count_half = name in ("ROC-AUC", "PR-AUC")
    measured = Case(minus_ranks(case), case.owned) if ties_count_half else case
    assert values(name, measured, k) == pytest.approx(expected, nan_ok=True)


@given(case=cases(), k=st.integers(1, 5))
@settings(max_examples=60)
def test_published_ndcg_knows_the_first_five_alone(case: Case, k: int) -> None:
    expected = [reference_ndcg_published(hits(case, user), k) for user in range(len(case.owned))]
    assert values("nDCG (published)", case, k) == pytest.approx(expected)


@given(case=cases())
def test_ranks_are_those_of_a_stable_sort_user_by_user(case: Case) -> None:
    ranks = relevant_ranks(case.scores, csr_array(case.owned))
    each = [hits(case, user) for user in range(len(case.owned))]
    assert ranks.ranks.tolist() == [1 + n for row in each for n, hit in enumerate(row) if hit]
    assert np.array_equal(ranks.relevant, case.owned.sum(axis=1))
    assert ranks.items == case.scores.shape[1]


@given(case=cases(), k=st.integers(1, 12))
@example(case=EVERYTHING, k=3)
@example(case=EVERYTHING, k=1)
@example(case=ONE_ITEM, k=5)
@settings(max_examples=100)
def test_first_items_are_the_heads_of_stable_sorts(case: Case, k: int) -> None:
    assert top_items(case.scores, k).tolist() == [ranking(row)[:k] for row in case.scores]


# Other libraries.


@given(case=cases())
@settings(max_examples=100)
def test_both_areas_are_those_of_scikit_learn_equal_scores_included(case: Case) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    roc, pr = [], []
    for owned, scores in zip(case.owned, np.maximum(case.scores, -1e9), strict=True):
        both = owned.any() and not owned.all()
        roc.append(roc_auc_score(owned, scores) if both else nan)
        pr.append(average_precision_score(owned, scores) if owned.any() else nan)
    assert values("ROC-AUC", case) == pytest.approx(roc, nan_ok=True)
    assert values("PR-AUC", case) == pytest.approx(pr, nan_ok=True)


@given(case=cases(items=2), k=st.integers(1, 12))
@settings(max_examples=50)
def test_ndcg_is_that_of_scikit_learn(case: Case, k: int) -> None:
    from sklearn.metrics import ndcg_score

    expected = ndcg_score(case.owned, minus_ranks(case), k=k, ignore_ties=True)
    assert values("nDCG", case, k).mean() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics_are_those_of_ranx(
    dtype: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    top_items(np.zeros((1, 1), dtype), 1)  # ours is compiled before that is forbidden
    # As plain Python: compiling takes most of a minute, and numba warns about ranx' own casts.
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    from ranx import Qrels, Run, evaluate

    rng = np.random.default_rng(5)
    scores = np.stack([rng.permutation(20) for _ in range(8)]).astype(dtype)
    owned = rng.random(scores.shape) < rng.uniform(0.1, 0.9, (8, 1))
    owned[:, 7] = True  # ranx knows no user without relevant items
    qrels = {f"u{u}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(owned)}
    run = {
        f"u{u}": {f"i{i}": float(score) for i, score in enumerate(row)}
        for u, row in enumerate(scores)
    }
    ours = {
        "map@500": ("MAP", 500),
        "precision@3": ("P", 3),
        "recall@5": ("R", 5),
        "mrr": ("MRR", 0),
        "ndcg@5": ("nDCG", 5),
        "ndcg@30": ("nDCG", 30),
        "hit_rate@1": ("HR", 1),
    }
    theirs = evaluate(Qrels(qrels), Run(run), list(ours), return_mean=False)
    for name, (metric, k) in ours.items():
        assert values(metric, Case(scores, owned), k) == pytest.approx(theirs[name]), name


def test_relevant_ranks_add_up_user_by_user() -> None:
    ranks = RelevantRanks(np.array([1, 4, 2]), np.array([0, 2, 2, 3]), items=5)
    assert ranks.total(ranks.ranks).tolist() == [5, 0, 2]
    assert ranks.positions.tolist() == [1, 2, 1]
    assert ranks.users.tolist() == [0, 0, 2]
