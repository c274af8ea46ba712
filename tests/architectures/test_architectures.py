"""Every network of the registry, and what the published ones are made of."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.resolve import preset_paths, resolve
from tartarus_cli.losses import cosine_loss

SHAPES: dict[str, tuple[int, ...]] = {
    "features": (5,),
    "patches": (128, 96, 1),
    "sequence": (11,),
}
PUBLISHED_SHAPES: dict[str, tuple[int, ...]] = {
    "features": (3,),
    "patches": (322, 96, 1),
    "sequence": (500,),
}
GLOROT = {"text_cnn", "audio_crnn", "audio_vgg", "single_branch"}
FOLDING = ("conv_", "pool_")
WORDS = 20
# Widths of one layer or two, so that the tests are fast.
SMALL: dict[str, dict[str, Any]] = {
    "audio_crnn": {"filters": (2, 3, 4, 5)},
    "audio_cnn": {"filters": (2, 3, 4)},
    "audio_multi_filter_cnn": {
        "parallel_kernels": ((1, 70), (5, 35)),
        "parallel_filters": (8, 3),
        "filters": (3, 4),
    },
    "audio_vgg": {"filters": (2, 3)},
    "audio_with_vector": {"filters": (2, 3, 4), "vector": (6,)},
    "text_cnn": {"hidden": (6,)},
    "text_lstm": {"units": 7},
}


def kinds_of(name: str) -> tuple[str, ...]:
    """Return the kinds of as many inputs as a network can have, three where it takes any number."""
    entry = ARCHITECTURES.get(name)
    if isinstance(entry.inputs, tuple):
        return entry.inputs
    return (entry.inputs,) * (entry.most_inputs or 3)


def network_of(name: str, *, seed: int = 0, **options: Any) -> Any:
    """Build a network of the registry with a small shape for each input, and 4 outputs."""
    entry = ARCHITECTURES.get(name)
    values = {"name": name, "output": "linear"} | SMALL.get(name, {}) | options
    if "sequence" in kinds_of(name):
        values |= {"vocabulary": WORDS, "embedding": 6}
    shapes = [SHAPES[kind] for kind in kinds_of(name)]
    return entry.build(shapes, entry.options.model_validate(values), 4, seed)


@cache
def untrained(name: str) -> Any:
    """Return the network that :func:`network_of` builds; it must not be trained."""
    return network_of(name, dropout=0.5)


def fed(inputs: list[NDArray[np.float32]]) -> Any:
    return inputs if len(inputs) > 1 else inputs[0]


def zeros_for(name: str) -> Any:
    return fed([np.zeros((3, *SHAPES[kind]), np.float32) for kind in kinds_of(name)])


def numbers_for(name: str) -> Any:
    rng = np.random.default_rng(0)
    drawn = {
        kind: rng.integers(0, WORDS, (3, *shape)) if kind == "sequence" else rng.random((3, *shape))
        for kind, shape in SHAPES.items()
    }
    return fed([drawn[kind].astype(np.float32) for kind in kinds_of(name)])


def build(experiment: str, widths: list[int], *overrides: str, seed: int = 0) -> Any:
    resolved = resolve(experiment, overrides=overrides)
    shapes = [(width,) for width in widths]
    return resolved.architecture.build(shapes, resolved.network, resolved.targets.dim, seed)


def build_audio(experiment: str, shape: tuple[int, ...], *overrides: str) -> Any:
    resolved = resolve(experiment, overrides=overrides)
    return resolved.architecture.build([shape], resolved.network, resolved.targets.dim, 0)


def layer_names(network: Any) -> list[str]:
    return [layer.name for layer in network.layers]


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_maps_zeros_to_finite_rows_of_the_asked_width(name: str) -> None:
    rows = untrained(name).predict_on_batch(zeros_for(name))
    assert rows.shape == (3, 4)
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_has_a_finite_gradient_on_zeros(name: str) -> None:
    network = network_of(name, output="unit_norm", dropout=0.5)
    network.compile("sgd", cosine_loss)
    loss = network.train_on_batch(zeros_for(name), np.ones((3, 4), np.float32))
    assert np.isfinite(loss)
    assert all(np.isfinite(weights).all() for weights in network.get_weights())


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_is_the_same_for_the_same_seed_only(name: str) -> None:
    first, same, other = (
        network_of(name, seed=seed, dropout=0.5).get_weights() for seed in (1, 1, 2)
    )

    def drawn(weights: NDArray[np.float32]) -> bool:
        return len(np.unique(weights)) > 2  # biases and the like start as zeros and ones

    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if drawn(a))


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_says_the_same_when_saved_and_loaded(name: str, tmp_path: Path) -> None:
    network, numbers = untrained(name), numbers_for(name)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert [*map(repr, again.layers)] == [*map(repr, network.layers)]
    assert np.array_equal(again.predict_on_batch(numbers), network.predict_on_batch(numbers))


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_tells_one_item_from_another(name: str) -> None:
    one, two, three = untrained(name).predict_on_batch(numbers_for(name))
    assert not np.allclose(one, two)
    assert not np.allclose(two, three)


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


@pytest.mark.parametrize(
    "name", [name for name in preset_paths() if resolve(name).baseline is None]
)
def test_every_preset_can_be_built(name: str) -> None:
    experiment = resolve(name)
    network_options = experiment.network
    if "sequence" in experiment.inputs.kinds:
        network_options = network_options.model_copy(update={"vocabulary": WORDS})
    if "patches" in experiment.inputs.kinds:
        few = tuple(1 for _ in network_options.model_dump()["filters"])
        network_options = network_options.model_copy(update={"filters": few})
    shapes = [PUBLISHED_SHAPES[kind] for kind in experiment.inputs.kinds]
    network = experiment.architecture.build(shapes, network_options, experiment.targets.dim, 0)
    assert network.output.shape == (None, experiment.targets.dim)
    assert [tensor.shape[1:] for tensor in network.inputs] == shapes


def test_single_label_audio_has_the_published_layers() -> None:
    network = build_audio("single-label-audio", (322, 96, 1))
    assert layer_names(network) == [
        *("input_1", "conv_1", "pool_1", "dropout_1", "conv_2", "pool_2", "dropout_2"),
        *("conv_3", "pool_3", "dropout_3", "flatten", "dense_1"),
    ]
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["conv_1"] == (319, 1, 64)
    assert shapes["pool_1"] == (79, 1, 64)
    assert shapes["pool_2"] == (19, 1, 128)
    assert shapes["pool_3"] == (8, 1, 256)
    assert shapes["flatten"] == (2048,)
    assert network.get_layer("conv_1").activation is keras.activations.relu
    assert network.get_layer("dense_1").activation is keras.activations.softmax


def test_logistic_audio_leaves_the_published_frames_and_bins() -> None:
    network = build_audio("logistic_audio_multilabel", (322, 96, 1))
    shapes = [layer.output.shape[1:] for layer in network.layers if layer.name[:5] in FOLDING]
    assert shapes == [
        *((319, 27, 64), (79, 6, 64), (76, 1, 128), (19, 1, 128)),
        *((16, 1, 128), (4, 1, 128), (4, 1, 64), (4, 1, 64)),
    ]
    assert network.count_params() == sum(
        *([4 * 70 * 64 + 64, 4 * 6 * 64 * 128 + 128, 4 * 128 * 128 + 128, 128 * 64 + 64],),
        start=256 * 250 + 250,
    )


def test_hidden_layers_of_an_audio_network_are_dropped_out() -> None:
    network = build_audio("single-label-audio", (322, 96, 1), "network.hidden=[7]")
    assert layer_names(network)[-4:] == ["flatten", "dense_1", "dropout_4", "dense_2"]


def test_a_kernel_that_does_not_fit_shows_what_each_stage_leaves() -> None:
    with pytest.raises(RequestError) as caught:
        build_audio("logistic_audio_multilabel", (15, 96, 1))
    assert str(caught.value) == (
        "stage 2: kernel (4, 6) does not fit into 3 × 6 (frames × bins): "
        "input 15 × 96 → conv 12 × 27 → pool 3 × 6 → …"
    )
    assert "`overrides=['network.kernels=…']`" in caught.value.hint
    assert "patches.seconds" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("audio_crnn", (95, 96, 1), "stage 4: pool (4, 4) does not fit into 3 × 4"),
        ("audio_crnn", (128, 90, 1), "stage 4: pool (4, 4) does not fit into 5 × 3"),
        ("audio_multi_filter_cnn", (3, 96, 1), "pool (4, 16) does not fit into 3 × 96"),
        ("audio_multi_filter_cnn", (64, 96, 1), "stage 3: kernel (4, 1) does not fit into 3 × 1"),
        ("audio_with_vector", (322, 80, 1), "stage 1: kernel (4, 96) does not fit into 322 × 80"),
    ],
)
def test_every_audio_network_refuses_what_it_cannot_hold(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    entry = ARCHITECTURES.get(name)
    options = entry.options.model_validate({"name": name, "output": "linear"})
    with pytest.raises(RequestError, match=re.escape(message)):
        entry.build([shape, (5,)][: len(kinds_of(name))], options, 4, 0)


def test_the_crnn_of_the_paper_reads_its_frames_as_a_sequence() -> None:
    entry = ARCHITECTURES.get("audio_crnn")
    options = entry.options.model_validate({"name": "audio_crnn", "output": "sigmoid"})
    network = entry.build([(1366, 96, 1)], options, 50, 0)
    assert layer_names(network) == [
        *("input_1", "padding", "batch_norm_1"),
        *("conv_1", "batch_norm_2", "elu_1", "pool_1", "dropout_1"),
        *("conv_2", "batch_norm_3", "elu_2", "pool_2", "dropout_2"),
        *("conv_3", "batch_norm_4", "elu_3", "pool_3", "dropout_3"),
        *("conv_4", "batch_norm_5", "elu_4", "pool_4", "dropout_4"),
        *("sequence", "gru_1", "gru_2", "dropout_5", "dense_1"),
    ]
    assert network.get_layer("padding").padding == ((37, 37), (0, 0))
    shapes = [
        network.get_layer(name).output.shape[1:]
        for name in ("padding", *(f"pool_{n}" for n in range(1, 5)))
    ]
    assert shapes == [
        *((1440, 96, 1), (720, 48, 64), (240, 16, 128), (60, 4, 128), (15, 1, 128)),
    ]
    assert network.get_layer("gru_1").output.shape == (None, 15, 32)
    assert network.get_layer("gru_2").output.shape == (None, 32)
    rates = [network.get_layer(f"dropout_{n}").rate for n in range(1, 6)]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.3])
    assert network.get_layer("batch_norm_1").gamma.shape == (96,)
    assert network.count_params() == sum(
        [
            4 * 96,  # batch norm of each bin
            3 * 3 * 64 + 64 + 4 * 64,
            3 * 3 * 64 * 128 + 128 + 4 * 128,
            2 * (3 * 3 * 128 * 128 + 128 + 4 * 128),
            3 * (128 * 32 + 32 * 32 + 2 * 32),
            3 * (32 * 32 + 32 * 32 + 2 * 32),
            32 * 50 + 50,
        ]
    )


@pytest.mark.parametrize(("frames", "padded"), [(96, 96), (97, 192), (322, 384), (1440, 1440)])
def test_the_crnn_loses_no_frame_of_any_length(frames: int, padded: int) -> None:
    entry = ARCHITECTURES.get("audio_crnn")
    values = {"name": "audio_crnn", "output": "linear"} | SMALL["audio_crnn"]
    network = entry.build([(frames, 96, 1)], entry.options.model_validate(values), 4, 0)
    assert network.get_layer("sequence").output.shape == (None, padded // 96, 5)
    assert ("padding" in layer_names(network)) == (padded > frames)


def test_the_first_batch_norm_of_the_crnn_is_one_of_each_bin() -> None:
    network = network_of("audio_crnn")
    patches = np.zeros((5, 128, 96, 1), np.float32)
    patches[:, :, 7] = 100
    network.compile("sgd", "mean_squared_error")
    network.train_on_batch(patches, np.zeros((5, 4), np.float32))
    means = np.asarray(network.get_layer("batch_norm_1").moving_mean)
    assert np.flatnonzero(means).tolist() == [7]


def test_parallel_filters_are_joined_whatever_their_shape() -> None:
    entry = ARCHITECTURES.get("audio_multi_filter_cnn")
    options = entry.options.model_validate({"name": "audio_multi_filter_cnn", "output": "linear"})
    network = entry.build([SHAPES["patches"]], options, 4, 0)
    convolutions = [network.get_layer(f"conv_{n}") for n in range(1, 7)]
    assert [layer.output.shape[1:3] for layer in convolutions] == [(128, 96)] * 6
    assert [(*layer.kernel_size, layer.filters) for layer in convolutions] == [
        *((1, 70, 64), (5, 70, 32), (10, 70, 32), (1, 35, 64), (5, 35, 32), (10, 35, 32)),
    ]
    assert network.get_layer("joined").output.shape == (None, 32, 6, 256)


def test_the_multi_filter_network_pools_its_bins_twice() -> None:
    entry = ARCHITECTURES.get("audio_multi_filter_cnn")
    options = entry.options.model_validate({"name": "audio_multi_filter_cnn", "output": "linear"})
    network = entry.build([(322, 96, 1)], options, 4, 0)
    names = ("pool_1", "pool_6", "joined", "conv_7", "pool_7", "conv_8", "pool_8", "flatten")
    assert [network.get_layer(name).output.shape[1:] for name in names] == [
        *((80, 6, 64), (80, 6, 32), (80, 6, 256)),
        *((77, 6, 128), (19, 1, 128), (16, 1, 256), (8, 1, 256), (2048,)),
    ]
    parallel = 64 * (70 + 35) + 32 * (5 + 10) * (70 + 35) + 256
    assert network.count_params() == sum(
        [parallel, 4 * 256 * 128 + 128, 4 * 128 * 256 + 256, 2048 * 4 + 4]
    )


def test_a_patch_and_a_vector_are_joined() -> None:
    network = network_of("audio_with_vector", vector=(9,))
    flat = network.get_layer("flatten").output.shape[1]
    assert network.get_layer("dense_1").output.shape == (None, 9)
    assert network.get_layer("joined").output.shape == (None, flat + 9)


def test_text_cnn_has_the_published_layers() -> None:
    resolved = resolve("dummy_text_w2v")
    options = resolved.network.model_copy(update={"vocabulary": WORDS})
    network = resolved.architecture.build([(500,)], options, 3, 0)
    assert layer_names(network) == [
        *("input_1", "embedding", "dropout_1", "conv_1", "conv_2", "pool_1", "pool_2", "joined"),
        *("dense_1", "dropout_2", "dense_2"),
    ]
    assert network.get_layer("conv_1").input is network.get_layer("dropout_1").output
    assert network.get_layer("conv_2").input is network.get_layer("dropout_1").output
    assert network.count_params() == sum(
        [WORDS * 300, 2 * 300 * 150 + 150, 3 * 300 * 150 + 150, 300 * 128 + 128, 128 * 3 + 3]
    )
    assert network.get_layer("conv_2").output.shape == (None, 498, 150)
    assert network.get_layer("joined").output.shape == (None, 300)
    rates = [network.get_layer(f"dropout_{n}").rate for n in (1, 2)]
    assert rates == pytest.approx([0.5, 0.8])
    (vectors,) = network.get_layer("embedding").get_weights()
    assert vectors.shape == (WORDS, 300)
    assert 0.24 < np.abs(vectors).max() <= 0.25


def assert_uniform(network: Any, layer: str, most: float) -> None:
    kernel = network.get_layer(layer).get_weights()[0]
    assert 0.97 * most < np.abs(kernel).max() <= most * (1 + 1e-6)
    assert kernel.std() == pytest.approx(most / np.sqrt(3), rel=0.05)


def test_text_cnn_starts_glorot_uniform_and_its_output_as_all_others() -> None:
    resolved = resolve("dummy_text_w2v")
    options = resolved.network.model_copy(update={"vocabulary": WORDS})
    network = resolved.architecture.build([(500,)], options, 250, 0)
    assert_uniform(network, "conv_1", np.sqrt(6 / (2 * 300 + 2 * 150)))
    assert_uniform(network, "conv_2", np.sqrt(6 / (3 * 300 + 3 * 150)))
    assert_uniform(network, "dense_1", np.sqrt(6 / (300 + 128)))
    assert_uniform(network, "dense_2", 0.05)


def test_the_crnn_starts_glorot_uniform() -> None:
    entry = ARCHITECTURES.get("audio_crnn")
    options = entry.options.model_validate({"name": "audio_crnn", "output": "sigmoid"})
    network = entry.build([(96, 96, 1)], options, 250, 0)
    assert_uniform(network, "conv_1", np.sqrt(6 / (9 * 1 + 9 * 64)))
    assert_uniform(network, "conv_3", np.sqrt(6 / (9 * 128 + 9 * 128)))
    assert_uniform(network, "gru_1", np.sqrt(6 / (128 + 3 * 32)))
    assert_uniform(network, "dense_1", np.sqrt(6 / (32 + 250)))


@pytest.mark.parametrize("name", sorted({*ARCHITECTURES.names()} - GLOROT))
def test_every_other_network_starts_uniform_in_the_same_range(name: str) -> None:
    for layer in untrained(name).layers:
        if layer.name.startswith(("dense_", "conv_")):
            kernel = layer.get_weights()[0]
            assert np.abs(kernel).max() <= 0.05
            assert kernel.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.5)


@pytest.mark.parametrize("name", ["text_cnn", "text_lstm"])
def test_word_ids_may_be_whole_numbers_or_floats(name: str) -> None:
    network, ids = untrained(name), numbers_for(name)
    whole = network.predict_on_batch(ids.astype(np.int32))
    assert network.predict_on_batch(ids) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("name", ["text_cnn", "text_lstm"])
def test_a_network_on_words_cannot_be_built_without_its_vocabulary(name: str) -> None:
    entry = ARCHITECTURES.get(name)
    options = entry.options.model_validate({"name": name, "output": "linear"})
    with pytest.raises(ValueError, match=r"network\.vocabulary is not filled in"):
        entry.build([(500,)], options, 4, 0)


def test_a_filter_longer_than_the_sequence_is_refused() -> None:
    with pytest.raises(RequestError, match="12 words does not fit into sequences of 11"):
        network_of("text_cnn", widths=(2, 12))


def test_the_lstm_does_not_see_how_far_a_document_is_filled_up() -> None:
    entry = ARCHITECTURES.get("text_lstm")
    values = {"name": "text_lstm", "output": "linear", "units": 7, "vocabulary": WORDS}
    options = entry.options.model_validate(values)
    short, long = (entry.build([(words,)], options, 4, 0) for words in (5, 60))
    ids = np.random.default_rng(0).integers(1, WORDS, (3, 5))
    filled = np.pad(ids, [(0, 0), (0, 55)])
    assert long.predict_on_batch(filled) == pytest.approx(short.predict_on_batch(ids), abs=1e-6)


UNEQUAL = {
    "network.kernels=[[4, 96]]": "1 kernels, 3 filters and 3 pools",
    "network.filters=[1, 2]": "3 kernels, 2 filters and 3 pools",
    "network.pools=[]": "network.pools",
    "network.kernels=[[4, 0], [4, 1], [4, 1]]": "network.kernels",
}


@pytest.mark.parametrize("text", UNEQUAL)
def test_kernels_filters_and_pools_must_be_as_many(text: str) -> None:
    with pytest.raises(RequestError, match=re.escape(UNEQUAL[text])):
        resolve("single-label-audio", overrides=[text])


def test_parallel_kernels_and_filters_must_be_as_many() -> None:
    overrides = ["network.name=audio_multi_filter_cnn", "network.parallel_filters=[1, 2]"]
    with pytest.raises(RequestError, match="6 parallel_kernels and 2 parallel_filters"):
        resolve("single-label-audio", overrides=overrides)


CRNN_ON_A_PRESET = {
    "kernels": ((3, 3),) * 4,
    "filters": (64, 128, 128, 128),
    "pools": ((2, 2), (3, 3), (4, 4), (4, 4)),
    "dropout": 0.1,
    "dropout_recurrent": 0.3,
    "output": "softmax",
}


def network_section(*overrides: str) -> Any:
    return resolve("single-label-audio", overrides=overrides).network


def test_another_network_in_an_experiment_is_as_published() -> None:
    # The windows and the dropout of the preset are those of its own network.
    network = network_section("network.name=audio_crnn")
    assert {key: getattr(network, key) for key in CRNN_ON_A_PRESET} == CRNN_ON_A_PRESET


def test_options_of_another_network_are_taken_wherever_they_stand() -> None:
    overrides = ("network.name=audio_crnn", "network.dropout=0.2")
    for ordered in (overrides, overrides[::-1]):
        assert network_section(*ordered).dropout == pytest.approx(0.2)


def test_an_option_that_another_network_has_too_is_kept() -> None:
    kinds = 'inputs.kind=["patches", "features"]'
    network = network_section("network.name=audio_with_vector", kinds, "inputs.count=2")
    assert network.dropout == pytest.approx(0.5)


def test_an_unknown_network_names_a_near_one() -> None:
    with pytest.raises(RequestError, match="no network called 'fuson'") as caught:
        resolve("rec_multi", overrides=["network.name=fuson"])
    assert caught.value.hint == "Did you mean fusion?"
