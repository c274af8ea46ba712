"""What checkpoints cost: as a share of a training that lasts ten minutes, and of a short one.

Usage: python -m tests.benchmarks.checkpoints [--width 2048] [--items 6400] [--epochs 4]

A checkpoint of ``rec_multi`` of the published size is written several times. Then the network is
trained without checkpoints and with one after each step, which gives the time that one costs within
a training; ten minutes have one at the interval of ten minutes, and one more at their end.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tartarus_cli.data.features import unit_rows
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.models.checkpoint import read_checkpoint
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training import checkpoints
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingControl, TrainingCourse
from tartarus_cli.training.fit import fit
from tests.benchmarks.training import DIM, network_of, part_of

TRAINING_S = 600.0


def train(part: TrainingSubset, epochs: int, every: float, folder: Path) -> tuple[float, int]:
    """Train ``rec_multi``; return the seconds after the first epoch, and the number of steps."""
    training = resolve("rec_multi").fitting
    options = training.model_copy(update={"epochs": epochs + 1, "patience": epochs + 1})
    rows = TrainingSubset(part.set, part.targets, part.samples[:2])
    batches = Batches(
        part, size=training.batch_size, prepare=unit_rows, rng=np.random.default_rng(0)
    )
    ends: list[float] = []

    def ended(*_: Any) -> None:
        ends.append(time.monotonic())

    fit(
        network_of("rec_multi", [matrix.shape[1:] for matrix in part.set.inputs]),
        batches,
        Batches(rows, size=2, prepare=unit_rows),
        options=options,
        course=TrainingCourse(
            folder / "history.csv", TrainingControl(every, ended), folder / "checkpoint.npz"
        ),
        progress=UNWATCHED,
    )
    return ends[-1] - ends[0], epochs * len(batches)


def main() -> None:
    """Print sizes, times and shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=2048, help="features of each setting")
    parser.add_argument("--items", type=int, default=6400)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (options.items, options.width)
    inputs = tuple(rng.standard_normal(shape, np.float32) for _ in range(2))
    part = part_of(inputs, rng.standard_normal((options.items, DIM), np.float32))
    checkpoints.SHARE = 1e9
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        without, steps = train(part, options.epochs, 0, folder)
        with_each, _ = train(part, options.epochs, 1e-9, folder)
        path = folder / "checkpoint.npz"
        size = path.stat().st_size
        reads = []
        for _ in range(3):
            start = time.monotonic()
            read_checkpoint(path)
            reads.append(time.monotonic() - start)
    written = steps + options.epochs
    each = max(0.0, with_each - without) / written
    print(f"a checkpoint has {size / 2**20:.0f} MiB, and is read in {median(reads):.2f} s")
    print(f"{steps} steps: {without:.2f} s; with {written} checkpoints {with_each:.2f} s")
    print(f"a checkpoint costs {each:.3f} s")
    print(f"of ten minutes, two of them are {200 * each / TRAINING_S:.3f}%")


if __name__ == "__main__":
    main()
