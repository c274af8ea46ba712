"""Networks that read crops: what they predict of an item is the mean over its patches' crops."""

from pathlib import Path
from shutil import copytree
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tartarus_cli.cli.app import app
from tartarus_cli.data.items import PatchSource, open_items
from tartarus_cli.data.patches import write_patches
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.models.predictors import open_predictor
from tartarus_cli.models.store import Model, Store
from tartarus_cli.training.item_rows import model_rows
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sounds import FAST, Sounds
from tests.worlds import SPLITS, World

FRAMES, BINS, CROP, EACH = 12, 8, 5, 2
NETWORK = (
    *("--set", "network.kernels=[[3, 3], [1, 1]]", "--set", "network.filters=[4, 4]"),
    *("--set", "network.pools=[[2, 2], [1, 1]]", "--set", "training.epochs=1"),
)
RUN = ("single-label-audio", "--dataset", "one", *NETWORK, "--set", "training.crops=0.4")


def write(world: World, split: str) -> None:
    """Write two patches an item; behind the length of some, a frame has other values."""
    rng = np.random.default_rng(len(split))
    ids = [f"{split}-{n}" for n in range(SPLITS[split]) for _ in range(EACH)]
    lengths = rng.integers(1, FRAMES + 1, len(ids))
    values = rng.standard_normal((len(ids), FRAMES, BINS)).astype(np.float32)
    values[np.arange(FRAMES) >= np.maximum(lengths, CROP)[:, None]] = 1e6
    folder = world.root / "data" / "patches"
    folder.mkdir(exist_ok=True)
    path = folder / f"patches_{split}_one_2_1.hdf5"
    attributes = {"fingerprint": "same"}
    write_patches(path, ids, [values], (FRAMES, BINS), attributes, lengths=lengths.tolist())


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("crops") / "workspace")
    world.classification("one", several=False)
    for split in SPLITS:
        write(world, split)
    done = CliRunner().invoke(app, ["train", *RUN, "-w", str(world.root)])
    assert done.exit_code == 0, done.output
    return world.root


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> World:
    """Return a world with a model of crops of 5 frames out of patches of 12."""
    return World(Path(copytree(_trained, tmp_path / "workspace")))


def model_of(world: World) -> Model:
    return Store(open_workspace(world.root)).get("model_1")


def by_hand(world: World, split: str, layer: str | None = None) -> NDArray[np.float32]:
    """Return what Keras gives for every crop of every patch, averaged over crops, then patches."""
    model = model_of(world)
    network = keras.saving.load_model(model.network, compile=False)
    if layer is not None:
        network = keras.Model(network.inputs[0], network.get_layer(layer).output)
    items = open_items(model.dataset, [PatchSource(EACH, 1)], split)
    assert items.patches is not None
    assert items.patches.lengths is not None
    rows = []
    for sample, length in enumerate(items.patches.lengths):
        patch = items.read(np.array([sample]))[0]
        last = max(int(length) - CROP, 0)
        starts = [*range(0, last, CROP // 2), last]
        crops = np.concatenate([patch[:, start : start + CROP] for start in starts])
        rows.append(np.asarray(network(crops)).reshape(len(starts), -1).mean(axis=0))
    return np.asarray(np.array(rows).reshape(SPLITS[split], EACH, -1).mean(axis=1))


def test_an_item_has_the_mean_over_the_crops_of_the_sounding_part_of_its_patches(
    tartarus: Command, trained: World
) -> None:
    assert model_of(trained).manifest.layers[0].shape == (CROP, BINS, 1)
    assert tartarus("predict", "model_1", "-w", trained.root).status == 0
    rows = np.load(trained.root / "data" / "factors" / "factors_model_1.npy")
    np.testing.assert_allclose(rows, by_hand(trained, "test"), atol=1e-5)
    assert tartarus("evaluate", "model_1", "-w", trained.root, "--json").status == 0
    done = tartarus("predict", "model_1", "--layer", "flatten", "-w", trained.root)
    assert done.status == 0, done.err
    layer = np.load(trained.features / "X_val_model_1-pred_flatten_one.npy")
    np.testing.assert_allclose(layer, by_hand(trained, "val", "flatten"), atol=1e-4)


def test_what_a_blend_chooses_by_is_predicted_of_the_same_crops(trained: World) -> None:
    model = model_of(trained)
    items = open_items(model.dataset, [PatchSource(EACH, 1)], "val")
    targets = model.dataset.targets("class", 3, "val")
    subset = TrainingSubset(items, targets, np.arange(len(items.items)))
    np.testing.assert_allclose(model_rows(model, subset), by_hand(trained, "val"), atol=1e-5)


def test_all_batches_of_crops_have_one_shape(
    trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor: Any = open_predictor(model_of(trained))
    network, shapes = predictor._predict._network, set()

    class Watched:
        def predict_on_batch(self, batch: Any) -> Any:
            shapes.add(batch.shape)
            return network.predict_on_batch(batch)

    monkeypatch.setattr(predictor._predict, "_network", Watched())
    items = open_items(model_of(trained).dataset, [PatchSource(EACH, 1)], "test")
    for samples in (slice(0, 10), slice(10, 20), slice(20, 24)):
        rows = predictor(items.read(samples), lengths=items.lengths(samples))
        assert len(rows) == samples.stop - samples.start
    assert shapes == {(10, CROP, BINS, 1)}


def test_other_patches_than_crops_fit_into_are_refused(tartarus: Command, trained: World) -> None:
    path = trained.root / "data" / "patches" / "patches_test_one_2_1.hdf5"
    path.unlink()
    ids = [f"test-{n}" for n in range(SPLITS["test"])]
    for shape in ((CROP - 1, BINS), (FRAMES, BINS + 1)):
        values = np.zeros((len(ids), *shape), np.float32)
        write_patches(path, ids, [values], shape, {"fingerprint": "same"})
        done = tartarus("predict", "model_1", "-w", trained.root)
        assert done.status == 1
        assert "was trained on 5 × 8 × 1" in done.err
        path.unlink()


def test_new_recordings_are_predicted_as_those_of_the_dataset(
    tartarus: Command, tmp_path: Path
) -> None:
    sounds = Sounds(tmp_path / "workspace")
    datasets = sounds.root / "data" / "datasets"
    (datasets / "genre_labels_songs.tsv").write_text("low\nhigh\n")
    for split, ids in sounds.ids.items():
        middle = "" if split == "train" else f"{split}_"
        classes = np.eye(2, dtype=np.float32)[np.arange(len(ids)) % 2]
        np.save(datasets / f"item_factors_{middle}class_2_songs.npy", classes)
    where = ("-w", sounds.root)
    made = ("--seconds", "0.9", "--starts", "even", "--scale", "bin", "--patches", "2", *FAST)
    assert tartarus("patches", "songs", *made, *where).status == 0
    words = ("--dataset", "songs", *NETWORK, "--set", "training.crops=0.3")
    trained = tartarus("train", "single-label-audio", *words, *where)
    assert trained.status == 0, trained.err
    assert tartarus("predict", "model_1", *where).status == 0
    rows = np.load(sounds.root / "data" / "factors" / "factors_model_1.npy")
    for item, row in zip(sounds.ids["test"], rows, strict=True):
        heard = tartarus(
            "predict", "model_1", "--audio", sounds.audio / f"{item}.wav", *where, "--json"
        )
        (new,) = sounds.root.glob("data/**/*new*.npy")
        np.testing.assert_allclose(np.load(new)[0], row, atol=1e-5, err_msg=heard.err)
        new.unlink()
