"""Recommend: the new items that a user would like, or the users who would like a new item."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.tables.writing import open_table_writer
from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.recommendation.recommender import (
    FOR_ALL,
    UNKNOWN,
    ListOptions,
    Recommender,
    Unit,
    open_recommender,
    warn_unknown_users,
)


@dataclass(frozen=True)
class RecommendRequest:
    """Whom, or what, to recommend for; all users if neither is named."""

    user: str | None = None
    item: str | None = None


@dataclass(frozen=True)
class Entry:
    """One line of a list."""

    id: str
    score: np.float32
    known: bool | None  # whether the truth has it; None: that was not asked


@dataclass(frozen=True)
class Playlist:
    """The best items of a user, or the best users of an item, best first."""

    model: str
    dataset: str
    of: Unit
    id: str
    candidates: int  # users or items that there are to choose from
    options: ListOptions
    entries: tuple[Entry, ...]
    unknown: bool = False  # nothing is known of the user, and there is no list

    @property
    def listed(self) -> Unit:
        """What is in the list."""
        return "item" if self.of == "user" else "user"


@dataclass(frozen=True)
class Playlists:
    """The best items of all users, in a file."""

    model: str
    dataset: str
    users: int
    items: int
    options: ListOptions
    lines: int
    path: Path
    unknown: int = 0  # users of whom nothing is known, and who have no list


def recommend(
    workspace: WorkspacePaths,
    name: str | None,
    wish: RecommendRequest,
    options: ListOptions,
    *,
    memory: int = MEMORY,
    progress: Progress = UNWATCHED,
) -> Playlist | Playlists:
    """Rank the test items for a user, the users for a test item, or the items for all users.

    Scores and their order are those of the evaluation; items without a prediction are in no list.
    Users of whom nothing is known (no train plays, factors of zero) have none, and are told of: all
    items score the same for them, and the order of the ids is no recommendation.

    Parameters
    ----------
    workspace
        Where the model and its data are.
    name
        The model, which has predicted the test items; the newest if None.
    wish
        A user or an item, by id, or nothing: then the lists of all users are written to a file.
    options
        How long the lists are, and what is in them.
    memory
        Bytes for scores and factors.
    progress
        Told of each block of users.

    Raises
    ------
    RequestError
        If there is no such model, user or item, or the model recommends nothing.
    DataError
        If the model has not predicted, or a file is missing, damaged or out of step.
    """
    if wish.user is not None and wish.item is not None:
        msg = "--user and --item exclude each other"
        raise RequestError(msg, hint="Ask for the items of a user, or for the users of an item.")
    if options.min_score is not None and not isfinite(options.min_score):
        msg = f"--min-score {options.min_score}: not a number to compare scores with"
        raise RequestError(msg, hint="For example --min-score 0.5, or leave it out.")
    recommender = open_recommender(
        workspace, name, truth=options.known, memory=memory, progress=progress
    )
    if wish.user is not None:
        return _items_for(recommender, wish.user, options, progress)
    if wish.item is not None:
        return _users_for(recommender, wish.item, options, progress)
    return _for_all(workspace, recommender, options, progress)


def _items_for(
    recommender: Recommender, user: str, options: ListOptions, progress: Progress
) -> Playlist:
    number = recommender.users.number(user)
    block = slice(number, number + 1)
    if recommender.scorer.unknown(block)[0]:
        progress.warn(
            f"nothing is known of user {user!r} ({UNKNOWN}), so there is no list: {FOR_ALL}"
        )
        return _playlist(recommender, "user", user, options, (), unknown=True)
    found = recommender.first(block, options.top)
    chosen = found.scores[0] >= options.least
    items, scores = found.items[0, chosen], found.scores[0, chosen]
    known = None
    if options.known:
        known = recommender.known(block, np.full(len(items), number), items)
    entries = _entries(recommender.items.ids, items, scores, known)
    return _playlist(recommender, "user", user, options, entries)


def _users_for(
    recommender: Recommender, item: str, options: ListOptions, progress: Progress
) -> Playlist:
    number, model = recommender.items.number(item), recommender.model
    if recommender.predictions.absent[number]:
        msg = f"{model} has no prediction for {item!r}"
        raise DataError(msg, hint=f"Give the item features, and run 'tartarus predict {model}'.")
    found = recommender.likely(number, options, progress)
    known = None
    if options.known:
        known = np.isin(found.users, recommender.owners(number))
    entries = _entries(recommender.users.ids, found.users, found.scores, known)
    return _playlist(recommender, "item", item, options, entries)


def _entries(
    ids: Sequence[str],
    numbers: NDArray[np.integer],
    scores: NDArray[np.float32],
    known: NDArray[np.bool_] | None,
) -> tuple[Entry, ...]:
    marks = [None] * len(numbers) if known is None else known.tolist()
    rows = zip(numbers.tolist(), scores, marks, strict=True)
    return tuple(Entry(ids[number], score, mark) for number, score, mark in rows)


def _playlist(
    recommender: Recommender,
    of: Unit,
    whose: str,
    options: ListOptions,
    entries: tuple[Entry, ...],
    *,
    unknown: bool = False,
) -> Playlist:
    predicted = int((~recommender.predictions.absent).sum())
    return Playlist(
        model=recommender.model,
        dataset=recommender.predictions.dataset.name,
        of=of,
        id=whose,
        candidates=predicted if of == "user" else len(recommender.users.ids),
        options=options,
        entries=entries,
        unknown=unknown,
    )


def _for_all(
    workspace: WorkspacePaths, recommender: Recommender, options: ListOptions, progress: Progress
) -> Playlists:
    asked = options.top, options.min_score
    path = workspace.recommendations(recommender.model, *asked, known=options.known)
    unknown, lines = warn_unknown_users(recommender, options, progress), 0
    with (
        open_table_writer(path, "tsv") as put,
        closing(recommender.tables(options, progress)) as all_,
    ):
        for table in all_:
            put(table)
            lines += len(table)
    if not lines and options.min_score is not None:
        progress.warn(f"no test item scores {options.min_score:g} or more for anybody")
    return Playlists(
        model=recommender.model,
        dataset=recommender.predictions.dataset.name,
        users=len(recommender.users.ids),
        items=int((~recommender.predictions.absent).sum()),
        options=options,
        lines=lines,
        path=path,
        unknown=unknown,
    )
