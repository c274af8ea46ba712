"""``compare`` of groups: over users and over seeds."""

import json
from pathlib import Path
from shutil import copytree
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

import tartarus_cli as tt
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import World


def write_groups(root: Path) -> None:
    """Train ridges on shuffled features, which draw: three seeds of two settings each."""
    World(root).recommendation("rec")
    ours: Any = {"dataset": "rec", "workspace": root, "progress": False}
    for setting in ("text", "audio"):
        tt.run("ridge", setting, overrides={"shuffled": True}, seeds=3, **ours)
    tt.run("ridge", "text", seeds=2, **ours)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "groups", write_groups)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace with two groups that draw, and a third that is the one model_7."""
    return Path(copytree(_written, tmp_path / "workspace"))


def values_of(root: Path, model: int, metric: str = "MAP@500") -> Any:
    with np.load(root / f"data/results/model_{model}_users.npz") as values:
        return values[metric]


def test_figures_of_groups_are_means_and_the_difference_is_that_of_all_cells(
    root: Path, tartarus: Command
) -> None:
    compared = tartarus("compare", "group_1", "group_2", "--json", "-w", root).document
    for row, models in zip(compared["rows"], ((1, 2, 3), (4, 5, 6)), strict=True):
        documents = [root / f"data/results/model_{n}.json" for n in models]
        figures = [json.loads(path.read_text())["metrics"]["MAP@500"] for path in documents]
        assert row["metrics"]["MAP@500"] == pytest.approx(fmean(figures))
        assert row["deviations"]["MAP@500"] == pytest.approx(stdev(figures))
        assert (row["seeds"], row["models"]) == ([0, 1, 2], [f"model_{n}" for n in models])
    test = next(each for each in compared["differences"] if each["metric"] == "MAP@500")
    cells = [values_of(root, n + 3) - values_of(root, n) for n in (1, 2, 3)]
    assert test["difference"] == pytest.approx(np.mean(cells))
    assert test["low"] < test["difference"] < test["high"]
    assert "hierarchical bootstrap" in compared["caveat"]


def test_one_group_against_itself_differs_by_nothing(root: Path, tartarus: Command) -> None:
    (root / "data/groups/group_4.json").write_text((root / "data/groups/group_1.json").read_text())
    compared = tartarus("compare", "group_1", "group_4", "--json", "-w", root).document
    assert {(t["difference"], t["p"]) for t in compared["differences"]} == {(0.0, 1.0)}


def test_a_group_is_compared_with_a_model_and_is_wider_than_one_of_its_members(
    root: Path, tartarus: Command
) -> None:
    words = ("compare", "model_7", "--metric", "MAP@500", "--json", "-w", root)
    (group,) = tartarus(*words[:2], "group_1", *words[2:]).document["differences"]
    (member,) = tartarus(*words[:2], "model_1", *words[2:]).document["differences"]
    assert group["high"] - group["low"] > member["high"] - member["low"]
    cells = [values_of(root, n) - values_of(root, 7) for n in (1, 2, 3)]
    assert group["difference"] == pytest.approx(np.mean(cells))


def test_a_group_that_draws_nothing_is_compared_as_the_model_that_it_is(
    root: Path, tartarus: Command
) -> None:
    words = ("--json", "-w", root)
    group = tartarus("compare", "model_1", "group_3", *words).document["differences"]
    model = tartarus("compare", "model_1", "model_7", *words).document["differences"]
    assert [test | {"model": ""} for test in group] == [test | {"model": ""} for test in model]


def test_tables_show_deviations_in_every_form(root: Path, tartarus: Command) -> None:
    words = ("compare", "group_1", "model_7", "-w", root)
    row = tartarus(*words, "--json").document["rows"][0]
    mean, sd = row["metrics"]["MAP@500"], row["deviations"]["MAP@500"]
    assert f"{mean:.4f} ± {sd:.4f}" in tartarus(*words).out
    assert f"{mean:.4f} ± {sd:.4f}" in tartarus(*words, "--markdown").out
    assert rf"{mean:.4f} $\pm$ {sd:.4f}" in tartarus(*words, "--latex").out
    compared = tt.compare("group_1", "model_7", resamples=100, workspace=root, progress=False)
    assert f"{mean:.4f} ± {sd:.4f}" in compared._repr_html_()
    frame = compared.to_frame()
    assert frame["sd"].null_count() < len(frame)


def test_two_seeds_of_one_experiment_are_pointed_to_groups(root: Path, tartarus: Command) -> None:
    warned = tartarus("compare", "model_1", "model_2", "-w", root).err
    assert "Groups of several seeds have it in theirs: tartarus run" in warned
    assert "noise of training" not in tartarus("compare", "group_1", "group_2", "-w", root).err


def test_members_without_figures_are_left_out_with_a_warning(root: Path, tartarus: Command) -> None:
    (root / "data/results/model_2.json").unlink()
    done = tartarus("compare", "group_1", "group_2", "--json", "-w", root)
    assert "group_1 is compared without seed 1, which has no figures" in done.err
    assert done.document["rows"][0]["seeds"] == [0, 2]
    for model in (1, 3):
        (root / f"data/results/model_{model}.json").unlink()
    failed = tartarus("compare", "group_1", "group_2", "-w", root)
    assert failed.status == 1
    assert "no member of group_1 has figures" in failed.err


def test_an_unknown_group_is_refused_with_those_there_are(root: Path, tartarus: Command) -> None:
    failed = tartarus("compare", "group_1", "group_7", "-w", root)
    assert failed.status == 2
    assert "there is no group called 'group_7'" in failed.err
