"""Ranks and first items as they are counted, against a stable sort; and random orders.

Items are compared in stretches of 4096; from 257 relevant items of a user on they are searched
among, and from 513 first items on whole rows are sorted.
"""

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import chisquare

from tartarus_cli.metrics.counting import SEARCH_FROM, SORT_FROM, _rank_by_counting, _rank_by_search
from tartarus_cli.metrics.ranks import (
    random_ranks,
    relevant_ranks,
    top_items,
)
from tests.evaluation.test_ranking import Case


@dataclass(frozen=True)
class Large:
    """So many users, items and relevant items, and how the scores of the items are."""

    users: int
    items: int
    relevant: float  # their share
    values: int  # that scores may have; 0: any
    unpredicted: float  # share of the scores that are minus infinity
    dtype: type[np.floating[Any]]
    seed: int

    @property
    def case(self) -> Case:
        """Scores, and who has what."""
        rng = np.random.default_rng(self.seed)
        shape = (self.users, self.items)
        any_value = rng.standard_normal(shape)
        few = rng.integers(0, max(self.values, 1), shape) - self.values / 2
        scores = few if self.values else any_value
        scores[rng.random(shape) < self.unpredicted] = -inf
        return Case(scores.astype(self.dtype), rng.random(shape) < self.relevant)


larges = st.builds(
    Large,
    users=st.integers(1, 40),
    items=st.sampled_from([1, 2, 63, 64, 65, 257, 513, 700, 1500]),
    relevant=st.sampled_from([0, 0.01, 0.4, 0.9, 1]),
    values=st.sampled_from([0, 1, 2, 9, 300]),
    unpredicted=st.sampled_from([0, 0.3, 1]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1 << 30),
)
STRETCHES = [
    Large(2, items, relevant, values, 0.1, np.float32, 1)
    for items in (4095, 4096, 4097, 9000)
    for relevant in (0.005, 0.3)
    for values in (0, 5)
]


def stable_order(case: Case) -> NDArray[np.int64]:
    """Items of each user from rank 1 on, ``(users, items)``."""
    return np.argsort(-case.scores, axis=1, kind="stable")


def assert_ranks_are_those_of_a_stable_sort(case: Case) -> None:
    ranked = np.take_along_axis(case.owned, stable_order(case), axis=1)
    ranks = relevant_ranks(case.scores, csr_array(case.owned))
    assert np.array_equal(ranks.ranks, np.nonzero(ranked)[1] + 1)
    for user, owned in enumerate(case.owned):
        own = slice(*ranks.starts[user : user + 2])
        falling, scores = np.sort(-case.scores[user]), -np.sort(-case.scores[user][owned])
        assert np.array_equal(ranks.best[own], np.searchsorted(falling, -scores) + 1)
        assert np.array_equal(ranks.worst[own], np.searchsorted(falling, -scores, "right"))
    assert np.array_equal(ranks.relevant, case.owned.sum(axis=1))


@given(large=larges)
@settings(max_examples=60)
def test_ranks_of_many_items_are_those_of_a_stable_sort(large: Large) -> None:
    assert_ranks_are_those_of_a_stable_sort(large.case)


@pytest.mark.parametrize("large", STRETCHES, ids=str)
def test_ranks_are_the_same_where_one_stretch_of_items_ends(large: Large) -> None:
    assert_ranks_are_those_of_a_stable_sort(large.case)


@given(large=larges, k=st.sampled_from([1, 2, 64, 500, 512, 513, 699, 1500, 2000]))
@settings(max_examples=60)
def test_first_items_of_many_are_the_heads_of_stable_sorts(large: Large, k: int) -> None:
    case = large.case
    first = top_items(case.scores, k)
    assert first.shape == (large.users, min(k, large.items))
    assert np.array_equal(first, stable_order(case)[:, :k])


@pytest.mark.parametrize("relevant", [SEARCH_FROM, SEARCH_FROM + 1])
@pytest.mark.parametrize("k", [SORT_FROM, SORT_FROM + 1])
def test_no_way_of_counting_makes_a_difference(relevant: int, k: int) -> None:
    rng = np.random.default_rng(relevant + k)
    shape = (3, SEARCH_FROM + 600)
    case = Case(rng.integers(0, 50, shape).astype(np.float32), np.zeros(shape, np.bool_))
    case.owned[:, rng.permutation(shape[1])[:relevant]] = True
    assert_ranks_are_those_of_a_stable_sort(case)
    assert np.array_equal(top_items(case.scores, k), stable_order(case)[:, :k])


@given(large=larges)
@settings(max_examples=60)
def test_searching_among_relevant_items_counts_what_comparing_with_each_does(large: Large) -> None:
    for scores, owned in zip(large.case.scores, large.case.owned, strict=True):
        items = np.flatnonzero(owned)
        compared, searched = np.empty((2, 3, len(items)), np.int32)
        _rank_by_counting(scores, items, compared)
        _rank_by_search(scores, items, searched)
        assert np.array_equal(compared, searched)


# Random orders.

Order = tuple[NDArray[np.int32], NDArray[np.int32]]


@dataclass(frozen=True)
class Drawn:
    """Which items each user has, and what a random order is asked for."""

    owned: NDArray[np.bool_]
    k: int
    seed: int = 0

    def order(self, users: slice | None = None, k: int | None = None) -> Order:
        """Return the ranks and the first items of some users."""
        users = users or slice(0, len(self.owned))
        owned = self.owned[users]
        starts = np.concatenate([[0], np.cumsum(owned.sum(axis=1))])
        items = np.nonzero(owned)[1].astype(np.int32)
        cut, count = self.k if k is None else k, owned.shape[1]
        ranked = random_ranks(self.seed, users, starts, items, count=count, k=cut)
        return ranked.ranks, ranked.top


def drawn(users: int, items: int, relevant: float, k: int, seed: int = 0) -> Drawn:
    return Drawn(np.random.default_rng(seed).random((users, items)) < relevant, k, seed)


@given(
    users=st.integers(1, 30),
    items=st.integers(1, 40),
    relevant=st.sampled_from([0, 0.1, 0.5, 1]),
    k=st.integers(0, 50),
    seed=st.integers(0, 1 << 60),
)
@settings(max_examples=60)
def test_a_random_order_gives_every_item_one_rank(
    users: int, items: int, relevant: float, k: int, seed: int
) -> None:
    case = drawn(users, items, relevant, k, seed)
    ranks, first = case.order()
    assert first.shape == (users, min(k, items))
    ends = np.cumsum(case.owned.sum(axis=1))
    for user, user_ranks in enumerate(np.split(ranks, ends[:-1])):
        assert len({*user_ranks.tolist()}) == len(user_ranks)
        assert all(1 <= rank <= items for rank in user_ranks)
        head = first[user].tolist()
        assert len({*head}) == len(head)
        rank_of = dict(
            zip(np.flatnonzero(case.owned[user]).tolist(), user_ranks.tolist(), strict=True)
        )
        placed = {item: rank for rank, item in enumerate(head, 1) if item in rank_of}
        assert placed == {item: rank for item, rank in rank_of.items() if rank <= len(head)}


def test_a_random_order_of_one_user_depends_on_no_other() -> None:
    case = drawn(40, 30, 0.3, 5)
    whole_ranks, whole_first = case.order()
    pieces = [case.order(slice(*ends)) for ends in ((0, 1), (1, 17), (17, 40))]
    assert np.array_equal(np.concatenate([ranks for ranks, _ in pieces]), whole_ranks)
    assert np.array_equal(np.concatenate([first for _, first in pieces]), whole_first)


def test_a_random_order_does_not_depend_on_how_much_of_it_is_looked_at() -> None:
    case = drawn(40, 30, 0.3, 30)
    ranks, first = case.order()
    for k in (0, 1, 7, 29):
        less_ranks, less_first = case.order(k=k)
        assert np.array_equal(less_ranks, ranks)
        assert np.array_equal(less_first, first[:, :k])


def test_random_orders_differ_between_seeds_and_users_and_repeat() -> None:
    cases = [drawn(2, 50, 1, 50) for _ in range(2)]
    (_, one), (_, same) = (case.order() for case in cases)
    (_, other) = Drawn(cases[0].owned, 50, seed=1).order()
    assert np.array_equal(one, same)
    orders = {tuple(row.tolist()) for row in (*one, *other)}
    assert len(orders) == 4  # the next seed's first user is not this one's second


@pytest.mark.parametrize("relevant", [(), (0,), (1, 3), (0, 1, 2, 3)])
def test_every_random_order_is_as_likely_as_any_other(relevant: tuple[int, ...]) -> None:
    owned = np.zeros((24_000, 4), np.bool_)
    owned[:, list(relevant)] = True
    _, first = Drawn(owned, 4, seed=5).order()
    counts = Counter(map(tuple, first.tolist()))
    assert len(counts) == 24
    assert chisquare([*counts.values()]).pvalue > 0.001


def test_every_random_rank_is_as_likely_as_any_other() -> None:
    owned = np.zeros((20_000, 50), np.bool_)
    owned[:, 7::20] = True
    ranks, _ = Drawn(owned, 1, seed=6).order()
    counts = np.bincount(ranks, minlength=51)[1:]
    assert chisquare(counts).pvalue > 0.001
