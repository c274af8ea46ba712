"""Ranks that a device of JAX counts, beside those of the processor."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tartarus_cli.data.features import Matrix
from tartarus_cli.metrics.ranks import RankedItems, order_by_scores, top_items
from tartarus_cli.scoring import on_device
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.kernels import kernels
from tartarus_cli.scoring.on_device import DeviceRanker, open_ranker
from tartarus_cli.scoring.scorers import BlendScorer, ConstantScorer, FactorScorer
from tartarus_cli.scoring.users import FactorRows
from tests.conftest import Command
from tests.worlds import World

USERS, ITEMS, K = 9, 31, 5


def refuse(reason: str) -> None:
    raise AssertionError(reason)


def ranker_of(scorer: Any, **options: Any) -> DeviceRanker:
    failed = options.pop("failed", refuse)
    ranker = open_ranker(scorer, scorer.budget, users=USERS, engine="jax", failed=failed)
    assert ranker is not None
    return ranker


def factor_scorer(
    users: NDArray[Any], items: NDArray[Any], absent: NDArray[Any], memory: int = 1 << 30
) -> FactorScorer:
    rows = FactorRows(Matrix(Path(), users.astype(np.float32)))
    budget, order = MemoryBudget(len(items), memory), np.arange(len(items))[::-1].copy()
    return FactorScorer(
        budget, rows, items.astype(np.float32), unit_items=False, absent=absent[order], order=order
    )


def relevant(rng: np.random.Generator, users: int, items: int) -> tuple[Any, Any]:
    """Draw relevant items, also none and all."""
    liked = rng.random((users, items)) < rng.choice([0, 0.1, 0.5, 1], (users, 1))
    starts = np.concatenate([[0], np.cumsum(liked.sum(axis=1))])
    return starts, np.nonzero(liked)[1].astype(np.int32)


def assert_same(found: RankedItems | None, expected: RankedItems) -> None:
    assert found is not None
    for name in RankedItems._fields:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
        assert getattr(found, name).dtype == np.int32
    assert (found.best is found.ranks) == (expected.best is expected.ranks)


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 64]), st.sampled_from([5, 40]))
@settings(max_examples=25)
def test_ranks_and_lists_are_those_of_the_processor(seed: int, step: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers, so that no product is rounded; few of them, so that many scores are equal.
    users, items = rng.integers(-2, 3, (USERS, 3)), rng.integers(-2, 3, (ITEMS, 3))
    scorer = factor_scorer(users, items, rng.random(ITEMS) < 0.2)
    ranker = ranker_of(scorer)
    product = ranker._open()
    product.step, product._pairs, ranker._product = step, 16, product
    starts, own = relevant(rng, USERS, ITEMS)
    block = slice(0, USERS)
    expected = order_by_scores(scorer(block), starts, own, k=k)
    assert_same(ranker.rank(block, starts, own, k=k), expected)
    listed = ranker.top(block, k)
    assert listed is not None
    positions = top_items(scorer(block), k)
    assert np.array_equal(listed[0], positions)
    assert np.array_equal(listed[1], np.take_along_axis(scorer(block), positions, axis=1))


def test_only_items_that_float32_hardly_tells_apart_change_places() -> None:
    rng = np.random.default_rng(3)
    users, items = rng.standard_normal((USERS, 40)), rng.standard_normal((600, 40))
    items[300:] = items[:300] * (1 + 1e-7 * rng.standard_normal((300, 1)))
    absent = rng.random(600) < 0.1
    scorer = factor_scorer(users, items, absent)
    starts = np.arange(USERS + 1) * 600
    own = np.tile(np.arange(600, dtype=np.int32), USERS)
    found = ranker_of(scorer).rank(slice(0, USERS), starts, own, k=K)
    assert found is not None
    assert np.array_equal(
        np.sort(found.ranks.reshape(USERS, 600)), np.tile(np.arange(600) + 1, (USERS, 1))
    )
    rows = items.astype(np.float32)[scorer.order].astype(np.float64)
    exact = np.where(scorer.absent, -np.inf, users.astype(np.float32).astype(np.float64) @ rows.T)
    ranked = np.take_along_axis(exact, np.argsort(found.ranks.reshape(USERS, 600)), axis=1)
    present = ranked[:, : 600 - absent.sum()]
    assert np.isneginf(ranked[:, present.shape[1] :]).all()
    rising = np.maximum.accumulate(present[:, ::-1], axis=1)[:, ::-1] - present
    assert (0 < rising.max() < 1e-5) or rising.max() == 0
    assert np.array_equal(
        np.take_along_axis(found.ranks.reshape(USERS, 600), found.top, axis=1),
        np.tile(np.arange(K) + 1, (USERS, 1)),
    )


def test_scores_that_are_the_same_for_all_users_are_ranked_as_by_the_processor() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 9, ITEMS).astype(np.float32)
    scores[[4, 7]] = -np.inf
    scorer = ConstantScorer(MemoryBudget(ITEMS, 1 << 30), scores)
    starts, own = relevant(rng, USERS, ITEMS)
    expected = order_by_scores(scorer(slice(0, USERS)), starts, own, k=K)
    assert_same(ranker_of(scorer).rank(slice(0, USERS), starts, own, k=K), expected)


def test_what_is_no_product_of_dense_rows_stays_on_the_processor() -> None:
    budget, absent = MemoryBudget(ITEMS, 1 << 30), np.zeros(ITEMS, bool)
    blend = BlendScorer(budget, (), standardize=False, absent=absent)
    assert open_ranker(blend, budget, users=USERS, engine="jax", failed=refuse) is None


def test_small_rankings_start_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "accelerator", lambda: pytest.fail("a device is started"))
    scorer = factor_scorer(np.ones((USERS, 3)), np.ones((ITEMS, 3)), np.zeros(ITEMS, bool))
    for engine in ("auto", "numba"):
        assert open_ranker(scorer, scorer.budget, users=USERS, engine=engine, failed=refuse) is None


class Short:
    """A device that has memory for the scores of a few users."""

    def __init__(self, fitting: int, reason: str = "RESOURCE_EXHAUSTED: Out of memory") -> None:
        self.fitting, self.reason = fitting, reason
        self.kernels = kernels()

    def __call__(self) -> Any:
        """Return the functions that JAX compiles, as those of the module are had."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernels, name)

    def scores(self, rows: Any, *more: Any) -> Any:
        """Score, if the memory suffices."""
        if len(rows) > self.fitting:
            raise RuntimeError(self.reason)
        return self.kernels.scores(rows, *more)


@pytest.mark.parametrize("fitting", [4, 0])
def test_a_device_short_of_memory_ranks_for_fewer_users_or_leaves_it_to_the_processor(
    fitting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, reasons = np.random.default_rng(2), list[str]()
    users, items = rng.integers(-2, 3, (USERS, 3)), rng.integers(-2, 3, (ITEMS, 3))
    scorer = factor_scorer(users, items, np.zeros(ITEMS, bool))
    starts, own = relevant(rng, USERS, ITEMS)
    ranker = ranker_of(scorer, failed=reasons.append)
    monkeypatch.setattr(on_device, "kernels", Short(fitting))
    for _ in range(2):
        found = ranker.rank(slice(0, USERS), starts, own, k=K)
        if fitting:
            assert_same(found, order_by_scores(scorer(slice(0, USERS)), starts, own, k=K))
        else:
            assert found is None
    assert len(reasons) == (not fitting)
    assert all("the processor does: RESOURCE_EXHAUSTED" in reason for reason in reasons)


@pytest.mark.parametrize("reason", ["", "INTERNAL: the driver is gone"])
def test_an_evaluation_has_the_same_figures_on_a_device_that_works_or_fails(
    reason: str, tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("-w", world.root)
    assert tartarus("train", "ridge", "text", "--dataset", "rec", *words).status == 0
    assert tartarus("predict", *words).status == 0
    expected = tartarus("evaluate", "--json", *words)
    assert tartarus("recommend", *words).status == 0
    (lists,) = (world.root / "data" / "playlists").glob("*.tsv")
    listed = lists.read_text()
    monkeypatch.setattr(on_device, "WORTH_TERMS", 0)
    monkeypatch.setattr(on_device, "accelerator", lambda: jax.local_devices()[0])
    if reason:
        monkeypatch.setattr(on_device, "kernels", Short(0, reason))
    found = tartarus("evaluate", "--json", *words)
    assert found.document["metrics"] == expected.document["metrics"]
    assert found.document["rows"] == expected.document["rows"]
    assert ("the driver is gone" in found.err) == bool(reason)
    assert tartarus("recommend", *words).status == 0
    assert [line.split("\t")[:3] for line in lists.read_text().splitlines()] == [
        line.split("\t")[:3] for line in listed.splitlines()
    ]
