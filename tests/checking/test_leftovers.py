"""``check-data`` sees what stands in the place of files, and what killed commands left."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, save_npz

from tests.checking.damage import check, only
from tests.conftest import Command
from tests.kills import killed_after
from tests.worlds import World

IN_PLACE = [
    "datasets/items_index_train_one.tsv",
    "datasets/items_index_val_one.tsv",
    "datasets/item_factors_class_3_one.npy",
    "datasets/item_factors_test_class_3_one.npy",
    "datasets/genre_labels_one.tsv",
    "datasets/split_one.json",
    "datasets/matrix_test_one.npz",
    "datasets/users_index_one.tsv",
    "datasets/factors_pmi_2_one.json",
    "datasets/class_factors_pmi_2_one.npy",
    "datasets/train_data/X_train_text_one.npy",
    "datasets/train_data/X_test_text-sparse_one.npz",
    "datasets/train_data/w2v_one.vocabulary.json",
    "datasets/train_data/text_one.features.json",
    "datasets/train_data/embedding_w2v_one.npy",
    "patches/patches_train_one_1_15.hdf5",
    "patches/scaler_one_1_15.npz",
    "patches/errors_one.tsv",
    "index/index_audio_one.tsv",
    "index/index_text_one.tsv",
]


def in_place_of(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link to a file that is not there"])
@pytest.mark.parametrize("name", IN_PLACE)
def test_what_stands_in_the_place_of_a_file_is_told_once(
    name: str, kind: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    in_place_of(world.root / "data" / name, kind)
    problems = check(tartarus, world)["problems"]
    told = [p for p in problems if p["file"] == f"data/{name}"]
    assert [(p["severity"], p["found"]) for p in told] == [("error", kind)], problems
    assert told[0]["expected"].startswith("a file: ")


@pytest.mark.parametrize("name", ["datasets/train_data", "patches", "index", "factors", "models"])
def test_a_file_in_the_place_of_a_folder_is_told(
    name: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    path = world.root / "data" / name
    shutil.rmtree(path, ignore_errors=True)
    path.touch()
    problems = check(tartarus, world)["problems"]
    told = [
        (p["severity"], p["found"], p["expected"]) for p in problems if p["file"] == f"data/{name}"
    ]
    assert told == [("error", "a file", "a folder")]


# ----------------------------------------------------------------------------- halves of a split


def test_a_split_that_was_stopped_while_old_files_were_moved_away_is_told(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    backup = world.datasets / "set_aside" / "one_1"
    backup.mkdir(parents=True)
    for name in ("items_index_train_one.tsv", "items_index_test_one.tsv"):
        (world.datasets / name).rename(backup / name)
    problems = check(tartarus, world)["problems"]
    (told,) = [p for p in problems if p["file"].endswith("set_aside/one_1")]
    assert told["severity"] == "error"
    assert "2 files of one" in told["found"]
    assert "split was stopped" in told["found"]
    assert "force=True" in told["hint"] or "--force" in told["hint"]
    assert "data/datasets" in told["hint"]


def test_a_dataset_of_which_all_files_were_moved_away_is_told(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    for folder in (world.features, world.datasets):
        backup = folder / "set_aside" / "one_1"
        backup.mkdir(parents=True)
        for path in [p for p in folder.iterdir() if p.is_file()]:
            path.rename(backup / path.name)
    document = check(tartarus, world)
    assert document["datasets"] == {}
    told = [p["file"] for p in document["problems"] if p["severity"] == "error"]
    assert told == ["data/datasets/set_aside/one_1", "data/datasets/train_data/set_aside/one_1"]


@pytest.mark.parametrize("renames", [1, 3, 6, 8, 10])
def test_a_split_is_told_wherever_it_was_killed(
    renames: int, tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = tmp_path / "plays.csv"
    rows = [f"user-{n % 7},item-{n % 30}\n" for n in range(210)]
    plays.write_text("user,item\n" + "".join(rows))
    world = World(tmp_path / "w")
    words = ("split", "mine", "--plays", plays, "-w", world.root)
    assert tartarus(*words).status == 0
    with killed_after(renames, monkeypatch):
        tartarus(*words, "--seed", 1, "--force")
    problems = check(tartarus, world)["problems"]
    assert [p for p in problems if p["severity"] == "error" and "split" in p["found"] + p["hint"]]


def test_the_backup_of_a_whole_dataset_is_told_nothing_of(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    before = check(tartarus, world)
    backup = world.datasets / "set_aside" / "one_1"
    backup.mkdir(parents=True)
    shutil.copy(world.datasets / "items_index_train_one.tsv", backup)
    assert check(tartarus, world) == before


def test_a_split_that_was_stopped_before_its_ids_were_written_is_told(
    tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    ids = world.datasets / "items_index_train_one.tsv"
    ids.rename(ids.with_name(f".0123abcd-{ids.name}"))
    problems = check(tartarus, world)["problems"]
    (missing,) = [p for p in problems if p["file"].endswith(f"/{ids.name}")]
    assert "split was stopped before it was done" in missing["hint"]
    (left,) = [p for p in problems if p["file"] == "data/datasets"]
    assert (left["severity"], left["found"][:16]) == ("warning", "1 temporary file")
    assert f".0123abcd-{ids.name}" in left["found"]


@pytest.mark.parametrize("folder", ["patches", "results", "factors", "models/model_1"])
def test_temporary_files_of_killed_commands_are_told_by_folder(
    folder: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    place = world.root / "data" / folder
    place.mkdir(parents=True)
    for number in range(4):
        (place / f".0123abc{number}-model_1.npy").write_bytes(bytes(1000))
    problems = check(tartarus, world)["problems"]
    (told,) = [p for p in problems if p["file"] == f"data/{folder}"]
    assert told["severity"] == "warning"
    assert told["found"].startswith("4 temporary files of 4.0 kB")


def test_patches_in_the_making_are_worth_a_note(tartarus: Command, tmp_path: Path) -> None:
    world = only("one", tmp_path)
    staging = world.root / "data" / "patches" / ".making_one_1_15"
    staging.mkdir(parents=True)
    (staging / "x.npy").touch()
    (told,) = [p for p in check(tartarus, world)["problems"] if p["file"].endswith("_1_15")]
    assert (told["severity"], told["found"]) == ("note", "patches in the making: 1 file")


# ------------------------------------------------------------------------------- halves of models


@pytest.fixture
def modelled(tmp_path: Path) -> World:
    """Make a workspace with one model, as far as a check looks at it."""
    world = only("one", tmp_path)
    folder = world.root / "data" / "models" / "model_1"
    folder.mkdir(parents=True)
    (folder / "experiment.toml").write_text('name = "mine"\n')
    np.savez(folder / "model.npz", np.ones(1))
    (folder / "model.npz").rename(folder / "model.keras")
    manifest: dict[str, Any] = {"status": "finished", "experiment": "mine", "dataset": "one"}
    manifest |= {"task": "multiclass", "settings": [], "target_dim": 3, "seed": 0, "started": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    factors = world.root / "data" / "factors"
    factors.mkdir()
    np.save(factors / "factors_model_1.npy", np.ones((2, 3)))
    (factors / "index_factors_model_1.tsv").write_text("a\nb\n")
    return world


def told(tartarus: Command, world: World) -> list[tuple[str, str, str]]:
    """Return the problems of models, which are never errors of the data."""
    document = check(tartarus, world)
    assert document["ok"]
    places = ("data/models", "data/factors")
    problems = [p for p in document["problems"] if p["file"].startswith(places)]
    return [(p["severity"], Path(p["file"]).name, p["found"]) for p in problems]


def test_a_whole_model_is_told_nothing_of(modelled: World, tartarus: Command) -> None:
    assert told(tartarus, modelled) == []


@pytest.mark.parametrize("name", ["manifest.json", "experiment.toml", "model.keras"])
def test_a_model_without_one_of_its_files_is_told(
    name: str, modelled: World, tartarus: Command
) -> None:
    path = modelled.root / "data" / "models" / "model_1" / name
    path.unlink()
    assert told(tartarus, modelled) == [("warning", name, "missing")]
    os.mkfifo(path)
    if name != "manifest.json":
        assert told(tartarus, modelled) == [("warning", name, "a pipe")]


@pytest.mark.parametrize("name", ["manifest.json", "experiment.toml", "model.keras"])
def test_a_model_of_which_a_file_is_cut_short_is_told(
    name: str, modelled: World, tartarus: Command
) -> None:
    path = modelled.root / "data" / "models" / "model_1" / name
    path.write_bytes(path.read_bytes()[:-30] if name == "model.keras" else b'name = "')
    assert told(tartarus, modelled) == [("warning", name, "damaged")]


def test_a_training_that_has_not_ended_is_worth_a_note(modelled: World, tartarus: Command) -> None:
    path = modelled.root / "data" / "models" / "model_1" / "manifest.json"
    path.write_text(path.read_text().replace("finished", "training"))
    (problem,) = told(tartarus, modelled)
    assert problem[0] == "note"


def test_predictions_without_the_ids_of_their_rows_are_told(
    modelled: World, tartarus: Command
) -> None:
    ids = modelled.root / "data" / "factors" / "index_factors_model_1.tsv"
    ids.write_text("a\n")
    assert told(tartarus, modelled) == [("warning", "factors_model_1.npy", "2 rows")]
    ids.unlink()
    assert told(tartarus, modelled) == [("warning", ids.name, "missing")]


def test_predictions_that_were_cut_short_are_told(modelled: World, tartarus: Command) -> None:
    path = modelled.root / "data" / "factors" / "factors_model_1.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert told(tartarus, modelled) == [("warning", path.name, "cut short")]


def test_similarities_without_a_row_for_each_id_are_told(
    modelled: World, tartarus: Command
) -> None:
    factors = modelled.root / "data" / "factors"
    (factors / "factors_model_1.npy").unlink()
    path = factors / "neighbours_model_1.npz"
    save_npz(path, csr_array((3, 5)))
    assert told(tartarus, modelled) == [("warning", path.name, "3 rows")]
    path.write_bytes(b"PK")
    assert told(tartarus, modelled) == [("warning", path.name, "damaged")]


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link"])
def test_what_stands_in_the_place_of_a_lock_is_told(
    kind: str, tartarus: Command, tmp_path: Path
) -> None:
    world = only("one", tmp_path)
    path = world.datasets / ".making_split_one.json.lock"
    in_place_of(path, kind)
    problems = check(tartarus, world)["problems"]
    assert [p["found"] for p in problems if p["file"].endswith(path.name)] == [kind]


@pytest.mark.parametrize("name", ["model_1.json", "model_1_users.npz", "results.tsv"])
def test_results_that_cannot_be_read_are_told(
    name: str, modelled: World, tartarus: Command
) -> None:
    path = modelled.root / "data" / "results" / name
    path.parent.mkdir()
    path.write_bytes(b"{")
    problems = check(tartarus, modelled)["problems"]
    told_of = [(p["severity"], p["found"]) for p in problems if p["file"].endswith(name)]
    assert told_of == [("warning", "damaged")]


# -------------------------------------------------------------------------- what can be run on it


def presets(document: Any, dataset: str) -> dict[str, list[str]]:
    summary = document["datasets"][dataset]
    return {"ready": sorted(summary["ready"]), "borrowed": sorted(summary["borrowed"])}


def test_a_dataset_is_offered_only_what_is_for_its_task(world: World, tartarus: Command) -> None:
    document = check(tartarus, world)
    one = ["dummy_multimodal", "dummy_text_vsm", "single-label-multimodal", "single-label-vector"]
    one.insert(2, "single-label-all")
    assert presets(document, "one") == {"ready": one, "borrowed": one}
    many = presets(document, "many")["ready"]
    assert "logistic_multilabel_bi" in many
    assert not [name for name in many if name.startswith(("single-", "dummy_", "rec_"))]
    blends = ["cold_audio", "cold_multi", "cold_sparse"]
    networks = [
        "late",
        "rec_dense",
        "rec_multi",
        "rec_sparse",
        "two_tower",
        "two_tower_deep",
        "two_tower_fusion",
        "two_tower_history",
        "two_tower_single_branch",
    ]
    assert presets(document, "rec")["ready"] == [*blends, *networks]


def test_one_test_item_of_two_classes_makes_a_task_multilabel(
    world: World, tartarus: Command
) -> None:
    path = world.datasets / "item_factors_test_class_3_one.npy"
    classes = np.load(path)
    classes[0] = [1, 1, 0]
    np.save(path, classes)
    ready = presets(check(tartarus, world), "one")["ready"]
    assert "genres_discogs" in ready
    assert not [name for name in ready if name.startswith(("single-", "dummy_"))]
