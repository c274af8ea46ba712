"""Files of code that the user names: what runs, when, and what is kept of it."""

import json
import os
import re
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path
from shutil import move
from typing import Any

import numpy as np
import pytest
import typer

from tartarus_cli.cli.app import app
from tests.cli.test_command_line import commands
from tests.conftest import Command, Outcome
from tests.foreign import BASELINE, CODE, EXTRACTOR, METRIC, NETWORK, REGISTRIES, TRANSFORM, Foreign
from tests.sounds import FAST, Sounds
from tests.worlds import SPLITS, World

TRACE = "from pathlib import Path\nwith Path({!r}).open('a') as f:\n    f.write('x')\n"
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=4", "--dataset", "rec")


class Lab:
    """A workspace with code in it that leaves a mark whenever it runs."""

    def __init__(self, world: World, tartarus: Command) -> None:
        self.root, self._tartarus = world.root, tartarus
        self.mark = world.root.parent / "mark"
        self.code = world.root / "mine.py"
        self.write(BASELINE)
        (world.root / "experiments").mkdir()

    def write(self, code: str) -> None:
        """Write the code."""
        self.code.write_text(f"{code}\n{TRACE.format(str(self.mark))}")

    @property
    def runs(self) -> int:
        """How often it ran."""
        return len(self.mark.read_text()) if self.mark.exists() else 0

    def experiment(self, name: str, text: str) -> None:
        """Write an experiment."""
        (self.root / "experiments" / f"{name}.toml").write_text(text)

    def __call__(self, *words: object) -> Outcome:
        """Run a command in the workspace."""
        return self._tartarus(*words, "-w", self.root)

    def train(self, *words: object) -> dict[str, Any]:
        """Train the baseline of the code, and return the manifest."""
        name = ("--dataset", "rec", "--set", "network.name=average")
        trained = self("train", "random", *name, "--code", self.code, *words)
        assert trained.status == 0, trained.err
        path = self.root / "data" / "models" / "model_1" / "manifest.json"
        manifest: dict[str, Any] = json.loads(path.read_text())
        return manifest


@pytest.fixture
def lab(world: World, tartarus: Command, foreign: Foreign) -> Lab:
    assert foreign.folder.is_dir()
    return Lab(world, tartarus)


OWN = """
description = "The average of the train items"
code = ["mine.py"]
[dataset]
name = "rec"
[network]
name = "average"
"""


@pytest.mark.parametrize("group", REGISTRIES)
def test_what_a_file_registers_can_be_used(group: str, lab: Lab) -> None:
    name, code = CODE[group]
    lab.write(code)
    assert name not in REGISTRIES[group].names()
    assert lab("experiments", "list", "--code", lab.code).status == 0
    assert name in REGISTRIES[group].names()
    assert REGISTRIES[group].origin(name).endswith("mine.py")


def test_a_network_and_a_metric_of_a_file_are_used_and_found_again(
    lab: Lab, foreign: Foreign
) -> None:
    lab.write(NETWORK + METRIC)
    words = ("--set", "network.name=twin", "--json", "--code", lab.code)
    ran = lab("run", "rec_dense", "text", *QUICK, *words)
    assert ran.status == 0, ran.err
    relevant = ran.document["metrics"]["relevant items"]
    assert relevant >= 1
    foreign.restart()
    shown = lab("models", "show", "model_1", "--json").document
    hashed = blake2b(lab.code.read_bytes(), digest_size=16).hexdigest()
    assert shown["code"] == {"mine.py": hashed}
    assert re.search(r"code +mine\.py", lab("models", "show", "model_1").out)
    assert (lab.runs, lab("models", "list").status, lab.runs) == (1, 0, 1)
    again = lab("evaluate", "model_1", "--json").document
    assert again["metrics"]["relevant items"] == relevant
    assert not (lab.root / "__pycache__").exists()
    layer = in_a_new_process("predict", "model_1", "--layer", "doubled", "-w", lab.root)
    assert "model_1-pred_doubled is a new setting" in layer


def in_a_new_process(*words: object) -> str:
    command = [sys.executable, "-m", "tartarus_cli", *map(str, words)]
    done = subprocess.run(  # noqa: S603 — our own command
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_code_of_an_experiment_runs_when_it_is_named_and_is_recorded(lab: Lab) -> None:
    lab.experiment("mine", OWN)
    ran = lab("run", "mine", "--json")
    assert (ran.status, lab.runs) == (0, 1), ran.err
    assert ran.document["metrics"]["MAP@500"] > 0
    manifest = json.loads((lab.root / "data/models/model_1/manifest.json").read_text())
    assert [*manifest["code"]] == ["mine.py"]


def test_show_runs_the_code_and_shows_it(lab: Lab) -> None:
    lab.experiment("mine", OWN)
    assert 'code = ["mine.py"]' in lab("experiments", "show", "mine").out
    assert lab("experiments", "show", "mine", "--json").document["code"] == ["mine.py"]
    assert lab.runs == 1
    assert lab("experiments", "show", "ridge", "--json").document["code"] == []
    assert "code" not in lab("experiments", "show", "ridge").out


def test_neither_a_list_nor_a_check_runs_code_of_experiments(lab: Lab, foreign: Foreign) -> None:
    lab.experiment("mine", OWN)
    network = OWN.replace('"average"', '"twin"').replace("description", 'extends = "rec_dense"\n#')
    lab.experiment("other", network)
    lab.write(NETWORK + BASELINE)
    listed = lab("experiments", "list")
    assert "The average of the train items (your own; a list does not run its code, mine.py)" in (
        " ".join(listed.out.split())
    )
    documents = {each["name"]: each for each in lab("experiments", "list", "--json").document}
    assert documents["mine"] == {
        "name": "mine",
        "preset": False,
        "description": "The average of the train items",
        "dataset": {"name": "rec"},
        "code": ["mine.py"],
        "resolved": False,
    }
    checked = lab("check-data", "rec", "--json")
    assert "other uses code that was not run: mine.py; it is not looked at" in checked.err
    summary = checked.document["datasets"]["rec"]
    assert "other" not in {**summary["waiting"], **summary["ready"]}
    assert lab.runs == 0
    named = lab("check-data", "rec", "--json", "--code", lab.code)
    assert "other" in named.document["datasets"]["rec"]["ready"]
    foreign.restart()
    listed = lab("experiments", "list", "--json", "--code", lab.code)
    documents = {each["name"]: each for each in listed.document}
    assert documents["mine"]["network"] == {"name": "average"}
    assert lab.runs == 2


def test_code_is_inherited(lab: Lab) -> None:
    lab.experiment("mine", OWN)
    (lab.root / "metrics.py").write_text(METRIC)
    lab.experiment("heir", 'extends = "mine"\ncode = ["metrics.py", "mine.py"]')
    shown = lab("experiments", "show", "heir", "--json").document
    assert shown["code"] == ["mine.py", "metrics.py"]
    assert "relevant items" in REGISTRIES["tartarus.metrics"].names()


def test_a_file_runs_once_however_often_it_is_named(lab: Lab) -> None:
    lab.experiment("mine", OWN)
    twice = ("--code", lab.code, "--code", lab.root / "data" / ".." / "mine.py")
    assert lab("run", "mine", *twice).status == 0
    assert lab("predict", "model_1").status == 0
    assert lab.runs == 1


def test_code_that_changed_meanwhile_takes_the_place_of_what_it_registered(lab: Lab) -> None:
    lab.write(METRIC)
    assert lab("experiments", "list", "--code", lab.code).status == 0
    lab.write(METRIC.replace("relevant items", "other"))
    assert lab("experiments", "list", "--code", lab.code).status == 0
    names = REGISTRIES["tartarus.metrics"].names()
    assert ("other" in names, "relevant items" in names) == (True, False)


@pytest.mark.parametrize("file", ["../outside.py", "link.py", "{root}.py"])
def test_an_experiment_runs_no_code_outside_of_its_workspace(file: str, lab: Lab) -> None:
    outside = lab.root.parent / "outside.py"
    outside.write_text(BASELINE)
    (lab.root / "link.py").symlink_to(outside)
    lab.experiment("mine", OWN.replace("mine.py", file.format(root=lab.root)))
    refused = lab("run", "mine")
    assert refused.status == 2
    assert "mine.toml: code: " in refused.err
    assert "is outside of the workspace" in refused.err
    assert "--code FILE" in refused.err
    (listed,) = [e for e in lab("experiments", "list", "--json").document if e["name"] == "mine"]
    assert "is outside of the workspace" in listed["problem"]
    assert lab("experiments", "list", "--code", outside).status == 0


@pytest.mark.parametrize("value", ['"mine.py"', "[3]", "{ a = 1 }"])
def test_code_of_an_experiment_is_a_list_of_files(value: str, lab: Lab) -> None:
    lab.experiment("mine", OWN.replace('["mine.py"]', value))
    refused = lab("run", "mine")
    assert refused.status == 2
    assert "mine.toml: code: Input should be a list of files" in refused.err


NEWLINE = "\n"
FAULTS = {
    "an exception": ("x = 1\n\n1 / 0\n", "mine.py, line 3: ZeroDivisionError: division by zero"),
    "an exception after a registration": (
        f"{METRIC}\n1 / 0\n",
        f"mine.py, line {METRIC.count(NEWLINE) + 2}: ZeroDivisionError: division by zero",
    ),
    "an exception further down": (
        "def f():\n    return {}['a']\n\n\nf()\n",
        "mine.py, line 2: KeyError: 'a'",
    ),
    "bad syntax": ("x = 1\ny = = 2\n", "mine.py, line 2: SyntaxError: invalid syntax"),
    "an exit": ("import sys\nsys.exit(4)\n", "mine.py, line 2: SystemExit: 4"),
    "an import that fails": ("import not_there_at_all\n", "line 1: ModuleNotFoundError: No module"),
    "no text": ("\0", "mine.py: SyntaxError: source code string cannot contain null bytes"),
    "a built-in name": (
        METRIC.replace("relevant items", "MAP"),
        "the metric 'MAP' of workspace/mine.py has the name of one of Tartarus itself",
    ),
    "a name twice": (METRIC + METRIC, "has the name of one of workspace/mine.py"),
    "a computed figure": (METRIC.replace("relevant items", "Gini"), "the metric 'Gini' of"),
}


@pytest.mark.parametrize("why", FAULTS)
def test_code_with_a_fault_is_named_with_its_line_and_leaves_nothing(why: str, lab: Lab) -> None:
    code, told = FAULTS[why]
    before = REGISTRIES["tartarus.metrics"].names()
    lab.code.write_text(code)
    refused = lab("train", "random", "--dataset", "rec", "--code", lab.code)
    assert refused.status == 2
    assert told in refused.err
    assert "Traceback" not in refused.err
    assert not [name for name in sys.modules if name.startswith("tartarus_code_")]
    assert REGISTRIES["tartarus.metrics"].names() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.py", "No such file"), ("notes.txt", "not a file of Python"), ("data", "not a file")],
)
def test_a_file_that_is_no_code_is_reported(name: str, message: str, lab: Lab) -> None:
    (lab.root / "notes.txt").write_text("x")
    refused = lab("train", "random", "--dataset", "rec", "--code", lab.root / name)
    assert (refused.status, message in refused.err) == (2, True)


def test_code_takes_no_name_from_a_package(lab: Lab, foreign: Foreign) -> None:
    foreign.install("shop", {"things": METRIC}, {"tartarus.metrics": {"thing": "shop.things"}})
    lab.write(METRIC)
    refused = lab("train", "random", "--dataset", "rec", "--code", lab.code)
    assert refused.status == 2
    assert "'relevant items' of workspace/mine.py has the name of one of shop.things" in refused.err


def test_code_that_changed_after_the_training_is_used_and_told_of(
    lab: Lab, foreign: Foreign
) -> None:
    lab.train()
    foreign.restart()
    assert "has changed" not in lab("predict", "model_1").err
    foreign.restart()
    lab.write(BASELINE.replace("np.tile(", "2 * np.tile("))
    first = np.load(lab.root / "data" / "factors" / "factors_model_1.npy")
    predicted = lab("predict", "model_1")
    assert predicted.status == 0
    assert predicted.err.count("mine.py has changed since model_1 was trained with it") == 1
    second = np.load(lab.root / "data" / "factors" / "factors_model_1.npy")
    np.testing.assert_allclose(second, 2 * first)
    lab.write("1 / 0")
    foreign.restart()
    refused = lab("predict", "model_1")
    assert refused.status == 1
    assert "ZeroDivisionError: division by zero; model_1 was trained with this code" in refused.err


@pytest.mark.parametrize("command", ["predict", "evaluate", "recommend", "export"])
def test_a_model_whose_code_is_gone_is_refused_until_it_is_named_where_it_is(
    command: str, lab: Lab, foreign: Foreign
) -> None:
    lab.train()
    assert lab("predict", "model_1").status == 0
    more = ("--what", "rankings", "--to", "lists.csv") if command == "export" else ()
    foreign.restart()
    elsewhere = lab.root.parent / "elsewhere.py"
    move(lab.code, elsewhere)
    refused = lab(command, "model_1", *more)
    assert refused.status == 1
    assert "mine.py is gone, the code that model_1 was trained with" in refused.err
    assert "--code FILE" in refused.err
    done = lab(command, "model_1", *more, "--code", elsewhere)
    assert done.status == 0, done.err
    foreign.restart()
    for words in (
        ("models",),
        ("models", "show", "model_1"),
        ("models", "delete", "model_1", "-y"),
    ):
        assert lab(*words).status == 0


def test_a_workspace_can_be_moved_with_its_code(
    lab: Lab, foreign: Foreign, tartarus: Command
) -> None:
    assert [*lab.train()["code"]] == ["mine.py"]
    foreign.restart()
    moved = lab.root.rename(lab.root.with_name("moved"))
    assert tartarus("predict", "model_1", "-w", moved).status == 0


def test_code_elsewhere_is_recorded_by_its_whole_path(lab: Lab) -> None:
    elsewhere = lab.root.parent / "elsewhere.py"
    elsewhere.write_text(METRIC)
    recorded = lab.train("--code", elsewhere)["code"]
    assert [*recorded] == ["mine.py", str(elsewhere)]


def test_a_baseline_that_needs_code_is_not_taken_beside_a_model(lab: Lab, foreign: Foreign) -> None:
    assert lab("train", "ridge", "text", "--dataset", "rec", "--code", lab.code).status == 0
    foreign.restart()
    runs = lab.runs
    ran = lab("run", "knn", "text", "--dataset", "rec", "--baselines")
    assert ran.status == 0
    assert "ridge: model_3 is trained" in ran.err
    assert lab.runs == runs


def test_predictions_of_a_file_are_evaluated_by_an_experiment_with_code(lab: Lab) -> None:
    lab.experiment("mine", OWN)
    np.save("some.npy", np.ones((SPLITS["test"], 4)))
    words = ("evaluate", "some.npy", "--experiment", "mine", "--set", "targets.dim=4")
    assert (lab(*words).status, lab.runs) == (0, 1)


def test_a_transform_of_a_file_makes_patches_in_processes_of_their_own(
    tmp_path: Path, tartarus: Command, foreign: Foreign
) -> None:
    sounds = Sounds(tmp_path / "sounds")
    code = foreign.folder / "mine.py"
    code.write_text(TRANSFORM)
    own = (*FAST[:4], "--set", "floor=0.5", "--transform", "loudness", "--seconds", "0.2")
    words = ("patches", "songs", *own, "--jobs", 2, "-w", sounds.root)
    assert "no transform called 'loudness'" in tartarus(*words).err
    made = tartarus(*words, "--code", code, "--json")
    assert made.status == 0, made.err
    assert len(made.document["failed"]) == 0
    checked = tartarus("check-data", "songs", "--code", code, "-w", sounds.root)
    assert "6 frames × 1 bins of loudness" in checked.out


def test_an_extractor_of_a_file_makes_a_setting_that_can_be_checked_with_it(
    lab: Lab, foreign: Foreign
) -> None:
    lab.write(EXTRACTOR)
    folder = lab.root / "text"
    folder.mkdir()
    for split, count in SPLITS.items():
        for number in range(count):
            (folder / f"{split}-{number}.txt").write_text("la " * (number + 1))
    made = lab("text", "one", "lengths", "--text", folder, "--code", lab.code)
    assert made.status == 0, made.err
    foreign.restart()
    checked = lab("check-data", "one")
    assert checked.status == 1
    assert "--code FILE" in checked.out
    assert lab("check-data", "one", "--code", lab.code).status == 0


def test_every_command_that_uses_what_code_can_register_takes_it() -> None:
    known = commands(typer.main.get_command(app))
    with_code = {name.removeprefix("tartarus ") for name, o in known.items() if "--code" in o}
    assert with_code == {
        *("check-data", "patches", "text", "train", "predict", "evaluate", "run", "tune"),
        *("recommend", "export", "experiments list", "experiments show"),
        *("embed", "encoders list", "encoders show"),
    }
