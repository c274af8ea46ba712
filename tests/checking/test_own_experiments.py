"""``check-data`` names what is wrong with the user's own experiments."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.checking.damage import check, only
from tests.conftest import Command
from tests.worlds import World

MULTI = 'extends = "rec_multi"\n'
BROKEN = {
    MULTI + '[training]\nepochs = "x"\n': ("line 3: training.epochs = 'x'", "a valid integer"),
    MULTI + "training.epochs = 0\n": ("line 2: training.epochs = 0", "greater than or equal to 1"),
    MULTI + "[training]\nepohcs = 3\n": ("line 3: there is no parameter", "training.epochs"),
    MULTI + "[trainin]\nepochs = 3\n": ("line 2: there is no parameter trainin", "training"),
    MULTI + "network = 3\n": ("line 2: network = 3", "a section, [network]"),
    MULTI + '[network]\nname = "fusoin"\n': ("line 3: there is no network", "fusion"),
    MULTI + "[training\n": ("not valid TOML", "Correct that line."),
    MULTI + MULTI: ("not valid TOML", "Correct that line."),
    'extends = "rec_multy"\n': ("line 1: extends 'rec_multy'", "Did you mean rec_multi"),
    'extends = "mine"\n': ("line 1: extends itself", "extend a preset"),
    "": ("an empty file", 'extends = "rec_multi"'),
    "# nothing\n": ("dataset: Field required", ""),
}  # fmt: skip


def write(world: World, text: str, name: str = "mine.toml") -> Path:
    path = world.root / "experiments" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def told_of(document: Any, name: str) -> list[dict[str, str]]:
    return [p for p in document["problems"] if p["file"] == f"experiments/{name}"]


@pytest.mark.parametrize("text", BROKEN, ids=repr)
def test_a_broken_experiment_is_told_with_its_line_and_what_is_expected(
    text: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write(world, text)
    write(world, 'extends = "rec_multi"\n[dataset]\nname = "rec"\n[targets]\ndim = 4\n', "ok.toml")
    document = check(tartarus, world, "rec")
    problem = told_of(document, "mine.toml")[0]
    found, remedy = BROKEN[text]
    assert problem["severity"] == "error"
    assert found in problem["found"]
    assert remedy in problem["expected"] + problem["hint"]
    assert problem["hint"]
    # The others are looked at all the same.
    assert document["datasets"]["rec"]["ready"]["ok"] == 2


def test_all_faults_of_an_experiment_are_told_at_once(tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    write(world, MULTI + '[training]\nepochs = "x"\nbatch_sizze = 3\nlearning_rate = -1\n')
    told = told_of(check(tartarus, world), "mine.toml")
    assert sorted(p["found"].partition(":")[0] for p in told) == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize("put", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_folder_or_a_pipe_among_the_experiments_stops_nothing(
    put: Any, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    put(write(world, MULTI, "other.toml").with_name("mine.toml"))
    document = check(tartarus, world)
    assert told_of(document, "mine.toml")[0]["found"] in ("a folder", "a pipe")
    assert not told_of(document, "other.toml")


def test_a_file_in_the_place_of_the_experiments_is_told(tartarus: Command, tmp_path: Path) -> None:
    world = only("rec", tmp_path)
    (world.root / "experiments").touch()
    problems = check(tartarus, world)["problems"]
    told = [(p["file"], p["found"]) for p in problems if p["severity"] == "error"]
    assert told == [("experiments", "a file")]


def test_an_experiment_called_as_a_preset_is_told_and_others_may_extend_the_preset(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write(world, MULTI, "rec_multi.toml")
    write(world, 'extends = "rec_multi"\n[dataset]\nname = "rec"\n[targets]\ndim = 4\n', "ok.toml")
    document = check(tartarus, world)
    assert "has the name of a preset" in told_of(document, "rec_multi.toml")[0]["found"]
    assert not told_of(document, "ok.toml")
    assert document["datasets"]["rec"]["ready"]["ok"] == 2


def test_an_experiment_on_a_dataset_that_is_not_there_is_worth_a_warning(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write(world, MULTI + '[dataset]\nname = "rce"\n')
    write(world, MULTI + '[dataset]\ntask = "recommendation"\n', "other.toml")
    document = check(tartarus, world)
    (told,) = told_of(document, "mine.toml")
    assert (told["severity"], told["found"][:28]) == ("warning", "line 3: dataset.name = 'rce'")
    assert "Did you mean rec?" in told["hint"]
    assert not told_of(document, "other.toml")


@pytest.mark.parametrize("name", ["mine.toml.txt", "mine.yaml", "mine.TOML"])
def test_a_file_that_was_meant_as_an_experiment_is_worth_a_warning(
    name: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    write(world, MULTI, name)
    write(world, "import keras", "networks.py")
    document = check(tartarus, world)
    assert [p["severity"] for p in told_of(document, name)] == ["warning"]
    assert not told_of(document, "networks.py")


def test_of_many_broken_experiments_the_same_is_printed_once(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    for number in range(20):
        write(world, 'extends = "rec_multy"\n', f"e{number:02}.toml")
    assert sum(p["severity"] == "error" for p in check(tartarus, world)["problems"]) == 20
    printed = tartarus("check-data", "-w", world.root).out
    assert printed.count("rec_multy") == 1
    assert "e04.toml" in printed
    assert "… and 15 more files" in printed
