"""Groups in the commands for models: list, show, delete, evaluate, check-data and completion."""

import json
from pathlib import Path
from shutil import copytree
from statistics import stdev
from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.cli import completion
from tartarus_cli.models.groups import Groups
from tartarus_cli.models.store import Store
from tartarus_cli.workspace import Workspace, open_workspace
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import World

SHUFFLED = ("run", "ridge", "text", "--dataset", "rec", "--set", "shuffled=true")


def write_groups(root: Path) -> None:
    """Train ridges on shuffled features, which draw, with three seeds, then with two of these."""
    World(root).recommendation("rec")
    ours: Any = {"dataset": "rec", "workspace": root, "progress": False}
    for seeds in (3, [1, 2]):
        tt.run("ridge", "text", overrides={"shuffled": True}, seeds=seeds, **ours)
    tt.run("ridge", "audio", **ours)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "overlapping", write_groups)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace: group_1 of model_1 to model_3, group_2 of the last two, and model_4."""
    return Path(copytree(_written, tmp_path / "workspace"))


def models_of(root: Path) -> list[str]:
    return sorted(Store(open_workspace(root)).names())


def test_the_list_has_one_line_for_a_group_and_its_members_with_all(
    root: Path, tartarus: Command
) -> None:
    listed = tartarus("models", "-w", root).out
    first = (words[0] for words in map(str.split, listed.splitlines()) if words)
    names = [word for word in first if word.startswith(("model_", "group_"))]
    assert names == ["model_4", "group_1", "group_2"]
    assert "3 models of groups are not listed; with --all they are." in listed
    figures = [
        json.loads((root / f"data/results/model_{n}.json").read_text())["metrics"]["MAP@500"]
        for n in (1, 2, 3)
    ]
    assert f"± {stdev(figures):.4f}" in listed
    everything = tartarus("models", "list", "--all", "-w", root).out
    assert {"model_1", "model_2", "model_3", "model_4", "group_1"} <= {*everything.split()}
    document = tartarus("models", "list", "--json", "-w", root).document
    assert {model["model"]: model["groups"] for model in document} == {
        "model_1": ["group_1"],
        "model_2": ["group_1", "group_2"],
        "model_3": ["group_1", "group_2"],
        "model_4": [],
    }


def test_a_group_is_shown_with_its_members(root: Path, tartarus: Command) -> None:
    shown = tartarus("models", "show", "group_1", "-w", root).out
    assert "seed 2   model_3" in shown
    assert tartarus("models", "show", "group_1", "--json", "-w", root).document["n"] == 3
    (root / "data/results/model_2.json").unlink()
    shown = tartarus("models", "show", "group_1", "-w", root).out
    assert "seed 1 (model_2) has no results" in shown
    for model in (1, 3):
        (root / f"data/results/model_{model}.json").unlink()
    shown = tartarus("models", "show", "group_1", "-w", root).out
    assert [line.split()[:3] for line in shown.splitlines() if " model_" in line] == [
        ["seed", f"{n}", f"model_{n + 1}"] for n in (0, 1, 2)
    ]


def test_members_whose_results_were_deleted_are_evaluated_by_the_same_command(
    root: Path, tartarus: Command
) -> None:
    (root / "data/results/model_2.json").unlink()
    done = tartarus(*SHUFFLED, "--seeds", 3, "--json", "-w", root)
    assert (done.status, done.document["group"], done.document["n"]) == (0, "group_1", 3)
    assert models_of(root) == ["model_1", "model_2", "model_3", "model_4"]


def test_deleting_a_group_deletes_its_members_but_for_those_of_another_group(
    root: Path, tartarus: Command
) -> None:
    done = tartarus("models", "delete", "group_1", "--yes", "-w", root)
    assert done.status == 0, done.err
    assert models_of(root) == ["model_2", "model_3", "model_4"]
    assert "model_2 stays: it is in group_2 too." in done.out
    assert Groups(open_workspace(root)).names() == ["group_2"]
    assert not (root / "data/results/model_1.json").exists()
    tt.delete_models("group_2", workspace=root)
    assert models_of(root) == ["model_4"]


def test_two_groups_are_deleted_with_all_that_they_have(root: Path) -> None:
    tt.delete_models("group_1", tt.list_groups(workspace=root)[1], workspace=root)
    assert models_of(root) == ["model_4"]
    assert not tt.list_groups(workspace=root)


def test_deleting_a_member_says_which_group_lacks_it_and_the_same_command_trains_it_again(
    root: Path, tartarus: Command
) -> None:
    done = tartarus("models", "delete", "model_1", "--yes", "-w", root)
    assert "group_1 lacks model_1 now" in done.out
    again = tartarus(*SHUFFLED, "--seeds", 3, "--json", "-w", root)
    assert "group_1 goes on: 2 of 3 seeds are there" in again.err
    assert [member["model"] for member in again.document["members"]] == [
        *("model_5", "model_2", "model_3"),
    ]


def test_a_damaged_group_is_reported_and_can_be_deleted_while_its_models_stay(
    root: Path, tartarus: Command
) -> None:
    (root / "data/groups/group_1.json").write_text("{")
    checked = tartarus("check-data", "-w", root).out
    assert "data/groups/group_1.json" in " ".join(checked.split())
    assert tartarus("models", "show", "group_1", "-w", root).status == 1
    assert tartarus("models", "list", "-w", root).status == 0
    assert tartarus("models", "delete", "group_1", "-y", "-w", root).status == 0
    assert len(models_of(root)) == 4
    assert not (root / "data/groups/group_1.json").exists()


def test_members_that_were_removed_by_hand_are_reported(root: Path, tartarus: Command) -> None:
    from shutil import rmtree

    assert "group" not in tartarus("check-data", "rec", "-w", root).out
    rmtree(root / "data/models/model_1")
    checked = " ".join(tartarus("check-data", "-w", root).out.split())
    assert "the models of group_1, model_1 among them" in checked


def test_all_members_are_evaluated_with_other_options(root: Path, tartarus: Command) -> None:
    done = tartarus("evaluate", "group_1", "--k", 7, "--json", "-w", root)
    assert done.status == 0, done.err
    assert done.document["options"]["k"] == [7]
    for model in (1, 2, 3):
        results = json.loads((root / f"data/results/model_{model}.json").read_text())
        assert "P@7" in results["metrics"]
    assert {member["status"] for member in done.document["members"]} == {"evaluated"}
    assert "P@7" in done.document["mean"]
    again = tartarus(*SHUFFLED, "--seeds", 3, "--json", "-w", root)  # as it was asked before
    assert again.document["group"] == "group_3"
    assert "P@7" not in again.document["mean"]
    explained = tartarus("evaluate", "group_1", "--explain", "-w", root).out
    assert "What was done" in explained


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("evaluate", "group_1", "--by", "user-activity"), "--by is not for a group"),
        (("evaluate", "group_1", "--seed", "3"), "--seed is not for a group"),
        (("evaluate", "group_1", "--users", "0:3"), "--users is for one model"),
        (("evaluate", "group_1", "--merge"), "--merge is for one model"),
        (("evaluate", "group_9"), "there is no group called 'group_9'"),
        (("predict", "group_1"), "Name one of its members: model_1, model_2, model_3."),
        (("recommend", "group_1"), "group_1 is a group of models, and a single model is meant"),
        (("models", "show", "group_9"), "there is no group called 'group_9'"),
        (("models", "delete", "group_9", "-y"), "there is no group called 'group_9'"),
    ],
)
def test_what_takes_one_model_names_the_members_of_a_group(
    words: tuple[str, ...], found: str, root: Path, tartarus: Command
) -> None:
    failed = tartarus(*words, "-w", root)
    assert failed.status == 2
    assert found in failed.err


def test_the_shell_completes_groups(root: Path) -> None:
    workspace: Workspace = open_workspace(root)
    assert completion.models_and_groups(workspace, {})[-2:] == ["group_1", "group_2"]
    assert {"group_1", "model_1"} <= {*completion.results(workspace, {})}
    assert "MAP@500" in completion.metrics(workspace, {"models": ["group_1"]})
    assert completion.groups(None, {}) == []
