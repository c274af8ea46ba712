"""Recommend: the new items that a user would like, or the users who would like a new item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, RequestError, call, parameter
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.html_table import html_table
from tartarus_cli.models.store import Model
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.recommendation.id_index import Unit
from tartarus_cli.recommendation.list_shares import lists_on_cluster, write_lists
from tartarus_cli.recommendation.recommender import (
    LIST_FOR_ALL,
    UNKNOWN,
    ListOptions,
    Recommender,
    open_recommender,
    warn_unknown_users,
)

if TYPE_CHECKING:
    import polars as pl

PREVIEW_LINES = 10
"""Lines of a file of lists that a notebook shows."""


@dataclass(frozen=True)
class RecommendRequest:
    """The user, or the item, to recommend for; all users if neither is named."""

    user: str | None = None
    """Id of a user: their best test items."""
    item: str | None = None
    """Id of a test item: the users who would like it most."""


@dataclass(frozen=True)
class Recommendation:
    """One line of a list."""

    id: str
    """Of the item or user that is recommended."""
    score: np.float32
    known: bool | None
    """Whether the user has the item, according to the truth; None if the truth was not read."""


@dataclass(frozen=True)
class RecommendationList:
    """The best items of a user, or the best users of an item, best first."""

    model: str
    dataset: str
    of: Unit
    """What the list is for."""
    id: str
    """Of the user or item that the list is for."""
    candidates: int
    """Number of items, or users, to choose from."""
    options: ListOptions
    entries: tuple[Recommendation, ...]
    unknown: bool = False
    """Nothing is known of the user, and the list is empty."""

    @property
    def name(self) -> str:
        """What the list is for: ``user 7`` or ``item 7``."""
        return f"{self.of} {self.id}"

    @property
    def listed(self) -> Unit:
        """What is in the list."""
        return "item" if self.of == "user" else "user"

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; ``known`` only if the truth was read."""
        entries = [
            {"rank": rank, self.listed: entry.id, "score": float(entry.score)}
            | ({} if entry.known is None else {"known": entry.known})
            for rank, entry in enumerate(self.entries, 1)
        ]
        document: dict[str, Any] = {"model": self.model, "dataset": self.dataset, self.of: self.id}
        document |= {"unknown": self.unknown} if self.of == "user" else {}
        return document | _cuts(self.options) | {f"{self.listed}s": entries}

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each entry, best first.

        Returns
        -------
        The columns ``user``, ``rank``, ``item``, ``score`` and, if the truth was read, ``known``.
        """
        import polars as pl

        columns = {self.of: [self.id] * len(self.entries)}
        columns[self.listed] = [entry.id for entry in self.entries]
        frame = pl.DataFrame(
            {
                "user": pl.Series(columns["user"], dtype=pl.String),
                "rank": pl.Series(range(1, len(self.entries) + 1), dtype=pl.Int32),
                "item": pl.Series(columns["item"], dtype=pl.String),
                "score": pl.Series([entry.score for entry in self.entries], dtype=pl.Float32),
            }
        )
        if not self.options.known:
            return frame
        known = pl.Series([entry.known for entry in self.entries], dtype=pl.Boolean)
        return frame.with_columns(known=known)

    def _repr_html_(self) -> str:
        return html_table(
            f"{self.model} · {self.dataset} · {self.listed}s for {self.name}",
            ["rank", self.listed, "score", *(["known"] if self.options.known else [])],
            (
                [rank, entry.id, float(entry.score), *_marks(entry)]
                for rank, entry in enumerate(self.entries, 1)
            ),
        )


@dataclass(frozen=True)
class RecommendationFile:
    """The best items of all users, in a file."""

    model: str
    dataset: str
    users: int
    items: int
    """Number of test items that have a prediction."""
    options: ListOptions
    lines: int
    """Number of lines of the file, without its heading."""
    path: Path
    """A table: ``user``, ``rank``, ``item``, ``score`` and, if asked for, ``known``."""
    file: str
    """The same path, relative to the root of the workspace."""
    unknown: int = 0
    """Number of users of whom nothing is known, and who have no list."""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        counts = {"users": self.users, "unknown_users": self.unknown}
        counts |= {"items": self.items, "lines": self.lines}
        document = {"model": self.model, "dataset": self.dataset} | _cuts(self.options)
        return document | counts | {"file": self.file}

    def to_frame(self) -> pl.DataFrame:
        """Read the file: one row for each user and item, as in the file.

        Returns
        -------
        The columns ``user``, ``rank``, ``item``, ``score`` and, if asked for, ``known``.
        """
        return self._read(None)

    def _read(self, lines: int | None) -> pl.DataFrame:
        import polars as pl

        types: dict[str, type[pl.DataType]] = {"user": pl.String, "rank": pl.Int32}
        types |= {"item": pl.String, "score": pl.Float32}
        if self.options.known:
            types["known"] = pl.Int8
        frame = pl.read_csv(
            self.path,
            separator="\t",
            quote_char=None,
            schema=types,
            n_rows=lines,
        )
        return frame.with_columns(pl.col("known") == 1) if self.options.known else frame

    def _repr_html_(self) -> str:
        frame = self._read(PREVIEW_LINES)
        first = f", the first {PREVIEW_LINES} of {self.lines:,} lines"
        return html_table(
            f"{self.name}{first if self.lines > PREVIEW_LINES else ''}",
            frame.columns,
            frame.iter_rows(),
        )


def _cuts(options: ListOptions) -> dict[str, Any]:
    return {"top": options.top, "min_score": options.min_score}


def _marks(entry: Recommendation) -> list[bool]:
    return [] if entry.known is None else [entry.known]


def recommend(
    model: Model,
    request: RecommendRequest,
    options: ListOptions,
    *,
    memory: int = MEMORY,
    cluster: str | None = None,
    progress: Progress = UNWATCHED,
) -> RecommendationList | RecommendationFile:
    """Rank the test items for a user, the users for a test item, or the items for all users.

    Scores and their order are those of the evaluation; items without a prediction are in no list.
    Users of whom nothing is known (no train plays, factors of zero) have no list, and are reported:
    all items score the same for them, and a drawn order is no recommendation.

    Parameters
    ----------
    model
        It has predicted the test items.
    request
        A user or an item, by id, or nothing: then the lists of all users are written to a file.
    options
        How long the lists are, and what is in them.
    memory
        Bytes for scores and factors.
    cluster
        Who makes the lists of all users, as ``run_tasks`` takes it; None: this process.
    progress
        Reports each block of users, and users of whom nothing is known.

    Raises
    ------
    RequestError
        If there is no such user or item, or the model recommends nothing.
    DataError
        If the model has not predicted, or a file is missing, damaged or out of step.
    """
    _check_request(request, options)
    if cluster is not None and (request.user is not None or request.item is not None):
        msg = f"{parameter('cluster')} shares out the lists of all users, and this is a single one"
        raise RequestError(msg, hint="Leave it out.")
    recommender = open_recommender(model, truth=options.known, memory=memory, progress=progress)
    if request.user is not None:
        return _items_for(recommender, request.user, options, progress)
    if request.item is not None:
        return _users_for(recommender, request.item, options, progress)
    return _for_all(model, recommender, options, cluster, progress)


def _check_request(request: RecommendRequest, options: ListOptions) -> None:
    if request.user is not None and request.item is not None:
        msg = f"{parameter('user')} and {parameter('item')} exclude each other"
        raise RequestError(msg, hint="Ask for the items of a user, or for the users of an item.")
    if options.min_score is not None and not isfinite(options.min_score):
        msg = f"{parameter('min_score')} {options.min_score}: not a number to compare scores with"
        hint = f"For example {parameter('min_score', 0.5)}, or leave it out."
        raise RequestError(msg, hint=hint)


def _items_for(
    recommender: Recommender, user: str, options: ListOptions, progress: Progress
) -> RecommendationList:
    number = recommender.users.number(user)
    block = slice(number, number + 1)
    if recommender.scorer.unknown(block)[0]:
        progress.warn(
            f"nothing is known of user {user!r} ({UNKNOWN}), so there is no list: {LIST_FOR_ALL}"
        )
        return _list(recommender, "user", user, options, (), unknown=True)
    best = recommender.top_items(block, options.top)
    listed = best.scores[0] >= options.lowest
    items, scores = best.items[0, listed], best.scores[0, listed]
    known = None
    if options.known:
        known = recommender.known(block, np.full(len(items), number), items)
    entries = _entries(recommender.items.ids, items, scores, known)
    return _list(recommender, "user", user, options, entries)


def _users_for(
    recommender: Recommender, item: str, options: ListOptions, progress: Progress
) -> RecommendationList:
    number, model = recommender.items.number(item), recommender.model
    if recommender.predictions.absent[number]:
        msg = f"{model} has no prediction for {item!r}"
        hint = f"Add features of the item, and predict again: {call('predict', model)}"
        raise DataError(msg, hint=hint)
    best = recommender.top_users(number, options, progress)
    known = None
    if options.known:
        known = np.isin(best.users, recommender.owners(number))
    entries = _entries(recommender.users.ids, best.users, best.scores, known)
    return _list(recommender, "item", item, options, entries)


def _entries(
    ids: Sequence[str],
    numbers: NDArray[np.integer],
    scores: NDArray[np.float32],
    known: NDArray[np.bool_] | None,
) -> tuple[Recommendation, ...]:
    marks = [None] * len(numbers) if known is None else known.tolist()
    rows = zip(numbers.tolist(), scores, marks, strict=True)
    return tuple(Recommendation(ids[number], score, mark) for number, score, mark in rows)


def _list(
    recommender: Recommender,
    of: Unit,
    name: str,
    options: ListOptions,
    entries: tuple[Recommendation, ...],
    *,
    unknown: bool = False,
) -> RecommendationList:
    predicted = int((~recommender.predictions.absent).sum())
    return RecommendationList(
        model=recommender.model,
        dataset=recommender.predictions.dataset.name,
        of=of,
        id=name,
        candidates=predicted if of == "user" else len(recommender.users.ids),
        options=options,
        entries=entries,
        unknown=unknown,
    )


def _for_all(
    model: Model,
    recommender: Recommender,
    options: ListOptions,
    cluster: str | None,
    progress: Progress,
) -> RecommendationFile:
    workspace = model.workspace
    path = workspace.recommendations(
        recommender.model, options.top, options.min_score, known=options.known
    )
    unknown = warn_unknown_users(recommender, options, progress)
    if cluster is None:
        lines = write_lists(recommender, options, path, progress)
    else:
        lines = lists_on_cluster(model, recommender, options, path, cluster, progress)
    if not lines and options.min_score is not None:
        progress.warn(f"no test item scores {options.min_score:g} or more for any user")
    return RecommendationFile(
        model=recommender.model,
        dataset=recommender.predictions.dataset.name,
        users=len(recommender.users.ids),
        items=int((~recommender.predictions.absent).sum()),
        options=options,
        lines=lines,
        path=path,
        file=workspace.relative(path),
        unknown=unknown,
    )
