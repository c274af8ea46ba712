"""Scores of every form beside plain NumPy, and how well validation items rank by them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.features import Matrix
from tartarus_cli.errors import FileError
from tartarus_cli.scoring import validation
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.scorers import BlendPart, BlendScorer, Scorer, standardize
from tartarus_cli.scoring.users import FactorRows, PlayedRows, UserRows
from tartarus_cli.scoring.validation import ValidationRanking

USERS, ITEMS, TRAIN, DIM = 23, 17, 11, 4
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((ITEMS, DIM + 1)).astype(np.float32)
USER_VECTORS = RNG.standard_normal((USERS, DIM)).astype(np.float32)
TRAIN_VECTORS = RNG.standard_normal((TRAIN, DIM)).astype(np.float32)
WEIGHTS = RNG.standard_normal((ITEMS, TRAIN)).astype(np.float32)
PLAYED = (RNG.random((USERS, TRAIN)) < 0.4).astype(np.float32)
PLAYED[5] = 0  # a user without plays
ORDER = RNG.permutation(ITEMS)
PRESENT = np.zeros(ITEMS, bool)
SMALL = MemoryBudget(ITEMS, 6 * 4 * ITEMS * 8)  # blocks of 8 users


def matrix(values: NDArray[np.float32]) -> Matrix:
    return Matrix(Path("user_factors.npy"), values)


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def histories() -> NDArray[Any]:
    counts = np.maximum(PLAYED.sum(axis=1, keepdims=True), 1)
    return np.asarray(PLAYED @ TRAIN_VECTORS / counts**0.75)


OWN = FactorRows(matrix(USER_VECTORS), biased=True)
HISTORY = PlayedRows(csr_array(PLAYED), (matrix(TRAIN_VECTORS),), 0.75, biased=True)
DIRECT: dict[str, tuple[ItemRows, NDArray[Any]]] = {
    "factors": (
        ItemRows("factors", VECTORS[:, :DIM], FactorRows(matrix(USER_VECTORS))),
        USER_VECTORS @ VECTORS[:, :DIM].T,
    ),
    "factors by their directions": (
        ItemRows(
            "factors",
            VECTORS[:, :DIM],
            FactorRows(matrix(USER_VECTORS), unit=True),
            unit_items=True,
        ),
        unit(USER_VECTORS) @ unit(VECTORS[:, :DIM]).T,
    ),
    "vectors of users": (
        ItemRows("vectors", VECTORS, OWN),
        USER_VECTORS @ VECTORS[:, :-1].T + VECTORS[:, -1],
    ),
    "vectors of what users played": (
        ItemRows("vectors", VECTORS, HISTORY),
        histories() @ VECTORS[:, :-1].T + VECTORS[:, -1],
    ),
    "weights": (ItemRows("weights", WEIGHTS, plays=csr_array(PLAYED)), PLAYED @ WEIGHTS.T),
    "neighbours": (
        ItemRows("neighbours", csr_array(np.maximum(WEIGHTS, 0)), plays=csr_array(PLAYED)),
        PLAYED @ np.maximum(WEIGHTS, 0).T,
    ),
    "scores": (
        ItemRows("scores", VECTORS[:, :1]),
        np.broadcast_to(VECTORS[:, 0], (USERS, ITEMS)),
    ),
}


def all_scores(scorer: Scorer, budget: MemoryBudget = SMALL) -> NDArray[Any]:
    return np.vstack([scorer(block).copy() for block in budget.blocks(slice(0, USERS))])


@pytest.mark.parametrize("form", DIRECT)
def test_scores_are_those_of_a_direct_product(form: str) -> None:
    rows, expected = DIRECT[form]
    assert SMALL.users == 8
    scorer = rows.scorer(SMALL, ORDER, PRESENT)
    scores = all_scores(scorer)
    assert scores == pytest.approx(expected[:, ORDER], abs=1e-5)
    for item in (0, ITEMS - 1):
        alone = scorer.item_scores(item, USERS)
        assert (np.abs(alone.scores - scores[:, item]) <= alone.margins + 1e-12).all()


@pytest.mark.parametrize("form", DIRECT)
def test_items_without_a_prediction_rank_last(form: str) -> None:
    rows, expected = DIRECT[form]
    absent = np.arange(ITEMS) % 5 == 2
    scores = all_scores(rows.scorer(SMALL, ORDER, absent))
    assert np.isneginf(scores[:, absent[ORDER]]).all()
    assert scores[:, ~absent[ORDER]] == pytest.approx(expected[:, ORDER[~absent[ORDER]]], abs=1e-5)


def test_a_user_without_plays_is_unknown_but_to_biases() -> None:
    nobody = np.arange(USERS) == 5
    for form, (rows, _) in DIRECT.items():
        unknown = rows.scorer(SMALL, ORDER, PRESENT).unknown(slice(0, USERS))
        expected = nobody if form in ("weights", "neighbours") else ~nobody & nobody
        assert unknown.tolist() == expected.tolist()
    rows, _ = DIRECT["vectors of what users played"]
    scores = all_scores(rows.scorer(SMALL, ORDER, PRESENT))[5]
    assert scores == pytest.approx(VECTORS[ORDER, -1])


@pytest.mark.parametrize("users", [OWN, HISTORY])
def test_rows_of_users_end_in_a_column_of_ones_for_biases(users: UserRows) -> None:
    rows = users.rows(slice(2, 9))
    assert users.shape == (USERS, DIM + 1)
    assert rows.shape == (7, DIM + 1)
    assert rows.dtype == np.float32
    assert rows[:, -1].tolist() == [1] * 7


@pytest.mark.parametrize(("value", "found"), [(np.nan, "NaN"), (1e35, "as large as 1e\\+35")])
def test_vectors_of_users_that_are_no_numbers_are_an_error(value: float, found: str) -> None:
    damaged = USER_VECTORS.copy()
    damaged[3, 1] = value
    with pytest.raises(FileError, match=found):
        FactorRows(matrix(damaged), biased=True).rows(slice(0, USERS))


def z_scores(scores: NDArray[Any]) -> NDArray[Any]:
    spread = scores.std(axis=1, keepdims=True)
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.where(spread > 1e-6 * np.abs(scores).max(), centred / np.maximum(spread, 1e-9), 0)


@pytest.mark.parametrize("standardized", [True, False])
def test_a_blend_is_the_weighted_sum_of_its_parts(*, standardized: bool) -> None:
    parts = {"vectors of users": 1.0, "weights": 0.25, "scores": 0.5, "neighbours": 0.0}
    scorers = [
        BlendPart(weight, DIRECT[form][0].scorer(SMALL, ORDER, PRESENT))
        for form, weight in parts.items()
    ]
    absent = np.arange(ITEMS) == 4
    blend = BlendScorer(SMALL, tuple(scorers), standardize=standardized, absent=absent)
    expected = sum(
        weight * (z_scores(direct) if standardized else direct)[:, ORDER]
        for form, weight in parts.items()
        for direct in [np.asarray(DIRECT[form][1], np.float64)]
    )
    assert isinstance(expected, np.ndarray)
    scores = all_scores(blend)
    assert scores[:, ~absent] == pytest.approx(expected[:, ~absent], abs=1e-4)
    assert np.isneginf(scores[:, absent]).all()
    assert blend.item_scores(2, USERS).scores == pytest.approx(scores[:, 2])
    assert not blend.unknown(slice(0, USERS)).any()  # the other parts know user 5


def test_a_user_is_unknown_to_a_blend_whose_parts_do_not_know_him() -> None:
    scorers = [BlendPart(1.0, DIRECT[form][0].scorer(SMALL, ORDER, PRESENT))
               for form in ("weights", "neighbours")]  # fmt: skip
    blend = BlendScorer(SMALL, tuple(scorers), standardize=True, absent=PRESENT)
    assert np.flatnonzero(blend.unknown(slice(0, USERS))).tolist() == [5]
    assert not all_scores(blend)[5].any()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_standardized_scores_have_mean_0_and_deviation_1_whatever_their_size(size: float) -> None:
    scores = (size * RNG.standard_normal((9, 200))).astype(np.float32)
    found = standardize(scores)
    assert found == pytest.approx(z_scores(scores.astype(np.float64) / size), abs=1e-4)
    assert found.dtype == np.float32


def test_scores_that_differ_by_rounding_alone_are_equal() -> None:
    scores = np.full((1, 50), 3, np.float32)
    scores[0, ::2] = np.nextafter(np.float32(3), np.float32(4))
    assert not standardize(scores).any()
    assert not standardize(np.zeros((2, 5), np.float32)).any()


# ------------------------------------------------------------------ how well validation items rank

IDS = [f"item {n}" for n in range(ITEMS)]
LIKED = (RNG.random((ITEMS, USERS)) < 0.2).astype(np.float32)
LIKED[:, [1, 7]] = 0  # users without a validation item


def hand_map(scores: NDArray[Any], liked: NDArray[Any]) -> float:
    """MAP of ``(users, items)``; users without an item count as 0."""
    values = []
    for user in range(len(scores)):
        hits = liked[user][np.argsort(-scores[user], kind="stable")] > 0
        precisions = (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits]
        values.append(precisions.mean() if len(precisions) else 0)
    return float(np.mean(values))


def ranked_rows(ranking: ValidationRanking, form: str) -> ItemRows:
    """Return rows of the ranked users alone."""
    rows, users = DIRECT[form][0], ranking.users
    kind: PredictionForm = rows.form
    if kind in ("weights", "neighbours"):
        plays = ranking.of_users(csr_array(PLAYED.T))
        return ItemRows(kind, rows.values, plays=plays)
    if form == "vectors of what users played":
        plays = ranking.of_users(csr_array(PLAYED.T))
        return ItemRows(kind, rows.values, PlayedRows(plays, HISTORY.vectors, 0.75, biased=True))
    factors = ranking.rows_of_users(matrix(USER_VECTORS))
    own = FactorRows(factors, unit=rows.unit_items, biased=kind == "vectors")
    assert users.tolist() == np.flatnonzero(LIKED.any(axis=0)).tolist()
    return ItemRows(kind, rows.values, own, unit_items=rows.unit_items)


@pytest.mark.parametrize("memory", [6 * 4 * ITEMS * 8, 256 << 20])
@pytest.mark.parametrize("form", DIRECT)
def test_the_map_of_validation_items_is_that_of_a_direct_ranking(
    form: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "MEMORY", memory)
    ranking = ValidationRanking(IDS, csr_array(LIKED), seed=3)
    order = ranking.order
    scorer = ranking.scorer(ranked_rows(ranking, form))
    expected = hand_map(DIRECT[form][1][:, order].astype(np.float32), LIKED.T[:, order])
    assert ranking.mean_average_precision(scorer) == pytest.approx(expected)


def test_equal_scores_keep_an_order_that_is_drawn_by_the_ids() -> None:
    turn = RNG.permutation(ITEMS)
    rows = ItemRows("scores", np.zeros((ITEMS, 1), np.float32))
    values = []
    for ids, liked in ((IDS, LIKED), ([IDS[n] for n in turn], LIKED[turn])):
        ranking = ValidationRanking(ids, csr_array(liked), seed=5)
        values.append(ranking.mean_average_precision(ranking.scorer(rows)))
    assert values[0] == values[1]
    other = ValidationRanking(IDS, csr_array(LIKED), seed=6)
    assert other.mean_average_precision(other.scorer(rows)) != values[0]


def test_of_very_many_users_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_USERS", 6)
    ranking = ValidationRanking(IDS, csr_array(LIKED), seed=3)
    users = ranking.users
    assert len({*users}) == 6
    assert users.tolist() == sorted(users)
    assert LIKED[:, users].any(axis=0).all()
    again = ValidationRanking(IDS, csr_array(LIKED), seed=3)
    assert again.users.tolist() == users.tolist()
    order, factors = ranking.order, ranking.rows_of_users(matrix(USER_VECTORS))
    rows = ItemRows("vectors", VECTORS, FactorRows(factors, biased=True))
    direct = DIRECT["vectors of users"][1][users][:, order]
    share = LIKED.any(axis=0).sum() / USERS
    expected = hand_map(direct.astype(np.float32), LIKED.T[users][:, order]) * share
    value = ranking.mean_average_precision(ranking.scorer(rows))
    assert value == pytest.approx(expected)


@pytest.mark.parametrize("stored", ["nothing", "zeros"])
def test_items_that_nobody_plays_have_a_map_of_0(stored: str) -> None:
    plays = csr_array(LIKED)
    plays.data[:] = 0
    if stored == "nothing":
        plays.eliminate_zeros()
    ranking = ValidationRanking(IDS, plays)
    scorer = ranking.scorer(ItemRows("scores", VECTORS[:, :1]))
    assert ranking.mean_average_precision(scorer) == 0
