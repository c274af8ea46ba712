"""An epoch over a large file of patches beside the same epoch from memory, and its memory.

Usage: python -m tests.benchmarks.patch_training [--gigabytes 4] [--preset dummy_audio]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.patches import Patches, open_patches, write_patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.experiments.resolve import resolve
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.fit import fit

FRAMES, BINS, BATCH = 322, 96, 32


def ids_of(rows: int) -> list[str]:
    """Name as many items as there are rows."""
    return [f"item-{row}" for row in range(rows)]


def make_file(path: Path, rows: int) -> None:
    """Write a file of patches that are all different."""
    rng = np.random.default_rng(0)
    some = rng.standard_normal((512, FRAMES, BINS), np.float32)
    blocks = (some[: min(512, rows - start)] + start / rows for start in range(0, rows, 512))
    write_patches(path, ids_of(rows), blocks, (FRAMES, BINS), {})


@dataclass(frozen=True)
class InMemory:
    """The same patches in memory; each batch is picked from the whole."""

    path: Path
    values: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, frames, bins, 1."""
        return self.values.shape

    def rows(self, which: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return some rows."""
        return self.values[which]


def in_memory(patches: Patches) -> InMemory:
    """Read all patches."""
    whole = np.empty(patches.features.shape, np.float32)
    patches.features.read_direct(whole)
    return InMemory(patches.path, whole.reshape(patches.shape))


def epoch_s(preset: str, patches: Patches | InMemory) -> float:
    """Return the seconds of the second epoch; the first one compiles."""
    experiment = resolve(preset)
    rows = patches.shape[0]
    items = ItemSet("train", [], (cast("Any", patches),), np.arange(rows))
    targets = np.eye(experiment.targets.dim, dtype=np.float32)[
        np.arange(rows) % experiment.targets.dim
    ]
    part = TrainingSubset(items, Matrix(Path(), targets), np.arange(rows))
    few = TrainingSubset(items, Matrix(Path(), targets), np.arange(BATCH))
    network = experiment.architecture.build(
        [patches.shape[1:]], experiment.network, experiment.targets.dim, 0
    )
    options = experiment.fitting.model_copy(
        update={"epochs": 2, "patience": 2, "batch_size": BATCH}
    )
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history.csv"
        fit(
            network,
            Batches(part, size=BATCH, rng=np.random.default_rng(0)),
            Batches(few, size=BATCH),
            options=options,
            course=TrainingCourse(history),
            progress=UNWATCHED,
        )
        with history.open() as file:
            return float(list(DictReader(file))[1]["seconds"])


def measure(path: Path, preset: str, *, memory: bool) -> None:
    """Train on a file in this process, and print seconds and the most memory."""
    with h5py.File(path) as store:
        rows = len(store["index"])
    patches = open_patches(path, ids_of(rows))
    taken = epoch_s(preset, in_memory(patches) if memory else patches)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    print(f"{taken} {peak}")


def main() -> None:
    """Measure both, each in a process of its own, in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--preset", default="dummy_audio")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--memory", action="store_true")
    asked = parser.parse_args()
    if asked.file:
        measure(asked.file, asked.preset, memory=asked.memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "patches.hdf5"
        make_file(path, int(asked.gigabytes * 1e9 / (4 * FRAMES * BINS)))
        command = [sys.executable, "-m", "tests.benchmarks.patch_training", "--file", str(path)]
        command += ["--preset", asked.preset]
        for _ in range(asked.rounds):
            told = []
            for extra in (["--memory"], []):
                words = command + extra
                run = subprocess.run(  # noqa: S603 — this very script
                    words, check=True, env=os.environ, capture_output=True, text=True
                )
                told.append([float(each) for each in run.stdout.split()])
            (memory_s, _), (file_s, peak) = told
            print(
                f"{asked.preset}, {asked.gigabytes:g} GB: epoch {file_s:.0f} s from the file, "
                f"{memory_s:.0f} s from memory: ratio {file_s / memory_s:.2f}; "
                f"peak memory with the file {peak:.2f} GiB"
            )


if __name__ == "__main__":
    main()
