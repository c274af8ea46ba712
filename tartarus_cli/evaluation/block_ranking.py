"""Rank for block after block of users, and store from time to time what was ranked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import call
from tartarus_cli.evaluation.checkpoints import (
    JOIN_EVERY,
    CheckpointStore,
    RankingShard,
    RankSummary,
    join_summaries,
)
from tartarus_cli.metrics.lists import self_information
from tartarus_cli.metrics.ranks import RankedItems
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.blocks import MemoryBudget, map_user_blocks
from tartarus_cli.scoring.relevant import RelevantItems
from tartarus_cli.signals import defer_interrupts

SAVE_EVERY_S = 60
"""Seconds after which what was ranked is written, so that a crash loses no more."""

Ranker = Callable[[slice], RankedItems]
"""Ranks all items for the users of a block."""


@dataclass(frozen=True)
class BlockRanker:
    """Ranks block after block of users, and stores from time to time what was ranked."""

    truth: RelevantItems
    systems: dict[str, Ranker]
    ks: tuple[int, ...]
    """Where lists are cut."""
    memory: int
    """Bytes for scores and factors."""
    store: CheckpointStore | None
    """Where parts are stored from time to time, and when the work is stopped; None: nowhere."""
    progress: Progress

    def rank(self, gaps: Sequence[slice], total: int) -> list[RankingShard]:
        """Rank for the users that are left, of so many in all."""
        information = self_information(self.truth.popularity, self.truth.relevant.shape[0])
        budget = MemoryBudget(self.truth.relevant.shape[1], self.memory)

        def summarize(block: slice) -> dict[str, RankSummary]:
            by_row = self.truth.by_row(block)
            ranked = ((name, rank(block)) for name, rank in self.systems.items())
            return {
                name: _summarize(in_file_order(items, by_row), self.ks, information)
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
            with CheckpointWriter(self.store, self.progress) as writer:
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
            stored = f"what was ranked is kept, up to user {self._last:,}"
            self._progress.say(f"{stored}: {how_to_resume(self._store)}")


def how_to_resume(store: CheckpointStore) -> str:
    """Say how an evaluation that was stopped goes on."""
    name = store.folder.name
    if name.startswith("model_"):
        return f"{call('evaluate', name, resume=True)} and the same options go on"
    return "the same with `resume=True` goes on"
