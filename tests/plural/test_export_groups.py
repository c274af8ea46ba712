"""``export`` of groups: a file for each member, and figures with mean and deviation."""

import csv
import json
from pathlib import Path
from shutil import copytree
from statistics import fmean, stdev
from typing import Any

import pytest

import tartarus_cli as tt
from tartarus_cli.exporting.groups import GroupExport
from tests.conftest import Command
from tests.sharing import made_once
from tests.worlds import World


def write_group(root: Path) -> None:
    """Train ridges on shuffled features, which draw, with two seeds."""
    World(root).recommendation("rec")
    ours: Any = {"dataset": "rec", "workspace": root, "progress": False}
    tt.run("ridge", "text", overrides={"shuffled": True}, seeds=[4, 1], **ours)


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "exported_group", write_group)


@pytest.fixture
def root(_written: Path, tmp_path: Path) -> Path:
    """Return a workspace with a group of the seeds 4 (model_1) and 1 (model_2)."""
    return Path(copytree(_written, tmp_path / "workspace"))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_member_is_written_into_a_file_of_its_seed(root: Path, tmp_path: Path) -> None:
    result = tt.export(
        "group_1", what="predictions", path=tmp_path / "rows.csv", workspace=root, progress=False
    )
    assert isinstance(result, GroupExport)
    names = [(file.model, file.path.name) for file in result.files]
    assert names == [("model_1", "rows_seed_4.csv"), ("model_2", "rows_seed_1.csv")]
    alone = tmp_path / "alone.csv"
    tt.export("model_2", what="predictions", path=alone, workspace=root, progress=False)
    assert (tmp_path / "rows_seed_1.csv").read_text() == alone.read_text()
    assert not (tmp_path / "rows.csv").exists()


def test_nothing_is_written_where_one_of_the_files_is_there(
    root: Path, tmp_path: Path, tartarus: Command
) -> None:
    words = ("export", "group_1", "--what", "run", "--to", tmp_path / "run.trec", "-w", root)
    (tmp_path / "run_seed_1.trec").write_text("mine")
    failed = tartarus(*words)
    assert (failed.status, "run_seed_1.trec is there already" in failed.err) == (2, True)
    assert not (tmp_path / "run_seed_4.trec").exists()
    done = tartarus(*words, "--force", "--json")
    assert [Path(file["file"]).name for file in done.document["files"]] == [
        *("run_seed_4.trec", "run_seed_1.trec"),
    ]


def test_the_truth_which_all_seeds_have_in_common_is_written_once(
    root: Path, tmp_path: Path, tartarus: Command
) -> None:
    done = tartarus("export", "group_1", "--what", "qrels", "--to", tmp_path / "q", "-w", root)
    assert done.status == 0, done.err
    assert [path.name for path in tmp_path.glob("q*")] == ["q"]


def test_figures_of_a_group_have_mean_and_deviation_and_those_of_each_member(
    root: Path, tmp_path: Path, tartarus: Command
) -> None:
    path = tmp_path / "figures.csv"
    done = tartarus("export", "group_1", "--what", "figures", "--to", path, "-w", root)
    assert done.status == 0, done.err
    rows = {(row["system"], row["metric"]): row for row in read(path)}
    values = [
        json.loads((root / f"data/results/model_{n}.json").read_text())["metrics"]["P@1"]
        for n in (1, 2)
    ]
    group = rows["group_1", "P@1"]
    assert (float(group["mean"]), float(group["sd"])) == pytest.approx(
        (fmean(values), stdev(values))
    )
    assert group["n"] == "2"
    assert [float(rows[label, "P@1"]["mean"]) for label in ("seed 4", "seed 1")] == values
    assert rows["oracle", "P@1"]["sd"] == ""


def test_figures_of_a_model_are_those_of_its_evaluation(
    root: Path, tmp_path: Path, tartarus: Command
) -> None:
    path = tmp_path / "figures.csv"
    tartarus("export", "model_1", "--what", "figures", "--to", path, "-w", root)
    rows = {(row["system"], row["metric"]): row["value"] for row in read(path)}
    results = json.loads((root / "data/results/model_1.json").read_text())
    assert float(rows["model_1", "P@1"]) == results["metrics"]["P@1"]
    assert float(rows["random", "P@1"]) == results["rows"]["random"]["P@1"]
    assert {system for system, _ in rows} == {"model_1", *results["rows"]}
