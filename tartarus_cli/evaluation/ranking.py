"""Rank all test items for every user, in blocks of users, for several systems at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix, require_finite
from tartarus_cli.errors import DataError, FileError, RequestError, display_path
from tartarus_cli.evaluation.checkpoints import (
    CheckpointStore,
    RankingShard,
    RankSummary,
    join_summaries,
    missing_users,
    require_all_users,
)
from tartarus_cli.evaluation.relevance import (
    _CHECK,
    RelevantItems,
    build_scorer,
    read_relevant_items,
)
from tartarus_cli.evaluation.scorers import (
    FactorScorer,
    MemoryBudget,
    Scorer,
    map_user_blocks,
)
from tartarus_cli.file_names import Kind
from tartarus_cli.metrics import METRICS
from tartarus_cli.metrics.lists import self_information
from tartarus_cli.metrics.ranks import RankedItems, order_by_scores, random_ranks
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress
from tartarus_cli.signals import defer_interrupts

MEMORY = 1 << 30
KEPT_EVERY_S = 60  # what was ranked is written, so that a crash loses no more
JOINED_EVERY = 8  # blocks, since each counts all items

Ranker = Callable[[slice], RankedItems]  # of users


@dataclass(frozen=True)
class RankingOptions:
    """What to rank, and how."""

    k: tuple[int, ...] = ()  # cut-offs beside the usual ones
    users: slice = field(default_factory=lambda: slice(None))
    seed: int = 0  # of the random order
    memory: int = MEMORY  # bytes for scores and factors
    references: bool = True  # rank at random and by the true factors too
    resume: bool = False  # take what an interrupted ranking left
    merge: bool = False  # take everything from parts
    keep: bool = True  # now and then, and when interrupted, what was ranked so far

    @property
    def ks(self) -> tuple[int, ...]:
        """Every k that a list is cut at."""
        return tuple(sorted({*METRICS.get("P").at, *self.k}))


@dataclass(frozen=True)
class Ranking:
    """How each system, the model's own under ``model``, ranks all items for some users."""

    users: slice
    starts: NDArray[np.int64]  # (users + 1,): where each user's relevant items start
    items: NDArray[np.int32]  # (relevant,): the relevant items
    count: int  # of all items
    tallies: dict[str, RankSummary]
    shelf: CheckpointStore

    @property
    def users_without_relevant(self) -> int:
        """Number of users without relevant items."""
        return int((np.diff(self.starts) == 0).sum())


def rank_items(predictions: Predictions, options: RankingOptions, progress: Progress) -> Ranking:
    """Rank all test items for every user by the model, at random, and by the true factors.

    The score of an item for a user is, for als, the product of the user's factors and the item's
    predicted factors divided by their L2 norm; for pmi, the cosine of the two. Items without a
    prediction rank last. What was ranked when the work is interrupted is kept in parts.

    Parameters
    ----------
    predictions
        Predicted factors of the test items, or what else orders them.
    options
        Which users, and what is wanted of the ranking.
    progress
        Told of each block of users.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    RequestError
        If the users do not exist, or are to be merged and were not all ranked.
    """
    dataset, targets = predictions.dataset, predictions.targets
    factors = dataset.user_factors(targets.kind, targets.dim)
    truth = read_relevant_items(predictions, factors.shape[0])
    users = _existing(options.users, factors.shape[0])
    systems = _systems(predictions, factors, truth, options)
    key = cache(lambda: _key(predictions, options, tuple(systems)))
    folder = dataset.workspace.result_parts(predictions.name)
    shelf = CheckpointStore(folder, key, tuple(systems), options.ks)
    parts = shelf.parts(users) if options.resume or options.merge else []
    for part in parts:
        _check_part(part, truth, folder)
    if options.merge:
        require_all_users(users, parts)
    ranker = _Ranker(truth, systems, options, shelf, progress)
    parts += ranker.rank(users, parts)
    parts.sort(key=lambda part: part.users.start)
    tallies = {name: join_summaries([part.tallies[name] for part in parts]) for name in systems}
    return Ranking(users, *truth.of(users), truth.relevant.shape[1], tallies, shelf)


def _check_part(part: RankingShard, truth: RelevantItems, folder: Path) -> None:
    """Make sure that a part holds as many values as its users have."""
    _, items = truth.of(part.users)
    users, count = part.users.stop - part.users.start, truth.relevant.shape[1]
    for tally in part.tallies.values():
        lengths = {len(each) for each in tally.novelty.values()}
        counts = {len(each) for each in tally.shown.values()}
        if (len(tally.ranks), lengths, counts) != (len(items), {users}, {count}):
            which = f"the part of users {part.users.start}:{part.users.stop}"
            msg = f"{display_path(folder)}: {which} is damaged"
            raise DataError(msg, hint="Delete it, and evaluate these users again.")


def _existing(users: slice, count: int) -> slice:
    start, stop, _ = users.indices(count)
    if start >= stop:
        asked = ":".join("" if n is None else str(n) for n in (users.start, users.stop))
        msg = f"--users {asked} names none of the {count:,} users"
        raise RequestError(msg, hint="Say FIRST:END, counted from 0, END not included.")
    return slice(start, stop)


@dataclass(frozen=True)
class _Ranker:
    """Ranks block after block of users, and keeps now and then what it has."""

    truth: RelevantItems
    systems: dict[str, Ranker]
    options: RankingOptions
    shelf: CheckpointStore
    progress: Progress

    def rank(self, users: slice, there: Sequence[RankingShard]) -> list[RankingShard]:
        """Rank for the users that no part covers."""
        missing = missing_users(users, there)
        information = self_information(self.truth.popularity, self.truth.relevant.shape[0])
        total, room = users.stop - users.start, self._room

        def tallied(block: slice) -> dict[str, RankSummary]:
            return self._tallies(block, information)

        with defer_interrupts() as check, self.progress.task("ranking", total) as task:
            task.advance(total - sum(gap.stop - gap.start for gap in missing))
            shelf = self.shelf if self.options.keep else None
            with CheckpointWriter(shelf, self.progress) as kept:
                for gap in missing:
                    with map_user_blocks(room, gap, tallied) as blocks:
                        for block, tallies in blocks:
                            kept.add(block, tallies)
                            task.advance(block.stop - block.start)
                            check()
            return kept.parts

    @property
    def _room(self) -> MemoryBudget:
        return MemoryBudget(self.truth.relevant.shape[1], self.options.memory)

    def _tallies(self, block: slice, information: NDArray[np.float64]) -> dict[str, RankSummary]:
        return {
            name: _tally(order(block), self.options.ks, information)
            for name, order in self.systems.items()
        }


def _tally(order: RankedItems, ks: Sequence[int], information: NDArray[np.float64]) -> RankSummary:
    ranks, first = order
    heads = {k: first[:, :k] for k in ks}
    return RankSummary(
        ranks,
        {k: np.bincount(head.ravel(), minlength=len(information)) for k, head in heads.items()},
        {k: _mean_of_each(information, head) for k, head in heads.items()},
    )


def _mean_of_each(information: NDArray[np.float64], head: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the mean over each user's first items, some users at a time."""
    step = max(1, (1 << 20) // head.shape[1])
    cuts = range(0, len(head), step)
    return np.concatenate([information[head[n : n + step]].mean(axis=1) for n in cuts])


class CheckpointWriter:
    """Collects tallies, and writes them as parts every minute and when the work is stopped."""

    def __init__(self, shelf: CheckpointStore | None, progress: Progress) -> None:
        self.parts: list[RankingShard] = []
        self._shelf, self._progress = shelf, progress
        self._tallies: list[dict[str, RankSummary]] = []  # of users in a row
        self._first = self._last = 0
        self._written, self._at = 0, time.monotonic()

    def add(self, users: slice, tallies: dict[str, RankSummary]) -> None:
        """Take in a block of users."""
        if users.start != self._last:
            self._close()
        if not self._tallies:
            self._first = users.start
        self._tallies.append(tallies)
        self._last = users.stop
        if len(self._tallies) == JOINED_EVERY:
            self._tallies = [self._joined()]
        if self._shelf is not None and time.monotonic() - self._at > KEPT_EVERY_S:
            self._write(self._shelf)

    def _joined(self) -> dict[str, RankSummary]:
        names = self._tallies[0]
        return {name: join_summaries([each[name] for each in self._tallies]) for name in names}

    def _close(self) -> None:
        if self._tallies:
            self.parts.append(RankingShard(slice(self._first, self._last), self._joined()))
        self._tallies = []

    def _write(self, shelf: CheckpointStore) -> None:
        self._close()
        for part in self.parts[self._written :]:
            shelf.keep(part)
        self._written, self._at = len(self.parts), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close()
        if kind is not None and self.parts and self._shelf is not None:
            self._write(self._shelf)
            name = self._shelf.folder.name
            model = name.startswith("model_")
            more = f"'tartarus evaluate {name} --resume'" if model else "the same with --resume"
            options = " and the same options go on" if model else " goes on"
            told = f"what was ranked is kept, up to user {self._last:,}"
            self._progress.say(f"{told}: {more}{options}")


def _systems(
    predictions: Predictions,
    factors: Matrix,
    truth: RelevantItems,
    options: RankingOptions,
) -> dict[str, Ranker]:
    room = MemoryBudget(truth.relevant.shape[1], options.memory)
    most = options.ks[-1]

    def scored(scorer: Scorer) -> Ranker:
        return lambda users: order_by_scores(scorer(users), *truth.of(users), k=most)

    def at_random(users: slice) -> RankedItems:
        starts, items = truth.of(users)
        return random_ranks(options.seed, users, starts, items, count=room.items, k=most)

    systems = {"model": scored(build_scorer(predictions, factors, room))}
    if options.references:
        systems["random"] = at_random
        true = _true_factors(predictions, room.items, factors.shape[1])
        if true is not None:
            cosine = predictions.targets.kind == "pmi"
            nobody = np.zeros(room.items, bool)
            oracle = FactorScorer(room, factors, true.values, cosine, nobody)
            systems["oracle"] = scored(oracle.ready())
    return systems


def _true_factors(predictions: Predictions, items: int, dim: int) -> Matrix | None:
    file = predictions.dataset.find(Kind.TARGETS, split="test", **predictions.targets.fields)
    if file is None:
        return None
    matrix = predictions.dataset.matrix(file.path)
    if matrix.shape != (items, dim):
        raise FileError(
            matrix.path,
            found=f"{matrix.shape[0]:,} × {matrix.shape[1]:,}",
            expected=f"{items:,} × {dim:,}",
            hint=_CHECK,
        )
    for block in matrix.blocks():
        require_finite(matrix.path, matrix.rows(block), block.start)
    return matrix


def _key(
    predictions: Predictions,
    options: RankingOptions,
    systems: tuple[str, ...],
) -> bytes:
    """Hash all that the ranks of all systems depend on."""
    room = MemoryBudget(len(predictions.absent), options.memory)
    blocks = (room.users, room.items_at_once(predictions.targets.dim))
    how = repr((systems, options.ks, options.seed, blocks))
    hashed = blake2b(how.encode() + ranking_fingerprint(predictions), digest_size=16)
    dataset = predictions.dataset
    true = dataset.find(Kind.TARGETS, split="test", **predictions.targets.fields)
    oracle_file = true if "oracle" in systems else None
    hashed.update(dataset.digest(oracle_file.path).encode() if oracle_file else b"")
    return hashed.digest()


def ranking_fingerprint(predictions: Predictions) -> bytes:
    """Hash all that the ranks of the model depend on: predictions, truth, users, their plays."""
    dataset, targets = predictions.dataset, predictions.targets
    form = repr((predictions.form, targets.kind, targets.dim))
    hashed = blake2b(form.encode(), digest_size=16)
    for array in (*_arrays(predictions.values), predictions.absent):
        hashed.update(np.ascontiguousarray(array).data)
    files = [dataset.find(Kind.USER_FACTORS, **targets.fields), dataset.find(Kind.TEST_MATRIX)]
    if predictions.form == "neighbours":
        files += [dataset.find(Kind.TRAIN_MATRIX)]
    for file in files:
        hashed.update(dataset.digest(file.path).encode() if file else b"")
    return hashed.digest()


def _arrays(values: Any) -> list[NDArray[Any]]:
    sparse = isinstance(values, csr_array)
    return [values.data, values.indices, values.indptr] if sparse else [values]
