"""Commands that are killed before any of their renames and deletions, and are given again."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.worlds import World

TABLES = {"new.csv": 1.0, "old.csv": 2.0}


def prepare_features(world: World, tartarus: Command) -> None:
    for name, factor in TABLES.items():
        items = [
            f"{split}-{n}" for split, count in (("train", 40), ("test", 12)) for n in range(count)
        ]
        lines = "".join(f"{item},{factor * n},{n % 3}\n" for n, item in enumerate(items))
        (world.root / name).write_text("id,a,b\n" + lines)
    source = world.root / "old.csv"
    assert tartarus("features", "rec", "mine", "--from", source, "-w", world.root).status == 0


def prepare_split(world: World, tartarus: Command) -> None:
    for seed, name in enumerate(("old-plays.csv", "new-plays.csv")):
        rng = np.random.default_rng(seed)
        pairs = {(f"u{u}", f"i{i}") for u, i in rng.integers(0, 12, (90, 2))}
        lines = "".join(
            f"{user},{item},{n % 4 + 1}\n" for n, (user, item) in enumerate(sorted(pairs))
        )
        (world.root / name).write_text("user,item,plays\n" + lines)
    plays = world.root / "old-plays.csv"
    assert tartarus("split", "mine", "--plays", plays, "-w", world.root).status == 0


def prepare_text(world: World, tartarus: Command) -> None:
    texts = world.root / "text"
    texts.mkdir()
    for split, count in (("train", 40), ("test", 12)):
        for n in range(count):
            (texts / f"{split}-{n}.txt").write_text(
                f"love song {n % 7} of {split} and {n % 3} more"
            )
    words = ("text", "rec", "vsm", "--setting", "bow", "--text", texts, "-w", world.root)
    assert tartarus(*words, "--set", "terms=5").status == 0


def prepare_factors(world: World, tartarus: Command) -> None:
    words = ("factorize", "rec", "als", "--dim", "3", "-w", world.root)
    assert tartarus(*words, "--iterations", "2").status == 0


def train(world: World, tartarus: Command) -> None:
    assert tartarus("train", "ridge", "text", "--dataset", "rec", "-w", world.root).status == 0


def predict(world: World, tartarus: Command) -> None:
    train(world, tartarus)
    assert tartarus("predict", "model_1", "-w", world.root).status == 0


def evaluate(world: World, tartarus: Command) -> None:
    predict(world, tartarus)
    assert tartarus("evaluate", "model_1", "-w", world.root).status == 0


def everything(world: World, tartarus: Command) -> None:
    evaluate(world, tartarus)
    assert tartarus("recommend", "model_1", "-w", world.root).status == 0


BY = ("-w", "ROOT")
COMMANDS: dict[str, tuple[Callable[[World, Command], None], Sequence[str]]] = {
    "features": (
        prepare_features,
        ("features", "rec", "mine", "--from", "ROOT/new.csv", "--force"),
    ),
    "split": (prepare_split, ("split", "mine", "--plays", "ROOT/new-plays.csv", "--force")),
    "text": (
        prepare_text,
        ("text", "rec", "vsm", "--setting", "bow", "--text", "ROOT/text", "--set", "terms=4"),
    ),
    "factorize": (
        prepare_factors,
        ("factorize", "rec", "als", "--dim", "3", "--iterations", "3", "--force"),
    ),
    "predict": (predict, ("predict", "model_1", "--split", "all")),
    "evaluate": (evaluate, ("evaluate", "model_1", "--k", "2")),
    "recommend": (everything, ("recommend", "model_1")),
    "export": (
        predict,
        ("export", "model_1", "--what", "predictions", "--to", "ROOT/out.parquet", "--force"),
    ),
}


def killed_everywhere(
    world: World, tmp_path: Path, words: Sequence[str], again: Sequence[str]
) -> list[str]:
    """Run it in a process without the threads of libraries, which a fork would lose."""
    script = [sys.executable, "-m", "tests.killed_everywhere", str(world.root), str(tmp_path)]
    done = subprocess.run(  # noqa: S603 — our own module
        [*script, json.dumps(words), json.dumps(again)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_was_killed_anywhere_can_be_given_again_and_leaves_nothing(
    name: str, world: World, tartarus: Command, tmp_path: Path
) -> None:
    prepare, words = COMMANDS[name]
    prepare(world, tartarus)
    words = (*words, *BY)
    assert killed_everywhere(world, tmp_path / "killed", words, words) == []


@pytest.mark.slow
def test_a_deletion_that_was_killed_anywhere_is_ended_by_the_next_command(
    world: World, tartarus: Command, tmp_path: Path
) -> None:
    everything(world, tartarus)
    words = ("models", "delete", "model_1", "--yes", *BY)
    assert killed_everywhere(world, tmp_path / "listed", words, ("models", "list", *BY)) == [
        "0: status 0, " + ", ".join(sorted_files_of_a_model(world))
    ]


def sorted_files_of_a_model(world: World) -> list[str]:
    """List the files that a deletion that never began leaves."""
    root = world.root
    names = [str(p.relative_to(root)) for p in root.rglob("*model_1*") if p.is_file()]
    names += [str(p.relative_to(root)) for p in (root / "data/models/model_1").iterdir()]
    names = [name for name in names if "/.claimed/" not in name]
    return sorted({*names, "data/results/results.tsv"})
