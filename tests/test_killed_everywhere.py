"""Commands that are killed before any of their renames and deletions, and are given again."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.killed_everywhere import Trial
from tests.worlds import World

SETS = (("train", 40), ("test", 12))

TRAINED = ("train", "ridge", "text", "--dataset", "rec")
NETWORK = ("train", "rec_dense", "text", "--dataset", "rec", "--set", "training.epochs=1")
PREDICTED = ("predict", "model_1")
EVALUATED = ("evaluate", "model_1")
RECOMMENDED = ("recommend", "model_1")
TEXT = ("text", "rec", "vsm", "--setting", "bow", "--text", "ROOT/text")
FACTORIZE = ("factorize", "rec", "als", "--dim", "3", "--force")

TRIALS = {
    "split": Trial([], ["split", "mine", "--plays", "ROOT/new-plays.csv"]),
    "split --force": Trial(
        [["split", "mine", "--plays", "ROOT/old-plays.csv"]],
        ["split", "mine", "--plays", "ROOT/new-plays.csv", "--force"],
    ),
    "features": Trial(
        [["features", "rec", "mine", "--from", "ROOT/old.csv"]],
        ["features", "rec", "mine", "--from", "ROOT/new.csv", "--force"],
    ),
    "text": Trial(
        [[*TEXT, "--set", "terms=5"]],
        [*TEXT, "--set", "terms=4"],
    ),
    "factorize": Trial([[*FACTORIZE, "--iterations", "2"]], [*FACTORIZE, "--iterations", "3"]),
    "predict": Trial([TRAINED], PREDICTED),
    "evaluate": Trial([TRAINED, PREDICTED], EVALUATED),
    "evaluate again": Trial([TRAINED, PREDICTED, EVALUATED], [*EVALUATED, "--k", "2"]),
    "recommend": Trial([TRAINED, PREDICTED], RECOMMENDED),
    "export": Trial(
        [TRAINED, PREDICTED],
        ["export", "model_1", "--what", "predictions", "--to", "ROOT/out.csv", "--force"],
    ),
    "models delete": Trial(
        [TRAINED, PREDICTED, EVALUATED, RECOMMENDED],
        ["models", "delete", "model_1", "--yes"],
    ),
    "train": Trial([], TRAINED, trains=True),
    "train a network": Trial([], NETWORK, trains=True, only="replace"),
    "predict --layer": Trial([NETWORK], ["predict", "model_1", "--layer", "0"]),
}


def write_world(root: Path) -> None:
    """Write a dataset, and the tables and texts that the commands read, old and new ones."""
    world = World(root)
    world.recommendation()
    for seed, age in enumerate(("old", "new")):
        items = [f"{name}-{n}" for name, count in SETS for n in range(count)]
        lines = "".join(f"{item},{(seed + 1.0) * n},{n % 3}\n" for n, item in enumerate(items))
        (world.root / f"{age}.csv").write_text("id,a,b\n" + lines)
        drawn = np.random.default_rng(seed).integers(0, 12, (90, 2))
        pairs = sorted({(f"u{user}", f"i{item}") for user, item in drawn})
        plays = "".join(f"{user},{item},{n % 4 + 1}\n" for n, (user, item) in enumerate(pairs))
        (world.root / f"{age}-plays.csv").write_text("user,item,plays\n" + plays)
    texts = world.root / "text"
    texts.mkdir()
    for name, count in SETS:
        for n in range(count):
            text = "love" * (n % 2) + f" song{n % 7} of{n % 4} and{n % 3} more{n % 5}"
            (texts / f"{name}-{n}.txt").write_text(text)


def tried(folder: Path, trial: Trial) -> tuple[list[str], list[str]]:
    """Try it in a process without the threads that a fork would lose."""
    done = subprocess.run(  # noqa: S603 — our own module
        [sys.executable, "-m", "tests.killed_everywhere", str(folder)],
        input=json.dumps(asdict(trial)),
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return found["calls"], found["wrong"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("name", TRIALS)
def test_a_command_that_was_killed_anywhere_can_be_given_again_and_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    write_world(tmp_path / "world")
    calls, wrong = tried(tmp_path, TRIALS[name])
    assert calls
    assert wrong == []
