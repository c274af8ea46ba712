"""What the shell completes: names of what there is in the workspace that is meant, quickly."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from tartarus_cli.cli import completion
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command, run_command
from tests.worlds import World

QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4")


@pytest.fixture(scope="module")
def _evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("completed") / "workspace")
    world.recommendation("rec")
    world.classification("one", several=False)
    world.setting("lyrics", "one", world.places({"train": 40, "val": 10, "test": 12}))
    (world.datasets / "users_index_rec.tsv").write_text("".join(f"u {n}\n" for n in range(9)))
    words = ("run", "rec_dense", "text", "--dataset", "rec", *QUICK, "-w", world.root)
    assert run_command(*words).status == 0
    return world.root


@pytest.fixture
def evaluated(_evaluated: Path, tmp_path: Path) -> Path:
    """Return a workspace with a model, in a folder whose name has to be quoted."""
    return Path(copytree(_evaluated, tmp_path / "my place"))


def completed(line: str, place: Path | None = None) -> list[str]:
    """Complete the last word of a command line, as bash asks for it."""
    command, *words = shlex.split(line)
    if place is not None:
        words[1:1] = ["-w", str(place)]
    words = [command, *words, *([""] * line.endswith(" "))]
    variables = {
        "COMP_WORDS": " ".join(map(shlex.quote, words[:-1])) + f" {words[-1]}",
        "COMP_CWORD": str(len(words) - 1),
        "_TARTARUS_COMPLETE": "complete_bash",
    }
    shown = subprocess.run(  # noqa: S603 — our own words
        [Path(sys.executable).parent / "tartarus"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    assert shown.stderr == ""
    return [line for line in shown.stdout.split("\n") if line]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("tartarus evaluate mod", ["model_1"]),
        ("tartarus predict model_1 --layer dense", ["dense_1", "dense_2"]),
        ("tartarus recommend model_1 --user u", [f"u {n}" for n in range(9)]),
        ("tartarus recommend model_1 --item test-1", ["test-1", "test-10", "test-11"]),
        ("tartarus compare model_1 --metric MR", ["MRR"]),
        ("tartarus run rec_dense --dataset one lyr", ["lyrics", "lyrics-sparse"]),
        ("tartarus run rec_dense --dataset rec lyr", []),
        ("tartarus run rec_dense --set network.h", ["network.hidden="]),
        ("tartarus evaluate x.npy --experiment rec_d", ["rec_dense"]),
        ("tartarus patches o", ["one"]),
        ("tartarus reproduce dl", ["dlrs2017"]),
        ("tartarus reproduce dlrs2017 --only song-t", ["song-text"]),
    ],
)
def test_names_in_the_workspace_are_completed(line: str, names: list[str], evaluated: Path) -> None:
    assert completed(line, evaluated) == names


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("tartarus models sh", ["show"]),
        ("tartarus models show mod", ["model_1"]),
        ("tartarus models delete mod", ["model_1"]),
        ("tartarus experiments show rec_mu", ["rec_multi"]),
        ("tartarus experiments show rec_multi --set training.ep", ["training.epochs="]),
    ],
)
def test_commands_of_groups_are_completed_and_what_they_take(
    line: str, names: list[str], evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARTARUS_WORKSPACE", str(evaluated))
    assert completed(line) == names


def test_where_something_is_damaged_nothing_is_completed_and_nothing_printed(
    evaluated: Path, tmp_path: Path
) -> None:
    for path in evaluated.rglob("*.json"):
        path.write_text("[")
    for line in ("predict model_1 --layer d", "compare model_1 --metric M", "run x --set a"):
        assert completed(f"tartarus {line}", evaluated) == []
    assert completed("tartarus models show m", tmp_path / "none") == []


def test_only_the_first_ids_of_a_long_list_are_looked_through(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "MAX_LINES", 5)
    workspace = open_workspace(evaluated)
    assert [*completion.users(workspace, {"model": "model_1"})] == [f"u {n}" for n in range(5)]
    assert len([*completion.test_items(workspace, {})]) == 5


def test_a_workspace_below_a_home_is_named_in_full(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TARTARUS_WORKSPACE", "~/x")
    refused = tartarus("models", "list")
    assert f"Make a workspace: tartarus init {tmp_path / 'home' / 'x'}" in refused.err
    monkeypatch.setenv("TARTARUS_WORKSPACE", "~nobody-of-this-name/x")
    unknown = tartarus("models", "list")
    assert (unknown.status, "which folder ~nobody-of-this-name" in unknown.err) == (2, True)
