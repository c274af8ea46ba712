"""Trainings that are killed at random moments, and go on.

``python -m tests.killed_trainings FOLDER KILLS`` prints, as JSON, how often they were killed, where
their checkpoints were by then, and which of them did not come to the weights and losses of one that
was never killed. It trains in children of a process that has imported much and started no thread.
"""

import csv
import importlib
import io
import itertools
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from tests.worlds import SPLITS, World

FRAMES, BINS = 12, 8
LONG = ("--set", "training.epochs=12", "--set", "training.patience=99", "--seed", "3")
SMALL_FILTERS = (
    *("--set", "network.kernels=[[3, 8], [2, 1]]", "--set", "network.filters=[4, 4]"),
    *("--set", "network.pools=[[2, 1], [1, 1]]", "--set", "network.dropout=0.3"),
)
TRAININGS: dict[str, Sequence[str]] = {
    "rec_audio": ("rec_audio", *SMALL_FILTERS, "--set", "training.batch_size=20"),
    "rec_dense": (
        *("rec_dense", "text", "--set", "network.hidden=8", "--set", "network.dropout=0.3"),
        *("--set", "training.batch_size=20"),
    ),
    "two_tower": ("two_tower", "text-sparse", "--set", "targets.dim=4"),
}
LONGEST_S = 0.3
"""How long a training runs at most, after its first step, until it is killed."""
PRELOADED = {"tartarus_cli", "numpy", "scipy", "sklearn", "numba", "h5py", "keras", "jax", "rich"}


def write_world(root: Path) -> None:
    """Write a dataset with features, plays and patches."""
    from tartarus_cli.data.patches import write_patches

    world = World(root)
    world.recommendation("rec", val=True)
    folder = root / "data" / "patches"
    folder.mkdir()
    for split, count in SPLITS.items():
        values = world.rng.standard_normal((2 * count, FRAMES, BINS)).astype(np.float32)
        ids = [f"{split}-{n}" for n in np.repeat(np.arange(count), 2)]
        path = folder / f"patches_{split}_rec_2_1.hdf5"
        write_patches(path, ids, [values], (FRAMES, BINS), {"fingerprint": "same"})


def bits_of(folder: Path) -> tuple[bytes, list[dict[str, str]]]:
    """Return the file of the weights of a model, and its history without the seconds."""
    with ZipFile(folder / "model.keras") as archive:
        weights = archive.read("model.weights.h5")
    rows = csv.DictReader(io.StringIO((folder / "history.csv").read_text()))
    return weights, [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


class Killed:
    """A workspace, and the trainings in it."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root, self.log = root, log
        self.models = root / "data" / "models"

    def child(self, words: Sequence[str], *, often: bool) -> tuple[int, int]:
        """Begin a command in a process of its own; return it, and what says that it trains."""
        reading, writing = os.pipe()
        child = os.fork()
        if child:
            os.close(writing)
            return child, reading
        status = 1
        try:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            status = self.run(words, writing, often=often)
        finally:
            os._exit(status)

    def run(self, words: Sequence[str], writing: int, *, often: bool) -> int:
        """Run a command; write a byte once the training takes steps."""
        from tartarus_cli.training import checkpoints, epochs
        from tests.conftest import run_command

        begin = epochs.Epochs.batch_ends

        def batch_ends(each: Any, figures: Any) -> None:
            os.write(writing, b".")
            begin(each, figures)

        if often:
            checkpoints.SHARE = 1e9
            words = (*words, "--checkpoint-every", "0.0001s")
        setattr(epochs.Epochs, "batch_ends", batch_ends)  # noqa: B010 — mypy
        done = run_command(*words, "-w", self.root)
        sys.stdout.write(done.out + done.err)
        sys.stdout.flush()
        return done.status

    def to_its_end(self, words: Sequence[str]) -> None:
        """Run a command, which has to succeed."""
        child, reading = self.child(words, often=False)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(reading)
        if status:
            raise SystemExit(self.log.read_text())

    def killed(self, words: Sequence[str], rng: random.Random) -> int | None:
        """Run a command and kill it at a random moment; return its status if it ended before."""
        child, reading = self.child(words, often=True)
        if rng.random() < 0.1:  # perhaps before its first step
            time.sleep(rng.random() * 2 * LONGEST_S)
        else:
            select.select([reading], [], [])  # the end of the process counts too
            time.sleep(rng.random() * LONGEST_S)
        os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(reading)
        return None if status == -signal.SIGKILL else status

    def newest(self) -> str:
        """Return the name of the newest model."""
        numbers = [int(path.name[6:]) for path in self.models.glob("model_*")]
        return f"model_{max(numbers, default=0)}"

    def is_finished(self) -> bool:
        """Whether the manifest of the newest model says so."""
        manifest = json.loads((self.models / self.newest() / "manifest.json").read_text())
        return bool(manifest["status"] == "finished")

    def place(self) -> str:
        """Say where the checkpoint of the newest model is."""
        from tartarus_cli.errors import FileError
        from tartarus_cli.models.checkpoint import read_checkpoint

        path = self.models / self.newest() / "checkpoint.npz"
        if not path.exists():
            return "none"
        try:
            state, _ = read_checkpoint(path)
        except FileError as problem:
            return f"DAMAGED: {problem}"
        return f"{state.epoch}:{state.batch}"


def preload() -> None:
    """Import what a training needs, but for what starts threads."""
    for name in (
        *("tests.conftest", "keras", "h5py", "scipy.sparse", "sklearn.linear_model"),
        *("tartarus_cli.api.models", "tartarus_cli.training.train", "tartarus_cli.layers"),
        *("tartarus_cli.experiments.request", "tartarus_cli.architectures.audio"),
        "tartarus_cli.tower_layers",
    ):
        importlib.import_module(name)
    if len([*Path("/proc/self/task").iterdir()]) > 1:
        msg = "a fork would lose threads"
        raise SystemExit(msg)


class Chain:
    """Trainings of several kinds, killed one after the other."""

    def __init__(self, world: Killed, kills: int) -> None:
        self.world, self.kills = world, kills
        self.rng = random.Random(0)  # noqa: S311
        self.wrong: list[str] = []
        self.places: list[str] = []
        """Where the checkpoint was after each kill."""
        self.expected = {}
        for name, words in TRAININGS.items():
            world.to_its_end(("train", *words, "--dataset", "rec", *LONG))
            self.expected[name] = bits_of(world.models / world.newest())

    def train(self, name: str) -> None:
        """Train one, killed again and again, until it is finished or there were enough kills."""
        world = self.world
        fresh = ("train", *TRAININGS[name], "--dataset", "rec", *LONG)
        before, words, status = world.newest(), fresh, None
        while status is None and len(self.places) < self.kills:
            status = world.killed(words, self.rng)
            if status is None:
                self.places.append(f"{name} {world.place()}")
                begun = (world.models / world.newest() / "manifest.json").exists()
                words = ("train", "--resume") if begun and world.newest() != before else fresh
        if status is None:
            world.to_its_end(words)
        elif status and not (status == 2 and world.is_finished()):  # killed after its end
            self.wrong.append(f"{name} ended with {status}: {world.log.read_text()}")
        self.compare(name, world.models / world.newest())

    def compare(self, name: str, folder: Path) -> None:
        """Compare what came of it with what was never killed."""
        if not (folder / "model.keras").exists():
            self.wrong.append(f"{name} ({folder.name}) is not finished")
        elif bits_of(folder) != self.expected[name]:
            self.wrong.append(f"{name} ({folder.name}) differs")

    def all(self) -> dict[str, Any]:
        """Train until there were enough kills."""
        for name in itertools.cycle(TRAININGS):
            if len(self.places) >= self.kills:
                break
            self.train(name)
        self.wrong += [place for place in self.places if "DAMAGED" in place]
        return {"wrong": self.wrong, "places": self.places}


def main() -> None:
    """Kill, and print what came of it."""
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    preload()
    write_world(folder / "workspace")
    found = Chain(Killed(folder / "workspace", folder / "log"), kills).all()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
