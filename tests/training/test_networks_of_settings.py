"""Networks of several settings, through the command: items that lack some, gates, and tasks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, load_npz, save_npz

from tests.conftest import run_command
from tests.sharing import made_once
from tests.worlds import CLASSES, SPLITS, World

SETTINGS = ("audio", "text-sparse")
QUICK = ("--set", "training.epochs=1", "--set", "network.hidden=[8]")
DROPPED = ("--set", "network.modality_dropout=0.3")
TRAINED: dict[str, tuple[object, ...]] = {
    "model_1": (
        "two_tower_fusion",
        *SETTINGS,
        "--dataset",
        "rec",
        "--set",
        "targets.dim=4",
        *DROPPED,
    ),
    "model_2": ("genre_network", *SETTINGS, "--dataset", "many"),
    "model_3": ("genre_network", "audio", "--dataset", "one"),
}
DATASETS = {"rec": False, "many": True, "one": False}


def run(root: Path, *words: object) -> Any:
    done = run_command(*words, "-w", root, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def write_models(root: Path) -> None:
    """Write datasets whose first items lack every subset of the settings, and train on them."""
    world = World(root)
    world.recommendation("rec", val=True)
    world.classification("many", several=True)
    world.classification("one", several=False)
    for dataset in DATASETS:
        for split in SPLITS:
            lack_settings(world.features, f"X_{split}_audio_{dataset}.npy", 0)
            lack_settings(world.features, f"X_{split}_text-sparse_{dataset}.npz", 1)
    for words in TRAINED.values():
        run(root, "train", *words, *QUICK)


def lack_settings(features: Path, name: str, place: int) -> None:
    """Let an item, and the third, lack a setting."""
    sparse = name.endswith("npz")
    rows = load_npz(features / name).toarray() if sparse else np.load(features / name)
    rows[[place, 2]] = 0
    if sparse:
        save_npz(features / name, csr_array(rows))
    else:
        np.save(features / name, rows)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the models."""
    return made_once(tmp_path_factory, "settings", write_models)


@pytest.mark.parametrize("model", TRAINED)
def test_items_that_lack_settings_are_predicted_and_evaluated(root: Path, model: str) -> None:
    run(root, "predict", model)
    rows = np.load(root / "data" / "factors" / f"factors_{model}.npy")
    assert np.isfinite(rows).all()
    assert np.isfinite([*run(root, "evaluate", model)["metrics"].values()]).all()


def test_the_weights_of_settings_are_a_layer_that_can_be_read_out(root: Path) -> None:
    layers = [layer["name"] for layer in run(root, "models", "show", "model_1")["layers"]]
    assert {"presence", "setting_dropout", "gate_logits", "gate"} <= {*layers}
    run(root, "predict", "model_1", "--layer", "gate")
    features = root / "data" / "datasets" / "train_data"
    weights = np.load(features / "X_test_model_1-pred_gate_rec.npy")
    assert weights.shape == (SPLITS["test"], len(SETTINGS))
    audio = np.load(features / "X_test_audio_rec.npy").any(axis=1)
    words = load_npz(features / "X_test_text-sparse_rec.npz").toarray().any(axis=1)
    assert np.array_equal(weights > 0, np.stack([audio, words], axis=1))
    assert weights.sum(axis=1) == pytest.approx((audio | words).astype(float), abs=1e-5)
    assert not audio.all()
    assert not words.all()


@pytest.mark.parametrize(("model", "loss"), [("model_2", "binary"), ("model_3", "categorical")])
def test_a_network_of_genres_learns_what_its_dataset_is_for(
    root: Path, model: str, loss: str
) -> None:
    text = (root / "data" / "models" / model / "experiment.toml").read_text()
    assert f'loss = "{loss}_crossentropy"' in text
    run(root, "predict", model)
    scores = np.load(root / "data" / "factors" / f"factors_{model}.npy")
    assert scores.shape == (SPLITS["test"], CLASSES)
    sums = scores.sum(axis=1)
    assert (np.ptp(sums) < 1e-5) == (loss == "categorical")


def test_users_who_are_sums_of_items_need_a_linear_network(root: Path) -> None:
    words = ("audio", "text", "--dataset", "rec", "--set", "two_tower.users=history")
    for override in ("network.gate=scalar", "network.modality_dropout=0.2"):
        refused = run_command("train", "two_tower", *words, "--set", override, "-w", root)
        assert refused.status == 2
        assert "network.gate has to be none, and network.modality_dropout 0" in refused.err
