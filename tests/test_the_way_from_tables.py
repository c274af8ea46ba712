"""From tables of plays and tags to recommendations: the example script, end to end."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.processes import run_script_here
from tests.sharing import made_once

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent.parent / "examples" / "from_a_table_of_plays.sh"


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "tables", partial(run_script_here, SCRIPT))


def results(root: Path, model: str) -> Any:
    return json.loads((root / "data" / "results" / f"{model}.json").read_text())


def test_tags_recommend_better_than_chance_and_with_texts_better_still(way: Path) -> None:
    tags, both = (results(way, model)["metrics"]["MAP@500"] for model in ("model_1", "model_5"))
    rows = results(way, "model_1")["rows"]
    assert [*rows] == ["random", "popularity", "knn", "ridge", "oracle"]
    assert 1.5 * rows["random"]["MAP@500"] < tags < both < rows["oracle"]["MAP@500"]


def test_no_artist_is_in_two_sets(way: Path) -> None:
    plays = (way / "tables" / "plays.csv").read_text(encoding="utf-8").splitlines()[1:]
    artist = {line.split(",")[1]: line.split('"')[1] for line in plays}
    sets = [
        {artist[song] for song in (path.read_text().split("\n")) if song}
        for path in sorted((way / "data" / "datasets").glob("items_index_*_mine.tsv"))
    ]
    assert len(sets) == 3
    assert sum(map(len, sets)) == len(set().union(*sets))


def test_ids_keep_their_zeros_and_blanks_to_the_end(way: Path) -> None:
    path = way / "data" / "playlists" / "recommendations_model_1_10.tsv"
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    test = (way / "data" / "datasets" / "items_index_test_mine.tsv").read_text().split()
    assert {line[2] for line in lines} <= set(test)
    assert all(len(line[2]) == 5 for line in lines)
    assert {line[0] for line in lines} <= {f"user {number}" for number in range(500)}
