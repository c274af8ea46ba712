"""``check-data`` names every damaged file, and sums up what is there."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import load_npz

from tests.checking.damage import (
    Damage,
    check,
    copied,
    dense,
    gone,
    moved,
    only,
    parts,
    put,
    write_experiment,
    written,
)
from tests.checking.damages import (
    ALS,
    DAMAGES,
    IDS,
    LABEL_FACTORS,
    MANY_TEST,
    MANY_TRAIN,
    TRUTH,
    USERS,
    S,
    X,
    named,
)
from tests.conftest import Command
from tests.worlds import World


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.what)
def test_a_damage_is_told_once_with_the_file_what_was_found_and_what_to_do(
    damage: Damage, tartarus: Command, tmp_path: Path
) -> None:
    world = only(damage.dataset, tmp_path)
    damage.act(world)
    document = check(tartarus, world)
    told = [problem for problem in document["problems"] if damage.told_by(problem)]
    assert len(told) == 1, document["problems"]
    assert told[0]["expected"]
    assert told[0]["hint"]
    assert document["ok"] == (damage.severity != "error"), document["problems"]


def test_a_clean_world_has_none_of_these_problems_and_no_error(
    world: World, tartarus: Command
) -> None:
    document = check(tartarus, world)
    assert document["ok"]
    assert sorted(document["datasets"]) == ["many", "one", "rec"]
    told = [(d.what, p) for d in DAMAGES for p in document["problems"] if d.told_by(p)]
    assert not told


def test_every_damage_is_told_at_once(world: World, tartarus: Command) -> None:
    damages = named(
        "NaN",
        "a duplicate id",
        "a column too few in test",
        "3 user factors under the name of 4",
        "transposed truth",
        "train plays of 39 items",
        "sparse Python objects",
        "4 label factors",
        "a class counted twice",
        "genre_labels_many.tsv as splits/genre_labels_many.tsv",
        "without items_index_test_many.tsv",
        "without genre_labels_one.tsv",
        "half a class",
        "another width of val",
        "unknown items",
        "a pickle of no dataset",
        "a file of no dataset",
    )
    for damage in damages:
        damage.act(world)
    problems = check(tartarus, world)["problems"]
    silent = [d.what for d in damages if not any(d.told_by(problem) for problem in problems)]
    assert not silent


def test_the_printed_report_names_each_file_with_all_that_is_said_of_it(
    world: World, tartarus: Command
) -> None:
    for damage in named(
        "a row too few",
        "a duplicate id",
        "a pickle of no dataset",
        "a file of no dataset",
        "item_factors_test_als_4_rec.npy as datasets/y_test_als_4_rec.npy",
    ):
        damage.act(world)
    outcome = tartarus("check-data", "-w", world.root)
    assert outcome.status == 1
    printed = " ".join(outcome.out.split())
    for problem in check(tartarus, world)["problems"]:
        parts = ["severity", "file", "found", "expected"]
        for part in parts if problem["severity"] == "note" else [*parts, "hint"]:
            assert problem[part] in printed


def test_the_printed_verdict_counts_the_problems(world: World, tartarus: Command) -> None:
    named("all-zero rows")[0].act(world)
    problems = check(tartarus, world, "rec")["problems"]
    outcome = tartarus("check-data", "rec", "-w", world.root)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == f"{len(problems)} warnings"


def test_what_is_printed_does_no_harm_however_a_file_is_called(
    world: World, tartarus: Command
) -> None:
    written("datasets/[bold]é\x1b[31m_rec.npy", b"?")(world)
    assert "[bold]é\\x1b[31m_rec.npy" in tartarus("check-data", "rec", "-w", world.root).out


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_file_name_that_is_not_unicode_is_told_all_the_same(
    option: list[str], tartarus: Command, tmp_path: Path
) -> None:
    world = only("rec", tmp_path)
    os.close(os.open(os.fsencode(world.datasets) + b"/\xff_rec.npy", os.O_CREAT))
    outcome = tartarus("check-data", "-w", world.root, *option)
    assert outcome.status == 0
    assert "_rec.npy" in outcome.out
    assert "means nothing" in outcome.out


@pytest.mark.parametrize("name", [IDS, X("train"), USERS])
def test_a_file_that_may_not_be_read_is_told_like_any_damage(
    name: str, tartarus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, opened = only("rec", tmp_path), Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path == world.datasets / name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    errors = [p for p in check(tartarus, world)["problems"] if p["severity"] == "error"]
    assert any(p["file"].endswith(name) and "ermission denied" in p["found"] for p in errors)


# ------------------------------------------------------------------------------ nothing unpickled


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sprung,)


def _trapped(sprung: Path) -> NDArray[Any]:
    return np.array([Trap(sprung)], dtype=object)


TRAPS: dict[str, Callable[[World, Path], object]] = {
    "an array of objects": lambda w, sprung: np.save(w.datasets / X("train"), _trapped(sprung)),
    "a pickle that is called npy": lambda w, sprung: _trapped(sprung).dump(w.datasets / X("train")),
    "objects in a sparse matrix": lambda w, sprung: parts(
        S("train"), data=lambda _: _trapped(sprung)
    )(w),
    "a pickle that is called npz": lambda w, sprung: _trapped(sprung).dump(w.datasets / TRUTH),
    "objects as the format": lambda w, sprung: parts(TRUTH, format=lambda _: _trapped(sprung))(w),
    "a pickle": lambda w, sprung: _trapped(sprung).dump(w.datasets / "scaler_rec.pkl"),
}


@pytest.mark.parametrize("lay", TRAPS.values(), ids=TRAPS)
def test_nothing_is_ever_unpickled(
    lay: Callable[[World, Path], object], world: World, tartarus: Command, tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    lay(world, sprung)
    errors = [p for p in check(tartarus, world, "rec")["problems"] if p["severity"] == "error"]
    assert errors
    assert all(p["file"].endswith(("_rec.npy", "_rec.npz", "_rec.pkl")) for p in errors)
    assert not sprung.exists()


def test_the_traps_do_spring_when_they_are_unpickled(tmp_path: Path) -> None:
    path, sprung = tmp_path / "trap.npy", tmp_path / "sprung"
    np.save(path, _trapped(sprung))
    np.load(path, allow_pickle=True)
    assert sprung.exists()


# ------------------------------------------------------------------------- old names and places


def test_a_world_in_old_places_under_old_names_is_read_like_any_other(
    world: World, tartarus: Command
) -> None:
    before = check(tartarus, world)
    for path in sorted(world.datasets.iterdir()):
        old = path.name.replace("item_factors_class_3", "y_train_class_3")
        old = old.replace("item_factors_test_", "y_test_").replace("item_factors_val_", "y_val_")
        if path.is_file():
            moved(path.name, f"splits/{old}")(world)
    world.features.rename(world.root / "data" / "train_data")
    world.datasets.rmdir()
    after = check(tartarus, world)
    assert after["datasets"] == before["datasets"]
    notes = [problem for problem in after["problems"] if problem["severity"] == "note"]
    assert len(notes) == len(list((world.root / "data").glob("*/*_*")))
    assert len(after["problems"]) == len(before["problems"]) + len(notes)


def test_the_same_file_in_an_old_and_a_new_place_is_worth_a_note_alone(
    world: World, tartarus: Command
) -> None:
    before = check(tartarus, world, "rec")
    for name in (IDS, ALS, TRUTH):
        copied(name, f"splits/{name}")(world)
    copied(X("train"), X("train"))(world)
    after = check(tartarus, world, "rec")
    new = [problem for problem in after["problems"] if problem not in before["problems"]]
    assert [problem["severity"] for problem in new] == ["note"] * 4
    assert after["datasets"] == before["datasets"]


def test_two_different_lists_of_ids_do_not_keep_the_rest_from_being_told(
    world: World, tartarus: Command
) -> None:
    write_experiment(world, "mine", "rec_multi", "rec", dim=4)
    damages = named("other ids in the old place", "NaN")
    for damage in damages:
        damage.act(world)
    problems = check(tartarus, world)["problems"]
    assert all(any(d.told_by(problem) for problem in problems) for d in damages)


def test_class_truth_under_the_name_of_pmi_is_taken_where_it_is_binary(
    world: World, tartarus: Command
) -> None:
    moved(MANY_TEST, "datasets/y_test_pmi_3_many.npy")(world)
    assert check(tartarus, world, "many")["ok"]


def test_of_two_numbers_of_classes_the_label_names_decide(world: World, tartarus: Command) -> None:
    for name in (MANY_TRAIN, MANY_TEST, "item_factors_val_class_3_many.npy"):
        fewer = name.replace("_3_", "_2_")
        copied(name, f"datasets/{fewer}")(world)
        dense(fewer, lambda a: a[:, :2])(world)
    document = check(tartarus, world, "many")
    assert document["ok"]
    assert document["datasets"]["many"]["classes"] == 3


def test_the_padding_of_word_vectors_is_worth_no_warning(world: World, tartarus: Command) -> None:
    vectors = world.rng.standard_normal((5, 3))
    vectors[0] = 0
    np.save(world.features / "embedding_w2v_rec.npy", vectors)
    assert not [p for p in check(tartarus, world, "rec")["problems"] if "w2v" in p["file"]]


# ----------------------------------------------------------------------------------- the summary


def test_the_summary_counts_items_users_classes_and_settings(
    world: World, tartarus: Command
) -> None:
    summaries = check(tartarus, world)["datasets"]
    rec, many = summaries["rec"], summaries["many"]
    assert rec["items"] == {"train": 40, "test": 12}
    assert many["items"] == {"train": 40, "val": 10, "test": 12}
    assert (rec["users"], rec["classes"]) == (9, None)
    assert (many["users"], many["classes"], many["density"]) == (None, 3, None)
    truth = load_npz(world.datasets / TRUTH)
    assert rec["density"] == pytest.approx((truth.toarray() > 0).mean())
    filled = load_npz(world.datasets / S("train")).toarray() != 0
    assert sorted(rec["settings"]) == ["audio", "audio-sparse", "text", "text-sparse"]
    dense_summary = {"width": 6, "density": 1.0, "sparse": False, "absent": {}}
    assert rec["settings"]["text"] == dense_summary
    share = pytest.approx(filled.mean())
    assert rec["settings"]["text-sparse"] == dense_summary | {"density": share, "sparse": True}


def test_explicit_zeros_count_neither_as_truth_nor_as_features(
    world: World, tartarus: Command
) -> None:
    parts(TRUTH, data=put(slice(1, None), 0))(world)
    parts(S("train"), data=put(slice(1, None), 0))(world)
    rec = check(tartarus, world, "rec")["datasets"]["rec"]
    assert rec["density"] == pytest.approx(1 / (12 * 9))
    assert rec["settings"]["text-sparse"]["density"] == pytest.approx(1 / (40 * 6))


def test_experiments_are_ready_or_wait_for_what_ismissing(world: World, tartarus: Command) -> None:
    write_experiment(world, "mine", "rec_multi", "rec", dim=4)
    write_experiment(world, "greedy", "single-label-all", "one", dim=3)
    write_experiment(world, "labels", "cosine_multilabel_vector", "many", dim=2)
    write_experiment(world, "nothing", "logistic_multilabel_vector", "rec", dim=3)
    summaries = check(tartarus, world)["datasets"]
    own = {
        name: {e: n for e, n in each["ready"].items() if e not in each["borrowed"]}
        for name, each in summaries.items()
    }
    assert own == {"rec": {"mine": 2}, "one": {"greedy": 4}, "many": {"labels": 1}}
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
    assert sorted(summaries["rec"]["borrowed"]) == [*blends, *networks]
    assert summaries["rec"]["waiting"] == {"nothing": ["class targets"]}
    gone("train_data/X_val_text_one.npy")(world)
    gone(LABEL_FACTORS)(world)
    gone(TRUTH, USERS)(world)
    summaries = check(tartarus, world)["datasets"]
    assert summaries["one"]["waiting"] == {"greedy": ["4 settings (there are 3)"]}
    assert summaries["many"]["waiting"] == {"labels": ["label factors"]}
    assert sorted(summaries["rec"]["waiting"]["mine"]) == ["truth", "user factors"]


def test_a_preset_waits_for_the_number_of_settings_it_takes(
    tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path / "workspace")
    world.recommendation("MSD-A-songs")
    summary = check(tartarus, world)["datasets"]["MSD-A-songs"]
    assert summary["ready"] == {
        "cold_audio": 1,
        "cold_multi": 2,
        "rec_multi": 2,
        "two_tower_fusion": 1,
        "two_tower_single_branch": 1,
    }
    assert list(summary["waiting"]) == ["rec_audio"]
    assert summary["waiting"]["rec_audio"] == ["patches of train", "patches of test"]


# ------------------------------------------------------------------------------ which data is read


def test_a_named_dataset_is_reported_alone(world: World, tartarus: Command) -> None:
    for damage in named(
        "a row too few", "a val id in train", "2 label names of 3 classes", "a file of no dataset"
    ):
        damage.act(world)
    document = check(tartarus, world, "rec")
    assert list(document["datasets"]) == ["rec"]
    assert document["problems"]
    assert all("_rec." in problem["file"] for problem in document["problems"])
    everything = check(tartarus, world)["problems"]
    assert {p["file"].rpartition("_")[2] for p in everything} >= {"one.tsv", "many.tsv", "rec.npy"}


@pytest.mark.parametrize(("asked", "near"), [("recc", "rec"), ("may", "many"), ("onee", "one")])
def test_an_unknown_dataset_is_a_wrong_question_that_suggests_a_near_one(
    asked: str, near: str, world: World, tartarus: Command
) -> None:
    outcome = tartarus("check-data", asked, "-w", world.root, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert f"no dataset called {asked!r}" in outcome.err
    assert f"Did you mean {near}" in outcome.err


def test_an_unknown_dataset_near_to_none_lists_them_all(world: World, tartarus: Command) -> None:
    outcome = tartarus("check-data", "zzzz", "-w", world.root)
    assert outcome.status == 2
    assert "many, one, rec" in outcome.err


@pytest.mark.parametrize("name", ["data", "published"])
@pytest.mark.parametrize("place", ["datasets", "splits"])
def test_a_data_folder_can_be_named_itself(
    name: str, place: str, world: World, tartarus: Command, tmp_path: Path
) -> None:
    expected = check(tartarus, world)["datasets"]
    folder = tmp_path / "elsewhere" / name
    shutil.copytree(world.datasets, folder / place)
    shutil.move(folder / place / "train_data", folder / "train_data")
    outcome = tartarus("check-data", "-w", folder, "--json")
    assert outcome.status == 0
    assert outcome.document["datasets"] == expected
    assert all(str(tmp_path) not in problem["file"] for problem in outcome.document["problems"])


def test_an_empty_workspace_has_nothing_wrong_and_says_how_to_begin(
    tartarus: Command, tmp_path: Path
) -> None:
    world = World(tmp_path / "workspace")
    assert check(tartarus, world) == {"datasets": {}, "problems": [], "ok": True}
    assert "tartarus init" in tartarus("check-data", "-w", world.root).out


def test_hidden_files_and_folders_are_passed_over(world: World, tartarus: Command) -> None:
    written("datasets/.X_train_text_rec.npy.part", b"?")(world)
    written("datasets/older/X_train_text_rec.npy", b"?")(world)
    assert not [p for p in check(tartarus, world)["problems"] if "part" in p["file"]]
    assert check(tartarus, world)["ok"]


def test_checking_changes_no_file(world: World, tartarus: Command) -> None:
    named("unknown items")[0].act(world)
    before = {path: path.stat() for path in world.root.rglob("*")}
    check(tartarus, world)
    after = {path: path.stat() for path in world.root.rglob("*")}
    assert {p: (s.st_mtime_ns, s.st_size) for p, s in after.items()} == {
        p: (s.st_mtime_ns, s.st_size) for p, s in before.items()
    }


def test_binary_pmi_targets_of_test_are_the_class_truth_however_wide(
    world: World, tartarus: Command
) -> None:
    old = world.datasets / "item_factors_test_class_3_many.npy"
    old.rename(world.datasets / "y_test_pmi_2_many.npy")
    assert not [p for p in check(tartarus, world, "many")["problems"] if p["severity"] == "error"]


def test_a_dataset_that_no_preset_names_borrows_the_experiments_of_others(
    world: World, tartarus: Command
) -> None:
    summary = json.loads(tartarus("check-data", "rec", "-w", world.root, "--json").out)
    rec = summary["datasets"]["rec"]
    assert "rec_multi" in rec["borrowed"]
    assert rec["ready"]["rec_multi"] == 2
    assert "single-label-vector" not in rec["ready"]
    told = tartarus("check-data", "rec", "-w", world.root).out
    assert "tartarus run rec_multi SETTING SETTING --dataset rec" in told
