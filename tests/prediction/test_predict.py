"""Predicting, and reading out layers."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tests.conftest import Command
from tests.worlds import SPLITS, World

QUICK = ("--set", "training.epochs=2", "--set", "network.hidden=8")


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("trained") / "workspace")
    world.recommendation("rec")
    world.classification("one", several=False)
    for words in (
        ("rec_multi", "text", "audio-sparse", "--dataset", "rec", *QUICK),
        ("single-label-multimodal", "text", "audio", "--dataset", "one"),
    ):
        done = CliRunner().invoke(app, ["train", *words, "-w", str(world.root)])
        assert done.exit_code == 0
    return world.root


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> World:
    """Return a world with a rec_multi model of ``rec`` and a single-label one of ``one``."""
    return World(Path(copytree(_trained, tmp_path / "workspace")))


def test_predicted_factors_come_with_their_ids(tartarus: Command, trained: World) -> None:
    shown = tartarus("predict", "model_1", "-w", trained.root, "--json").document
    factors = trained.root / "data" / "factors"
    assert shown["splits"] == {"test": SPLITS["test"]}
    assert {path.name for path in factors.iterdir()} == {
        *("factors_model_1.npy", "index_factors_model_1.tsv")
    }
    rows = np.load(factors / "factors_model_1.npy")
    assert (rows.shape, rows.dtype) == ((SPLITS["test"], 4), np.float32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-5)
    ids = (factors / "index_factors_model_1.tsv").read_text()
    assert ids == (trained.datasets / "items_index_test_rec.tsv").read_text()


def test_new_recordings_do_not_fit_settings_that_do_not_say_how_they_were_made(
    tartarus: Command, trained: World
) -> None:
    refused = tartarus("predict", "model_2", "--audio", trained.root, "-w", trained.root)
    told = "model_2 cannot predict from recordings alone: its inputs are features, features (text"
    assert (refused.status, told in " ".join(refused.err.split())) == (2, True), refused.err


def test_the_newest_model_is_meant_if_none_is_named(tartarus: Command, trained: World) -> None:
    shown = tartarus("predict", "-w", trained.root, "--json", "--split", "all").document
    assert (shown["model"], shown["splits"]) == ("model_2", SPLITS)


def test_a_layer_becomes_a_setting_of_every_set_that_the_next_run_can_use(
    tartarus: Command, trained: World
) -> None:
    shown = tartarus("predict", "model_1", "--layer", "dense_1", "-w", trained.root, "--json")
    assert shown.document["setting"] == "model_1-pred_dense_1"
    assert shown.document["splits"] == {"train": SPLITS["train"], "test": SPLITS["test"]}
    rows = np.load(trained.features / "X_train_model_1-pred_dense_1_rec.npy")
    assert rows.shape == (SPLITS["train"], 8)
    assert rows.min() >= 0  # behind a relu
    again = tartarus(
        *("run", "rec_multi", "model_1-pred_dense_1", "text", "--dataset", "rec"),
        *("-w", trained.root, "--json", *QUICK),
    )
    assert again.document["settings"] == ["model_1-pred_dense_1", "text"]


def test_a_layer_holds_what_the_network_computes_there(tartarus: Command, trained: World) -> None:
    """The layers before the end, put through the rest by hand, give the prediction."""
    tartarus("predict", "model_1", "-w", trained.root)
    for layer in ("dense_1", "dense_2"):
        tartarus("predict", "model_1", "--layer", layer, "-w", trained.root)
    hidden, linear = (
        np.load(trained.features / f"X_test_model_1-pred_{layer}_rec.npy")
        for layer in ("dense_1", "dense_2")
    )
    import keras

    import tartarus_cli.layers  # noqa: F401 — registers the layers

    path = trained.root / "data" / "models" / "model_1" / "model.keras"
    kernel, bias = keras.saving.load_model(path).get_layer("dense_2").get_weights()
    assert linear == pytest.approx(hidden @ kernel + bias, abs=1e-5)
    norms = np.linalg.norm(linear, axis=1, keepdims=True)
    factors = np.load(trained.root / "data" / "factors" / "factors_model_1.npy")
    assert factors == pytest.approx(linear / norms, abs=1e-5)


@pytest.mark.parametrize(
    ("layer", "name"),
    [("6", "dense_1"), ("-2", "dense_2"), ("output", "unit_norm"), ("input_1", "input_1")],
)
def test_a_layer_may_be_named_by_index_or_as_output(
    layer: str, name: str, tartarus: Command, trained: World
) -> None:
    shown = tartarus(
        *("predict", "model_1", "--layer", layer, "--split", "test", "-w", trained.root, "--json")
    )
    assert shown.document["layer"] == name
    assert [path for path in shown.document["files"] if f"pred_{name}_rec" in path]


def test_an_unknown_layer_lists_those_there_are(tartarus: Command, trained: World) -> None:
    for layer in ("dense_9", "99", ""):
        refused = tartarus("predict", "model_1", "--layer", layer, "-w", trained.root)
        assert refused.status == 2
        assert "6 dense_1, 7 dense_2, 8 unit_norm" in refused.err


def test_an_unknown_model_or_split_is_asked_wrongly(tartarus: Command, trained: World) -> None:
    assert tartarus("predict", "model_7", "-w", trained.root).status == 2
    assert tartarus("predict", "../model_1", "-w", trained.root).status == 2
    refused = tartarus("predict", "model_1", "--split", "val", "-w", trained.root)
    assert (refused.status, "rec has no val items" in refused.err) == (2, True)


def test_features_of_another_width_than_in_training_are_an_error(
    tartarus: Command, trained: World
) -> None:
    path = trained.features / "X_test_text_rec.npy"
    np.save(path, np.load(path)[:, :-1])
    refused = tartarus("predict", "model_1", "-w", trained.root)
    assert refused.status == 1
    assert "X_test_text_rec.npy is 5 wide" in refused.err
    assert not (trained.root / "data" / "factors" / "factors_model_1.npy").exists()


def test_predictions_that_are_no_numbers_are_an_error_and_nothing_is_written(
    tartarus: Command, trained: World
) -> None:
    path = trained.features / "X_test_text_rec.npy"
    rows = np.load(path)
    rows[3] = np.nan
    np.save(path, rows)
    for words in ((), ("--layer", "dense_1")):
        accepted = ("--accept-changed-inputs", "-w", trained.root)
        refused = tartarus("predict", "model_1", *words, *accepted)
        assert refused.status == 1
        assert "NaN or infinity for item 'test-3'" in refused.err
    assert not list(trained.root.rglob("*model_1-pred*"))
    assert not list((trained.root / "data" / "factors").glob("*"))


def test_a_setting_that_lacks_rows_says_so(tartarus: Command, trained: World) -> None:
    words = ("predict", "model_1", "--layer", "dense_1", "-w", trained.root)
    assert "lacks its rows of train" in tartarus(*words, "--split", "test").out
    assert "tartarus run EXPERIMENT model_1-pred_dense_1" in tartarus(*words).out


def test_a_damaged_model_is_an_error_not_a_traceback(tartarus: Command, trained: World) -> None:
    path = trained.root / "data" / "models" / "model_1" / "model.keras"
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (whole[:1000], flipped, b""):
        path.write_bytes(damaged)
        refused = tartarus("predict", "model_1", "-w", trained.root)
        assert (refused.status, "model.keras cannot be loaded" in refused.err) == (1, True)


def test_predictions_do_not_depend_on_the_size_of_the_blocks(
    tartarus: Command, trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = trained.root / "data" / "factors" / "factors_model_1.npy"
    tartarus("predict", "model_1", "-w", trained.root)
    whole = np.load(path)
    monkeypatch.setattr("tartarus_cli.prediction.predict.inference_batch_size", lambda *_: 5)
    tartarus("predict", "model_1", "-w", trained.root)
    assert np.load(path) == pytest.approx(whole, abs=1e-6)


def lack(world: World, setting: str, *items: int) -> None:
    """Let test items lack a setting; none: all have it."""
    mask = world.features / f"mask_test_{setting}_rec.npy"
    mask.unlink(missing_ok=True)
    if items:
        np.save(mask, ~np.isin(np.arange(SPLITS["test"]), items))


@pytest.mark.parametrize("model", ["model_1", "ridge", "knn"])
def test_items_that_lack_all_settings_have_no_prediction(
    model: str, tartarus: Command, trained: World
) -> None:
    """Of two such items, one lacks one setting alone, and is predicted by the other."""
    where = ("-w", trained.root)
    if model != "model_1":
        words = ("text", "audio-sparse", "--dataset", "rec")
        model = tartarus("train", model, *words, *where, "--json").document["model"]
    lack(trained, "text", 0, 1)
    lack(trained, "audio-sparse", 0)
    predicted = tartarus("predict", model, "--accept-changed-inputs", *where, "--json")
    assert predicted.document["undescribed"] == {"test": 1}
    assert predicted.document["splits"] == {"test": SPLITS["test"] - 1}
    shown = tartarus("predict", model, *where).out
    assert "items without any setting of the model: test 1; they are left out" in shown
    evaluated = tartarus("evaluate", model, *where, "--json").document
    assert evaluated["items_without_prediction"] == 1
    assert all(value is not None for value in evaluated["metrics"].values())
    refused = tartarus("recommend", model, "--item", "test-0", *where)
    assert (refused.status, "no prediction for 'test-0'" in refused.err) == (1, True)
    assert tartarus("recommend", model, "--item", "test-1", *where).status == 0
    lack(trained, "text", *range(SPLITS["test"]))
    lack(trained, "audio-sparse", *range(SPLITS["test"]))
    predicted = tartarus("predict", model, "--accept-changed-inputs", *where)
    assert "all 12 test items lack all settings" in predicted.err
    assert tartarus("evaluate", model, *where).status == 0


def test_items_that_lack_all_settings_lack_the_setting_that_a_layer_becomes(
    tartarus: Command, trained: World
) -> None:
    words = ("predict", "model_1", "--layer", "dense_1", "-w", trained.root)
    accepted = (*words, "--accept-changed-inputs")
    masks = "mask_*_model_1-pred_dense_1_rec.npy"
    for items in ((0, 5), range(SPLITS["test"])):
        lack(trained, "text", *items)
        lack(trained, "audio-sparse", *items)
        assert tartarus(*accepted).status == 0
        (path,) = trained.features.glob(masks)
        assert np.flatnonzero(~np.load(path)).tolist() == [*items]
        rows = np.load(trained.features / "X_test_model_1-pred_dense_1_rec.npy")
        assert not rows[[*items]].any()
    lack(trained, "text")
    assert tartarus(*accepted).status == 0
    assert not [*trained.features.glob(masks)]
