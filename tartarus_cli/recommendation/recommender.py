"""A model that recommends: its scores, those of the evaluation, with the ids of users and items."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, Placeholder, RequestError, call
from tartarus_cli.evaluation.relevance import build_scorer, read_relevant_items, scored_users
from tartarus_cli.metrics.ranks import top_items
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import Predictions, model_predictions
from tartarus_cli.progress import Progress
from tartarus_cli.recommendation.id_index import IdIndex, item_index, user_index
from tartarus_cli.scoring.blocks import Floats, MemoryBudget, map_user_blocks
from tartarus_cli.scoring.on_device import Engine, open_ranker
from tartarus_cli.scoring.relevant import RelevantItems, drawn_order
from tartarus_cli.scoring.scorers import ItemScores, Scorer
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 1 << 20
"""Rows of a table in memory at a time."""

USERS_AT_ONCE = 1 << 13
"""Users whose factors or plays are in memory at a time, to see if they are unknown."""

UNKNOWN = "no train plays, or factors of zero"
"""What it means that nothing is known of a user."""

_TRAIN_POPULARITY = call("train", "popularity", Placeholder("SETTING"))

LIST_FOR_ALL = f"{_TRAIN_POPULARITY} makes a model with a list for every user"
"""What to do for users of whom nothing is known."""


@dataclass(frozen=True)
class ListOptions:
    """What a list holds."""

    top: int = 10
    """Most entries of a list."""
    min_score: float | None = None
    """Leave out what scores less; None: nothing."""
    known: bool = False
    """Mark what the user has, according to the truth."""
    distinct_scores: bool = False
    """Lower equal scores by the smallest step, so that a reader that sorts by score keeps the
    order."""
    unknown: bool = False
    """List items also for users of whom nothing is known, in the order that ties keep."""

    @property
    def lowest(self) -> np.float32:
        """The lowest score in a list; items without a prediction have minus infinity."""
        smallest = np.finfo(np.float32).min
        with np.errstate(over="ignore"):
            return smallest if self.min_score is None else max(np.float32(self.min_score), smallest)


@dataclass(frozen=True)
class TopItems:
    """The items with the highest scores for the users of a block."""

    users: slice
    items: NDArray[np.int32]
    """``(users, top)``, best first."""
    scores: Floats
    """``(users, top)``."""


@dataclass(frozen=True)
class TopUsers:
    """The users who would like an item most, best first."""

    users: NDArray[np.int64]
    """``(top,)``."""
    scores: Floats
    """``(top,)``."""


@dataclass(frozen=True)
class Recommender:
    """Scores of all test items for all users, a block at a time."""

    predictions: Predictions
    users: IdIndex
    items: IdIndex
    scorer: Scorer
    """Its scores are in the order that ties keep."""
    order: NDArray[np.int64]
    """``(items,)``: the number of each item in that order: that of an evaluation with the seed of
    the training."""
    budget: MemoryBudget
    truth: RelevantItems | None
    """None: it was not read."""
    engine: Engine = "auto"
    """What lists the items of all users."""

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.predictions.name

    @property
    def all_users(self) -> slice:
        """All users, by number."""
        return slice(0, len(self.users.ids))

    def top_items(self, users: slice, top: int) -> TopItems:
        """Return the best items of the users of one block; equal scores keep the drawn order."""
        scores = self.scorer(users)
        positions = top_items(scores, top)
        return self._in_files(users, positions, np.take_along_axis(scores, positions, axis=1))

    def _in_files(self, users: slice, positions: NDArray[np.int32], scores: Floats) -> TopItems:
        """Return items that are numbered as ties keep them by their numbers in the files."""
        return TopItems(users, self.order[positions].astype(np.int32), scores)

    def top_users(self, item: int, options: ListOptions, progress: Progress) -> TopUsers:
        """Return the users with the highest scores of an item; equal ones in the order of ids.

        Only those blocks of users are scored in whole that can hold one of them. Users of whom
        nothing is known are not among them.
        """
        count = len(self.users.ids)
        (position,) = np.flatnonzero(self.order == item)
        estimate = self.scorer.item_scores(int(position), count)
        for block in self._user_slices():
            estimate.scores[block][self.scorer.unknown(block)] = -np.inf
        top = min(options.top, count)
        # A user is a candidate whose score may reach the lowest that the best are sure to have.
        sure = np.partition(estimate.scores - estimate.margins, count - top)[count - top]
        highest = estimate.scores + estimate.margins
        candidates = np.flatnonzero((highest >= sure) & (highest >= options.lowest))
        scores = self._exact_scores(int(position), candidates, estimate, progress)
        order = np.argsort(-scores, kind="stable")[:top]
        order = order[scores[order] >= options.lowest]
        return TopUsers(candidates[order], scores[order])

    def _exact_scores(
        self, position: int, users: NDArray[np.int64], estimate: ItemScores, progress: Progress
    ) -> Floats:
        """Score the item of a position for some users, ``(users,)``, in an evaluation's blocks."""
        count = len(self.users.ids)
        scores = estimate.scores[users].astype(np.float32)
        unsure = np.flatnonzero(estimate.margins[users] > 0)
        edges = np.flatnonzero(np.diff(users[unsure] // self.budget.users)) + 1
        parts = np.split(unsure, edges)
        with defer_interrupts() as check, progress.task("scoring", len(parts)) as task:
            for part in parts if unsure.size else ():
                block = self.budget.block_of(slice(int(users[part[0]]), 0), count)
                scores[part] = self.scorer(block)[users[part] - block.start, position]
                task.advance()
                check()
        return scores

    def count_unknown(self) -> int:
        """Count the users of whom nothing is known."""
        return sum(int(self.scorer.unknown(block).sum()) for block in self._user_slices())

    def _user_slices(self) -> Iterator[slice]:
        """Cut all users into slices of :data:`USERS_AT_ONCE`."""
        count = len(self.users.ids)
        return (slice(n, min(n + USERS_AT_ONCE, count)) for n in range(0, count, USERS_AT_ONCE))

    def tables(
        self, options: ListOptions, progress: Progress, *, users: slice | None = None
    ) -> Generator[pl.DataFrame, None, None]:
        """List the best items of users in a row, or of all, a table at a time.

        Yields
        ------
        The columns ``user``, ``rank``, ``item``, ``score`` and, if asked for, ``known`` (0 or 1).
        """
        asked = users or self.all_users
        count = len(self.users.ids)  # a share of the users is ranked by what would rank all
        device = open_ranker(
            *(self.scorer, self.budget), users=count, engine=self.engine, failed=progress.warn
        )

        def top_items(users: slice) -> TopItems:
            listed = device.top(users, options.top) if device else None
            best = self._in_files(users, *listed) if listed else self.top_items(users, options.top)
            if not options.unknown:
                best.scores[self.scorer.unknown(users)] = -np.inf  # below whatever is listed
            return best

        with (
            defer_interrupts() as check,
            progress.task("ranking", asked.stop - asked.start) as task,
            map_user_blocks(self.budget, asked, top_items) as blocks,
        ):
            for block, best in blocks:
                yield from self._tables(best, options)
                task.advance(block.stop - block.start)
                check()

    def _tables(self, best: TopItems, options: ListOptions) -> Iterator[pl.DataFrame]:
        step = max(1, MOST_ROWS // max(best.items.shape[1], 1))
        for start in range(0, len(best.items), step):
            rows = slice(start, min(start + step, len(best.items)))
            users = slice(best.users.start + rows.start, best.users.start + rows.stop)
            yield self._table(TopItems(users, best.items[rows], best.scores[rows]), options)

    def _table(self, best: TopItems, options: ListOptions) -> pl.DataFrame:
        import polars as pl

        row, position = np.nonzero(best.scores >= options.lowest)
        users, items = row + best.users.start, best.items[row, position]
        scores = _distinct(best.scores) if options.distinct_scores else best.scores
        table = pl.DataFrame(
            {
                "user": self.users.column.gather(users),
                "rank": (position + 1).astype(np.int32),
                "item": self.items.column.gather(items),
                "score": scores[row, position],
            }
        )
        if options.known:
            known = self.known(best.users, users, items).astype(np.int8)
            table = table.with_columns(known=pl.Series(known))
        return table

    def known(
        self, block: slice, users: NDArray[np.int64], items: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Return which pairs of a user and an item are in the truth, ``(pairs,)``.

        Parameters
        ----------
        block
            Users in a row, among which all of ``users`` are.
        users, items
            The pairs, by number, ``(pairs,)``.
        """
        owners, owned = self.owned(block)
        count = len(self.items.ids)
        return np.isin(users * count + items, owners * count + owned)

    def owned(self, block: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return all pairs of a user of a block and an item in the truth, as two arrays."""
        starts, items = self._truth.of(block)
        return np.repeat(np.arange(block.start, block.stop), np.diff(starts)), items

    def owners(self, item: int) -> NDArray[np.int64]:
        """Return the users that have an item in the truth."""
        relevant = self._truth.relevant
        entries = np.flatnonzero(relevant.indices == item)
        return np.asarray(np.searchsorted(relevant.indptr, entries, "right") - 1)

    @property
    def _truth(self) -> RelevantItems:
        if self.truth is None:
            msg = "the truth was not read"
            raise ValueError(msg)
        return self.truth


def warn_unknown_users(recommender: Recommender, options: ListOptions, progress: Progress) -> int:
    """Count the users of whom nothing is known, and report what their lists are."""
    count, total = recommender.count_unknown(), len(recommender.users.ids)
    if count:
        lists = "their items come in one drawn order, as in the evaluation"
        lists = lists if options.unknown else f"they have no list ({LIST_FOR_ALL})"
        progress.warn(f"nothing is known of {count:,} of {total:,} users ({UNKNOWN}): {lists}")
    return count


def _distinct(scores: Floats) -> Floats:
    """Lower what equals the score before it, by the smallest step that there is.

    >>> _distinct(np.array([[2, 1, 1, 1]], np.float32))[0].tolist()
    [2.0, 1.0, 0.9999999403953552, 0.9999998807907104]
    """
    lowered = scores.copy()
    for position in range(1, scores.shape[1]):
        below = np.nextafter(lowered[:, position - 1], np.float32(-np.inf))
        lowered[:, position] = np.minimum(lowered[:, position], below)
    return lowered


def open_recommender(model: Model, *, truth: bool, memory: int, progress: Progress) -> Recommender:
    """Open what a model predicted for the test items, to recommend them.

    Parameters
    ----------
    model
        It has predicted the test items.
    truth
        Whether to read what the users have, too.
    memory
        Bytes for scores and factors; with those of an evaluation, the scores are its scores.
    progress
        Reports if users have no ids, or items no prediction.

    Raises
    ------
    RequestError
        If it recommends nothing.
    DataError
        If it has not predicted, or a file is missing, damaged or out of step.
    """
    if model.manifest.task != "recommendation":
        msg = f"{model.name} classifies ({model.manifest.experiment}): it has no users to rank for"
        export = call("export", model.name, what="predictions", path="scores.csv")
        raise RequestError(msg, hint=f"Its class scores by item: {export}")
    dataset, predictions = model.dataset, model_predictions(model)
    count = scored_users(predictions)
    if not count:
        hint = f"See what it needs: {call('check', dataset.name)}"
        msg = f"{dataset.name} has no users: its factors or plays have no rows for any"
        raise DataError(msg, hint=hint)
    budget = MemoryBudget(len(predictions.absent), memory)
    _warn_of_gaps(predictions, progress)
    order = drawn_order(dataset.ids("test"), model.manifest.seed)
    return Recommender(
        predictions=predictions,
        users=user_index(dataset, count, progress),
        items=item_index(dataset),
        scorer=build_scorer(predictions, count, budget, order),
        order=order,
        budget=budget,
        truth=read_relevant_items(predictions, count, np.arange(len(order))) if truth else None,
    )


def _warn_of_gaps(predictions: Predictions, progress: Progress) -> None:
    absent, name = int(predictions.absent.sum()), predictions.name
    if absent:
        total, dataset = len(predictions.absent), predictions.dataset.name
        gaps = f"{absent:,} of the {total:,} test items of {dataset} have no prediction by {name}"
        remedy = f"{call('predict', name)} if they are new since it predicted"
        progress.warn(f"{gaps}: no list has them ({remedy})")
