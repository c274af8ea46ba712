"""What a model predicted is not judged by factors, or as of items, that it was not trained on."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, move
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tests.conftest import Command
from tests.worlds import SPLITS, World

TRAINED = (
    "ridge text --dataset rec",
    "rec_dense text --dataset rec --set training.epochs=1 --set network.hidden=8",
    "knn text --dataset rec",
    "popularity tags --dataset rec",
    "cosine_multilabel_vector text --dataset many --set training.epochs=1",
    "ridge text --dataset one",
)
FACTORS = "user_factors_als_4_rec.npy"
TARGETS = "item_factors_als_4_rec.npy"


@pytest.fixture(scope="module")
def _evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("evaluated") / "workspace")
    world.recommendation("rec")
    world.classification("many", several=True)
    world.classification("one", several=False)
    for split in ("train", "test"):
        tags = (np.random.default_rng(3).random((SPLITS[split], 5)) < 0.4).astype(np.float32)
        save_npz(world.features / f"X_{split}_tags_rec.npz", csr_array(tags))
    for words in TRAINED:
        for command in (f"train {words}", "predict", "evaluate"):
            done = CliRunner().invoke(app, [*command.split(), "-w", str(world.root)])
            assert done.exit_code == 0, done.stderr
    return world.root


@pytest.fixture
def evaluated(_evaluated: Path, tmp_path: Path) -> World:
    """Return a world of models of every form, all of them evaluated."""
    return World(Path(copytree(_evaluated, tmp_path / "workspace")))


def other(path: Path) -> None:
    """Put other numbers into a file."""
    np.save(path, np.load(path)[::-1])


def reversed_ids(path: Path) -> None:
    path.write_text("".join(f"{each}\n" for each in reversed(path.read_text().splitlines())))


@pytest.mark.parametrize("model", ["model_1", "model_2"])
def test_factors_made_anew_mean_something_else_and_a_model_has_to_be_trained_again(
    model: str, tartarus: Command, evaluated: World, tmp_path: Path
) -> None:
    where = ("-w", evaluated.root)
    kept = (evaluated.root / "data" / "results" / f"{model}.json").read_bytes()
    words = ("--dim", 4, "--alpha", 7, "--force")
    assert tartarus("factorize", "rec", "als", *words, *where).status == 0
    lists = ("--to", tmp_path / "lists.csv", "--what")
    for command in (
        ("evaluate", model),
        ("evaluate", model, "--by", "user-activity"),
        ("evaluate", model, "--baselines"),
        ("recommend", model),
        ("recommend", model, "--user", 1),
        ("recommend", model, "--item", "test-1"),
        ("export", model, *lists, "rankings"),
    ):
        refused = tartarus(*command, *where)
        said = " ".join(refused.err.split())
        assert (refused.status, f"is not what it was when {model} was trained" in said) == (1, True)
        assert "_als_4_rec.npy is not" in said
        assert "tartarus train " in said
        assert "--dataset rec" in said
    assert not (tmp_path / "lists.csv").exists()
    assert not [*(evaluated.root / "data" / "models").glob("model_7")]  # no baseline in vain
    assert (evaluated.root / "data" / "results" / f"{model}.json").read_bytes() == kept
    assert tartarus("export", model, *lists, "predictions", *where).status == 0
    for again in (f"train {TRAINED[0]}", "predict", "evaluate", "recommend"):
        assert tartarus(*again.split(), *where).status == 0


@pytest.mark.parametrize("name", [FACTORS, TARGETS, "items_index_train_rec.tsv"])
def test_the_file_that_has_changed_is_named(name: str, tartarus: Command, evaluated: World) -> None:
    path = evaluated.datasets / name
    (reversed_ids if path.suffix == ".tsv" else other)(path)
    for model in ("model_1", "model_2"):
        for command in ("evaluate", "recommend"):
            refused = tartarus(command, model, "-w", evaluated.root)
            assert (refused.status, f"{name} is not what it was" in refused.err) == (1, True)


def test_the_command_to_train_again_is_the_one_that_trained(
    tartarus: Command, evaluated: World
) -> None:
    other(evaluated.datasets / FACTORS)
    for model, again in (("model_1", "ridge text"), ("model_2", "rec_dense text")):
        refused = tartarus("evaluate", model, "-w", evaluated.root)
        assert f"tartarus train {again} --dataset rec" in " ".join(refused.err.split())


def more_plays(world: World) -> None:
    path = world.datasets / "matrix_test_rec.npz"
    plays = load_npz(path).toarray()
    plays[::2] = 1
    save_npz(path, csr_array(plays))


def fewer_test_items(world: World) -> None:
    ids = world.datasets / "items_index_test_rec.tsv"
    ids.write_text("".join(f"test-{n}\n" for n in range(5, 0, -1)))
    for name in ("matrix_test_rec.npz", "item_factors_test_als_4_rec.npy"):
        path = world.datasets / name
        rows = load_npz(path).toarray() if path.suffix == ".npz" else np.load(path)
        rows = rows[5:0:-1]
        save_npz(path, csr_array(rows)) if path.suffix == ".npz" else np.save(path, rows)


def old_places(world: World) -> None:
    """Move files to the place, and to the names, that older archives have."""
    splits = world.root / "data" / "splits"
    splits.mkdir()
    for name in (FACTORS, "items_index_train_rec.tsv"):
        move(world.datasets / name, splits / name)
    move(world.datasets / TARGETS, world.datasets / "y_train_als_4_rec.npy")


def no_train_items(world: World) -> None:
    for name in (TARGETS, "items_index_train_rec.tsv"):
        (world.datasets / name).unlink()


def other_ends_of_lines(world: World) -> None:
    path = world.datasets / "items_index_train_rec.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())


@pytest.mark.parametrize(
    "change",
    [more_plays, fewer_test_items, old_places, no_train_items, other_ends_of_lines],
)
def test_what_may_change_changes_no_meaning(
    change: Callable[[World], None], tartarus: Command, evaluated: World
) -> None:
    change(evaluated)
    for command in ("evaluate", "recommend"):
        done = tartarus(command, "model_1", "-w", evaluated.root)
        assert done.status == 0, done.err


def other_features(world: World) -> None:
    for split in ("train", "test"):
        other(world.features / f"X_{split}_text_rec.npy")


def other_order_of_columns(world: World) -> None:
    for split in ("train", "test"):
        path = world.features / f"X_{split}_text_rec.npy"
        np.save(path, np.load(path)[:, ::-1])


def other_test_features_alone(world: World) -> None:
    path = world.features / "X_test_text_rec.npy"
    np.save(path, np.load(path) + 1)


def reversed_test_ids(world: World) -> None:
    reversed_ids(world.datasets / "items_index_test_rec.tsv")


def reversed_train_ids(world: World) -> None:
    reversed_ids(world.datasets / "items_index_train_rec.tsv")


CHANGES: dict[Callable[[World], None], str] = {
    other_features: "X_test_text_rec.npy",
    other_order_of_columns: "X_test_text_rec.npy",
    other_test_features_alone: "X_test_text_rec.npy",
    reversed_test_ids: "items_index_test_rec.tsv",
    reversed_train_ids: "items_index_train_rec.tsv",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("model", ["model_1", "model_2"])
def test_nothing_is_predicted_from_other_inputs_than_those_of_the_training(
    change: Callable[[World], None], model: str, tartarus: Command, evaluated: World
) -> None:
    factors = evaluated.root / "data" / "factors" / f"factors_{model}.npy"
    kept = factors.read_bytes()
    change(evaluated)
    for words in (("predict", model), ("predict", model, "--split", "all")):
        refused = tartarus(*words, "-w", evaluated.root)
        assert refused.status == 1
        assert CHANGES[change] in refused.err
        assert f"is not what it was when {model} was trained" in refused.err
        assert "--accept-changed-inputs" in refused.err
    assert factors.read_bytes() == kept


def test_changed_inputs_that_are_accepted_are_recorded(tartarus: Command, evaluated: World) -> None:
    where = ("-w", evaluated.root)
    other_test_features_alone(evaluated)
    done = tartarus("predict", "model_2", "--accept-changed-inputs", *where)
    assert done.status == 0
    assert "X_test_text_rec.npy has changed since model_2 was trained: accepted" in done.err
    record = evaluated.root / "data" / "models" / "model_2" / "manifest.json"
    assert [*json.loads(record.read_text())["accepted_inputs"]] == [
        "data/datasets/train_data/X_test_text_rec.npy"
    ]
    assert tartarus("predict", "model_2", *where).status == 0
    explained = tartarus("evaluate", "model_2", "--json", *where).document["protocol"]
    assert "X_test_text_rec.npy" in explained["changed inputs"]
    other_test_features_alone(evaluated)
    assert tartarus("predict", "model_2", *where).status == 1


@pytest.mark.parametrize("model", ["model_1", "model_2"])
def test_inputs_from_which_nothing_could_be_predicted_are_not_accepted(
    model: str, tartarus: Command, evaluated: World
) -> None:
    path = evaluated.features / "X_test_text_rec.npy"
    np.save(path, np.load(path) * np.nan)
    words = ("predict", model, "-w", evaluated.root)
    assert "NaN" in tartarus(*words, "--accept-changed-inputs").err
    refused = tartarus(*words)
    assert (refused.status, "--accept-changed-inputs" in refused.err) == (1, True)


def test_a_setting_made_after_the_training_is_compared_by_its_train_items(
    tartarus: Command, evaluated: World
) -> None:
    record = evaluated.root / "data" / "models" / "model_2" / "manifest.json"
    manifest = json.loads(record.read_text())
    del manifest["inputs"]["data/datasets/train_data/X_test_text_rec.npy"]
    record.write_text(json.dumps(manifest))
    other_test_features_alone(evaluated)
    assert tartarus("predict", "model_2", "-w", evaluated.root).status == 0
    path = evaluated.features / "X_train_text_rec.npy"
    np.save(path, np.load(path)[:, ::-1])
    refused = tartarus("predict", "model_2", "-w", evaluated.root)
    assert (refused.status, "X_train_text_rec.npy is not what" in refused.err) == (1, True)


@pytest.mark.parametrize("command", ["evaluate", "recommend"])
def test_test_items_are_in_the_order_of_the_training_unless_another_is_accepted(
    command: str, tartarus: Command, evaluated: World
) -> None:
    where = ("-w", evaluated.root)
    reversed_test_ids(evaluated)
    refused = tartarus(command, "model_2", *where)
    assert (refused.status, "items_index_test_rec.tsv is not what" in refused.err) == (1, True)
    assert "tartarus predict model_2 --accept-changed-inputs" in " ".join(refused.err.split())
    assert tartarus("predict", "model_2", "--accept-changed-inputs", *where).status == 0
    assert tartarus(command, "model_2", *where).status == 0


def test_fewer_test_items_are_accepted(tartarus: Command, evaluated: World) -> None:
    fewer_test_items(evaluated)
    path = evaluated.features / "X_test_text_rec.npy"
    np.save(path, np.load(path)[5:0:-1])
    for words in (
        "predict model_1 --accept-changed-inputs",
        "evaluate model_1",
        "recommend model_1",
    ):
        done = tartarus(*words.split(), "-w", evaluated.root)
        assert done.status == 0, done.err


def test_neighbours_are_sought_among_the_same_features_wherever_they_lie(
    tartarus: Command, evaluated: World
) -> None:
    old = evaluated.root / "data" / "train_data"
    old.mkdir()
    for path in evaluated.features.glob("X_*_text_rec*"):
        move(path, old / path.name)
    assert tartarus("predict", "model_3", "-w", evaluated.root).status == 0
    other(old / "X_train_text_rec.npy")
    done = tartarus("predict", "model_3", "-w", evaluated.root)
    assert (done.status, "is not what it was when model_3 was trained" in done.err) == (1, True)


@pytest.mark.parametrize("model", ["model_3", "model_4"])
def test_neighbours_and_popularity_have_nothing_to_do_with_factors_but_with_the_train_items(
    model: str, tartarus: Command, evaluated: World
) -> None:
    for name in (FACTORS, TARGETS):
        other(evaluated.datasets / name)
    for command in ("evaluate", "recommend"):
        assert tartarus(command, model, "-w", evaluated.root).status == 0
    reversed_ids(evaluated.datasets / "items_index_train_rec.tsv")
    for command in ("evaluate", "recommend"):
        refused = tartarus(command, model, "-w", evaluated.root)
        assert (refused.status, "items_index_train_rec.tsv is not" in refused.err) == (1, True)


def test_factors_of_labels_are_those_of_the_training(tartarus: Command, evaluated: World) -> None:
    words = ("evaluate", "model_5", "-w", evaluated.root)
    assert tartarus(*words).status == 0
    other(evaluated.datasets / "class_factors_pmi_2_many.npy")
    refused = tartarus(*words)
    assert (refused.status, "class_factors_pmi_2_many.npy is not" in refused.err) == (1, True)


def test_whoever_evaluates_again_on_another_truth_is_told(
    tartarus: Command, evaluated: World
) -> None:
    words = ("evaluate", "model_1", "-w", evaluated.root)
    assert "the truth" not in tartarus(*words).err
    more_plays(evaluated)
    done = tartarus(*words)
    assert done.status == 0
    assert "the truth of rec is not what it was when model_1 was last evaluated" in done.err
    assert "the truth" not in tartarus(*words).err


def test_classes_of_test_items_may_be_corrected(tartarus: Command, evaluated: World) -> None:
    other(evaluated.datasets / "item_factors_test_class_3_one.npy")
    assert tartarus("evaluate", "model_6", "-w", evaluated.root).status == 0


def test_predictions_from_elsewhere_were_trained_on_nothing_that_is_known(
    tartarus: Command, evaluated: World
) -> None:
    for name in (FACTORS, TARGETS):
        other(evaluated.datasets / name)
    file = evaluated.root / "data" / "factors" / "factors_model_1.npy"
    words = ("--experiment", "rec_dense", "--dataset", "rec", "-w", evaluated.root)
    assert tartarus("evaluate", file, *words).status == 0


def test_of_a_model_that_kept_no_hash_of_the_users_only_the_rest_is_known(
    tartarus: Command, evaluated: World
) -> None:
    record = evaluated.root / "data" / "models" / "model_1" / "manifest.json"
    manifest: dict[str, Any] = json.loads(record.read_text())
    del manifest["inputs"][f"data/datasets/{FACTORS}"]
    record.write_text(json.dumps(manifest))
    words = ("evaluate", "model_1", "-w", evaluated.root)
    other(evaluated.datasets / FACTORS)
    assert tartarus(*words).status == 0
    other(evaluated.datasets / TARGETS)
    refused = tartarus(*words)
    assert (refused.status, f"{TARGETS} is not" in refused.err) == (1, True)


def test_figures_of_before_are_compared_and_said_to_be_of_before(
    tartarus: Command, evaluated: World
) -> None:
    words = ("compare", "model_1", "model_3", "--json", "-w", evaluated.root)
    before = tartarus(*words)
    assert "has changed" not in before.err
    other(evaluated.datasets / FACTORS)
    after = tartarus(*words)
    assert f"{FACTORS} has changed since model_1 was trained" in " ".join(after.err.split())
    assert "model_3 was trained" not in after.err  # it multiplies no factors
    assert (after.status, after.document) == (0, before.document)


@pytest.mark.parametrize("model", ["model_1", "model_2", "model_3"])
def test_a_mask_that_is_new_or_gone_is_another_input(
    model: str, tartarus: Command, evaluated: World
) -> None:
    predict = ("predict", model, "-w", evaluated.root)
    mask = evaluated.features / "mask_test_text_rec.npy"
    np.save(mask, np.arange(SPLITS["test"]) > 1)
    refused = tartarus(*predict)
    assert (refused.status, mask.name in refused.err) == (1, True)
    assert tartarus(*predict, "--accept-changed-inputs").status == 0
    assert tartarus(*predict).status == 0
    mask.unlink()  # as in the training
    assert tartarus(*predict).status == 0


def test_a_model_is_not_used_again_once_a_setting_has_a_mask(
    tartarus: Command, evaluated: World
) -> None:
    words = ("evaluate", "model_2", "--baselines", "-w", evaluated.root)
    assert "knn: model_3 is used again" in tartarus(*words).err
    np.save(evaluated.features / "mask_train_text_rec.npy", np.ones(SPLITS["train"], bool))
    assert tartarus("predict", "model_3", "-w", evaluated.root).status == 1
    assert "model_3 is used again" not in tartarus(*words).err
