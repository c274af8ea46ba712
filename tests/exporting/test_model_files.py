"""Networks and weights for other programs: what they compute is what Tartarus does."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.audio.patches import PatchRecipe, decibels
from tartarus_cli.baselines import from_log_norms
from tartarus_cli.encoders import ENCODERS
from tartarus_cli.environment import keras_defaults
from tartarus_cli.exporting.graph import GraphInput, NetworkGraph, as_float32
from tests.architectures.test_architectures import kinds_of, network_of, numbers_for, untrained
from tests.conftest import Command
from tests.worlds import World

MISSING = [name for name in ("jax2onnx", "onnx", "onnxruntime") if find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def graph_of(network: Any, kinds: tuple[str, ...], *, norms: bool = False) -> NetworkGraph:
    shapes = [tuple(each.shape[1:]) for each in network.inputs]
    inputs = [
        GraphInput(f"in_{n}", kind, shape)  # type: ignore[arg-type]
        for n, (kind, shape) in enumerate(zip(kinds, shapes, strict=True))
    ]
    return NetworkGraph(network, tuple(inputs), "out", norms)


def run(graph: NetworkGraph, arrays: list[NDArray[np.float32]]) -> NDArray[Any]:
    """Convert a network, and let onnxruntime run it."""
    import onnxruntime

    from tartarus_cli.exporting.onnx_file import convert

    with keras_defaults():
        content = convert(graph, "model_1").SerializeToString()
    session = onnxruntime.InferenceSession(content)
    return np.asarray(session.run(None, {f"in_{n}": x for n, x in enumerate(arrays)})[0])


def listed(arrays: Any) -> list[NDArray[np.float32]]:
    return arrays if isinstance(arrays, list) else [arrays]


@needs_onnx
@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_every_network_computes_the_same_in_onnx_for_any_number_of_items(name: str) -> None:
    arrays = listed(numbers_for(name))
    expected = untrained(name).predict_on_batch(arrays if len(arrays) > 1 else arrays[0])
    several = [np.concatenate([x, np.zeros_like(x[:2])]) for x in arrays]
    rows = run(graph_of(untrained(name), kinds_of(name)), several)
    assert rows.shape == (5, 4)
    assert rows[:3] == pytest.approx(expected, abs=1e-5)


@needs_onnx
def test_patches_are_scaled_and_norms_multiplied_in_the_file_as_tartarus_does_it() -> None:
    network = network_of("audio_cnn", dropout=0.5)
    rng = np.random.default_rng(1)
    scale = rng.uniform(-50, -30, (128, 96, 1)), rng.uniform(5, 20, (128, 96, 1))
    mean, deviation = (each.astype(np.float32) for each in scale)
    patches = GraphInput("in_0", "patches", (128, 96, 1), scale=(mean, deviation))
    decibels = rng.uniform(-80, 0, (3, 128, 96, 1)).astype(np.float32)
    rows = run(NetworkGraph(network, (patches,), "out", norms=True), [decibels])
    scaled = (decibels - mean) / deviation
    assert rows == pytest.approx(from_log_norms(network.predict_on_batch(scaled)), rel=1e-4)
    assert np.abs(patches.unscaled(scaled) - decibels).max() < 1e-4


@needs_onnx
def test_an_exported_network_of_patches_encodes_recordings_as_its_file_describes(
    tmp_path: Path,
) -> None:
    from tartarus_cli.exporting.onnx_file import convert

    network = network_of("audio_cnn")
    recipe = PatchRecipe.model_validate(
        {
            "transform": "mel",
            "parameters": {"sample_rate": 12_000, "hop_length": 256, "bins": 96},
            "seconds": 2.74,
        }
    )
    scale = np.full((1, 96, 1), -40, np.float32), np.full((1, 96, 1), 10, np.float32)
    patches = GraphInput("patches", "patches", (recipe.frames, 96, 1), recipe=recipe, scale=scale)
    document: dict[str, Any] = {"patches": recipe.model_dump(mode="json")}

    def saved(scaling: str) -> Path:
        with keras_defaults():
            proto: Any = convert(NetworkGraph(network, (patches,), "out", norms=False), "model_1")
        text = json.dumps([document | {"scaling": scaling}])
        proto.metadata_props.add(key="tartarus.inputs", value=text)
        path = tmp_path / f"{scaling}.onnx"
        path.write_bytes(proto.SerializeToString())
        return path

    encoder = ENCODERS.get("onnx")
    path, options = saved("by the network"), {"input": "patches", "sample_rate": 12_000}
    loaded = encoder.load(encoder.options.model_validate(options), path, encoder.layers[0])
    samples = np.random.default_rng(0).standard_normal(5 * 12_000).astype(np.float32)
    levels = decibels(recipe.spectrogram(samples)).T[:128, :, None]
    expected = network.predict_on_batch((levels[None] + 40) / 10)
    assert loaded.encode(samples, None, None)[:1] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="say input=patches and sample_rate=12000"):
        encoder.load(encoder.options(), path, encoder.layers[0])
    with pytest.raises(ValueError, match="scaled before"):
        encoder.load(encoder.options.model_validate(options), saved("before it"), "")


def test_a_network_that_computes_with_less_is_copied_to_compute_float32() -> None:
    with keras_defaults("bfloat16"):
        network = network_of("branches", hidden=(6,), dropout=0.5)
    plain = network_of("branches", hidden=(6,), dropout=0.5)
    plain.set_weights(network.get_weights())
    inputs = numbers_for("branches")
    rows = as_float32(network).predict_on_batch(inputs)
    assert rows.tolist() == plain.predict_on_batch(inputs).tolist()
    assert not np.allclose(rows, network.predict_on_batch(inputs), atol=1e-6)


@needs_onnx
def test_an_exported_network_predicts_what_predict_wrote_and_says_what_it_is(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    import onnx
    import onnxruntime

    words = ("export", "model_5", "--what", "onnx", "-w", predicted.root)
    done = tartarus(*words, "--json")
    assert (done.status, done.document["inputs"]) == (0, {"text": ["batch", 6]})
    file = tmp_path / "model_5.onnx"
    session = onnxruntime.InferenceSession(str(file))
    features = np.load(predicted.features / "X_test_text_rec.npy").astype(np.float32)
    (rows,) = session.run(["factors"], {"text": features})
    written = np.load(predicted.root / "data" / "factors" / "factors_model_5.npy")
    assert rows == pytest.approx(written, abs=1e-5)
    about = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert (about["tartarus.model"], about["tartarus.experiment"]) == ("model_5", "rec_dense")
    assert json.loads(about["tartarus.settings"]) == ["text"]
    assert "L2 norm" in json.loads(about["tartarus.outputs"])[0]["meaning"]
    assert float(about["tartarus.largest_difference"]) == done.document["largest_difference"]
    refused, before = tartarus(*words), file.stat().st_mtime_ns
    assert (refused.status, "--force" in refused.err) == (2, True)
    assert file.stat().st_mtime_ns == before
    layer = ("--layer", "dense_1", "--to", tmp_path / "part.onnx", "--json")
    assert tartarus(*words, *layer).document["outputs"] == {"dense_1": ["batch", 8]}


@needs_onnx
def test_no_file_is_left_that_computes_something_else_than_keras(
    tartarus: Command, predicted: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = NetworkGraph.predict
    monkeypatch.setattr(NetworkGraph, "predict", lambda graph, x: right(graph, x) + 0.01)
    failed = tartarus("export", "model_5", "--what", "onnx", "-w", predicted.root)
    assert (failed.status, "differs from Keras" in failed.err) == (1, True)
    assert "tartarus export model_5 --what safetensors" in " ".join(failed.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_without_the_extra_the_line_that_installs_it_is_named(
    tartarus: Command, predicted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    failed = tartarus("export", "model_5", "--what", "onnx", "-w", predicted.root)
    assert (failed.status, "pip install 'tartarus-cli[onnx]'" in failed.err) == (1, True)


@needs_onnx
@pytest.mark.parametrize(("model", "kind"), [("model_1", "ridge"), ("model_3", "popularity")])
def test_a_baseline_has_no_network_to_export(
    model: str, kind: str, tartarus: Command, predicted: World
) -> None:
    refused = tartarus("export", model, "--what", "onnx", "-w", predicted.root)
    assert (refused.status, f"{model} is a baseline ({kind})" in refused.err) == (2, True)
    assert f"tartarus export {model} --what" in " ".join(refused.err.split())


def test_weights_have_the_names_of_layers_and_arrays_those_of_the_baseline(
    tartarus: Command, predicted: World, tmp_path: Path
) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    def exported(model: str, name: str) -> Path:
        words = ("--what", "safetensors", "--to", tmp_path / name, "-w", predicted.root)
        assert tartarus("export", model, *words).status == 0
        return tmp_path / name

    network = keras.saving.load_model(
        predicted.root / "data" / "models" / "model_5" / "model.keras", compile=False
    )
    first, again = exported("model_5", "a.safetensors"), exported("model_5", "b.safetensors")
    assert first.read_bytes() == again.read_bytes()
    arrays = load_file(first)
    for layer in ("dense_1", "dense_2"):
        kernel, bias = network.get_layer(layer).get_weights()
        assert arrays[f"{layer}/kernel"].tobytes() == kernel.tobytes()
        assert arrays[f"{layer}/bias"].tobytes() == bias.tobytes()
    with safe_open(first, "np") as file:
        assert file.metadata()["tartarus.model"] == "model_5"
    ridge = load_file(exported("model_1", "ridge.safetensors"))
    with np.load(predicted.root / "data" / "models" / "model_1" / "model.npz") as learnt:
        assert {n: x.tobytes() for n, x in ridge.items()} == {
            n: learnt[n].tobytes() for n in learnt
        }


@pytest.mark.slow
@needs_onnx
def test_vectors_of_users_beside_an_item_tower_give_the_scores_of_its_model(
    tartarus: Command, world: World, tmp_path: Path
) -> None:
    import onnxruntime

    small = ("--set", "training.epochs=1", "--set", "targets.dim=8")
    done = tartarus("train", "two_tower", "text", "--dataset", "rec", *small, "-w", world.root)
    assert done.status == 0, done.err
    words = ("export", "--what", "onnx", "--to", tmp_path / "tower.onnx", "-w", world.root)
    assert len(tartarus(*words, "--json").document["others"]) == 2
    features = np.load(world.features / "X_test_text_rec.npy").astype(np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "tower.onnx"))
    (rows,) = session.run(["vectors"], {"text": features})
    users = np.load(tmp_path / "tower_users.npy")
    scores = users @ rows[:, :-1].T + rows[:, -1]
    ids = (tmp_path / "tower_users.tsv").read_text().split()
    assert len(ids) == len(users)
    assert tartarus("predict", "-w", world.root).status == 0
    listed = tartarus("recommend", "--user", ids[3], "--json", "-w", world.root).document
    best = f"test-{scores[3].argmax()}"
    assert listed["items"][0]["item"] == best
    (tmp_path / "tower.onnx").unlink()
    assert tartarus(*words).status == 2  # the vectors are there already


@pytest.mark.slow
def test_a_blend_names_the_parts_that_can_be_exported(tartarus: Command, world: World) -> None:
    train = ("train", "late", "text", "--dataset", "rec", "-w", world.root)
    done = tartarus(*train)
    assert done.status == 0, done.err
    refused = tartarus("export", "--what", "onnx", "-w", world.root)
    text = " ".join(refused.err.split())
    assert (refused.status, "is a blend of other models" in text) == (2, True)
    assert "tartarus export model_" in text
