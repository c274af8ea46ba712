"""Write the lists of all users: here, or in shares that the workers of a cluster make."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from tartarus_cli.data.tables.writing import open_table_writer
from tartarus_cli.distribution import Task, TaskResult, run_tasks
from tartarus_cli.errors import DataError, TartarusError, count_noun
from tartarus_cli.evaluation.preparation import ranking_fingerprint
from tartarus_cli.evaluation.shares import cut_shares
from tartarus_cli.files import atomic_write, temporary_folder
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.recommendation.recommender import ListOptions, Recommender, open_recommender
from tartarus_cli.workspace import Workspace


def write_lists(
    recommender: Recommender,
    options: ListOptions,
    path: Path,
    progress: Progress,
    *,
    users: slice | None = None,
) -> int:
    """Write the lists of users in a row, or of all, as TSV; return the number of lines."""
    lines = 0
    with (
        open_table_writer(path, "tsv") as put,
        closing(recommender.tables(options, progress, users=users)) as tables,
    ):
        for table in tables:
            put(table)
            lines += len(table)
    return lines


def lists_on_cluster(
    model: Model,
    recommender: Recommender,
    options: ListOptions,
    path: Path,
    cluster: str,
    progress: Progress,
) -> int:
    """Let workers make the lists, share by share, and join them in the order of the users.

    Returns
    -------
    The number of lines.

    Raises
    ------
    TartarusError
        If a share failed, once all others are done.
    """
    workspace, everybody = model.workspace, recommender.all_users
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        common = {
            "root": str(workspace.root.resolve()),
            "data": str(workspace.data.resolve()),
            "model": model.name,
            "options": [options.top, options.min_score, options.known],
            "memory": recommender.budget.memory,
            "key": ranking_fingerprint(recommender.predictions).hex(),
        }
        parts: dict[str, dict[str, Any]] = {
            f"users {users.start}:{users.stop}": {
                "users": [users.start, users.stop],
                "part": str(folder.resolve() / f"{users.start}.tsv"),
            }
            for users in cut_shares([everybody], recommender.budget)
        }
        tasks = [Task(name, common | part) for name, part in parts.items()]
        failed, lines = list[TaskResult](), 0
        with progress.task("ranking", everybody.stop) as task:
            for result in run_tasks(
                list_share, tasks, cluster=cluster, folder=workspace.data, progress=progress
            ):
                if result.failed:
                    failed.append(result)
                    continue
                first, last = result.task.arguments["users"]
                lines += result.value
                task.advance(last - first)
        if failed:
            first_one = failed[0]
            shares = count_noun(len(failed), "share")
            msg = f"{shares} of the users failed; {first_one.task.name}: {first_one.error}"
            raise TartarusError(msg, hint=first_one.hint or "Give the command again.")
        _join([Path(part["part"]) for part in parts.values()], path)
    return lines


def _join(parts: list[Path], path: Path) -> None:
    """Write files one after the other, with the heading of the first."""
    with atomic_write(path) as temporary, temporary.open("wb") as joined:
        for number, part in enumerate(parts):
            with part.open("rb") as file:
                if number:
                    file.readline()
                copyfileobj(file, joined, 1 << 20)


def list_share(  # noqa: PLR0913 — plain values, as a worker gets them
    *,
    root: str,
    data: str,
    model: str,
    options: Any,
    memory: int,
    key: str,
    users: Any,
    part: str,
) -> int:
    """Write the lists of the users of a share into a file.

    Parameters
    ----------
    root, data
        The workspace.
    model
        The model.
    options
        ``top``, ``min_score`` and ``known`` of :class:`ListOptions`.
    memory
        Bytes for scores and factors.
    key
        The hash of all that scores depend on, as who asks for the lists sees it.
    users
        First and last (not included) of this share.
    part
        The file.

    Returns
    -------
    The number of lines.

    Raises
    ------
    DataError
        If a file is missing or damaged, or is another one here than where it is asked for.
    """
    request = json.dumps([root, data, model, options, memory, key])
    recommender = _OPENED.get(request)
    top, min_score, known = options
    if recommender is None:
        _OPENED.clear()  # before the next takes as much memory
        opened = Store(Workspace(Path(root), Path(data))).get(model)
        recommender = open_recommender(opened, truth=known, memory=memory, progress=UNWATCHED)
        if ranking_fingerprint(recommender.predictions).hex() != key:
            msg = f"what {model} recommends is not the same on this worker"
            hint = "Look whether it sees the same files, and whether one is being changed."
            raise DataError(msg, hint=hint)
        _OPENED[request] = recommender
    chosen = ListOptions(top, min_score, known=known)
    return write_lists(recommender, chosen, Path(part), UNWATCHED, users=slice(*users))


_OPENED: dict[str, Recommender] = {}
"""What this process recommends from, by the request: the next share mostly asks for the same."""
