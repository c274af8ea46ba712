"""What ranks the test items: which users, which systems, and all that the ranks depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.errors import RequestError, count_noun, parameter
from tartarus_cli.evaluation.block_ranking import BlockRanker, Ranker
from tartarus_cli.evaluation.checkpoints import CheckpointStore, RankingShard
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
from tartarus_cli.metrics.ranks import RankedItems, order_by_scores, random_ranks
from tartarus_cli.options import Shard
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.scoring.on_device import Engine, open_ranker
from tartarus_cli.scoring.relevant import RelevantItems, TieBreaking, tie_order
from tartarus_cli.scoring.scorers import Scorer

MEMORY = 1 << 30
"""Bytes for scores and factors unless said otherwise."""


@dataclass(frozen=True)
class RankingOptions:
    """What to rank, and how."""

    k: tuple[int, ...] = ()
    """Cut-offs in addition to the usual ones."""
    users: slice = field(default_factory=lambda: slice(None))
    """The users to rank for, by number."""
    shard: Shard | None = None
    """Of all users, the equal share to rank for; None: ``users`` says it."""
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
    cluster: str | None = None
    """Who ranks, as ``run_tasks`` takes it; None: this process."""

    @property
    def partial(self) -> bool:
        """Whether only some users are ranked for."""
        return self.users != slice(None) or self.shard is not None

    @property
    def ks(self) -> tuple[int, ...]:
        """Every k that a list is cut at."""
        return tuple(sorted({*METRICS.get("P").at, *self.k}))


@dataclass(frozen=True)
class PreparedRanking:
    """What is needed to rank for any users."""

    predictions: Predictions
    options: RankingOptions
    users: slice
    """The users that are asked for."""
    truth: RelevantItems
    systems: dict[str, Ranker]
    store: CheckpointStore

    @property
    def budget(self) -> MemoryBudget:
        """How users are cut into blocks."""
        return MemoryBudget(self.truth.relevant.shape[1], self.options.memory)

    def rank(
        self, gaps: Sequence[slice], progress: Progress, *, store: CheckpointStore | None
    ) -> list[RankingShard]:
        """Rank for the users that are left; with a store, what was ranked is kept on the way."""
        options = self.options
        ranker = BlockRanker(self.truth, self.systems, options.ks, options.memory, store, progress)
        return ranker.rank(gaps, self.users.stop - self.users.start)


def prepare_ranking(
    predictions: Predictions, options: RankingOptions, progress: Progress
) -> PreparedRanking:
    """Read the truth and what scores the items.

    Raises
    ------
    DataError
        If a file is missing, damaged, or out of step with the others.
    RequestError
        If the users do not exist.
    """
    dataset, count = predictions.dataset, scored_users(predictions)
    order = tie_order(dataset.ids("test"), options.ties, options.seed)
    truth = read_relevant_items(predictions, count, order)
    budget = MemoryBudget(truth.relevant.shape[1], options.memory)
    users = _existing_users(options, count, budget)
    systems = _systems(predictions, count, truth, options, progress)
    key = cache(lambda: _key(predictions, options, tuple(systems)))
    folder = dataset.workspace.result_parts(predictions.name)
    store = CheckpointStore(folder, key, tuple(systems), options.ks)
    return PreparedRanking(predictions, options, users, truth, systems, store)


def _existing_users(options: RankingOptions, count: int, budget: MemoryBudget) -> slice:
    """Return which of so many users are asked for."""
    if options.shard is not None:
        return _users_of_shard(options.shard, count, budget)
    users = options.users
    start, stop, _ = users.indices(count)
    if start >= stop:
        text = ":".join("" if n is None else str(n) for n in (users.start, users.stop))
        msg = f"{parameter('users', text)} names none of the {count:,} users"
        hint = "Name the users as FIRST:END, counted from 0, END not included."
        raise RequestError(msg, hint=hint)
    return slice(start, stop)


def _users_of_shard(shard: Shard, count: int, budget: MemoryBudget) -> slice:
    users = budget.shard(shard, count)
    if users.start == users.stop:
        msg = f"{parameter('shard', str(shard))}: there are {count_noun(count, 'user')}, so that "
        msg += "this shard has none"
        hint = f"Write {parameter('shard', f'N/{max(count, 1)}')} at most."
        raise RequestError(msg, hint=hint)
    return users


def _systems(
    predictions: Predictions,
    users: int,
    truth: RelevantItems,
    options: RankingOptions,
    progress: Progress,
) -> dict[str, Ranker]:
    budget = MemoryBudget(truth.relevant.shape[1], options.memory)
    longest = options.ks[-1]

    def by_scores(scorer: Scorer) -> Ranker:
        # Chosen by the number of all users, so that every part of them is ranked in one way.
        device = open_ranker(
            scorer, budget, users=users, engine=options.engine, failed=progress.warn
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
