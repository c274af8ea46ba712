"""Models that learn from plays as their users meet them: shown, exported, deleted, checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tartarus_cli as tt
from tests.conftest import Command
from tests.worlds import World

QUICK = ("--set", "training.epochs=2", "--set", "targets.dim=3", "--dataset", "rec")
TOWER, RIDGE, BLEND = "model_1", "model_2", "model_3"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world with a two-tower network, a ridge on plays and a blend of them."""
    world = World(tmp_path_factory.mktemp("plays") / "workspace")
    world.recommendation("rec")
    quiet: dict[str, Any] = {"workspace": world.root, "dataset": "rec", "progress": False}
    tower = {"training.epochs": 2, "targets.dim": 3}
    tt.train("two_tower", "text", "audio", overrides=tower, **quiet)
    tt.train("ridge_plays", "text", "audio", **quiet)
    (world.root / "experiments").mkdir(exist_ok=True)
    text = 'extends = "cold_sparse"\n[network]\nparts = ["model_1", "model_2"]\n'
    (world.root / "experiments" / "both.toml").write_text(text)
    tt.run("both", "text", "audio", **quiet)
    return world


def document(tartarus: Command, world: World, *words: object) -> Any:
    done = tartarus(*words, "-w", world.root, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_a_blend_says_what_it_is_made_of_and_how_good_that_is(
    tartarus: Command, trained: World
) -> None:
    manifest = document(tartarus, trained, "models", "show", BLEND)
    assert {*manifest["parts"]} == {TOWER, RIDGE}
    assert manifest["validation_score"] == max(manifest["trials"].values())
    shown = tartarus("models", "show", BLEND, "-w", trained.root).out
    recipes = {TOWER: "two_tower text audio --set", RIDGE: "ridge_plays text audio (model_2)"}
    used = {name for name, weight in manifest["parts"].items() if weight}
    assert "kind     a blend" in shown
    assert {name for name, recipe in recipes.items() if recipe in shown} == used
    assert "baseline" not in shown
    listed = tartarus("models", "list", "-w", trained.root).out
    assert listed.count("MAP 0") >= 3
    assert "loss" not in listed


def test_a_two_tower_network_shows_how_its_validation_items_rank(
    tartarus: Command, trained: World
) -> None:
    shown = tartarus("models", "show", TOWER, "-w", trained.root).out
    assert "validation MAP 0." in shown
    assert "loss" not in shown
    assert "vectors that were learnt with it" in shown


def test_the_vectors_that_are_exported_give_the_scores_of_the_evaluation(
    tartarus: Command, trained: World, tmp_path: Path
) -> None:
    assert tartarus("predict", TOWER, "-w", trained.root).status == 0
    paths = {what: tmp_path / f"{what}.csv" for what in ("predictions", "users", "rankings")}
    for what, path in paths.items():
        words = ("export", TOWER, "--what", what, "--to", path, "-w", trained.root)
        assert tartarus(*words).status == 0
    items, users, rankings = (pl.read_csv(path) for path in paths.values())
    vectors = ["vector_0", "vector_1", "vector_2"]
    assert items.columns == ["id", "split", *vectors, "bias"]
    assert users.columns == ["user", *vectors]
    scores = users.select(vectors).to_numpy() @ items.select(vectors).to_numpy().T
    scores += items["bias"].to_numpy()
    place = {name: number for number, name in enumerate(items["id"].cast(str).to_list())}
    number = {name: row for row, name in enumerate(users["user"].cast(str).to_list())}
    expected = [
        scores[number[str(user)], place[str(item)]]
        for user, item in zip(rankings["user"], rankings["item"], strict=True)
    ]
    assert np.allclose(rankings["score"], expected, atol=1e-4)


@pytest.mark.parametrize("what", ["predictions", "users"])
@pytest.mark.parametrize("name", [RIDGE, BLEND])
def test_what_has_no_vectors_says_what_can_be_exported_instead(
    tartarus: Command, trained: World, tmp_path: Path, name: str, what: str
) -> None:
    path = tmp_path / "out.csv"
    refused = tartarus("export", name, "--what", what, "--to", path, "-w", trained.root)
    assert (refused.status, path.exists()) == (2, False)
    assert f"tartarus export {name} --what rankings" in refused.err


def test_the_protocol_says_what_the_scores_are(tartarus: Command, trained: World) -> None:
    results = document(tartarus, trained, "evaluate", BLEND)
    protocol, manifest = results["protocol"], tt.list_models(workspace=trained.root)[2].manifest
    parts = manifest.parts
    assert results["parts"] == parts
    assert results["validation_score"] == manifest.validation_score
    assert "less the user's mean over all candidates" in protocol["scores"]
    for name, weight in parts.items():
        assert (f"{weight:.3g} × {name}" in protocol["scores"]) == bool(weight)
    for name, words in ((TOWER, "plus the item's bias"), (RIDGE, "summed weights")):
        assert tartarus("predict", name, "-w", trained.root).status == 0
        protocol = document(tartarus, trained, "evaluate", name)["protocol"]
        assert words in protocol["scores"]
        assert "true als factors of 4" in protocol["oracle"]


def test_no_layer_and_no_new_file_is_predicted_by_a_blend(
    tartarus: Command, trained: World
) -> None:
    layer = tartarus("predict", BLEND, "--layer", "dense_1", "-w", trained.root)
    assert layer.status == 2
    assert "is made of other models" in layer.err
    assert f"tartarus predict {TOWER} --layer" in layer.err
    read_out = tartarus("predict", TOWER, "--layer", "joined", "-w", trained.root)
    assert read_out.status == 0
    assert "model_1-pred_joined is a new setting" in read_out.out


def test_a_blend_of_experiments_needs_a_setting_and_one_of_models_none(
    tartarus: Command, trained: World
) -> None:
    refused = tartarus("train", "cold_sparse", "--dataset", "rec", "-w", trained.root)
    assert refused.status == 2
    assert "cold_sparse takes 1 setting or more, and was given none" in refused.err
    made = tartarus("train", "both", "--dataset", "rec", "-w", trained.root)
    assert made.status == 0, made.err
    assert tartarus("models", "delete", "model_4", "--yes", "-w", trained.root).status == 0


def test_a_missing_part_or_file_of_vectors_is_reported(tartarus: Command, trained: World) -> None:
    models = trained.root / "data" / "models"
    vectors, hidden = models / TOWER / "user_vectors.npy", models / TOWER / "hidden"
    vectors.rename(hidden)
    checked = tartarus("check-data", "-w", trained.root).out
    hidden.rename(vectors)
    assert "user_vectors.npy" in checked
    (models / TOWER).rename(models.parent / "aside")
    checked = tartarus("check-data", "-w", trained.root).out
    predicted = tartarus("predict", BLEND, "-w", trained.root)
    (models.parent / "aside").rename(models / TOWER)
    assert "a model that model_3 is made of" in " ".join(checked.split())
    assert predicted.status == 1
    assert f"{TOWER} is gone" in predicted.err
    assert "tartarus train both text audio --dataset rec" in predicted.err
    assert "user_vectors" not in tartarus("check-data", "-w", trained.root).out


def test_a_training_on_rebuilt_plays_says_so_in_one_line(tartarus: Command, tmp_path: Path) -> None:
    world = World(tmp_path / "workspace")
    world.recommendation("rec")
    (world.datasets / "matrix_train_rec.npz").unlink()
    made = tartarus("train", "ridge_plays", "text", "--dataset", "rec", "-w", world.root)
    assert made.status == 0, made.err
    (line,) = [line for line in made.err.splitlines() if "rebuilt from the factors" in line]
    assert line.endswith("less exact")


def test_plays_that_are_gone_since_the_training_are_not_rebuilt_in_silence(
    tartarus: Command, trained: World
) -> None:
    path = trained.datasets / "matrix_train_rec.npz"
    path.rename(trained.root / "aside.npz")
    refused = [tartarus("evaluate", name, "-w", trained.root) for name in (RIDGE, BLEND)]
    (trained.root / "aside.npz").rename(path)
    for each in refused:
        assert each.status == 1
        assert (
            "matrix_train_rec.npz is missing: model_2 knows users by what they played" in each.err
        )
        assert "tartarus train ridge_plays text audio --dataset rec" in each.err
    assert tartarus("evaluate", RIDGE, "-w", trained.root).status == 0


def test_a_part_is_deleted_only_with_its_whole(tartarus: Command, trained: World) -> None:
    refused = tartarus("models", "delete", TOWER, "--yes", "-w", trained.root)
    assert refused.status == 2
    assert f"{TOWER} is a part of {BLEND}" in refused.err
    assert f"tartarus models delete {BLEND} {TOWER}" in refused.err
    with pytest.raises(tt.TartarusError, match="is a part of"):
        tt.delete_models(TOWER, RIDGE, workspace=trained.root)
    assert len(tt.list_models(workspace=trained.root)) == 3
    tt.delete_models(TOWER, BLEND, workspace=trained.root)
    assert [model.name for model in tt.list_models(workspace=trained.root)] == [RIDGE]
