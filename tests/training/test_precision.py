"""Trainings with less precision: what is float32 all the same, and what comes out."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.environment import Precision, keras_defaults
from tartarus_cli.layers import with_float32_output
from tartarus_cli.losses import cosine_loss
from tests.architectures.test_architectures import network_of, numbers_for
from tests.conftest import Command
from tests.training.test_two_tower import KINDS, fit_on
from tests.training.test_two_tower import network_of as tower_of
from tests.worlds import DIM, World

TAKES_SECONDS = ("audio_crnn", "audio_multi_filter_cnn", "audio_with_vector", "mixed", "text_lstm")
BFLOAT16 = ("--set", "training.precision=bfloat16")


def built(name: str, precision: Precision) -> Any:
    with keras_defaults(precision):
        return with_float32_output(network_of(name, output="unit_norm"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in TAKES_SECONDS))
        for name in ARCHITECTURES.names()
    ],
)
def test_every_network_trains_with_bfloat16_nearly_as_with_float32(
    name: str, tmp_path: Path
) -> None:
    inputs, targets = numbers_for(name), np.eye(3, 4, dtype=np.float32)
    network, exact = built(name, "bfloat16"), built(name, "float32")
    assert {layer.compute_dtype for layer in network.layers} == {"bfloat16", "float32"}
    assert {layer.compute_dtype for layer in exact.layers} == {"float32"}
    with keras_defaults("bfloat16"):
        trained = keras.Model(network.inputs, network.outputs)
        trained.compile("sgd", cosine_loss)
        loss = float(trained.train_on_batch(inputs, targets))
    expected = float(np.mean(cosine_loss(targets, exact(inputs, training=True))))
    assert loss == pytest.approx(expected + float(sum(exact.losses)), abs=0.03)
    assert {weight.dtype for weight in network.trainable_weights} == {"float32"}
    exact.set_weights(network.get_weights())
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    rows = loaded(inputs)
    assert (rows.dtype, rows.shape) == (np.float32, (3, 4))
    assert np.asarray(rows) == pytest.approx(np.asarray(exact(inputs)), abs=0.05)
    # The last layers do not round: these are numbers that bfloat16 cannot hold.
    assert (np.asarray(rows.astype("bfloat16"), np.float32) != np.asarray(rows)).any()


def test_the_output_of_a_network_of_others_is_float32() -> None:
    with keras_defaults("bfloat16"):
        start = keras.Input((3,))
        network = with_float32_output(keras.Model(start, keras.layers.Dense(2)(start)))
    assert network.output.dtype == "float32"
    assert with_float32_output(network) is network


@pytest.mark.parametrize("users", KINDS, ids=lambda users: type(users).__name__)
def test_a_two_tower_network_learns_with_bfloat16_what_it_learns_with_float32(
    users: Any, tmp_path: Path
) -> None:
    fits = {}
    for precision in ("bfloat16", "float32"):
        with keras_defaults(precision):
            folder = tmp_path / precision
            folder.mkdir()
            fits[precision] = fit_on(folder, users, network=tower_of([40]), epochs=2)
    tower = fits["bfloat16"].model.tower
    found, exact = (fit.result.validation_map for fit in fits.values())
    assert found == pytest.approx(exact, abs=0.05)
    assert tower.output.dtype == "float32"
    assert "bfloat16" in {layer.compute_dtype for layer in tower.layers}


def test_a_model_records_its_precision_and_predicts_float32(
    tartarus: Command, world: World
) -> None:
    words = ("train", "rec_dense", "text", "--dataset", "rec", "-w", world.root)
    few = ("--set", "training.epochs=2", "--set", "network.hidden=[4]")
    assert tartarus(*words, *few, *BFLOAT16, "--device", "cpu").status == 0
    assert tartarus("predict", "--device", "cpu", "-w", world.root).status == 0
    folder = world.root / "data" / "models" / "model_1"
    assert json.loads((folder / "manifest.json").read_text())["machine"]["device"] == "cpu"
    assert 'precision = "bfloat16"' in (folder / "experiment.toml").read_text()
    rows = np.load(world.root / "data" / "factors" / "factors_model_1.npy")
    assert (rows.dtype, rows.shape[1], np.isfinite(rows).all()) == (np.float32, DIM, True)
    refused = tartarus(*words, *few, "--set", "training.precision=float16")
    assert (refused.status, "bfloat16" in refused.err) == (2, True)


def test_an_experiment_without_a_precision_is_the_one_with_float32(
    tartarus: Command, world: World
) -> None:
    shown = tartarus("experiments", "show", "rec_dense", "--json", "-w", world.root).document
    assert shown["training"]["precision"] == "float32"
