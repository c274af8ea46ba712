"""All ranking metrics beside the bare matrix product, and beside implicit's top 500.

At the size of the songs of MSD-A: 65,764 test items, 200 factors, 10 relevant items a user. All
are timed in turns in one run, over the same users.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_array, csr_matrix, load_npz
from threadpoolctl import threadpool_limits

from tartarus_cli.data.features import unit_rows
from tartarus_cli.evaluation.ranking import RankingOptions, rank_items
from tartarus_cli.evaluation.user_metrics import mean_metrics, user_values
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.prediction.aligned import file_predictions
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.scoring.blocks import MAX_BLOCK_USERS
from tartarus_cli.workspace import open_workspace
from tests.benchmarks.listeners import DIM, ITEMS, make_listeners

USERS, TURNS = 32_768, 5
OF_IMPLICIT = 2048  # users that implicit ranks for
MILLION = 1_019_318  # users of MSD


def timed(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Job:
    """One dataset, and the ways to go over its users."""

    def __init__(self, root: Path, users: int, items: int = ITEMS) -> None:
        predicted = make_listeners(root, users=users, items=items)
        self.users, self.items = users, items
        dataset = open_workspace(root).dataset("big")
        experiment = resolve("rec_multi", dataset="big")
        self.predictions = file_predictions(predicted, experiment, dataset, None, UNWATCHED)
        datasets = root / "data" / "datasets"
        self.factors = np.load(datasets / f"user_factors_als_{DIM}_big.npy", mmap_mode="r")
        self.truth = csr_array(load_npz(datasets / "matrix_test_big.npz").T.tocsr())
        self.directions = unit_rows(self.predictions.values)
        self.columns = np.ascontiguousarray(self.directions.T)

    def product(self) -> None:
        """Multiply and nothing else, in the same blocks."""
        scores = np.empty((MAX_BLOCK_USERS, self.items), np.float32)
        for first in range(0, self.users, MAX_BLOCK_USERS):
            block = np.asarray(self.factors[first : first + MAX_BLOCK_USERS])
            np.matmul(block, self.columns, out=scores[: len(block)])

    def evaluate(self) -> dict[str, float]:
        """Rank, and compute all metrics."""
        options = RankingOptions(references=False)
        ranking = rank_items(self.predictions, options, UNWATCHED)
        return mean_metrics(user_values(ranking, "model"), ranking.summaries["model"])

    def implicit(self, threads: int | None) -> object:
        """Find the first 500 items of each user, and compute the metrics that implicit has.

        It has threads of its own, and asks for ``threads`` = 1 of the matrix product; None is what
        one gets who does not know that.
        """
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.evaluation import ranking_metrics_at_k

        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(factors=DIM)
        model.user_factors = np.asarray(self.factors[:OF_IMPLICIT])
        model.item_factors = self.directions
        some = csr_matrix(self.truth[:OF_IMPLICIT])
        some.indptr, some.indices = some.indptr.astype(np.int32), some.indices.astype(np.int32)
        nothing = csr_matrix(some.shape, dtype=np.float32)
        with threadpool_limits(threads, "blas"):
            return ranking_metrics_at_k(model, nothing, some, K=500, show_progress=False)


def beside_the_product(users: int, turns: int) -> None:
    """Print the ratios, with implicit on a part of the users."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder) / "w", users)
        job.evaluate()
        works: dict[str, tuple[Callable[[], object], int]] = {
            "product": (job.product, users),
            "ours": (job.evaluate, users),
            "implicit, as installed": (lambda: job.implicit(None), OF_IMPLICIT),
            "implicit, one BLAS thread": (lambda: job.implicit(1), OF_IMPLICIT),
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(turns):
            for name, (work, count) in works.items():
                times[name].append(timed(work) / count)
        ours = median(times["ours"])
        for name, each in times.items():
            ratios = [mine / other for mine, other in zip(times["ours"], each, strict=True)]
            told = f"ours is {median(ratios):.2f} of it" if name != "ours" else ""
            print(f"{name:>25}: {median(each) * 1e6:7.1f} µs a user  {told}")
        print("ours beside the product: at most 1.6, 1.4 aimed for; beside implicit: at most 0.4")
        print(f"extrapolated to {MILLION:,} users: {ours * MILLION / 60:.1f} minutes (one system)")


def growth(turns: int) -> None:
    """Print what a user and an item cost at three sizes each."""
    for what, sizes in (
        ("users", [(2048, ITEMS), (4096, ITEMS), (8192, ITEMS)]),
        ("items", [(2048, ITEMS // 4), (2048, ITEMS // 2), (2048, ITEMS)]),
    ):
        for users, items in sizes:
            with tempfile.TemporaryDirectory() as folder:
                job = Job(Path(folder) / "w", users, items)
                job.evaluate()
                each = median(timed(job.evaluate) for _ in range(turns)) / users / items
                print(f"{what}: {users:>6,} × {items:>6,}: {each * 1e9:.2f} ns a user and item")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--turns", type=int, default=TURNS)
    chosen = parser.parse_args()
    beside_the_product(chosen.users, chosen.turns)
    growth(min(3, chosen.turns))


if __name__ == "__main__":
    main()
