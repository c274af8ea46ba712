"""Baselines that choose by val items, as models: what is recorded, shown, and used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.baselines import ridge as ridge_module
from tartarus_cli.baselines.similarity import find_neighbours
from tartarus_cli.models.store import Model, Store
from tartarus_cli.training import baseline as baseline_training
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.worlds import DIM, World

KNN = ("knn", "text", "audio-sparse", "--dataset", "rec")


@pytest.fixture
def validated(tmp_path: Path) -> World:
    """Return a world whose recommendation dataset has val items, and who played them."""
    world = World(tmp_path / "workspace")
    world.recommendation("rec", val=True)
    users = np.load(world.datasets / f"user_factors_als_{DIM}_rec.npy")
    places = np.load(world.datasets / f"item_factors_val_als_{DIM}_rec.npy")
    save_npz(
        world.datasets / "matrix_val_rec.npz", csr_array((places @ users.T > 0.7).astype(float))
    )
    return world


def train(tartarus: Command, world: World, *words: object) -> Model:
    done = tartarus("train", *words, "-w", world.root)
    assert done.status == 0, done.err
    return Store(open_workspace(world.root)).all()[-1]


def test_what_knn_chose_is_recorded_shown_and_used(tartarus: Command, validated: World) -> None:
    model = train(tartarus, validated, *KNN)
    manifest = model.manifest
    names = ["neighbours", "feature_exponent", "weight_text", "weight_audio-sparse"]
    assert [*manifest.chosen] == names
    assert manifest.validation_score == pytest.approx(max(manifest.trials.values()))
    assert manifest.items == {"fit": 40, "validation": 10}
    history = model.to_frame()
    assert history.columns == ["neighbours", "feature_exponent", "weight_1", "weight_2", "val_MAP"]
    assert len(history) == len(manifest.trials)
    best = history.filter(pl.col("val_MAP") == manifest.validation_score)
    assert [*manifest.chosen.values()] in [list(row[:-1]) for row in best.rows()]
    shown = tartarus("models", "show", model.name, "-w", validated.root).out
    assert f"the best of {len(history)} by validation MAP" in shown

    assert tartarus("predict", "-w", validated.root).status == 0
    saved = load_npz(validated.root / f"data/factors/neighbours_{model.name}.npz").toarray()
    rows: dict[str, list[Any]] = {
        split: [
            np.load(validated.features / f"X_{split}_text_rec.npy"),
            csr_array(load_npz(validated.features / f"X_{split}_audio-sparse_rec.npz")),
        ]
        for split in ("train", "test")
    }
    neighbours, _, *weights = map(float, manifest.chosen.values())
    near = find_neighbours(rows["test"], rows["train"], int(neighbours), weights=weights).toarray()
    assert (saved > 0).tolist() == (near > 0).tolist()


def test_with_a_number_of_neighbours_nothing_is_chosen(tartarus: Command, validated: World) -> None:
    manifest = train(tartarus, validated, *KNN, "--set", "network.neighbours=50").manifest
    assert (manifest.chosen, manifest.trials, manifest.validation_score) == ({}, {}, None)


def test_where_nobody_knows_who_played_val_items_nothing_is_chosen(
    tartarus: Command, validated: World
) -> None:
    (validated.datasets / "matrix_val_rec.npz").unlink()
    manifest = train(tartarus, validated, *KNN).manifest
    assert (manifest.chosen, manifest.trials) == ({}, {})


@pytest.mark.parametrize("wanted", ["cosine", "dot", "norm"])
def test_the_scoring_that_a_ridge_chose_is_that_of_its_evaluation(
    wanted: str, tartarus: Command, validated: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge_module, "_judge", lambda _train, scoring, _rows: scoring == wanted)
    words = ("ridge", "text", "--dataset", "rec", "--set", "scoring=validated")
    done = tartarus("run", *words, "-w", validated.root, "--json")
    assert done.status == 0, done.err
    assert done.document["scoring"] == wanted
    model = Store(open_workspace(validated.root)).get("model_1")
    assert model.manifest.scoring == wanted
    assert model.manifest.chosen["scoring"] == wanted
    rows = np.load(validated.root / "data/factors/factors_model_1.npy")
    assert rows.shape == (12, DIM)
    given = tartarus("run", *words[:-1], f"scoring={wanted}", "-w", validated.root, "--json")
    assert given.status == 0, given.err
    same = np.load(validated.root / "data/factors/factors_model_2.npy")
    cosines = (rows * same).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(same, axis=1)
    assert cosines.min() > 0.5


def test_the_rows_beneath_a_model_of_plays_say_what_was_chosen(
    tartarus: Command, validated: World
) -> None:
    words = ("run", "ridge_plays", "text", "--dataset", "rec", "--baselines", "-w", validated.root)
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    assert [*done.document["rows"]] == ["random", "knn", "ridge", "oracle"]
    chosen = done.document["chosen"]
    assert [*chosen["knn"]] == ["neighbours", "feature_exponent"]
    assert chosen["ridge"]["scoring"] in ("cosine", "dot", "norm")
    shown = tartarus("evaluate", "model_1", "--baselines", "-w", validated.root)
    assert shown.status == 0, shown.err
    assert f"ridge ({chosen['ridge']['scoring']})" in shown.out
    assert f"knn by validation items: neighbours {chosen['knn']['neighbours']}" in shown.out
    names = [model.manifest.experiment for model in Store(open_workspace(validated.root)).all()]
    assert names == ["ridge_plays", "knn", "ridge"]  # used again


def test_without_factors_a_model_of_plays_has_no_ridge_beneath(
    tartarus: Command, validated: World
) -> None:
    for path in validated.datasets.glob("*_factors_*"):
        path.unlink()
    words = ("run", "ridge_plays", "text", "--dataset", "rec", "--baselines", "-w", validated.root)
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    assert [*done.document["rows"]] == ["random", "knn"]
    assert "ridge is left out: rec has no factors to learn" in done.err


def test_plays_of_val_items_that_come_later_are_reason_to_choose_again(
    tartarus: Command, validated: World
) -> None:
    path = validated.datasets / "matrix_val_rec.npz"
    content = path.read_bytes()
    path.unlink()
    words = ("--dataset", "rec", "-w", validated.root)
    before = tartarus("run", "ridge", "text", "--baselines", *words)
    assert before.status == 0, before.err
    assert "knn is not tuned: too few items of rec could validate" in before.err
    path.write_bytes(content)
    again = tartarus("evaluate", "model_1", "--baselines", "-w", validated.root)
    assert again.status == 0, again.err
    assert "not tuned" not in again.err
    models = Store(open_workspace(validated.root)).all()
    assert [m.manifest.experiment for m in models] == ["ridge", "knn", "knn"]
    assert [bool(m.manifest.chosen) for m in models] == [False, False, True]


def test_a_choice_learns_nothing_of_the_test_items(tartarus: Command, validated: World) -> None:
    words = [KNN, ("ridge", "text", "--dataset", "rec", "--set", "scoring=validated")]
    before = [train(tartarus, validated, *each) for each in words]
    rng = np.random.default_rng(7)
    for path in (
        *validated.datasets.glob("item_factors_test*"),
        *validated.features.glob("X_test*.npy"),
    ):
        np.save(path, rng.permuted(np.load(path), axis=0))
    for path in (
        *validated.datasets.glob("matrix_test*"), *validated.features.glob("X_test*.npz"),
    ):  # fmt: skip
        save_npz(path, csr_array(rng.permuted(load_npz(path).toarray(), axis=0)))
    after = [train(tartarus, validated, *each) for each in words]
    for first, second in zip(before, after, strict=True):
        assert first.manifest.trials == second.manifest.trials
        assert first.arrays.read_bytes() == second.arrays.read_bytes()


DAMAGES: dict[str, dict[str, Any]] = {
    "no array": {},
    "not all of what was chosen": {"neighbours": 5},
    "no neighbours": {
        "neighbours": 0,
        "feature_exponent": 0,
        "weights": [1, 1],
        "mean_counts": [1, 1],
    },
    "no weight": {"neighbours": 5, "feature_exponent": 0, "weights": [0, 0], "mean_counts": [1, 1]},
    "a weight below 0": {
        "neighbours": 5,
        "feature_exponent": 0,
        "weights": [1, -1],
        "mean_counts": [1, 1],
    },
    "three weights": {
        "neighbours": 5,
        "feature_exponent": 0,
        "weights": [1, 1, 1],
        "mean_counts": [1, 1],
    },
    "no number": {
        "neighbours": 5,
        "feature_exponent": np.nan,
        "weights": [1, 1],
        "mean_counts": [1, 1],
    },
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_neighbours_are_not_sought_with_a_damaged_choice(
    damage: str, tartarus: Command, validated: World
) -> None:
    model = train(tartarus, validated, *KNN)
    arrays: dict[str, Any] = {name: np.array(value) for name, value in DAMAGES[damage].items()}
    np.savez(model.arrays, **arrays)
    done = tartarus("predict", "-w", validated.root)
    assert (done.status, "rain" in done.err, "again" in done.err) == (1, True, True), done.err


def test_the_means_of_a_model_from_before_there_was_a_choice_are_enough(
    tartarus: Command, validated: World
) -> None:
    model = train(tartarus, validated, *KNN, "--set", "network.neighbours=5")
    words = ("predict", "-w", validated.root)
    path = validated.root / f"data/factors/neighbours_{model.name}.npz"
    assert tartarus(*words).status == 0
    before = load_npz(path).toarray()
    np.savez(model.arrays, mean=np.zeros(DIM))
    experiment = model.folder / "experiment.toml"
    old = experiment.read_text().partition("[network]")[0]
    experiment.write_text(f'{old}[network]\nname = "knn"\nneighbours = 5\n')
    assert tartarus(*words).status == 0
    assert load_npz(path).toarray().tolist() == before.tolist()


def test_without_val_items_the_last_train_items_validate_while_knn_chooses(
    tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "workspace")
    world.recommendation("rec")
    fixed = train(tartarus, world, *KNN)
    assert not fixed.manifest.chosen  # by so few items, anything would be chosen by chance

    monkeypatch.setattr(baseline_training, "FEWEST_VALIDATING", 2)
    model = train(tartarus, world, *KNN)
    assert model.manifest.validation_score == max(model.manifest.trials.values())
    assert model.manifest.items == fixed.manifest.items
    assert tartarus("predict", "-w", world.root).status == 0
    saved = load_npz(world.root / f"data/factors/neighbours_{model.name}.npz")
    train_items = model.manifest.items["fit"]
    assert saved.shape[1] == train_items
    assert saved[:, [train_items - 1]].nnz  # what validated are neighbours too
