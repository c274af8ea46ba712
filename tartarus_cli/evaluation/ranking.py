"""Rank all test items for every user, in blocks of users, for several systems at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, display_path
from tartarus_cli.evaluation.checkpoints import (
    CheckpointStore,
    RankingShard,
    RankSummary,
    join_summaries,
    missing_users,
    require_all_users,
)
from tartarus_cli.evaluation.preparation import (
    MEMORY,
    RankingOptions,
    prepare_ranking,
    ranking_fingerprint,
)
from tartarus_cli.evaluation.shares import rank_on_cluster
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.relevant import RelevantItems

__all__ = ["MEMORY", "Ranking", "RankingOptions", "rank_items", "ranking_fingerprint"]


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
    prepared = prepare_ranking(predictions, options, progress)
    users, truth, store = prepared.users, prepared.truth, prepared.store

    def stored() -> list[RankingShard]:
        return store.read(users, lambda shard: _check_shard(shard, truth, store.folder))

    shards = stored() if options.resume or options.merge else []
    if options.merge:
        require_all_users(users, shards)
    gaps = missing_users(users, shards)
    if options.cluster is not None and gaps:
        rank_on_cluster(prepared, gaps, options.cluster, progress)
        shards = stored()
        require_all_users(users, shards)
    else:
        shards += prepared.rank(gaps, progress, store=store if options.checkpoints else None)
        shards.sort(key=lambda shard: shard.users.start)
    summaries = {
        name: join_summaries([shard.summaries[name] for shard in shards])
        for name in prepared.systems
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
