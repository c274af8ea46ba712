"""A graphics card beside the processor: equal ranks, and the time of rankings and of trainings.

Usage: python -m tests.benchmarks.gpu [--users 100000] [--patches 2048] [--small]

Everything is made here, and needs no network. Without a card, JAX's processor stands for it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import Matrix, unit_rows
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.devices import current_device, on_device
from tartarus_cli.environment import Precision, keras_defaults, open_keras
from tartarus_cli.evaluation.ranking import Ranking, RankingOptions, rank_items
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.machine import cores
from tartarus_cli.prediction.aligned import Predictions, file_predictions
from tartarus_cli.progress import SilentProgress
from tartarus_cli.scoring.on_device import Engine
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.fit import fit
from tartarus_cli.workspace import open_workspace
from tests.benchmarks.listeners import DIM, ITEMS, make_listeners
from tests.benchmarks.two_tower import fit_of, sparse_rows

FRAMES, BINS, BATCH = 322, 96, 32
LOOKED_AT = 500  # ranks that differ, and are explained


class Told(SilentProgress):
    """Prints warnings, since one says that the device was given up."""

    def warn(self, message: str) -> None:
        """Print it."""
        print("WARNING:", message)


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    users: int
    items: int
    patches: int
    tower_items: int
    tower_users: int


@contextmanager
def said(what: str) -> Iterator[None]:
    """Print what was done, and the seconds of it."""
    begun = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - begun:.2f} s", flush=True)


def rank(predictions: Predictions, device: str, engine: Engine) -> Ranking:
    """Rank for all users, and print the time."""
    options = RankingOptions(references=False, checkpoints=False, engine=engine)
    with on_device(device), said(f"  {engine} on {device}"):
        return rank_items(predictions, options, Told())


def rankings(sizes: Sizes, device: str) -> None:
    """Rank on both, and compare."""
    print(f"ranking {sizes.users:,} users × {sizes.items:,} items × {DIM} factors")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        with said("  made"):
            predicted = make_listeners(root, users=sizes.users, items=sizes.items)
            dataset = open_workspace(root).dataset("big")
            experiment = resolve("rec_multi", dataset="big")
            predictions = file_predictions(predicted, experiment, dataset, None, Told())
        rank(predictions, device, "jax")  # compiles
        there = rank(predictions, device, "jax")
        here = rank(predictions, "auto", "numba")
        users = np.load(
            root / "data" / "datasets" / f"user_factors_als_{DIM}_big.npy", mmap_mode="r"
        )
        compare(here, there, users, unit_rows(predictions.values))


def compare(here: Ranking, there: Ranking, users: NDArray[Any], items: NDArray[Any]) -> None:
    """Count the ranks that differ, and how many of these float32 does not excuse."""
    mine, other = here.summaries["model"].ranks, there.summaries["model"].ranks
    differing = np.flatnonzero(mine != other)
    print(f"  {len(mine):,} ranks, {len(differing):,} differ", end="")
    if not len(differing):
        print()
        return
    owners = np.repeat(np.arange(len(here.starts) - 1), np.diff(here.starts))
    exact, wrong = items.astype(np.float64), 0
    for place in np.random.default_rng(0).permutation(differing)[:LOOKED_AT]:
        row = np.asarray(users[owners[place]], np.float64)
        scores = exact @ row
        own = scores[here.items[place]]
        blur = 2 * DIM * np.finfo(np.float32).eps * np.linalg.norm(row)
        best, worst = 1 + (scores > own + blur).sum(), (scores >= own - blur).sum()
        wrong += any(not best <= ranks[place] <= worst for ranks in (mine, other))
    furthest = np.abs(mine[differing].astype(int) - other[differing]).max()
    looked = min(LOOKED_AT, len(differing))
    print(f", by {furthest} places at most; of {looked}, float32 does not excuse {wrong}")


class Rows:
    """Patches in memory."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        some = rng.standard_normal((min(count, 256), FRAMES, BINS, 1), np.float32)
        self.path, self._some, self.shape = Path(), some, (count, FRAMES, BINS, 1)

    def rows(self, which: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return some of them."""
        return np.asarray(self._some[np.asarray(which) % len(self._some)])


def audio_epoch(count: int) -> Callable[[Precision], float]:
    """Return what trains the network of rec_audio, and tells the seconds of the second epoch."""
    experiment, patches = resolve("rec_audio"), Rows(count)
    dim = experiment.targets.dim
    targets = np.random.default_rng(1).standard_normal((count, dim)).astype(np.float32)
    items = ItemSet("train", [], (cast("Any", patches),), np.arange(count))
    part = TrainingSubset(items, Matrix(Path(), targets), np.arange(count))
    few = TrainingSubset(items, Matrix(Path(), targets), np.arange(BATCH))
    options = experiment.fitting.model_copy(update={"epochs": 2, "patience": 2})

    def train(precision: Precision) -> float:
        with keras_defaults(precision), tempfile.TemporaryDirectory() as folder:
            build = experiment.architecture.build
            network = build([(FRAMES, BINS, 1)], experiment.network, dim, 0)
            history = Path(folder) / "history.csv"
            fit(
                network,
                Batches(part, size=BATCH, rng=np.random.default_rng(0)),
                Batches(few, size=BATCH),
                options=options,
                course=TrainingCourse(history),
                progress=Told(),
            )
            with history.open() as file:
                rows = list(DictReader(file))
            print(f"    losses {', '.join(row['loss'] for row in rows)}")
            return float(rows[1]["seconds"])

    return train


def tower_epoch(items: int, users: int) -> Callable[[Precision], float]:
    """Return what trains a linear two-tower network, and tells the seconds of an epoch."""
    features, plays = sparse_rows(items, 2048, 12, 0), sparse_rows(items, users, 50, 1)
    from tartarus_cli.training.two_tower import FreeUsers

    train = fit_of(features, plays, items, FreeUsers(), 128, 2)

    def epoch(precision: Precision) -> float:
        with keras_defaults(precision):
            return train() / 2

    return epoch


def trainings(sizes: Sizes, device: str) -> None:
    """Train on both, with both precisions on the card."""
    works = {
        f"rec_audio, {sizes.patches:,} patches": audio_epoch(sizes.patches),
        f"two-tower, {sizes.tower_items:,} items × {sizes.tower_users:,} users": tower_epoch(
            sizes.tower_items, sizes.tower_users
        ),
    }
    ways: list[tuple[str, Precision]] = [(device, "float32"), (device, "bfloat16")]
    ways += [("cpu", "float32")]
    for name, work in works.items():
        print(f"training {name}")
        for where, precision in ways:
            with on_device(where):
                shown = current_device()
                print(f"  {precision} on {shown}: {work(precision):.2f} s an epoch", flush=True)


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--patches", type=int, default=1024)
    parser.add_argument("--small", action="store_true", help="to see whether it works")
    asked = parser.parse_args()
    sizes = Sizes(asked.users, asked.items, asked.patches, 20_000, 100_000)
    if asked.small:
        sizes = Sizes(2000, 3000, 64, 600, 500)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tartarus_cli", "doctor"], check=False)
    open_keras()
    import jax

    device = "gpu" if jax.default_backend() == "gpu" else "cpu"
    print(f"{cores()} cores; {current_device()}", flush=True)
    rankings(sizes, device)
    trainings(sizes, device)
    print(f"all: {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
