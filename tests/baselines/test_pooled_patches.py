"""Baselines on pooled patches: their rows by hand, and their life as models."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tartarus_cli.data import pooled_patches
from tartarus_cli.data.patches import write_patches
from tartarus_cli.errors import FileError
from tartarus_cli.experiments.resolve import from_toml, resolve, to_toml
from tartarus_cli.workspace import open_workspace
from tests.conftest import Command
from tests.sharing import made_once
from tests.training.test_towers_of_other_kinds import write_inputs
from tests.worlds import CLASSES, SPLITS, World

FRAMES, BINS = 6, 3
PATCHES = ("--set", "inputs.kind=patches")
BOTH = ("--set", 'inputs.kind=["patches", "features"]')
FIELDS = {"count": "2", "seconds": "1", "name": ""}


def write_world(root: Path) -> None:
    """Write classes and plays; patches that show them, two an item, but none for the first."""
    write_inputs(root)
    world = World(root, seed=1)
    world.classification("one", several=False)
    rng = np.random.default_rng(0)
    for split, count in SPLITS.items():
        middle = "" if split == "train" else f"{split}_"
        classes = np.load(world.datasets / f"item_factors_{middle}class_{CLASSES}_one.npy")
        numbers = rng.permutation(np.repeat(np.arange(1, count), 2))
        values = rng.standard_normal((len(numbers), FRAMES, BINS)).astype(np.float32)
        values += 0.8 * classes[numbers][:, None, :] - 3
        ids = [f"{split}-{number}" for number in numbers]
        path = root / "data" / "patches" / f"patches_{split}_one_2_1.hdf5"
        write_patches(path, ids, [values], (FRAMES, BINS), {"fingerprint": "same"})


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "pooled", write_world)


@pytest.fixture
def heard(_written: Path, tmp_path: Path) -> World:
    """Return a world whose items have patches."""
    return World(Path(copytree(_written, tmp_path / "workspace")))


def patch_path(root: Path, split: str, dataset: str = "one") -> Path:
    return root / "data" / "patches" / f"patches_{split}_{dataset}_2_1.hdf5"


def rows_by_hand(root: Path, split: str, dataset: str = "one") -> NDArray[np.float64]:
    """Pool the whole file with NumPy; items without patches are NaN."""
    with h5py.File(patch_path(root, split, dataset), "r", locking=False) as file:
        values = file["features"][:, 0].astype(np.float64)
        ids = np.array([item.decode() for item in file["index"][:]])
    rows = np.full((SPLITS[split], 4 * values.shape[2]), np.nan)
    for number in range(SPLITS[split]):
        own = values[ids == f"{split}-{number}"]
        if len(own):
            steps = np.concatenate([patch[1:] - patch[:-1] for patch in own])
            frames = np.concatenate(own)
            rows[number] = np.hstack(
                [f(x, axis=0) for x in (frames, steps) for f in (np.mean, np.std)]
            )
    return rows


def standardized(root: Path, split: str, dataset: str = "one") -> NDArray[np.float64]:
    train = rows_by_hand(root, "train", dataset)
    rows = (rows_by_hand(root, split, dataset) - np.nanmean(train, axis=0)) / np.nanstd(
        train, axis=0
    )
    return np.asarray(rows)


@pytest.mark.parametrize("block", [1, 700, 1 << 20])
@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_rows_are_those_of_the_whole_file_scaled_by_train_items_alone(
    block: int, memory: int, heard: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled_patches, "BLOCK_BYTES", block)
    monkeypatch.setattr(pooled_patches, "MEMORY_BYTES", memory)
    dataset = open_workspace(heard.root).dataset("one")
    for split in ("test", "train", "val"):
        expected = standardized(heard.root, split)
        matrix = dataset.pooled_patches(split, **FIELDS)
        np.testing.assert_allclose(matrix.values, np.nan_to_num(expected), atol=1e-4)
        assert matrix.present is not None
        assert matrix.present.tolist() == (~np.isnan(expected).any(axis=1)).tolist()


def test_patches_of_one_frame_have_no_differences() -> None:
    row = pooled_patches.pool_frames(np.array([[[1.0, 2.0]], [[3.0, 2.0]]], np.float32))
    assert row.tolist() == [2, 2, 1, 0, 0, 0, 0, 0]


def test_a_column_that_is_constant_is_not_blown_up() -> None:
    rows = np.array([[-80.1, 1], [-80.1, 2], [-80.1, 3]], np.float32)
    scaled = pooled_patches.PooledScaling.fit(rows)(rows)
    assert np.abs(scaled[:, 0]).max() < 1e-4


def test_a_patch_that_holds_nan_is_named(heard: World) -> None:
    with h5py.File(patch_path(heard.root, "val"), "r+") as file:
        file["features"][4, 0, 0, 0] = np.nan
        item = file["index"][4].decode()
    dataset = open_workspace(heard.root).dataset("one")
    with pytest.raises(FileError, match=f"NaN or infinity in a patch of item '{item}'"):
        dataset.pooled_patches("val", **FIELDS)


def predictions(root: Path, model: str) -> tuple[list[str], NDArray[Any]]:
    folder = root / "data" / "factors"
    ids = (folder / f"index_factors_{model}.tsv").read_text().split("\n")[:-1]
    return ids, np.load(folder / f"factors_{model}.npy")


def test_logistic_on_patches_is_that_of_scikit_learn_on_rows_by_hand(
    heard: World, tartarus: Command
) -> None:
    words = ("run", "logistic", "--dataset", "one", *PATCHES, "--set", "network.C=0.5")
    done = tartarus(*words, "-w", heard.root, "--json")
    assert done.status == 0, done.err
    truth = np.load(heard.datasets / f"item_factors_class_{CLASSES}_one.npy").argmax(axis=1)
    train, test = standardized(heard.root, "train"), standardized(heard.root, "test")
    train[0] = 0  # it has no patch
    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=5000).fit(train, truth)
    ids, rows = predictions(heard.root, done.document["model"])
    assert ids == [f"test-{number}" for number in range(1, SPLITS["test"])]
    np.testing.assert_allclose(rows, model.predict_proba(test[1:]), atol=2e-3)
    shown = json.loads((heard.root / "data" / "models" / "model_1" / "manifest.json").read_text())
    assert shown["chosen"] == {"C": 0.5}
    assert shown["patches"] == "same"


@pytest.mark.parametrize("words", [("logistic", *PATCHES), ("ridge", "text", *BOTH)])
def test_an_experiment_on_patches_is_read_again_as_it_was(words: tuple[str, ...]) -> None:
    name, settings = words[0], len([word for word in words[1:] if word == "text"])
    experiment = resolve(name, overrides=[words[-1]])
    again = from_toml(to_toml(experiment))
    assert again.with_settings(settings) == experiment.with_settings(settings)
    assert again.settings_needed == settings


@pytest.mark.parametrize("name", ["knn", "ridge", "logistic"])
def test_classes_are_predicted_from_patches_and_settings_together(
    name: str, heard: World, tartarus: Command
) -> None:
    done = tartarus("run", name, "text", "--dataset", "one", *BOTH, "-w", heard.root, "--json")
    assert done.status == 0, done.err
    ids, rows = predictions(heard.root, "model_1")
    assert len(ids) == len(rows) == SPLITS["test"]  # the first has no patch, but text
    manifest = json.loads(
        (heard.root / "data" / "models" / "model_1" / "manifest.json").read_text()
    )
    assert manifest["widths"][0] == 4 * BINS
    weights = {key for key in manifest["chosen"] if key.startswith("weight_")}
    assert weights == ({"weight_patches", "weight_text"} if name == "ridge" else set())
    assert len(manifest["widths"]) == 2


@pytest.mark.parametrize("name", ["knn", "ridge", "ridge_plays"])
def test_plays_are_predicted_from_patches(name: str, heard: World, tartarus: Command) -> None:
    words = ("run", name, "--dataset", "rec", *PATCHES, "-w", heard.root)
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    again = tartarus(*words, "--json", "--set", "shuffled=true")
    assert again.status == 0, again.err
    assert done.document["metrics"] != again.document["metrics"]


def test_the_table_of_a_network_holds_the_baselines_on_its_patches(
    heard: World, tartarus: Command
) -> None:
    small = ("kernels=[[2,3]]", "filters=[4]", "pools=[[2,1]]")
    network = [word for text in small for word in ("--set", f"network.{text}")]
    words = ("run", "dummy_audio", "--dataset", "one", "--set", "training.epochs=1", *network)
    done = tartarus(*words, "--baselines", "--json", "-w", heard.root)
    assert done.status == 0, done.err
    assert {*done.document["rows"]} == {"random", "knn", "ridge", "logistic", "prior"}
    again = tartarus("evaluate", "model_1", "--baselines", "-w", heard.root)
    assert "model_2 is used again" in again.err


def test_other_patches_than_those_of_the_training_are_refused(
    heard: World, tartarus: Command
) -> None:
    train = ("train", "logistic", "--dataset", "one", *PATCHES, "-w", heard.root)
    assert tartarus(*train).status == 0
    with h5py.File(patch_path(heard.root, "test"), "r+") as file:
        file.attrs["fingerprint"] = "other"
    done = tartarus("predict", "model_1", "-w", heard.root)
    assert done.status == 1
    assert "differs from the patches that model_1 was trained on" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ridge", "text", *PATCHES), "reads patches alone"),
        (("ridge", *BOTH), "takes 1 setting or more"),
        (("ridge", "text", "--set", "inputs.count=2"), "however many"),
        (("ridge", "--set", "inputs.kind=sequence"), "reads features, patches"),
        (("prior", *PATCHES), "however many"),
        (("ridge", "text", "--set", "patches.seconds=1"), "inputs.kind is patches"),
    ],
)
def test_inputs_that_a_baseline_cannot_read_are_refused(
    words: tuple[str, ...], said: str, heard: World, tartarus: Command
) -> None:
    done = tartarus("train", *words, "--dataset", "one", "-w", heard.root)
    assert (done.status, said in done.err) == (2, True), done.err


def test_parts_of_a_blend_read_patches_alone(heard: World, tartarus: Command) -> None:
    folder = heard.root / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / "heard.toml").write_text('extends = "logistic"\n[inputs]\nkind = "patches"\n')
    parts = ("--set", 'network.parts=["heard", "logistic"]')
    words = ("run", "blend", "text", "--dataset", "one", *parts, "-w", heard.root)
    done = tartarus(*words, "--json")
    assert done.status == 0, done.err
    models = [tartarus("models", "show", f"model_{n}", "-w", heard.root, "--json") for n in (1, 2)]
    assert [model.document["settings"] for model in models] == [[], ["text"]]
