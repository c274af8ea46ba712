"""A model that recommends: its scores, those of the evaluation, with the ids of users and items."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.ids import read_ids, suggest_ids
from tartarus_cli.errors import FileError, RequestError, call, count_noun, display_path
from tartarus_cli.evaluation.relevance import RelevantItems, build_scorer, read_relevant_items
from tartarus_cli.evaluation.scorers import Floats, MemoryBudget, Scorer, map_user_blocks
from tartarus_cli.file_names import Kind
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.ranks import top_items
from tartarus_cli.models.store import Store
from tartarus_cli.prediction.aligned import Predictions, model_predictions
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 1 << 20  # of a table, at a time
USERS_AT_ONCE = 1 << 13  # that are looked at

UNKNOWN = "no train plays, or factors of zero"
FOR_ALL = "'tartarus train popularity SETTING' makes a model with a list for everybody"

Unit = Literal["user", "item"]


@dataclass(frozen=True)
class IdIndex:
    """Ids of users or items, in the order of their rows."""

    unit: Unit
    dataset: str
    ids: list[str]
    path: Path | None  # None: there is no list of ids, and these are numbers counted from 0
    old: Mapping[str, Path] = field(default_factory=dict)  # set → list of items that are not new

    def number(self, wanted: str) -> int:
        """Return the row of an id.

        Raises
        ------
        RequestError
            If there is none: the item is not new, or the hint names those that come nearest.
        """
        try:
            return self.ids.index(wanted)
        except ValueError:
            which = "test item" if self.unit == "item" else "user"
            msg = f"{self.dataset} has no {which} {wanted!r}"
        for split, path in self.old.items():
            if wanted in read_ids(path):
                hint = f"Name a test item, one of those in {display_path(self.path or path)}."
                msg += f": it is a {split} item, and a model ranks new ones"
                raise RequestError(msg, hint=hint)
        raise RequestError(msg, hint=self._hint(wanted))

    def _hint(self, wanted: str) -> str:
        if self.path is None:
            last = f"{len(self.ids) - 1:,}".replace(",", "")
            return f"Its users have no list of ids: name one by its number, from 0 to {last}."
        return suggest_ids(wanted, self.ids)

    @cached_property
    def column(self) -> pl.Series:
        """The ids, to take many from."""
        import polars as pl

        return pl.Series(self.unit, self.ids, dtype=pl.String)


@dataclass(frozen=True)
class ListOptions:
    """What a list holds."""

    top: int = 10
    min_score: float | None = None  # leave out what scores less
    known: bool = False  # tell what the truth says that the user has
    apart: bool = False  # lower equal scores by the smallest step, so that all keep their order
    unknown: bool = False  # list items also for users of whom nothing is known, as they come

    @property
    def least(self) -> np.float32:
        """The lowest score in a list; items without a prediction have minus infinity."""
        lowest = np.finfo(np.float32).min
        with np.errstate(over="ignore"):
            return lowest if self.min_score is None else max(np.float32(self.min_score), lowest)


@dataclass(frozen=True)
class TopItems:
    """The items that stand first for the users of a block."""

    users: slice
    items: NDArray[np.int32]  # (users, top)
    scores: Floats  # (users, top)


@dataclass(frozen=True)
class TopUsers:
    """The users who would like an item most, best first."""

    users: NDArray[np.int64]
    scores: Floats


@dataclass(frozen=True)
class Recommender:
    """Scores of all test items for all users, a block at a time."""

    predictions: Predictions
    users: IdIndex
    items: IdIndex
    scorer: Scorer
    room: MemoryBudget
    truth: RelevantItems | None

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.predictions.name

    @property
    def everybody(self) -> slice:
        """All users."""
        return slice(0, len(self.users.ids))

    def first(self, users: slice, top: int) -> TopItems:
        """Return the first items of some users of one block; equal scores keep the order of ids."""
        scores = self.scorer(users)
        items = top_items(scores, top)
        return TopItems(users, items, np.take_along_axis(scores, items, axis=1))

    def likely(self, item: int, options: ListOptions, progress: Progress) -> TopUsers:
        """Return the users with the highest scores of an item; equal ones in the order of ids.

        Only those blocks of users are scored in whole that can hold one of them. Users of whom
        nothing is known are not among them.
        """
        count = len(self.users.ids)
        about = self.scorer.about(item, count)
        for block in self._runs():
            about.scores[block][self.scorer.unknown(block)] = -np.inf
        top = min(options.top, count)
        surely = np.partition(about.scores - about.margins, count - top)[count - top]
        highest = about.scores + about.margins
        chosen = np.flatnonzero((highest >= surely) & (highest >= options.least))
        scores = about.scores[chosen].astype(np.float32)
        unsure = np.flatnonzero(about.margins[chosen] > 0)
        blocks = np.split(unsure, np.flatnonzero(np.diff(chosen[unsure] // self.room.users)) + 1)
        with defer_interrupts() as check, progress.task("scoring", len(blocks)) as task:
            for some in blocks if unsure.size else ():
                block = self.room.whole(slice(int(chosen[some[0]]), 0), count)
                scores[some] = self.scorer(block)[chosen[some] - block.start, item]
                task.advance()
                check()
        order = np.argsort(-scores, kind="stable")[:top]
        order = order[scores[order] >= options.least]
        return TopUsers(chosen[order], scores[order])

    def unknown(self) -> int:
        """Count the users of whom nothing is known."""
        return sum(int(self.scorer.unknown(block).sum()) for block in self._runs())

    def _runs(self) -> Iterator[slice]:
        """Cut all users into slices of a few, to look at each."""
        count = len(self.users.ids)
        return (slice(n, min(n + USERS_AT_ONCE, count)) for n in range(0, count, USERS_AT_ONCE))

    def tables(
        self, options: ListOptions, progress: Progress
    ) -> Generator[pl.DataFrame, None, None]:
        """List the first items of all users: user, rank, item, score, and known if asked for."""

        def first(users: slice) -> TopItems:
            found = self.first(users, options.top)
            if not options.unknown:
                found.scores[self.scorer.unknown(users)] = -np.inf  # below whatever is listed
            return found

        total = len(self.users.ids)
        with (
            defer_interrupts() as check,
            progress.task("ranking", total) as task,
            map_user_blocks(self.room, self.everybody, first) as blocks,
        ):
            for users, found in blocks:
                yield from self._tables(found, options)
                task.advance(users.stop - users.start)
                check()

    def _tables(self, found: TopItems, options: ListOptions) -> Iterator[pl.DataFrame]:
        step = max(1, MOST_ROWS // max(found.items.shape[1], 1))
        for start in range(0, len(found.items), step):
            some = slice(start, min(start + step, len(found.items)))
            users = slice(found.users.start + some.start, found.users.start + some.stop)
            yield self._table(TopItems(users, found.items[some], found.scores[some]), options)

    def _table(self, found: TopItems, options: ListOptions) -> pl.DataFrame:
        import polars as pl

        row, place = np.nonzero(found.scores >= options.least)
        users, items = row + found.users.start, found.items[row, place]
        scores = _apart(found.scores) if options.apart else found.scores
        table = pl.DataFrame(
            {
                "user": self.users.column.gather(users),
                "rank": (place + 1).astype(np.int32),
                "item": self.items.column.gather(items),
                "score": scores[row, place],
            }
        )
        if options.known:
            known = self.known(found.users, users, items).astype(np.int8)
            table = table.with_columns(known=pl.Series(known))
        return table

    def known(
        self, block: slice, users: NDArray[np.int64], items: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Tell which pairs of a user, of some block, and an item the truth has."""
        owners, owned = self.owned(block)
        count = len(self.items.ids)
        return np.isin(users * count + items, owners * count + owned)

    def owned(self, block: slice) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return all pairs of a user, of some block, and an item in the truth."""
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
    """Count the users of whom nothing is known, and tell what becomes of them."""
    count, total = recommender.unknown(), len(recommender.users.ids)
    if count:
        lists = "their items come in the order of the ids, as in the evaluation"
        lists = lists if options.unknown else f"they have no list ({FOR_ALL})"
        progress.warn(f"nothing is known of {count:,} of {total:,} users ({UNKNOWN}): {lists}")
    return count


def _apart(scores: Floats) -> Floats:
    """Lower what equals the score before it, by the smallest step that there is.

    >>> _apart(np.array([[2, 1, 1, 1]], np.float32))[0].tolist()
    [2.0, 1.0, 0.9999999403953552, 0.9999998807907104]
    """
    lowered = scores.copy()
    for place in range(1, scores.shape[1]):
        below = np.nextafter(lowered[:, place - 1], np.float32(-np.inf))
        lowered[:, place] = np.minimum(lowered[:, place], below)
    return lowered


def open_recommender(
    workspace: WorkspacePaths, name: str | None, *, truth: bool, memory: int, progress: Progress
) -> Recommender:
    """Open what a model predicted for the test items, to recommend them.

    Parameters
    ----------
    workspace
        Where the model and its data are.
    name
        The model; the newest if None.
    truth
        Whether to read what the users have, too.
    memory
        Bytes for scores and factors; where equal to that of an evaluation, so are the scores.
    progress
        Told whether users have no ids, or items no prediction.

    Raises
    ------
    RequestError
        If there is no such model, or it recommends nothing.
    DataError
        If it has not predicted, or a file is missing, damaged or out of step.
    """
    model = Store(workspace).get(name)
    if model.manifest.task != "recommendation":
        msg = f"{model.name} classifies ({model.manifest.experiment}): it has no users to rank for"
        export = call("export", model.name, what="predictions", path="scores.csv")
        raise RequestError(msg, hint=f"Its class scores by item: {export}")
    dataset, predictions = model.dataset, model_predictions(model)
    factors = dataset.user_factors(predictions.targets.kind, predictions.targets.dim)
    count = factors.shape[0]
    if not count:
        hint = f"See what it needs: {call('check', dataset.name)}"
        raise FileError(factors.path, found="no rows", expected="one for each user", hint=hint)
    room = MemoryBudget(len(predictions.absent), memory)
    _tell_of_gaps(predictions, progress)
    return Recommender(
        predictions=predictions,
        users=_users(dataset, count, progress),
        items=_items(dataset),
        scorer=build_scorer(predictions, factors, room),
        room=room,
        truth=read_relevant_items(predictions, count) if truth else None,
    )


def _tell_of_gaps(predictions: Predictions, progress: Progress) -> None:
    absent, name = int(predictions.absent.sum()), predictions.name
    if absent:
        total, dataset = len(predictions.absent), predictions.dataset.name
        lack = f"{absent:,} of the {total:,} test items of {dataset} have no prediction by {name}"
        remedy = f"{call('predict', name)} if they are new since it predicted"
        progress.warn(f"{lack}: no list has them ({remedy})")


def _items(dataset: Dataset) -> IdIndex:
    paths = {file.split: file.path for file in dataset.select(Kind.ITEMS)}
    path = dataset.require(Kind.ITEMS, split="test").path
    old = {split: path for split, path in paths.items() if split != "test"}
    return IdIndex("item", dataset.name, dataset.ids("test"), path, old)


def _users(dataset: Dataset, count: int, progress: Progress) -> IdIndex:
    file = dataset.find(Kind.USERS)
    if file is None:
        path = dataset.workspace.within(dataset.path(Kind.USERS))
        lack = f"{dataset.name} has no ids of users: they are numbered from 0"
        progress.say(f"{lack} (a list could stand in {path}, one id a line)")
        return IdIndex("user", dataset.name, [*map(str, range(count))], None)
    ids = dataset.user_ids or []
    if len(ids) != count:
        raise FileError(
            file.path,
            found=count_noun(len(ids), "id"),
            expected=f"{count:,}, one for each row of the users' factors",
            hint="Correct the list, or move it away: users are then numbered from 0.",
        )
    return IdIndex("user", dataset.name, ids, file.path)
