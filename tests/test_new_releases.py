"""From a table of plays with times and artists to figures of new releases: the example script."""

import csv
import json
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scipy.sparse import load_npz

from tests.conftest import Command
from tests.processes import run_script_here
from tests.sharing import made_once

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent.parent / "examples" / "new_releases.sh"


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "releases", partial(run_script_here, SCRIPT))


def items(way: Path, split: str) -> list[str]:
    path = way / "data" / "datasets" / f"items_index_{split}_releases.tsv"
    return path.read_text(encoding="utf-8").splitlines()


def test_train_knows_nothing_that_came_after_the_cut(way: Path) -> None:
    first: dict[str, str] = defaultdict(lambda: "9999")
    early: set[tuple[str, str]] = set()
    with (way / "tables" / "plays.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            first[row["song"]] = min(first[row["song"]], row["time"])
            if row["time"] < "2024-07-01":
                early.add((row["song"], row["user"]))
    train, val, test = ({first[song] for song in items(way, s)} for s in ("train", "val", "test"))
    assert max(train) <= min(val) <= max(val) < "2024-07-01" <= min(test)
    assert max(test) < "2024-10-01"
    data = way / "data" / "datasets"
    users = (data / "users_index_releases.tsv").read_text(encoding="utf-8").splitlines()
    plays, songs = load_npz(data / "matrix_train_releases.npz").tocoo(), items(way, "train")
    pairs = {(songs[row], users[column]) for row, column in zip(plays.row, plays.col, strict=True)}
    assert pairs <= early
    assert {user for _, user in pairs} == {*users}


def test_figures_at_20_stand_beside_the_published_ones_for_all_rows(way: Path) -> None:
    found = json.loads((way / "data" / "results" / "model_1.json").read_text())
    assert [*found["rows"]] == ["random", "popularity", "artist_mean", "knn"]
    for figures in (found["metrics"], *found["rows"].values()):
        assert {"R@20", "nDCG@20", "HR@20", "R@5", "MAP@500"} <= {*figures}
    assert found["metrics"]["R@20"] > 2 * found["rows"]["random"]["R@20"]


@pytest.mark.parametrize(
    ("by", "groups"),
    [("known-artist", ["semi-cold", "cold"]), ("discovery", ["exploit", "discovery"])],
)
def test_figures_are_shown_apart_by_what_is_known_of_the_artist(
    by: str, groups: list[str], way: Path, tartarus: Command
) -> None:
    done: Any = tartarus("evaluate", "model_1", "--by", by, "-w", way, "--json").document["found"]
    assert [part["label"] for part in done["slices"]] == groups
    assert all(part["users"] > 0 and "R@20" in part["metrics"] for part in done["slices"])
    manifest = json.loads((way / "data" / "datasets" / "split_releases.json").read_text())
    if by == "known-artist":
        counts = [manifest["sets"]["test"][kind] for kind in ("semi_cold", "cold")]
        assert [part["size"] for part in done["slices"]] == counts
