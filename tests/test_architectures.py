"""Every network of the registry, and what the published ones are made of."""

from typing import Any

import numpy as np
import pytest

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.resolve import preset_paths, resolve

BUILT = [name for name in ARCHITECTURES.names() if ARCHITECTURES.get(name).available]


def build(experiment: str, widths: list[int], *overrides: str, seed: int = 0) -> Any:
    found = resolve(experiment, overrides=overrides)
    make = found.architecture.build
    assert make is not None
    return make([(width,) for width in widths], found.network, found.targets.dim, seed)


def layer_names(network: Any) -> list[str]:
    return [layer.name for layer in network.layers]


@pytest.mark.parametrize("name", BUILT)
def test_every_network_maps_zeros_to_finite_rows_of_the_asked_width(name: str) -> None:
    entry = ARCHITECTURES.get(name)
    assert entry.build is not None
    options = entry.options.model_validate({"name": name, "output": "linear"})
    count = entry.most_inputs or 3
    network = entry.build([(5,)] * count, options, 4, 0)
    inputs = [np.zeros((2, 5), np.float32)] * count
    rows = network.predict_on_batch(inputs if count > 1 else inputs[0])
    assert rows.shape == (2, 4)
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("name", BUILT)
def test_every_network_is_the_same_for_the_same_seed_only(name: str) -> None:
    entry = ARCHITECTURES.get(name)
    assert entry.build is not None
    options = entry.options.model_validate({"name": name, "output": "sigmoid", "dropout": 0.5})
    first, same, other = (entry.build([(5,)], options, 4, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_rec_multi_has_the_published_layers() -> None:
    network = build("rec_multi", [6, 7])
    assert layer_names(network) == [
        *("input_1", "input_2", "input_norm_1", "input_norm_2"),
        *("joined", "dropout_1", "dense_1", "dense_2", "unit_norm"),
    ]
    assert network.get_layer("dense_1").units == 512
    assert network.get_layer("dense_2").units == 200
    assert network.get_layer("dropout_1").rate == pytest.approx(0.7)


def test_rec_sparse_has_dropout_before_and_after_each_hidden_layer() -> None:
    network = build("rec_sparse", [9])
    assert layer_names(network) == [
        *("input_1", "dropout_1", "dense_1", "dropout_2", "dense_2", "dropout_3"),
        *("dense_3", "unit_norm"),
    ]
    assert [network.get_layer(f"dense_{n}").units for n in (1, 2, 3)] == [2048, 2048, 200]


def test_mixed_joins_three_activations() -> None:
    network = build("genres_allmusic", [9])
    activations = [network.get_layer(f"dense_{n}").activation.__name__ for n in (1, 2, 3)]
    assert activations == ["relu", "tanh", "sigmoid"]
    assert network.get_layer("joined").output.shape == (None, 3 * 2048)
    assert network.get_layer("dense_4").units == 1024
    assert network.output.shape == (None, 766)


def test_branches_norm_each_input_by_batch() -> None:
    network = build("rec_multi", [6, 7, 8], "inputs.count=3", "network.name=branches")
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("BatchNormalization") == 3
    assert kinds.count("Dropout") == 6
    assert network.get_layer("joined").output.shape == (None, 3 * 512)


def test_a_dropout_of_zero_adds_no_layer() -> None:
    assert layer_names(build("logistic_multilabel_vector", [5])) == ["input_1", "dense_1"]


def test_unit_norm_output_has_length_one() -> None:
    network = build("rec_multi", [6, 7])
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((4, width)).astype(np.float32) for width in (6, 7)]
    lengths = np.linalg.norm(network.predict_on_batch(rows), axis=1)
    assert lengths == pytest.approx(np.ones(4), abs=1e-5)


def test_fusion_does_not_see_how_long_an_input_is() -> None:
    network = build("rec_multi", [6, 7])
    rng = np.random.default_rng(0)
    one, two = (rng.standard_normal((4, width)).astype(np.float32) for width in (6, 7))
    assert network.predict_on_batch([one * 50, two]) == pytest.approx(
        network.predict_on_batch([one, two]), abs=1e-5
    )


@pytest.mark.parametrize("name", sorted(preset_paths()))
def test_every_preset_on_feature_vectors_can_be_built(name: str) -> None:
    experiment = resolve(name)
    if experiment.inputs.kind != "features":
        assert not experiment.architecture.available
        return
    network = build(name, [3] * experiment.inputs.count)
    assert network.output.shape == (None, experiment.targets.dim)


def test_an_unknown_network_names_a_near_one() -> None:
    with pytest.raises(RequestError, match="no network called 'fuson'") as caught:
        resolve("rec_multi", overrides=["network.name=fuson"])
    assert caught.value.hint == "Did you mean fusion?"
