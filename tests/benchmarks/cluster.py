"""Two workers of this machine beside one: the same work, with one core for each worker.

    python -m tests.benchmarks.cluster evaluate --users 20000 --items 20000

The workers are there before the clock starts. For each number of workers, the shortest of several
turns counts, since other work of the machine only makes them longer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tartarus_cli.distribution import Task, run_tasks, staying_connected
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.machine import cores
from tartarus_cli.prediction.aligned import file_predictions
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.workspace import open_workspace
from tests.benchmarks.listeners import make_listeners
from tests.distribution.work import square

Work = Callable[[str], object]
"""Does the work on a cluster."""


def evaluation(root: Path, users: int, items: int) -> Work:
    """Return a ranking of many items for many users."""
    predicted = make_listeners(root, users=users, items=items)
    dataset = open_workspace(root).dataset("big")
    experiment = resolve("rec_multi", dataset="big")
    predictions = file_predictions(predicted, experiment, dataset, None, UNWATCHED)
    kept: list[np.ndarray] = []

    def work(cluster: str) -> None:
        ranking = rank_items(predictions, replace(RankingOptions(), cluster=cluster), UNWATCHED)
        ranking.checkpoints.delete()
        kept.append(ranking.summaries["model"].ranks)
        if not np.array_equal(kept[0], kept[-1]):
            msg = "the ranks are not the same"
            raise SystemExit(msg)

    return work


WORKS: dict[str, Callable[[Path, int, int], Work]] = {"evaluate": evaluation}
"""Name → what makes the work."""


def seconds(work: Work, root: Path, workers: int, turns: int) -> float:
    """Return how long the work takes so many workers, without their start."""
    cluster, best = f"local:{workers}", float("inf")
    with staying_connected(cluster, UNWATCHED):
        idle = [Task(str(number), {"number": 2}) for number in range(4 * workers)]
        list(run_tasks(square, idle, cluster=cluster, folder=root / "data", progress=UNWATCHED))
        for _ in range(turns):
            begun = time.perf_counter()
            work(cluster)
            best = min(best, time.perf_counter() - begun)
    return best


def main() -> None:
    """Print how long one worker and several take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=[*WORKS])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        work = WORKS[given.work](root, given.users, given.items)
        one = seconds(work, root, 1, given.turns)
        several = seconds(work, root, given.workers, given.turns)
    print(f"{given.work}: 1 worker {one:.1f} s, {given.workers} workers {several:.1f} s, ", end="")
    print(f"{one / several:.2f} times as fast")


if __name__ == "__main__":
    main()
