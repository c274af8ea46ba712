"""Shuffled features: those of other items of the same set, in everything that reads them."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import load_npz, save_npz

from tartarus_cli.data.features import open_matrix
from tartarus_cli.data.patches import open_patches, write_patches
from tartarus_cli.data.shuffling import item_order, permute_rows
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.experiments.resolve import from_toml, resolve, to_toml
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.predict import PredictOptions, predict
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.training.train import train
from tartarus_cli.workspace import open_workspace
from tests.sharing import made_once
from tests.training.test_towers_of_other_kinds import LAYERS, QUICK, write_inputs
from tests.worlds import SPLITS, World

SHUFFLED = "shuffled=true"
AUDIO = ("network.name=audio_cnn", "inputs.kind=patches", *QUICK)
MODELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ridge_plays": (("text", "audio-sparse"), ()),
    "knn": (("text", "audio-sparse"), ()),
    "blend": (("text", "audio"), ('network.parts=["ridge_plays", "ridge"]',)),
    "rec_multi": (("text", "audio-sparse"), ("training.epochs=1",)),
    "two_tower": ((), (*AUDIO, *(f"network.{layer}" for layer in LAYERS))),
}


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "shuffling", write_inputs)


@pytest.fixture
def world(_written: Path, tmp_path: Path) -> World:
    """Return a world whose items have features and patches, and users have plays."""
    return World(Path(copytree(_written, tmp_path / "workspace")))


def fitted(world: World, experiment: str, *overrides: str, seed: int = 3) -> Model:
    workspace = open_workspace(world.root)
    settings, usual = MODELS[experiment]
    request = build_request(workspace, experiment, settings, "rec", (*usual, *overrides), seed)
    return train(Store(workspace), request)


def permute_files(world: World, seed: int) -> None:
    """Permute the rows of every setting, and the patches, among the items of each set."""
    for split, count in SPLITS.items():
        order = item_order(seed, split, count)
        for path in world.features.glob(f"X_{split}_*.npy"):
            np.save(path, np.load(path)[order])
        for path in world.features.glob(f"X_{split}_*.npz"):
            save_npz(path, load_npz(path).tocsr()[order])
        path = world.root / "data" / "patches" / f"patches_{split}_rec_2_1.hdf5"
        patches = open_patches(path, [f"{split}-{n}" for n in range(count)])
        rows = patches.rows(slice(None))[..., 0]
        patches.features.file.close()
        places = {item: place for place, item in enumerate(order)}
        ids = [f"{split}-{places[item]}" for item in patches.items]
        write_patches(path, ids, [rows], rows.shape[1:], dict(patches.attributes))


def predicted(model: Model) -> dict[str, NDArray[Any]]:
    """Return the files that a model, or its parts, write for val and test items."""
    files: dict[str, NDArray[Any]] = {}
    for split in ("val", "test"):
        predict(model, PredictOptions(split=split))
    for path in sorted((model.workspace.data / "factors").iterdir()):
        match path.suffix:
            case ".npy":
                files[path.name] = np.load(path)
            case ".npz":
                files[path.name] = load_npz(path).toarray()
            case _:
                files[path.name] = np.array(path.read_text().split())
    return files


@pytest.mark.parametrize("experiment", [name for name in MODELS if name != "rec_multi"])
def test_a_shuffled_model_is_that_of_files_whose_rows_are_permuted_by_hand(
    experiment: str, world: World, tmp_path: Path
) -> None:
    by_hand = World(Path(copytree(world.root, tmp_path / "by-hand")))
    permute_files(by_hand, seed=3)
    ours, theirs = fitted(world, experiment, SHUFFLED), fitted(by_hand, experiment)
    assert ours.manifest.chosen == theirs.manifest.chosen
    request = TrainingRequest(ours.experiment, MODELS[experiment][0], 3)
    again = find_trained(ours.store, request)
    assert again is not None
    assert again.name == ours.name
    assert ours.manifest.parts == theirs.manifest.parts
    rows, expected = predicted(ours), predicted(theirs)
    assert [*rows] == [*expected]
    for name, values in rows.items():
        if values.dtype.kind == "U":
            assert values.tolist() == expected[name].tolist()
        else:
            assert values == pytest.approx(expected[name], abs=1e-5)


def test_a_shuffled_model_differs_from_the_plain_one_and_is_told_apart_from_it(
    world: World,
) -> None:
    plain, shuffled = fitted(world, "blend"), fitted(world, "blend", SHUFFLED)
    assert {*plain.manifest.parts}.isdisjoint(shuffled.manifest.parts)
    again = fitted(world, "blend", SHUFFLED)
    assert again.manifest.parts == shuffled.manifest.parts
    assert all(part.manifest.shuffled for part, _ in again.parts)


def test_a_layer_of_a_shuffled_model_has_the_permuted_rows_as_its_predictions_do(
    world: World,
) -> None:
    model = fitted(world, "rec_multi", SHUFFLED)
    predict(model)
    predict(model, PredictOptions(layer="output"))
    name = model.layer("output").name
    layer = np.load(world.features / f"X_test_{model.name}-pred_{name}_rec.npy")
    assert layer == pytest.approx(np.load(model.workspace.predicted_factors(model.name)))


def test_rows_permuted_through_a_file_are_the_rows_of_the_order(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float16).reshape(8, 3)
    np.save(tmp_path / "X.npy", np.asfortranarray(values))
    order = item_order(1, "train", 8)
    absent = replace(open_matrix(tmp_path / "X.npy"), present=np.arange(8) > 0)
    permuted = permute_rows(absent, order)
    assert permuted.present is not None
    assert permuted.present.tolist() == (order > 0).tolist()
    assert permuted.values.dtype == np.float16
    assert permuted.rows(slice(None)).tolist() == values[order].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["X.npy"]


def test_the_order_depends_on_seed_and_set_alone() -> None:
    orders = [item_order(*key, 50).tolist() for key in ((0, "train"), (0, "test"), (1, "train"))]
    assert len({tuple(order) for order in orders}) == 3
    assert item_order(0, "train", 50).tolist() == orders[0]


def test_what_reads_no_features_cannot_be_shuffled() -> None:
    with pytest.raises(RequestError, match="prior reads no features"):
        resolve("prior", overrides=[SHUFFLED])


def test_an_experiment_keeps_that_it_is_shuffled() -> None:
    experiment = resolve("rec_multi", overrides=[SHUFFLED])
    assert experiment.shuffled
    assert from_toml(to_toml(experiment)).shuffled
    assert not from_toml(to_toml(resolve("rec_multi"))).shuffled
