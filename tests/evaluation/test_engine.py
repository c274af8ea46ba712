"""Whole rankings of small datasets: their figures, and what is refused."""

from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array, save_npz

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.tasks import TargetSpec
from tartarus_cli.evaluation.checkpoints import RankSummary
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.experiments.request import ExperimentRequest
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.relevant import TieBreaking, drawn_order
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command, Outcome
from tests.evaluation.test_ranking import REFERENCE
from tests.worlds import DIM, USERS, World

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

KS = (1, 3, 5)
MEMORIES = ("64", "300", "1k", "20k", "1GiB")  # the first: one user at a time, and one item


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """Return a workspace without a dataset."""
    return World(tmp_path / "bare")


def evaluated(tartarus: Command, world: World, rows: Floats, *more: object) -> Outcome:
    path = world.root / "predicted.npy"
    np.save(path, rows)
    words = ("--experiment", "rec_dense", "--dataset", "rec", "-w", world.root)
    return tartarus("evaluate", path, *words, *more)


def figures(tartarus: Command, world: World, rows: Floats, *more: object) -> Any:
    done = evaluated(tartarus, world, rows, "--json", *more)
    assert done.status == 0, done.err
    return done.document


def kept(world: World) -> dict[str, NDArray[Any]]:
    """Return what was kept of each user."""
    path = world.root / "data" / "results" / "predicted_users.npz"
    with np.load(path, allow_pickle=False) as read:
        return dict(read)


def plain_scores(users: Floats, items: Floats) -> NDArray[np.float64]:
    """Return users' factors times the items' directions, in float64."""
    rows = items.astype(np.float32).astype(np.float64)
    return np.asarray(users.astype(np.float64) @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T)


def orders(scores: Floats) -> NDArray[np.int64]:
    """Items from rank 1 on, ``(users, items)``; equal scores keep their order."""
    return np.argsort(-scores, axis=1, kind="stable")


def hits(scores: Floats, liked: Bools) -> list[list[bool]]:
    ranked: list[list[bool]] = np.take_along_axis(liked, orders(scores), axis=1).tolist()
    return ranked


def reference(scores: Floats, liked: Bools) -> dict[str, float]:
    """Return the means over users of each definition in plain Python."""
    found = {}
    for name, measure in REFERENCE.items():
        stem, space, rest = name.partition(" ")
        cuts = {"MAP": (500,)}.get(stem, KS if stem in ("P", "R", "HR", "nDCG") else (0,))
        for k in cuts:
            values = [measure(user, k) for user in hits(scores, liked)]
            label = f"{stem}@{k}{space}{rest}" if k else name
            found[label] = float(np.nanmean(values)) if not np.isnan(values).all() else np.nan
    return found


def apart(seed: int, users: int, items: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw factors of users and items whose scores differ by more than float32 can blur."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((items, DIM)).astype(np.float32)
    drawn = rng.standard_normal((20 * users, DIM)).astype(np.float32)
    gaps = np.diff(np.sort(plain_scores(drawn, rows), axis=1), axis=1).min(axis=1, initial=1)
    told_apart = drawn[gaps > 1e-5]
    assert len(told_apart) >= users
    return told_apart[:users], rows


def likes(seed: int, users: int, items: int, share: float = 0.2) -> Bools:
    return np.random.default_rng(seed).random((users, items)) < share


def assert_equal_figures(found: dict[str, float], expected: dict[str, float]) -> None:
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


# Against other computations.


@pytest.mark.parametrize(("users", "items"), [(40, 30), (1, 60), (70, 2), (3, 1)])
def test_figures_are_those_of_the_definitions_in_float64(
    users: int, items: int, tartarus: Command, bare: World
) -> None:
    theirs, rows = apart(users, users, items)
    true = np.random.default_rng(9).standard_normal((items, DIM))
    liked = likes(users, users, items)
    liked[0, 0] = True
    liked[users // 2, :] = True
    bare.rankable(theirs, true, liked)
    found = figures(tartarus, bare, rows)
    whole = {name: found["metrics"][name] for name in reference(plain_scores(theirs, rows), liked)}
    expected = reference(plain_scores(theirs, rows), liked)
    assert {n: None if np.isnan(v) else pytest.approx(v) for n, v in expected.items()} == whole
    assert found["users_without_relevant"] == int((~liked.any(axis=1)).sum())
    oracle = reference(plain_scores(theirs, true), liked)["PR-AUC"]
    assert found["rows"]["oracle"]["PR-AUC"] == pytest.approx(oracle, abs=1e-3)


@pytest.mark.parametrize("near", [0, 1e-8, 3e-8, 1e-7, 1e-6])
def test_only_items_that_float32_hardly_tells_apart_change_places(
    near: float, tartarus: Command, bare: World
) -> None:
    rng = np.random.default_rng(4)
    theirs = rng.standard_normal((20, 16)).astype(np.float32)
    rows = np.repeat(rng.standard_normal((5, 16)), 20, axis=0)
    rows *= 1 + near * rng.standard_normal(rows.shape)
    bare.rankable(theirs, rows, np.ones((20, 100), np.bool_))  # so that every rank is kept
    figures(tartarus, bare, rows, "--ties", "published")
    found = kept(bare)
    rank_of = np.empty((20, 100), np.int64)
    rank_of[np.repeat(np.arange(20), 100), found["items"]] = found["ranks"]
    assert np.array_equal(np.sort(rank_of, axis=1), np.tile(np.arange(1, 101), (20, 1)))
    if near == 0:  # equal rows are equal scores to the last bit, in the order of the ids
        assert np.array_equal(np.diff(rank_of.reshape(20, 5, 20), axis=2), np.ones((20, 5, 19)))
    scores = plain_scores(theirs, rows)
    ranked = np.take_along_axis(scores, np.argsort(rank_of, axis=1), axis=1)
    worst = np.maximum.accumulate(ranked[:, ::-1], axis=1)[:, ::-1] - ranked
    tolerance = 16 * np.finfo(np.float32).eps * np.linalg.norm(theirs, axis=1)[:, None]
    assert (worst <= tolerance).all()


@pytest.mark.parametrize("memory", ["200", "3k", "1GiB"])
def test_items_with_the_same_prediction_keep_the_published_order(
    memory: str, tartarus: Command, bare: World
) -> None:
    # A product may give the same row other last bits in other columns.
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((7, 50))[rng.integers(0, 7, 130)]
    bare.rankable(rng.standard_normal((33, 50)), rows, np.ones((33, 130), np.bool_))
    figures(tartarus, bare, rows, "--memory", memory, "--ties", "published")
    ranks = kept(bare)["ranks"].reshape(33, 130)
    for row in np.unique(rows, axis=0):
        alike = np.flatnonzero((rows == row).all(axis=1))
        assert (np.diff(ranks[:, alike], axis=1) == 1).all()
        assert (np.ptp(kept(bare)["best"].reshape(33, 130)[:, alike], axis=1) == 0).all()
        assert (ranks[:, alike].max(1) == kept(bare)["worst"].reshape(33, 130)[:, alike].T).all()


def test_figures_are_those_of_scikit_learn(tartarus: Command, bare: World) -> None:
    from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

    theirs, rows = apart(1, 50, 40)
    liked = likes(1, 50, 40)
    liked[:, 3] = True
    bare.rankable(theirs, rows, liked)
    scores = plain_scores(theirs, rows)
    pairs = [*zip(liked, scores, strict=True)]
    expected = {
        "ROC-AUC": np.mean([roc_auc_score(*pair) for pair in pairs]),
        "PR-AUC": np.mean([average_precision_score(*pair) for pair in pairs]),
        **{f"nDCG@{k}": ndcg_score(liked, scores, k=k) for k in (*KS, 7)},
    }
    assert_equal_figures(figures(tartarus, bare, rows, "--k", 7)["metrics"], expected)


def test_figures_are_those_of_ranx(
    tartarus: Command, bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, rows = apart(2, 25, 30)
    liked = likes(2, 25, 30)
    liked[:, 5] = True  # ranx knows no user without relevant items
    bare.rankable(theirs, rows, liked)
    found = figures(tartarus, bare, rows)["metrics"]
    # As plain Python: compiling takes most of a minute, and numba warns about ranx' own casts.
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    from ranx import Qrels, Run, evaluate

    scores = plain_scores(theirs, rows)
    qrels = {f"u{u}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(liked)}
    run = {f"u{u}": {f"i{i}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)}
    ours = {"map@500": "MAP@500", "mrr": "MRR"} | {
        f"{theirs}@{k}": f"{name}@{k}"
        for theirs, name in {"precision": "P", "recall": "R", "hit_rate": "HR"}.items()
        for k in KS
    }
    expected = evaluate(Qrels(qrels), Run(run), list(ours))
    assert_equal_figures(found, {ours[name]: value for name, value in expected.items()})


# Edges.


def test_one_test_item_is_always_first(tartarus: Command, bare: World) -> None:
    liked = np.array([[True], [False], [True], [False]])
    bare.rankable(np.eye(4), np.ones((1, DIM)), liked)
    found = figures(tartarus, bare, -np.ones((1, DIM)))["metrics"]
    assert (found["MAP@500"], found["MRR"], found["P@5"]) == (0.5, 0.5, 0.5 / 5)
    assert (found["ROC-AUC"], found["PR-AUC"], found["C@5"]) == (None, 1, 1)


def test_where_everything_is_relevant_no_order_is_wrong(tartarus: Command, world: World) -> None:
    save_npz(world.datasets / "matrix_test_rec.npz", csr_array(np.ones((12, USERS))))
    found = figures(tartarus, world, world.rng.standard_normal((12, DIM)))["metrics"]
    assert found["ROC-AUC"] is None
    perfect = ("MAP@500", "PR-AUC", "MRR", "P@5", "nDCG@3", "HR@1")
    assert [found[name] for name in perfect] == pytest.approx([1] * 6)
    assert found["R@3"] == pytest.approx(3 / 12)


def test_where_nothing_is_relevant_means_are_zero_or_absent(
    tartarus: Command, world: World
) -> None:
    save_npz(world.datasets / "matrix_test_rec.npz", csr_array((12, USERS)))
    found = figures(tartarus, world, world.rng.standard_normal((12, DIM)))
    assert found["users_without_relevant"] == USERS
    some = {name: found["metrics"][name] for name in ("MAP@500", "MRR", "P@1", "nDCG@5", "R@3")}
    assert {*some.values()} == {0}
    none = ("MAP@500 (users with relevant items)", "ROC-AUC", "PR-AUC")
    assert [found["metrics"][name] for name in none] == [None] * 3
    assert found["metrics"]["novelty@1"] == pytest.approx(log2(1 + USERS))


def test_equal_scores_keep_the_published_order_if_asked_for(
    tartarus: Command, world: World
) -> None:
    truth = np.zeros((12, USERS))
    truth[[2, 6]] = 1
    save_npz(world.datasets / "matrix_test_rec.npz", csr_array(truth))
    found = figures(tartarus, world, np.ones((12, DIM)), "--ties", "published")
    assert found["metrics"]["MAP@500"] == pytest.approx((1 / 3 + 2 / 7) / 2)
    assert np.array_equal(kept(world)["ranks"], [3, 7] * USERS)
    assert (found["metrics"]["ROC-AUC"], found["tied"]) == (0.5, 1)
    assert found["metrics"]["PR-AUC"] == pytest.approx(2 / 12)


def test_equal_scores_keep_an_order_that_no_list_decides(tartarus: Command, world: World) -> None:
    truth = np.zeros((12, USERS))
    truth[:3] = 1
    matrix = world.datasets / "matrix_test_rec.npz"
    save_npz(matrix, csr_array(truth))
    listed = world.datasets / "items_index_test_rec.tsv"
    names = listed.read_text().splitlines()
    one, again, other = (ranks_of_zeros(tartarus, world, names, seed) for seed in (0, 0, 1))
    assert one == again != other
    turned = np.argsort(np.random.default_rng(0).random(12))
    save_npz(matrix, csr_array(truth[turned]))
    listed.write_text("".join(f"{names[n]}\n" for n in turned))
    assert ranks_of_zeros(tartarus, world, [names[n] for n in turned], 0) == one


def ranks_of_zeros(tartarus: Command, world: World, names: list[str], seed: int) -> dict[str, int]:
    """Evaluate a predictor that scores all items alike; return the ranks of the relevant ones."""
    found = figures(tartarus, world, np.zeros((12, DIM)), "--seed", seed)
    assert found["metrics"]["ROC-AUC"] == 0.5
    assert found["metrics"]["PR-AUC"] == pytest.approx(3 / 12)
    items, ranks = kept(world)["items"][:3], kept(world)["ranks"][:3]
    return {names[item]: int(rank) for item, rank in zip(items, ranks, strict=True)}


def test_k_above_the_number_of_items_sees_them_all(tartarus: Command, world: World) -> None:
    found = figures(tartarus, world, world.rng.standard_normal((12, DIM)), "--k", 12, "--k", 40)
    figure = found["metrics"]
    assert (figure["R@12"], figure["R@40"], figure["C@40"], figure["Gini@40"]) == (1, 1, 1, 0)
    assert figure["P@40"] == pytest.approx(figure["P@12"] * 12 / 40)
    assert (figure["nDCG@40"], figure["novelty@40"]) == (figure["nDCG@12"], figure["novelty@12"])


def test_items_without_a_prediction_rank_last(tartarus: Command, world: World) -> None:
    save_npz(world.datasets / "matrix_test_rec.npz", csr_array(np.ones((12, USERS))))
    ids = world.root / "ids.tsv"
    ids.write_text("".join(f"test-{n}\n" for n in (11, 4, 9)))
    rows = world.rng.standard_normal((3, DIM))
    figures(tartarus, world, rows, "--ids", ids, "--ties", "published")
    ranks = kept(world)["ranks"].reshape(USERS, 12)
    assert np.array_equal(np.sort(ranks[:, [4, 9, 11]], axis=1), [[1, 2, 3]] * USERS)
    assert np.array_equal(ranks[:, [0, 1, 2, 3, 5, 6, 7, 8, 10]], [[*range(4, 13)]] * USERS)


BAD = {
    "a user's factor is NaN": ("user_factors_als_4_rec", np.nan, "NaN or infinity in 1 rows (7,"),
    "a user's factor is infinite": ("user_factors_als_4_rec", -np.inf, "infinity in 1 rows (7,"),
    "a user's factor is huge": ("user_factors_als_4_rec", 1e35, "factors as large as 1e+35"),
    "a user's factor is no float32": ("user_factors_als_4_rec", 1e300, "in 1 rows (7,"),
    "a true factor is NaN": ("item_factors_test_als_4_rec", np.nan, "infinity in 1 rows (7,"),
    "a prediction is NaN": ("", np.nan, "predicted.npy: NaN or infinity in 1 rows (7,"),
    "a prediction is infinite": ("", np.inf, "predicted.npy: NaN or infinity in 1 rows (7,"),
    "a prediction is no float32": ("", -1e300, "predicted.npy: NaN or infinity in 1 rows (7,"),
}


@pytest.mark.parametrize("why", BAD)
@pytest.mark.parametrize("memory", ["64", "1GiB"])
def test_numbers_that_cannot_be_ranked_are_named_with_their_row(
    why: str, memory: str, tartarus: Command, world: World
) -> None:
    stem, value, said = BAD[why]
    rows = world.rng.standard_normal((12, DIM))
    if stem:
        path = world.datasets / f"{stem}.npy"
        bad = np.load(path).astype(np.float64)
        bad[7, 2] = value
        np.save(path, bad)
    else:
        rows[7, 2] = value
    refused = evaluated(tartarus, world, rows, "--memory", memory)
    assert (refused.status, refused.out) == (1, "")
    assert said in refused.err
    assert stem in refused.err
    assert not (world.root / "data" / "results" / "predicted.json").exists()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_large_and_small_factors_rank_as_any_others(
    scale: float, tartarus: Command, bare: World
) -> None:
    theirs, rows = apart(3, 20, 30)
    liked = likes(3, 20, 30)
    bare.rankable(theirs, rows, liked)
    expected = figures(tartarus, bare, rows)["metrics"]
    largest = np.abs(theirs).max()
    bare.rankable(theirs / largest * np.float32(scale), rows, liked)
    assert figures(tartarus, bare, rows * np.float32(scale))["metrics"] == expected


# Memory.


@pytest.mark.parametrize("memory", MEMORIES)
def test_figures_do_not_depend_on_the_memory(memory: str, tartarus: Command, bare: World) -> None:
    theirs, rows = apart(5, 30, 25)
    liked = likes(5, 30, 25)
    bare.rankable(theirs, rows, liked)
    usual = figures(tartarus, bare, rows)
    ranks = kept(bare)["ranks"]
    assert figures(tartarus, bare, rows, "--memory", memory) == usual
    assert np.array_equal(kept(bare)["ranks"], ranks)


@pytest.mark.parametrize("cores", [1, 2, 7])
def test_figures_do_not_depend_on_the_cores(
    cores: int, tartarus: Command, bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, rows = apart(5, 50, 25)
    liked = likes(5, 50, 25)
    bare.rankable(theirs, rows, liked)
    usual = figures(tartarus, bare, rows)
    monkeypatch.setattr("tartarus_cli.machine.cores", lambda: cores)
    for memory in ("2k", "10k", "1GiB"):
        assert figures(tartarus, bare, rows, "--memory", memory) == usual


@given(items=st.integers(0, 10**6), memory=st.integers(0, 1 << 40))
def test_scores_of_all_blocks_at_a_time_take_at_most_a_third_of_the_memory(
    items: int, memory: int
) -> None:
    budget = MemoryBudget(items, memory)
    assert 1 <= budget.users <= 512
    assert budget.workers >= 1
    assert (
        budget.workers == budget.users == 1
        or 4 * items * budget.users * budget.workers <= memory / 3
    )


@given(
    items=st.integers(1, 40),
    memory=st.integers(0, 10**5),
    edges=st.lists(st.integers(0, 700), min_size=2, max_size=6, unique=True),
)
def test_blocks_of_users_are_the_same_whichever_users_are_asked_for(
    items: int, memory: int, edges: list[int]
) -> None:
    budget, count = MemoryBudget(items, memory), 700
    whole = {(each.start, each.stop) for each in budget.blocks(slice(0, count))}
    edges.sort()
    for first, last in pairwise(edges):
        blocks = budget.blocks(slice(first, last))
        assert [n for each in blocks for n in range(each.start, each.stop)] == [*range(first, last)]
        for each in blocks:
            around = budget.block_of(each, count)
            assert (around.start, around.stop) in whole
            assert around.start <= each.start < each.stop <= around.stop


def test_the_command_refuses_what_is_no_amount_of_memory(tartarus: Command, world: World) -> None:
    refused = evaluated(tartarus, world, np.ones((12, DIM)), "--memory", "lots")
    assert (refused.status, "'lots' is not an amount of memory" in refused.err) == (2, True)


# Other forms than factors.


def predicted(world: World, form: PredictionForm, values: Any, absent: Bools) -> Predictions:
    experiment = ExperimentRequest("rec_dense", "rec", ()).resolve(open_workspace(world.root))
    return Predictions(
        model=None,
        name="predicted",
        path=world.root / "predicted.npy",
        experiment=experiment,
        dataset=open_workspace(world.root).dataset("rec"),
        targets=TargetSpec("als", DIM),
        values=values,
        absent=absent,
        form=form,
    )


def tally(predictions: Predictions, memory: int, ties: TieBreaking) -> RankSummary:
    options = RankingOptions(memory=memory, ties=ties)
    return rank_items(predictions, options, UNWATCHED).summaries["model"]


TIES: list[TieBreaking] = ["drawn", "published"]


def ranked_items(scores: Floats, ties: TieBreaking) -> NDArray[np.int64]:
    """Return the items from rank 1 on, ``(users, items)``."""
    order = np.arange(scores.shape[1])
    if ties == "drawn":
        order = drawn_order([f"test-{n}" for n in range(12)], 0)
    ranked: NDArray[np.int64] = order[orders(scores[:, order])]
    return ranked


def expected_ranks(world: World, scores: Floats, ties: TieBreaking) -> NDArray[np.int64]:
    """Return the ranks of the relevant items, user by user, each user's in the order of ids."""
    with np.load(world.datasets / "matrix_test_rec.npz") as read:
        truth = csr_array((read["data"], read["indices"], read["indptr"]), shape=read["shape"])
    rank_of = np.empty(scores.shape, np.int64)
    ranked = ranked_items(scores, ties)
    np.put_along_axis(rank_of, ranked, np.arange(1, scores.shape[1] + 1)[None], axis=1)
    ranks: NDArray[np.int64] = rank_of[truth.toarray().T > 0]
    return ranks


@pytest.mark.parametrize("memory", [64, 1 << 10, 1 << 30])
@pytest.mark.parametrize("lacking", [(), (0, 5)])
@pytest.mark.parametrize("ties", TIES)
def test_neighbours_are_summed_over_what_a_user_has(
    ties: TieBreaking, lacking: tuple[int, ...], memory: int, world: World
) -> None:
    rng = np.random.default_rng(8)
    similar = rng.integers(1, 100, (12, 40)) * (rng.random((12, 40)) < 0.2) / 64.0
    absent = np.isin(np.arange(12), lacking)
    similar[absent] = 0
    plays = rng.integers(-1, 4, (40, USERS)) * (rng.random((40, USERS)) < 0.3)
    plays[:, 2] = 0  # a user without plays has no scores: the order of the ids
    save_npz(world.datasets / "matrix_train_rec.npz", csr_array(plays.astype(float)))
    scores = (plays > 0).T @ similar.T
    scores[:, absent] = -np.inf
    found = tally(predicted(world, "neighbours", csr_array(similar), absent), memory, ties)
    assert np.array_equal(found.ranks, expected_ranks(world, scores, ties))
    first = ranked_items(scores, ties)[:, :3]
    assert np.array_equal(found.shown[3], np.bincount(first.ravel(), minlength=12))


@pytest.mark.parametrize("memory", [64, 1 << 10, 1 << 30])
@pytest.mark.parametrize("ties", TIES)
def test_the_same_scores_for_all_rank_alike_for_all(
    ties: TieBreaking, memory: int, world: World
) -> None:
    scores = np.random.default_rng(8).integers(-2, 3, (12, 1)).astype(np.float32)
    absent = np.isin(np.arange(12), (3, 4))
    found = tally(predicted(world, "scores", scores, absent), memory, ties)
    everybody = np.tile(np.where(absent, -np.inf, scores[:, 0]), (USERS, 1))
    assert np.array_equal(found.ranks, expected_ranks(world, everybody, ties))
    assert np.count_nonzero(found.shown[1]) == 1


# What is kept of each user.


def test_the_values_of_users_have_the_figures_as_their_means(
    tartarus: Command, world: World
) -> None:
    (world.datasets / "users_index_rec.tsv").write_text("".join(f"ü{n}\n" for n in range(USERS)))
    path = world.datasets / "matrix_test_rec.npz"
    with np.load(path) as read:
        truth = csr_array((read["data"], read["indices"], read["indptr"]), shape=read["shape"])
    liked = truth.toarray().T > 0
    liked[4] = False
    save_npz(path, csr_array(liked.T.astype(float)))
    document = figures(tartarus, world, world.rng.standard_normal((12, DIM)), "--published")
    found = kept(world)
    values = {name: found[name] for name in found if name in document["metrics"]}
    assert {name: each.shape for name, each in values.items()} == dict.fromkeys(values, (USERS,))
    assert all(each.dtype == np.float64 for each in values.values())
    lists = {f"{name}@{k}" for name in ("C", "Gini") for k in KS}  # these are of no one user
    assert {*values} == {*document["metrics"]} - lists
    for name, each in values.items():
        assert np.nanmean(each) == pytest.approx(document["metrics"][name]), name
    assert np.isnan(found["ROC-AUC"][4])
    assert (found["MAP@500"][4], found["P@1"][4]) == (0, 0)
    assert found["ids"].tolist() == [f"ü{n}" for n in range(USERS)]
    assert np.array_equal(np.diff(found["starts"]), liked.sum(axis=1))
    assert np.array_equal(found["items"], np.nonzero(liked)[1])
    assert {*found} == {*values, "ids", "starts", "items", "ranks"}


@pytest.mark.parametrize("ids", [None, "one\ntwo\n"])
def test_users_without_ids_are_kept_by_number(
    ids: str | None, tartarus: Command, world: World
) -> None:
    if ids is not None:
        (world.datasets / "users_index_rec.tsv").write_text(ids)
    figures(tartarus, world, world.rng.standard_normal((12, DIM)))
    assert "ids" not in kept(world)
