"""Rank all test items for every user, in blocks of users, for several systems at once."""

from __future__ import annotations

import math
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

from tartarus_cli.errors import DataError, RequestError, call, display_path, parameter
from tartarus_cli.evaluation.checkpoints import (
    CheckpointStore,
    RankingShard,
    RankSummary,
    join_summaries,
    missing_users,
    require_all_users,
)
from tartarus_cli.evaluation.relevance import (
    build_oracle,
    build_scorer,
    read_relevant_items,
    scored_users,
    true_factors,
)
from tartarus_cli.file_names import Kind
from tartarus_cli.files import digest
from tartarus_cli.metrics import METRICS
from tartarus_cli.metrics.lists import self_information
from tartarus_cli.metrics.ranks import RankedItems, order_by_scores, random_ranks
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.blocks import MemoryBudget, map_user_blocks
from tartarus_cli.scoring.on_device import Engine, open_ranker
from tartarus_cli.scoring.relevant import RelevantItems, TieBreaking, tie_order
from tartarus_cli.scoring.scorers import Scorer
from tartarus_cli.signals import defer_interrupts

MEMORY = 1 << 30
"""Bytes for scores and factors unless said otherwise."""

SAVE_EVERY_S = 60
"""Seconds after which what was ranked is written, so that a crash loses no more."""

JOIN_EVERY = 8
"""Blocks that are summarized before they are joined, since each summary counts all items."""

Ranker = Callable[[slice], RankedItems]
"""Ranks all items for the users of a block."""


@dataclass(frozen=True)
class RankingOptions:
    """What to rank, and how."""

    k: tuple[int, ...] = ()
    """Cut-offs in addition to the usual ones."""
    users: slice = field(default_factory=lambda: slice(None))
    """The users to rank for, by number."""
    seed: int = 0
    """Of the random orders, and of the order that equal scores keep."""
    ties: TieBreaking = "drawn"
    """Whether equal scores keep a drawn order of the items, or that of their list."""
    memory: int = MEMORY
    """Bytes for scores and factors."""
    references: bool = True
    """Rank at random and by the true factors too."""
    resume: bool = False
    """Go on from what an interrupted ranking stored."""
    merge: bool = False
    """Join shards that were ranked before, and rank nothing."""
    engine: Engine = "auto"
    """What ranks; the ranks of both are the same but where float32 hardly tells scores apart."""
    checkpoints: bool = True
    """Store what was ranked so far: from time to time, and when interrupted."""

    @property
    def ks(self) -> tuple[int, ...]:
        """Every k that a list is cut at."""
        return tuple(sorted({*METRICS.get("P").at, *self.k}))


@dataclass(frozen=True)
class Ranking:
    """How each system ranks all items for users in a row."""

    users: slice
    starts: NDArray[np.int64]
    """``(users + 1,)``: where each user's relevant items start."""
    items: NDArray[np.int32]
    """``(relevant,)``: the relevant items, as rows of the test items' files."""
    count: int
    """Number of all items."""
    summaries: dict[str, RankSummary]
    """System → how it ranks; the evaluated predictions are called ``model``."""
    checkpoints: CheckpointStore

    @property
    def tied(self) -> float:
        """Share of the relevant items whose score another item has too; NaN if there are none."""
        summary = self.summaries["model"]
        return float((summary.best < summary.worst).mean()) if summary.ranks.size else math.nan

    @property
    def users_without_relevant(self) -> int:
        """Number of users without relevant items."""
        return int((np.diff(self.starts) == 0).sum())


def rank_items(predictions: Predictions, options: RankingOptions, progress: Progress) -> Ranking:
    """Rank all test items for every user by the model, at random, and by the true factors.

    The score of an item for a user is, for als, the product of the user's factors and the item's
    predicted factors divided by their L2 norm; for pmi, the cosine of the two. Items without a
    prediction rank last. Equal scores keep one order of the items, which is drawn. What was ranked
    when the work is interrupted is stored in shards.

    Parameters
    ----------
    predictions
        Predicted factors of the test items, or what else orders them.
    options
        The users, and how to rank.
    progress
        Reports each block of users.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    RequestError
        If the users do not exist, or are to be merged and were not all ranked.
    """
    dataset, count = predictions.dataset, scored_users(predictions)
    order = tie_order(dataset.ids("test"), options.ties, options.seed)
    truth = read_relevant_items(predictions, count, order)
    users = _existing_users(options.users, count)
    systems = _systems(predictions, count, truth, options, progress)
    key = cache(lambda: _key(predictions, options, tuple(systems)))
    folder = dataset.workspace.result_parts(predictions.name)
    store = CheckpointStore(folder, key, tuple(systems), options.ks)
    shards = store.read(users) if options.resume or options.merge else []
    for shard in shards:
        _check_shard(shard, truth, folder)
    if options.merge:
        require_all_users(users, shards)
    blocks = _BlockRanker(truth, systems, options, store, progress)
    shards += blocks.rank_missing(users, shards)
    shards.sort(key=lambda shard: shard.users.start)
    summaries = {
        name: join_summaries([shard.summaries[name] for shard in shards]) for name in systems
    }
    starts, _ = truth.of(users)
    items = truth.relevant.shape[1]
    return Ranking(users, starts, truth.rows(users), items, summaries, store)


def _check_shard(shard: RankingShard, truth: RelevantItems, folder: Path) -> None:
    """Make sure that a shard holds as many values as its users have."""
    _, items = truth.of(shard.users)
    users, count = shard.users.stop - shard.users.start, truth.relevant.shape[1]
    for summary in shard.summaries.values():
        lengths = {len(means) for means in summary.novelty.values()}
        counts = {len(shown) for shown in summary.shown.values()}
        ranks = {len(array) for array in summary.rank_arrays.values()}
        if (ranks, lengths, counts) != ({len(items)}, {users}, {count}):
            name = f"the part of users {shard.users.start}:{shard.users.stop}"
            msg = f"{display_path(folder)}: {name} is damaged"
            raise DataError(msg, hint="Delete it, and evaluate these users again.")


def _existing_users(users: slice, count: int) -> slice:
    start, stop, _ = users.indices(count)
    if start >= stop:
        text = ":".join("" if n is None else str(n) for n in (users.start, users.stop))
        msg = f"{parameter('users', text)} names none of the {count:,} users"
        hint = "Name the users as FIRST:END, counted from 0, END not included."
        raise RequestError(msg, hint=hint)
    return slice(start, stop)


@dataclass(frozen=True)
class _BlockRanker:
    """Ranks block after block of users, and stores from time to time what was ranked."""

    truth: RelevantItems
    systems: dict[str, Ranker]
    options: RankingOptions
    store: CheckpointStore
    progress: Progress

    def rank_missing(self, users: slice, shards: Sequence[RankingShard]) -> list[RankingShard]:
        """Rank for the users that no shard covers."""
        gaps = missing_users(users, shards)
        information = self_information(self.truth.popularity, self.truth.relevant.shape[0])
        budget = MemoryBudget(self.truth.relevant.shape[1], self.options.memory)
        total = users.stop - users.start

        def summarize(block: slice) -> dict[str, RankSummary]:
            by_row = self.truth.by_row(block)
            ranked = ((name, rank(block)) for name, rank in self.systems.items())
            return {
                name: _summarize(in_file_order(items, by_row), self.options.ks, information)
                for name, items in ranked
            }

        def in_file_order(ranked: RankedItems, by_row: NDArray[np.int64]) -> RankedItems:
            top = self.truth.order[ranked.top].astype(np.int32)
            ranks = ranked.ranks[by_row]
            if ranked.best is ranked.ranks:
                return RankedItems(ranks, ranks, ranks, top)
            return RankedItems(ranks, ranked.best[by_row], ranked.worst[by_row], top)

        with defer_interrupts() as check, self.progress.task("ranking", total) as task:
            task.advance(total - sum(gap.stop - gap.start for gap in gaps))
            store = self.store if self.options.checkpoints else None
            with CheckpointWriter(store, self.progress) as writer:
                for gap in gaps:
                    with map_user_blocks(budget, gap, summarize) as blocks:
                        for block, summaries in blocks:
                            writer.add(block, summaries)
                            task.advance(block.stop - block.start)
                            check()
            return writer.shards


def _summarize(
    ranked: RankedItems, ks: Sequence[int], information: NDArray[np.float64]
) -> RankSummary:
    lists = {k: ranked.top[:, :k] for k in ks}
    return RankSummary(
        ranked.ranks,
        ranked.best,
        ranked.worst,
        {k: np.bincount(items.ravel(), minlength=len(information)) for k, items in lists.items()},
        {k: _mean_by_user(information, items) for k, items in lists.items()},
    )


def _mean_by_user(
    information: NDArray[np.float64], items: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the mean over the items ``(users, k)`` of each user, a block of users at a time."""
    step = max(1, (1 << 20) // items.shape[1])
    starts = range(0, len(items), step)
    return np.concatenate([information[items[n : n + step]].mean(axis=1) for n in starts])


class CheckpointWriter:
    """Collects summaries, and writes them as shards every minute and when the work is stopped."""

    def __init__(self, store: CheckpointStore | None, progress: Progress) -> None:
        self.shards: list[RankingShard] = []
        self._store, self._progress = store, progress
        self._summaries: list[dict[str, RankSummary]] = []  # of users in a row
        self._first = self._last = 0
        self._written, self._written_at = 0, time.monotonic()

    def add(self, users: slice, summaries: dict[str, RankSummary]) -> None:
        """Take in a block of users."""
        if users.start != self._last:
            self._close()
        if not self._summaries:
            self._first = users.start
        self._summaries.append(summaries)
        self._last = users.stop
        if len(self._summaries) == JOIN_EVERY:
            self._summaries = [self._joined()]
        if self._store is not None and time.monotonic() - self._written_at > SAVE_EVERY_S:
            self._write(self._store)

    def _joined(self) -> dict[str, RankSummary]:
        return {
            name: join_summaries([summaries[name] for summaries in self._summaries])
            for name in self._summaries[0]
        }

    def _close(self) -> None:
        if self._summaries:
            self.shards.append(RankingShard(slice(self._first, self._last), self._joined()))
        self._summaries = []

    def _write(self, store: CheckpointStore) -> None:
        self._close()
        for shard in self.shards[self._written :]:
            store.write(shard)
        self._written, self._written_at = len(self.shards), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close()
        if kind is not None and self.shards and self._store is not None:
            self._write(self._store)
            self._progress.say(self._how_to_resume(self._store.folder.name))

    def _how_to_resume(self, name: str) -> str:
        stored = f"what was ranked is kept, up to user {self._last:,}"
        if name.startswith("model_"):
            return f"{stored}: {call('evaluate', name, resume=True)} and the same options go on"
        return f"{stored}: the same with `resume=True` goes on"


def _systems(
    predictions: Predictions,
    users: int,
    truth: RelevantItems,
    options: RankingOptions,
    progress: Progress,
) -> dict[str, Ranker]:
    budget = MemoryBudget(truth.relevant.shape[1], options.memory)
    longest = options.ks[-1]

    asked = _existing_users(options.users, users)

    def by_scores(scorer: Scorer) -> Ranker:
        device = open_ranker(
            scorer,
            budget,
            users=asked.stop - asked.start,
            engine=options.engine,
            failed=progress.warn,
        )

        def rank(users: slice) -> RankedItems:
            relevant = truth.of(users)
            ranked = device.rank(users, *relevant, k=longest) if device else None
            return ranked or order_by_scores(scorer(users), *relevant, k=longest)

        return rank

    def at_random(users: slice) -> RankedItems:
        starts, items = truth.of(users)
        return random_ranks(options.seed, users, starts, items, count=budget.items, k=longest)

    systems = {"model": by_scores(build_scorer(predictions, users, budget, truth.order))}
    if options.references:
        systems["random"] = at_random
        oracle = build_oracle(predictions, users, budget, truth)
        if oracle is not None:
            systems["oracle"] = by_scores(oracle)
    return systems


def _key(
    predictions: Predictions,
    options: RankingOptions,
    systems: tuple[str, ...],
) -> bytes:
    """Hash all that the ranks of all systems depend on."""
    budget = MemoryBudget(len(predictions.absent), options.memory)
    blocks = (budget.users, budget.items_at_once(predictions.targets.dim))
    recipe = repr((systems, options.ks, options.seed, options.ties, blocks))
    hashed = blake2b(recipe.encode() + ranking_fingerprint(predictions), digest_size=16)
    dataset = predictions.dataset
    oracle_file = true_factors(predictions) if "oracle" in systems else None
    hashed.update(dataset.digest(oracle_file.path).encode() if oracle_file else b"")
    return hashed.digest()


def ranking_fingerprint(predictions: Predictions) -> bytes:
    """Hash all that the ranks of the model depend on: predictions, truth, users, their plays."""
    dataset, targets = predictions.dataset, predictions.targets
    form = repr((predictions.form, targets.kind, targets.dim, predictions.scoring))
    hashed = blake2b(form.encode(), digest_size=16)
    for array in (*_arrays(predictions.values), predictions.absent):
        hashed.update(np.ascontiguousarray(array).data)
    files = [dataset.find(Kind.USER_FACTORS, **targets.fields), dataset.find(Kind.TEST_MATRIX)]
    if predictions.form in ("neighbours", "weights", "vectors"):
        files += [dataset.find(Kind.TRAIN_MATRIX)]
    for file in files:
        hashed.update(dataset.digest(file.path).encode() if file else b"")
    for path in predictions.user_files:
        hashed.update(digest(path).encode())
    for weight, part in predictions.parts:
        hashed.update(repr((weight, predictions.standardize)).encode() + ranking_fingerprint(part))
        hashed.update(b"" if part.only is None else part.only.tobytes())
    return hashed.digest()


def _arrays(values: Any) -> list[NDArray[Any]]:
    if values is None:
        return []
    sparse = isinstance(values, csr_array)
    return [values.data, values.indices, values.indptr] if sparse else [values]
