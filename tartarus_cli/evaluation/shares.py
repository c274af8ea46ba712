"""Rank on a cluster: shares of the users, each a task, whose ranks are files as of any shard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tartarus_cli.distribution import Task, TaskResult, run_tasks
from tartarus_cli.errors import DataError, TartarusError, count_noun
from tartarus_cli.evaluation.block_ranking import how_to_resume
from tartarus_cli.evaluation.preparation import PreparedRanking, RankingOptions, prepare_ranking
from tartarus_cli.experiments.resolve import from_toml, to_toml
from tartarus_cli.models.store import Store
from tartarus_cli.prediction.aligned import Predictions, file_predictions, model_predictions
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.scoring.blocks import MemoryBudget
from tartarus_cli.workspace import Workspace

MOST_SHARES = 256
"""Shares of all users, at most: each is a task and a file of its own."""


def rank_on_cluster(
    prepared: PreparedRanking, gaps: Sequence[slice], cluster: str, progress: Progress
) -> None:
    """Let workers rank for users, share by share, and store the ranks of each as a shard.

    Parameters
    ----------
    prepared
        What is ranked, and how.
    gaps
        The users to rank for; blocks are those of one machine.
    cluster
        As ``run_tasks`` takes it.
    progress
        Reports each share.

    Raises
    ------
    TartarusError
        If a share failed, once all others are done.
    """
    shares = cut_shares(gaps, prepared.budget)
    arguments = _arguments(prepared)
    tasks = [
        Task(f"users {users.start}:{users.stop}", arguments | {"users": [users.start, users.stop]})
        for users in shares
    ]
    workspace = prepared.predictions.dataset.workspace
    total, left = prepared.users.stop - prepared.users.start, sum(map(_size, shares))
    failed = list[TaskResult]()
    with progress.task("ranking", total) as task:
        task.advance(total - left)
        results = run_tasks(
            rank_share, tasks, cluster=cluster, folder=workspace.data, progress=progress
        )
        try:
            for result in results:
                if result.failed:
                    failed.append(result)
                    continue
                users = slice(*result.task.arguments["users"])
                left -= _size(users)
                task.advance(_size(users))
        except BaseException:
            if left < total:
                stored = f"what was ranked is kept, for {total - left:,} of {total:,} users"
                progress.say(f"{stored}: {how_to_resume(prepared.store)}")
            raise
    if failed:
        raise _failure(failed, prepared)


def _failure(failed: Sequence[TaskResult], prepared: PreparedRanking) -> TartarusError:
    first = failed[0]
    where = f", by {first.worker}" if first.worker else ""
    msg = f"{count_noun(len(failed), 'share')} of the users failed; {first.task.name}{where}: "
    kept = f"Then go on with what was ranked: {how_to_resume(prepared.store)}"
    return TartarusError(f"{msg}{first.error}", hint=f"{first.hint} {kept}".lstrip())


def cut_shares(gaps: Sequence[slice], budget: MemoryBudget) -> list[slice]:
    """Cut users into shares of whole blocks, as far as they have whole blocks.

    >>> cut_shares([slice(0, 5), slice(70, 100)], MemoryBudget(items=100, memory=100_000))
    [slice(0, 5, None), slice(70, 96, None), slice(96, 100, None)]
    """
    blocks = [budget.blocks(gap) for gap in gaps]
    size = -(-sum(map(len, blocks)) // MOST_SHARES)
    return list(_joined(blocks, size))


def _joined(blocks: Sequence[Sequence[slice]], size: int) -> Iterator[slice]:
    for row in blocks:
        for first in range(0, len(row), size):
            part = row[first : first + size]
            yield slice(part[0].start, part[-1].stop)


def _size(users: slice) -> int:
    return int(users.stop - users.start)


def _arguments(prepared: PreparedRanking) -> dict[str, Any]:
    """Return what a worker needs to rank the same, as plain values."""
    predictions, options = prepared.predictions, prepared.options
    workspace = predictions.dataset.workspace
    return {
        "root": str(workspace.root.resolve()),
        "data": str(workspace.data.resolve()),
        "subject": _subject(predictions),
        "options": {
            "k": list(options.k),
            "seed": options.seed,
            "ties": options.ties,
            "memory": options.memory,
            "references": options.references,
            "engine": options.engine,
        },
        "asked": [prepared.users.start, prepared.users.stop],
        "key": prepared.store.key().hex(),
    }


def _subject(predictions: Predictions) -> dict[str, Any]:
    if predictions.model is not None:
        return {"model": predictions.model.name}
    return {
        "file": str(predictions.path.resolve()),
        "ids": None if predictions.ids is None else str(predictions.ids.resolve()),
        "experiment": to_toml(predictions.experiment),
        "dataset": predictions.dataset.name,
    }


def rank_share(  # noqa: PLR0913 — plain values, as a worker gets them
    *,
    root: str,
    data: str,
    subject: Mapping[str, Any],
    options: Mapping[str, Any],
    asked: Sequence[int],
    key: str,
    users: Sequence[int],
    progress: Progress = UNWATCHED,
) -> None:
    """Rank for the users of a share, and store their ranks.

    Parameters
    ----------
    root, data
        The workspace.
    subject
        The model, or the file of predictions.
    options
        Fields of :class:`RankingOptions`.
    asked
        First and last (not included) of all users that are ranked for.
    key
        The hash of all that the ranks depend on, as who asks for them sees it.
    users
        First and last (not included) of this share.
    progress
        Receives warnings.

    Raises
    ------
    DataError
        If a file is missing or damaged, or is another one here than where it is asked for.
    """
    request = json.dumps([root, data, subject, options, asked, key])
    prepared = _OPENED.get(request)
    if prepared is None:
        _OPENED.clear()  # before the next takes as much memory
        prepared = _open(Workspace(Path(root), Path(data)), subject, options, asked, progress)
        if prepared.store.key().hex() != key:
            name = prepared.predictions.name
            msg = f"what the ranks of {name} depend on is not the same on this worker"
            hint = "Look whether it sees the same files, and whether one is being changed."
            raise DataError(msg, hint=hint)
        _OPENED[request] = prepared
    for shard in prepared.rank([slice(*users)], UNWATCHED, store=None):
        prepared.store.write(shard)


_OPENED: dict[str, PreparedRanking] = {}
"""What this process ranks, by the request: the next share mostly asks for the same."""


def _open(
    workspace: Workspace,
    subject: Mapping[str, Any],
    options: Mapping[str, Any],
    asked: Sequence[int],
    progress: Progress,
) -> PreparedRanking:
    if "model" in subject:
        predictions = model_predictions(Store(workspace).get(subject["model"]))
    else:
        ids = subject["ids"]
        predictions = file_predictions(
            Path(subject["file"]),
            from_toml(subject["experiment"]),
            workspace.dataset(subject["dataset"]),
            None if ids is None else Path(ids),
            UNWATCHED,
        )
    chosen = RankingOptions(users=slice(*asked), **options)
    return prepare_ranking(predictions, replace(chosen, k=tuple(chosen.k)), progress)
