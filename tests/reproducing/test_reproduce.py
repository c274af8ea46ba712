"""Papers that are run again: the table, what differs, what is used again, and what it will take."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

import tartarus_cli as tt
from tartarus_cli.file_names import Kind
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.reproducing.estimates import Estimate
from tartarus_cli.reproducing.inputs import dataset_sizes
from tartarus_cli.reproducing.report import Reproduction
from tests.conftest import Command, Outcome, run_command
from tests.reproducing.test_papers import PAPER, write
from tests.worlds import SPLITS, USERS, World

NETWORK = """
[[rows]]
name = "both"
published_as = "text and audio"
dataset = "rec"
experiment = "rec_multi"
settings = ["text", "audio"]
overrides = ["training.epochs=2", "network.hidden=[4]"]
figures = [{ metric = "MAP@500" }, { metric = "R@7", published = 0.5, source = "Table 2" }]
differs = ["both: four hidden units."]
"""
SOUGHT = 'not_available = "nobody knows"\nusers = 5\n'
SIZES = 'name = "rec"\nsizes = { train = 40, test = 12, users = 9, source = "Table 0" }\n'


def figures_of(outcome: Outcome) -> dict[tuple[str, str], dict[str, object]]:
    """Return the figures of a JSON document by row and metric."""
    return {(each["row"], each["metric"]): each for each in outcome.document["figures"]}


@pytest.fixture(scope="module")
def _reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    world = World(tmp_path_factory.mktemp("reproduced") / "workspace")
    world.recommendation("rec")
    write(world, SOUGHT + PAPER.replace('name = "rec"\n', SIZES, 1) + NETWORK)
    outcome = run_command("reproduce", "songs", "-w", world.root)
    assert outcome.status == 0, outcome.err
    return world.root, outcome.out


@pytest.fixture
def shown(_reproduced: tuple[Path, str]) -> str:
    """Return what the command printed."""
    return _reproduced[1]


@pytest.fixture
def root(_reproduced: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of the workspace in which the paper was reproduced."""
    return Path(copytree(_reproduced[0], tmp_path / "copy"))


def test_the_table_tells_all_that_differs(shown: str) -> None:
    assert "On Songs" in shown
    assert "within ±10%" in shown
    for sentence in ("Seeds: another one.", "both: four hidden units.", "Tolerance: 10%"):
        assert sentence in shown
    assert "Where no published figure stands: nobody knows" in shown
    assert "published in Table 1" in shown
    assert "The paper is described by papers/songs.toml" in shown
    assert "has another size" not in shown


def test_a_second_time_nothing_is_trained_and_the_figures_are_the_same(
    root: Path, tartarus: Command
) -> None:
    file = root / "data" / "results" / "papers" / "reproduce_songs.json"
    before = json.loads(file.read_text())
    again = tartarus("reproduce", "songs", "-w", root, "--json")
    assert "model_2 is used again" in again.err
    assert again.document == before == json.loads(file.read_text())
    assert len(tt.list_models(workspace=root)) == 2


def test_an_interrupted_reproduction_goes_on_with_what_lacks(root: Path, tartarus: Command) -> None:
    before = tartarus("reproduce", "songs", "-w", root, "--json").document
    tt.delete_models("model_2", workspace=root)
    for path in tt.list_models(workspace=root)[0].workspace.predictions_of("model_1"):
        path.unlink()
    again = tartarus("reproduce", "songs", "-w", root, "--json")
    assert "model_1 is used again" in again.err
    assert [f["ours"] for f in again.document["figures"]] == pytest.approx(
        [f["ours"] for f in before["figures"]]
    )
    assert [model.name for model in tt.list_models(workspace=root)] == ["model_1", "model_3"]


def test_figures_are_those_of_the_first_users(root: Path, tartarus: Command) -> None:
    found = figures_of(tartarus("reproduce", "songs", "-w", root, "--json"))
    values = np.load(root / "data" / "results" / "model_1_users.npz")["MAP@500"]
    figure = found["text", "MAP@500"]
    assert figure["ours"] == pytest.approx(values[:5].mean())
    assert figure["difference"] == pytest.approx(values[:5].mean() - 0.2)


def test_a_part_of_the_test_items_is_evaluated_as_evaluate_does(
    root: Path, tartarus: Command
) -> None:
    part = 'figures = [{ slice = { by = "user-activity", group = "GROUP" },'
    cut = tartarus("evaluate", "model_1", "--by", "user-activity", "-w", root, "--json").document
    group = cut["found"]["slices"][0]
    paper = PAPER.replace("figures = [{", part.replace("GROUP", group["label"]), 1)
    write(type("W", (), {"root": root}), paper.replace("MAP@500", "R@5"), "part")  # type: ignore[arg-type]
    found = figures_of(tartarus("reproduce", "part", "-w", root, "--json"))
    assert found["text", "R@5"]["ours"] == pytest.approx(group["metrics"]["R@5"])
    assert found["text", "R@5"]["part"] == group["label"]


def test_data_of_another_size_is_told_and_agrees_with_nothing(
    root: Path, tartarus: Command
) -> None:
    path = root / "papers" / "songs.toml"
    path.write_text(path.read_text().replace("users = 9", "users = 1000"))
    outcome = tartarus("reproduce", "songs", "-w", root, "--only", "text")
    assert "Data: rec has another size: users 9 here and 1,000 there (Table 0)" in outcome.out
    assert "other data" in outcome.out
    document = tartarus("reproduce", "songs", "-w", root, "--only", "text", "--json").document
    assert (document["comparable"], document["figures"][0]["verdict"]) == (False, "other data")


def test_the_example_world_is_not_taken_for_the_data_of_a_paper(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.recommendation("MSD-A-songs")
    workspace = tt.open_workspace(world.root)
    from tartarus_cli.reproducing.papers import find_paper

    paper = find_paper(None, "dlrs2017").paper
    unsure = dataset_sizes(workspace, paper, ["MSD-A-songs"])[0]
    assert (unsure.other, unsure.here["train"], unsure.here["users"]) == (
        *(False, SPLITS["train"]),
        USERS,
    )
    assert "train items 40 here" in unsure.remarks[0]
    (world.root / "tartarus.toml").write_text("[example]\nseed = 0\n")
    example = dataset_sizes(workspace, paper, ["MSD-A-songs"])[0]
    assert example.other
    assert "it is not the data of the paper" in example.remarks[0]


def test_the_front_door_returns_figures_with_all_that_differs(root: Path) -> None:
    result = tt.reproduce("songs", workspace=root, progress=False)
    assert isinstance(result, Reproduction)
    frame = result.to_frame()
    assert frame["row"].to_list() == ["text", "both", "both"]
    assert frame["published"].to_list() == [0.2, None, 0.5]
    assert all("Seeds: another one." in each for each in frame["differs"])
    assert "Seeds: another one." in result._repr_html_()
    assert [paper.name for paper in tt.list_papers(workspace=root)][-1] == "songs"


def test_a_dry_run_writes_nothing_and_tells_time_memory_and_disk(
    root: Path, tartarus: Command
) -> None:
    tt.delete_models("model_2", workspace=root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    outcome = tartarus("reproduce", "songs", "--dry-run", "--only", "both", "-w", root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert "Nothing was written." in outcome.out
    assert "tartarus reproduce songs --only both" in outcome.out
    estimate = tt.reproduce("songs", dry_run=True, workspace=root, progress=False)
    assert isinstance(estimate, Estimate)
    text, both = estimate.rows
    assert (text.model, both.model) == ("model_1", "")
    assert both.seconds is not None
    low, high = both.seconds
    assert 0 < low <= high
    assert both.memory > 0 < both.disk
    assert estimate.to_frame()["row"].to_list() == ["text", "both"]
    assert "both" in estimate._repr_html_()


def test_a_ridge_of_another_seed_is_used_again_and_a_network_is_not(root: Path) -> None:
    estimate = tt.reproduce("songs", dry_run=True, seed=5, workspace=root, progress=False)
    assert isinstance(estimate, Estimate)
    assert [row.model for row in estimate.rows] == ["model_1", ""]


def test_a_model_of_another_seed_says_how_long_it_takes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tartarus_cli.training.reuse.draws", lambda _model: True)
    estimate = tt.reproduce("songs", dry_run=True, seed=5, workspace=root, progress=False)
    assert isinstance(estimate, Estimate)
    assert [row.basis for row in estimate.rows] == [
        "model_1, the same with seed 0",
        "model_2, the same with seed 0",
    ]


def test_bigger_networks_and_more_items_cost_more(root: Path) -> None:
    from tartarus_cli.reproducing import costs
    from tartarus_cli.reproducing.papers import find_paper
    from tartarus_cli.reproducing.reproduce import training_request

    workspace = tt.open_workspace(root)
    row = find_paper(workspace, "songs").paper.rows[1]
    request = training_request(workspace, row, 0, UNWATCHED)
    sizes = costs.read_sizes(workspace.dataset("rec"), row.settings)
    assert (sizes.train, sizes.test, sizes.users, sizes.widths) == (40, 12, 9, (6, 6))
    cost = costs.training_cost(workspace, request, sizes)
    weights = (12 + 1) * 4 + (4 + 1) * 4
    assert cost.operations == (6 * weights * 32 * 2, 6 * weights * 32 * 2)
    assert cost.disk == 4 * weights + 4 * 12 * 4
    dataset = workspace.dataset("rec")
    assert dataset.find(Kind.TEST_MATRIX) is not None
    both = row.model_copy(update={"experiment": "cold_multi", "overrides": ()})
    blend = training_request(workspace, both, 0, UNWATCHED)
    assert costs.training_cost(workspace, blend, sizes).operations[0] > cost.operations[0]
