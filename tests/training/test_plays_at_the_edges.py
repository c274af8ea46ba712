"""Models that learn from plays where data is odd or missing: what happens, and what is said."""

import json
import shlex
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz

from tartarus_cli.baselines import feature_ridge, ridge_plays
from tartarus_cli.models.manifest import ModelManifest
from tartarus_cli.models.store import Store
from tartarus_cli.training import plays as training_plays
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command, Outcome
from tests.kills import killed_after
from tests.worlds import SPLITS, USERS, World

TRAIN, DATASET = "matrix_train_rec.npz", ("--dataset", "rec")
QUICK = ("--set", "training.epochs=1", "--set", "targets.dim=4")
RIDGE, TOWER = ("ridge_plays", "text", *DATASET), ("two_tower", "text", *DATASET, *QUICK)
LEARNERS = pytest.mark.parametrize("words", [RIDGE, TOWER], ids=["ridge_plays", "two_tower"])


def blend(*parts: str, settings: tuple[str, ...] = ("text",)) -> tuple[str, ...]:
    return ("cold_sparse", *settings, *DATASET, "--set", f"network.parts={json.dumps(parts)}")


def manifests(world: World) -> list[ModelManifest]:
    return [model.manifest for model in Store(open_workspace(world.root)).all()]


def change_plays(world: World, split: str, change: csr_array) -> None:
    save_npz(world.datasets / f"matrix_{split}_rec.npz", csr_array(change))


def plays_of(world: World, split: str) -> csr_array:
    return csr_array(load_npz(world.datasets / f"matrix_{split}_rec.npz"))


@pytest.fixture
def with_val(tmp_path: Path) -> World:
    """Return a world whose dataset has val items, with plays."""
    made = World(tmp_path / "workspace")
    made.recommendation("rec", val=True)
    return made


def refused(done: Outcome, *texts: str, status: int = 1) -> None:
    assert done.status == status, done.out
    for text in texts:
        assert text in done.err


def hint_of(done: Outcome) -> str:
    return done.err.split("hint:")[1].strip().splitlines()[0]


# -------------------------------------------------- plays that are missing


@LEARNERS
def test_without_plays_they_are_rebuilt_from_factors_and_that_is_said(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    items = np.load(world.datasets / "item_factors_als_4_rec.npy")
    users = np.load(world.datasets / "user_factors_als_4_rec.npy")
    (world.datasets / TRAIN).unlink()
    rebuilt = tartarus("train", *words, "-w", world.root)
    assert rebuilt.status == 0, rebuilt.err
    lines = rebuilt.err.splitlines()
    assert (
        "rec has no train plays: they are rebuilt from the factors (a product over 0.6 counts"
        in (" ".join(lines[:1]))
    )
    assert "there are no val items: the last 10% of the train items are held out" in lines[1]
    inputs = {Path(name).name for name in manifests(world)[0].inputs}
    assert {"item_factors_als_4_rec.npy", "user_factors_als_4_rec.npy"} <= inputs
    change_plays(world, "train", csr_array((items @ users.T > 0.6).astype(float)))
    assert tartarus("train", *words, "-w", world.root).status == 0
    first, second = manifests(world)
    assert first.validation_score == pytest.approx(second.validation_score)


def test_a_blend_says_that_plays_are_rebuilt(tartarus: Command, world: World) -> None:
    (world.datasets / TRAIN).unlink()
    done = tartarus("train", *blend("ridge_plays"), "-w", world.root)
    assert done.status == 0
    assert "rec has no train plays: they are rebuilt" in done.err
    assert "the last 10% of the train items are held out" in done.err
    run = tartarus("predict", "-w", world.root), tartarus("evaluate", "-w", world.root)
    assert [done.status for done in run] == [0, 0]


def test_plays_of_val_items_alone_may_be_rebuilt(tartarus: Command, with_val: World) -> None:
    (with_val.datasets / "matrix_val_rec.npz").unlink()
    done = tartarus("train", *RIDGE, "-w", with_val.root)
    assert done.status == 0
    assert "rec has no val plays: they are rebuilt" in done.err
    assert manifests(with_val)[0].items["validation"] == SPLITS["val"]


def test_val_items_without_plays_and_factors_do_not_validate(
    tartarus: Command, with_val: World
) -> None:
    (with_val.datasets / "matrix_val_rec.npz").unlink()
    (with_val.datasets / "item_factors_val_als_4_rec.npy").unlink()
    done = tartarus("train", *RIDGE, "-w", with_val.root)
    assert "the val items have no plays: the last 10% of the train items are held out" in done.err
    assert manifests(with_val)[0].items == {"fit": 36, "validation": 4, "held out": 0}


@pytest.mark.parametrize("words", [RIDGE, TOWER, blend("ridge_plays")])
def test_without_plays_and_factors_the_remedy_is_said(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    plays = plays_of(world, "train")
    for path in [*world.datasets.glob("*als*"), world.datasets / TRAIN]:
        path.unlink()
    done = tartarus("train", *words, "-w", world.root)
    refused(done, "rec has no plays of its train items, and no factors to rebuild them from")
    assert f"data/datasets/{TRAIN}" in hint_of(done)
    assert "tartarus split rec --plays plays.csv" in hint_of(done)
    assert manifests(world) == []
    change_plays(world, "train", plays)
    assert tartarus("train", *words, "-w", world.root).status == 0


def test_als_users_without_factors_are_refused_with_a_remedy(
    tartarus: Command, world: World
) -> None:
    for path in world.datasets.glob("*als*"):
        path.unlink()
    words = ("train", *TOWER, "-w", world.root)
    done = tartarus(*words, "--set", "two_tower.users=als")
    refused(done, "two_tower.users = als: rec has no als factors of users")
    assert manifests(world) == []
    free = hint_of(done).split("; or let vectors be learnt: ")[1]
    assert tartarus(*words, *shlex.split(free)).status == 0
    command = hint_of(done).split(": ")[1].split(";")[0]
    assert tartarus(*shlex.split(command)[1:]).status == 0
    again = tartarus(*words, "--set", "two_tower.users=als")
    assert again.status == 0, again.err


# -------------------------------------------------- plays that are odd


def test_plays_of_another_shape_are_refused_before_anything_is_trained(
    tartarus: Command, with_val: World
) -> None:
    for split, rows in (("train", SPLITS["train"]), ("val", SPLITS["val"])):
        plays = plays_of(with_val, split)
        for changed, found in (
            (plays[: rows - 3], f"matrix_{split}_rec.npz: {rows - 3} × 9; expected {rows} × "),
            (plays.T, f"9 × {rows} (it looks transposed)"),
            (plays[:, :5], f"{rows} × 5; expected {rows} × 9"),
        ):
            change_plays(with_val, split, csr_array(changed))
            for words in (RIDGE, TOWER, blend("ridge_plays", "knn")):
                refused(tartarus("train", *words, "-w", with_val.root), found)
        change_plays(with_val, split, plays)
    assert manifests(with_val) == []


@pytest.mark.parametrize("words", [RIDGE, TOWER, blend("ridge_plays")])
def test_items_that_nobody_played_are_refused(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    plays = plays_of(world, "train").toarray()
    change_plays(world, "train", csr_array(np.zeros_like(plays)))
    done = tartarus("train", *words, "-w", world.root)
    refused(done, f"{TRAIN}: no positive entry")
    plays[-4:] = 0
    change_plays(world, "train", csr_array(plays))
    done = tartarus("train", *words, "-w", world.root)
    refused(done, "nobody played any of the 4 train items that validate")
    assert "--set training.validation=0.5" in hint_of(done)
    again = tartarus("train", *words, "-w", world.root, "--set", "training.validation=0.5")
    assert again.status == 0, again.err


def test_factors_of_which_no_play_can_be_rebuilt_are_refused(
    tartarus: Command, world: World
) -> None:
    (world.datasets / TRAIN).unlink()
    path = world.datasets / "item_factors_als_4_rec.npy"
    np.save(path, np.load(path) / 100)
    done = tartarus("train", *RIDGE, "-w", world.root)
    refused(done, "nobody played any of the 40 train items of rec")
    assert path.name in hint_of(done)


@pytest.mark.parametrize("words", [RIDGE, TOWER, blend("ridge_plays")])
def test_too_few_items_to_hold_out_are_refused_with_a_remedy(
    words: tuple[str, ...], tartarus: Command, world: World
) -> None:
    words = ("train", *words, "-w", str(world.root))
    done = tartarus(*words, "--set", "training.validation=0.02")
    refused(done, "40 train items are too few to hold 0.02 of them out")
    assert tartarus(*words, *shlex.split(hint_of(done).split("larger share: ")[1])).status == 0


# -------------------------------------------------- features that are zero


def test_items_without_features_and_settings_of_zeros_are_no_obstacle(
    tartarus: Command, world: World
) -> None:
    for path in world.features.glob("X_*_text_rec.npy"):
        rows = np.load(path)
        rows[3] = 0
        np.save(path, rows)
    for path in world.features.glob("X_*_audio_rec.npy"):
        np.save(path, 0 * np.load(path))
    both = ("text", "audio", *DATASET)
    parts = ("--set", 'network.parts=["ridge_plays", "two_tower"]')
    each = ("--set", 'network.each_setting=["ridge_plays"]', *parts)
    trained = [
        ("ridge_plays", *both),
        ("two_tower", *both, *QUICK),
        ("two_tower", *both, *QUICK, "--set", "two_tower.residual=ridge"),
        ("knn", *both),
        ("ridge_plays", "audio", *DATASET),
        ("cold_multi", *both, *each),
    ]
    for words in trained:
        done = tartarus("run", *words, "-w", world.root, "--json")
        assert done.status == 0, done.err
        assert 0 < done.document["metrics"]["MAP@500"] <= 1
    rows = np.load(world.root / "data" / "factors" / "factors_model_1.npy")
    assert not rows[3].any()  # nothing is known of this item
    assert rows[4].any()


# -------------------------------------------------- what is too large


def test_a_blend_leaves_out_a_part_that_is_too_large(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge_plays, "MAX_ITEMS", 10)
    monkeypatch.setattr(feature_ridge, "MAX_UNKNOWNS", 5)
    words = ("train", "-w", world.root, *blend("ridge_plays", "rec_sparse"))
    done = tartarus(*words, "--set", "network.weights=[0, 1]")
    assert done.status == 0, done.err
    assert "ridge_plays text is left out of the blend: ridge on plays would solve for" in done.err
    assert [manifest.experiment for manifest in manifests(world)] == ["rec_sparse", "cold_sparse"]
    assert manifests(world)[-1].parts == {"model_1": 1}
    alone = tartarus("train", *blend("ridge_plays"), "-w", world.root)
    refused(alone, "error: ridge on plays would solve for", "Use settings with fewer columns")


def test_vectors_of_too_many_users_are_refused_with_a_remedy(
    tartarus: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_plays, "MAX_TABLE_BYTES", 16 * USERS * 3)
    done = tartarus("train", *TOWER, "-w", world.root)
    refused(done, "vectors of 4 numbers for 9 users would take")
    for choice in hint_of(done).removeprefix("Choose ").rstrip(".").split(" or "):
        assert tartarus("train", *TOWER, *shlex.split(choice), "-w", world.root).status == 0


# -------------------------------------------------- what a blend may be made of


def test_a_part_that_does_not_exist_is_named_with_what_is_near(
    tartarus: Command, world: World
) -> None:
    assert tartarus("train", *RIDGE, "-w", world.root).status == 0
    for name, near in (("two_towr", "two_tower"), ("model_2", "model_1")):
        done = tartarus("train", *blend(name), "-w", world.root)
        refused(done, f"network.parts: there is no experiment or model called '{name}'", status=2)
        assert near in hint_of(done)
    words = ("cold_multi", "text", *DATASET, "--set", 'network.each_setting=["model_1"]')
    done = tartarus("train", *words, "-w", world.root)
    refused(done, "network.each_setting: there is no experiment called 'model_1'", status=2)


@pytest.mark.parametrize("name", ["cold_audio", "oracle", "prior", "logistic_multilabel_vector"])
def test_what_cannot_be_blended_is_refused(name: str, tartarus: Command, world: World) -> None:
    done = tartarus("train", *blend("ridge_plays", name), "-w", world.root)
    said = "prior is for multilabel" if name == "prior" else f"{name} cannot be a part of"
    refused(done, said, status=2)
    assert manifests(world) == []


def test_models_that_cannot_be_blended_are_refused(tartarus: Command, world: World) -> None:
    world.recommendation("other")
    for words in (RIDGE, ("ridge_plays", "text", "--dataset", "other"), blend("model_1")):
        assert tartarus("train", *words, "-w", world.root).status == 0
    assert tartarus("train", "oracle", *DATASET, "-w", world.root).status == 0
    for name, found in (
        ("model_2", "model_2 was trained on other (recommendation)"),
        ("model_3", "model_3 is a blend itself"),
        ("model_4", "model_4 (oracle) sees the truth"),
    ):
        done = tartarus("train", *blend("model_1", name), "-w", world.root)
        refused(done, found, status=2)
    assert len(manifests(world)) == 4


def test_a_blend_of_nothing_is_refused_with_an_example_that_works(
    tartarus: Command, world: World
) -> None:
    words = ("train", *blend(), "-w", str(world.root))
    done = tartarus(*words)
    refused(done, "cold_sparse names nothing to blend", status=2)
    example = shlex.split(hint_of(done).split("models: ")[1].rstrip("."))
    assert "two_tower" in example[1]


def test_a_part_that_is_named_twice_counts_once(tartarus: Command, world: World) -> None:
    done = tartarus("train", *blend("ridge_plays", "ridge_plays"), "-w", world.root)
    assert done.status == 0
    assert manifests(world)[-1].parts == {"model_1": 1}


def test_a_part_must_not_have_learnt_from_the_train_items_that_validate(
    tartarus: Command, world: World
) -> None:
    done = tartarus("train", *blend("ridge_plays", "knn"), "-w", world.root)
    refused(done, "knn text learns from train items that would choose its weight")
    assert manifests(world) == []
    words = ("train", *RIDGE, "--set", "training.validation=0.5", "-w", world.root)
    assert tartarus(*words).status == 0
    done = tartarus("train", *blend("model_1"), "-w", world.root)
    refused(done, "and it holds out 0.5 of these, not 0.2", "or leave out model_1")
    allowed = tartarus(
        "train", *blend("model_1"), "-w", world.root, "--set", "training.validation=0.5"
    )
    assert allowed.status == 0


def test_with_val_items_baselines_may_be_blended(tartarus: Command, with_val: World) -> None:
    words = blend("ridge_plays", "knn", "random", settings=("text-sparse", "audio"))
    done = tartarus("run", *words, "-w", with_val.root, "--json")
    assert done.status == 0, done.err
    assert len(manifests(with_val)[3].parts) == 3


# -------------------------------------------------- networks of other kinds


def test_sums_of_what_users_played_need_a_linear_network(tartarus: Command, world: World) -> None:
    words = ("train", *TOWER, "-w", world.root, "--set", "two_tower.users=history")
    done = tartarus(*words, "--set", "network.hidden=[8]")
    refused(done, "two_tower.users = history: network.hidden has to be empty ([])", status=2)
    assert manifests(world) == []
    assert tartarus(*words, "--set", "network.hidden=[]").status == 0


def test_a_blend_that_is_killed_anywhere_leaves_nothing_half_written_that_counts(
    tartarus: Command, with_val: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *blend("ridge_plays", "knn"), "-w", with_val.root)
    expected = None
    for renames in range(40):
        folder = with_val.root / "data" / "models"
        if folder.exists():
            rmtree(folder)
        ended = False
        with suppress(pytest.fail.Exception), killed_after(renames, monkeypatch):
            assert tartarus(*words).status == 0
            ended = True  # without a kill, which the block takes for a failure
        store = Store(open_workspace(with_val.root))
        finished = {model.name: model.manifest.experiment for model in store.finished()}
        again = tartarus(*words)
        assert again.status == 0, again.err
        newest = Store(open_workspace(with_val.root)).newest()
        assert {*finished.values()} <= {"ridge_plays", "knn"} or ended
        for name, experiment in finished.items():
            used = experiment == "cold_sparse" or name in newest.manifest.parts
            assert used, (renames, name)
            assert f"{experiment} text: {name} is used again" in again.err or ended
        arrays = newest.arrays.read_bytes()
        expected = expected or arrays
        assert arrays == expected
        if ended:
            break
    assert renames > 5
    assert ended
