"""Training: what a model consists of, that it repeats, and how it ends."""

import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset, hold_out_rows
from tartarus_cli.errors import DataError
from tartarus_cli.models.store import Store
from tartarus_cli.training.batches import Batches
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.processes import ENOUGH_S, started, waited
from tests.worlds import World

QUICK = ("--set", "training.epochs=3", "--set", "network.hidden=8")


def saved_weights(root: Path, model: str) -> list[np.ndarray]:
    import keras

    import tartarus_cli.layers  # noqa: F401 — registers the layers

    path = root / "data" / "models" / model / "model.keras"
    return list(keras.saving.load_model(path, compile=False).get_weights())


def test_a_model_holds_what_is_needed_to_know_where_it_comes_from(
    tartarus: Command, world: World
) -> None:
    trained = tartarus(
        *("train", "rec_multi", "text", "audio", "--dataset", "rec", "-w", world.root, *QUICK)
    )
    assert trained.status == 0
    assert "model_1 is trained" in trained.out
    assert "rec has als targets of 4, not 200: 4 is used" in trained.err
    folder = world.root / "data" / "models" / "model_1"
    assert {path.name for path in folder.iterdir()} == {
        *("model.keras", "experiment.toml", "history.csv", "manifest.json")
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["items"] == {"fit": 32, "validation": 4, "held out": 4}
    assert manifest["settings"] == ["text", "audio"]
    assert manifest["seed"] == 0
    assert 0 < manifest["held_out_loss"] < 1
    assert {Path(name).name for name in manifest["inputs"]} == {
        *("items_index_train_rec.tsv", "items_index_test_rec.tsv"),
        *("X_train_text_rec.npy", "X_train_audio_rec.npy", "item_factors_als_4_rec.npy"),
        *("X_test_text_rec.npy", "X_test_audio_rec.npy", "user_factors_als_4_rec.npy"),
    }
    assert manifest["peak_memory_mib"] > 10
    assert {"keras", "jax", "numpy"} <= manifest["versions"].keys()
    history = (folder / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,loss,val_loss,seconds"
    assert len(history) == 1 + manifest["epochs"]
    resolved = (folder / "experiment.toml").read_text()
    assert "hidden = [8]" in resolved
    assert "dim = 4" in resolved


def test_the_held_out_loss_is_that_of_the_last_tenth_of_train(
    tartarus: Command, world: World
) -> None:
    tartarus("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *QUICK)
    predicted = tartarus("predict", "model_1", "--split", "train", "-w", world.root)
    assert predicted.status == 0
    rows = np.load(world.root / "data" / "factors" / "factors_model_1_train.npy")[-4:]
    true = np.load(world.datasets / "item_factors_als_4_rec.npy")[-4:]
    cosines = (rows * true).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(true, axis=1)
    manifest = Store(open_workspace(world.root)).get("model_1").manifest
    assert manifest.held_out_loss == pytest.approx(((1 - cosines) / 2).mean(), abs=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    tartarus: Command, world: World
) -> None:
    words = ("train", "rec_multi", "text", "audio", "--dataset", "rec", "-w", world.root, *QUICK)
    for seed in (3, 3, 4):
        assert tartarus(*words, "--seed", seed).status == 0
    first, again, other = (saved_weights(world.root, f"model_{n}") for n in (1, 2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    losses = [m.manifest.held_out_loss for m in Store(open_workspace(world.root)).all()]
    assert losses[0] == losses[1] != losses[2]


def test_test_items_do_not_touch_the_weights(tartarus: Command, world: World) -> None:
    words = ("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root, *QUICK)
    tartarus(*words)
    for path in (world.features / "X_test_text_rec.npy", *world.datasets.glob("*test_als*")):
        np.save(path, 100 * np.load(path) + 1)
    tartarus(*words)
    first, again = (saved_weights(world.root, f"model_{n}") for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_training_stops_early_and_keeps_the_best_weights(tartarus: Command, world: World) -> None:
    tartarus(
        *("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root),
        *("--set", "network.hidden=8", "--set", "training.patience=2"),
    )
    model = Store(open_workspace(world.root)).get("model_1")
    lines = model.history.read_text().splitlines()
    column = lines[0].split(",").index("val_loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    best = model.manifest.best_epoch
    assert losses[best - 1] == min(losses)
    assert len(losses) == best + 2 < 100
    tartarus("predict", "--split", "train", "-w", world.root)
    rows = np.load(world.root / "data" / "factors" / "factors_model_1_train.npy")[32:36]
    true = np.load(world.datasets / "item_factors_als_4_rec.npy")[32:36]
    cosines = (rows * true).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(true, axis=1)
    assert ((1 - cosines) / 2).mean() == pytest.approx(min(losses), abs=1e-5)


def test_softmax_stops_by_validation_accuracy(tartarus: Command, world: World) -> None:
    tartarus("train", "single-label-vector", "text", "--dataset", "one", "-w", world.root, *QUICK)
    history = (world.root / "data" / "models" / "model_1" / "history.csv").read_text()
    assert history.startswith("epoch,loss,accuracy,val_loss,val_accuracy,seconds\n")
    manifest = Store(open_workspace(world.root)).get("model_1").manifest
    assert manifest.items == {"fit": 40, "validation": 10, "held out": 0}
    assert manifest.held_out_loss is None


def test_a_loss_that_is_no_number_stops_the_training_and_leaves_no_model(
    tartarus: Command, world: World
) -> None:
    path = world.features / "X_train_text_one.npy"
    np.save(path, np.load(path) * np.float32(1e37))
    stopped = tartarus(
        *("train", "single-label-vector", "text", "--dataset", "one", "-w", world.root),
        *("--set", "network.output=linear", "--set", "training.loss=mean_squared_error"),
    )
    assert stopped.status == 1
    assert "in epoch 1" in stopped.err
    assert "learning_rate" in stopped.err
    assert "the training of model_1 failed; the model cannot be used" in stopped.err
    used = tartarus("predict", "-w", world.root)
    assert (used.status, "no trained model" in used.err) == (2, True)
    named = tartarus("predict", "model_1", "-w", world.root)
    assert (named.status, "never finished" in named.err) == (2, True)
    listed = tartarus("models", "list", "-w", world.root, "--json").document
    assert [(m["model"], m["status"]) for m in listed] == [("model_1", "failed")]


def test_zero_rows_do_not_spoil_a_sparse_training(tartarus: Command, world: World) -> None:
    from scipy.sparse import load_npz, save_npz

    path = world.features / "X_train_text-sparse_rec.npz"
    rows = load_npz(path).tolil()
    rows[:20] = 0
    save_npz(path, rows.tocsr())
    words = ("train", "rec_sparse", "text-sparse", "--dataset", "rec", "-w", world.root, *QUICK)
    assert tartarus(*words).status == 0


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_says_so_and_leaves_no_finished_model(
    signalled: signal.Signals, world: World
) -> None:
    command = [sys.executable, "-m", "tartarus_cli", "train", "rec_dense", "text"]
    command += ["--dataset", "rec", "-w", str(world.root), "--set", "training.epochs=100000"]
    command += ["--set", "training.patience=100000", "--set", "network.hidden=8"]
    history = world.root / "data" / "models" / "model_1" / "history.csv"
    with started(command) as running:
        assert waited(history.exists)
        running.send_signal(signalled)
        _, errors = running.communicate(timeout=ENOUGH_S)
    assert running.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[signalled]
    assert "model_1 was interrupted" in errors
    assert "Traceback" not in errors
    model = Store(open_workspace(world.root)).all()[0]
    assert model.manifest.status == "interrupted"
    assert not model.network.exists()
    assert history.exists()


def test_eight_trainings_at_once_get_eight_numbers(world: World) -> None:
    store = Store(open_workspace(world.root))
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: store.claim()[0], range(8)))
    assert sorted(names) == [f"model_{n}" for n in range(1, 9)]


def test_a_number_is_never_given_twice(world: World) -> None:
    store = Store(open_workspace(world.root))
    for _ in range(3):
        store.claim()
    store.begin_deletion("model_3")
    assert store.claim()[0] == "model_4"


def test_the_tail_of_train_is_cut_in_two() -> None:
    fit, validation, held_out = hold_out_rows(101, 0.2)
    assert fit.tolist() == list(range(81))
    assert validation.tolist() == list(range(81, 91))
    assert held_out.tolist() == list(range(91, 101))


def test_too_few_items_to_hold_out_are_an_error() -> None:
    with pytest.raises(DataError, match="3 train items are too few"):
        hold_out_rows(3, 0.2)


def part(rows: int) -> TrainingSubset:
    values = np.arange(rows * 3, dtype=np.float64).reshape(rows, 3)
    dense, sparse = Matrix(Path(), values), Matrix(Path(), csr_array(values))
    items = ItemSet("train", [], (dense, sparse), np.arange(rows))
    return TrainingSubset(items, dense, np.arange(rows))


def test_an_epoch_sees_every_row_once_in_an_order_of_its_own() -> None:
    batches = Batches(part(10), size=4, rng=np.random.default_rng(0))
    orders = []
    for _ in range(2):
        seen = [batches[index] for index in range(len(batches))]
        assert [len(targets) for _, targets in seen] == [4, 4, 2]
        orders.append([int(row) // 3 for _, targets in seen for row in targets[:, 0]])
        for (dense, sparse), targets in seen:
            assert np.array_equal(dense, sparse)
            assert np.array_equal(dense, targets)
            assert dense.dtype == sparse.dtype == np.float32
        batches.reshuffle()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]
