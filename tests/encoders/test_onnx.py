"""Models in the format of ONNX as encoders; tiny ones, whose outputs are worked out by hand."""

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from tartarus_cli.encoders import ENCODERS, LoadedEncoder
from tartarus_cli.encoders.weights import weights_digest
from tartarus_cli.errors import FileError, TartarusError

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

RATE = 1000
FACTORS = np.array([[1, -2, 3]], np.float32)


def save(path: Path, nodes: list[Any], shapes: tuple[Any, Any], **arrays: Any) -> Path:
    """Write a model from ``x`` to ``y``."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    inputs, outputs = (
        [helper.make_tensor_value_info(name, floats, shape)]
        for name, shape in zip("xy", shapes, strict=True)
    )
    constants = [onnx.numpy_helper.from_array(np.array(a), name) for name, a in arrays.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def loudness(path: Path, length: int | str = "t", width: int | str = 3) -> Path:
    """Write a model of samples: their mean magnitude times three factors."""
    node = onnx.helper.make_node
    nodes = [
        node("Abs", ["x"], ["magnitude"]),
        node("ReduceMean", ["magnitude"], ["mean"], axes=[-1], keepdims=1),
        node("Mul", ["mean", "factors"], ["y"]),
    ]
    return save(path, nodes, ((1, length), (1, width)), factors=FACTORS)


def projection(path: Path) -> Path:
    """Write a model of mel bands, ``(1, 8, frames)``, with a vector for each frame."""
    node = onnx.helper.make_node
    nodes = [
        node("Transpose", ["x"], ["frames"], perm=[0, 2, 1]),
        node("MatMul", ["frames", "matrix"], ["y"]),
    ]
    matrix = np.arange(16, dtype=np.float32).reshape(8, 2)
    return save(path, nodes, ((1, 8, "t"), (1, "t", 2)), matrix=matrix)


def load(path: Path, name: str = "onnx", **options: Any) -> LoadedEncoder:
    encoder = ENCODERS.get(name)
    given = {"sample_rate": RATE} if name == "onnx" else {}
    return encoder.load(encoder.options.model_validate(given | options), path, "")


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("width", [3, "width"])
def test_a_model_of_samples_encodes_window_after_window(width: int | str, tmp_path: Path) -> None:
    loaded = load(loudness(tmp_path / "model.onnx", width=width))
    assert loaded.width == 3
    samples = noise(1.3)
    vectors = loaded.encode(samples, 0.5, 0.25)
    means = [np.abs(samples[at : at + 500]).mean() for at in (0, 250, 500, 750)]
    assert vectors == pytest.approx(np.outer(means, FACTORS), rel=1e-5)
    assert loaded.encode(samples, None, None) == pytest.approx(
        np.abs(samples).mean() * FACTORS, rel=1e-5
    )


def test_a_model_of_fixed_length_sets_the_windows(tmp_path: Path) -> None:
    loaded = load(loudness(tmp_path / "model.onnx", length=400))
    samples = noise(1.0)
    means = [np.abs(samples[at : at + 400]).mean() for at in (0, 400)]
    assert loaded.encode(samples, None, None) == pytest.approx(np.outer(means, FACTORS), rel=1e-5)
    assert loaded.encode(samples, 0.4, 0.1).shape == (7, 3)
    short = loaded.encode(np.ones(100, np.float32) / 2, None, None)
    assert np.isfinite(short).all()
    with pytest.raises(ValueError, match=r"windows of 0\.4 s alone, not of 1 s"):
        loaded.encode(samples, 1.0, None)


def test_a_short_recording_is_filled_up_with_silence(tmp_path: Path) -> None:
    loaded = load(loudness(tmp_path / "model.onnx", length=400))
    assert loaded.encode(np.full(100, 0.5, np.float32), None, None) == pytest.approx(
        FACTORS * 0.125, rel=1e-5
    )


@pytest.mark.parametrize("scale", ["none", "ln", "log10", "db"])
def test_a_model_of_mel_bands_gets_the_spectrogram_that_is_described(
    scale: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "bins": 8,
        "n_fft": 128,
        "hop_length": 50,
        "fmin": 20.0,
        "mean": -1.0,
        "std": 2.0,
    }
    loaded = load(
        projection(tmp_path / "m.onnx"),
        input="mel",
        layout="bft",
        scale=scale,
        offset=0.1,
        **options,
    )
    samples = noise(0.7)
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=128, hop_length=50, n_mels=8, fmin=20
    )
    levels = {
        "none": power,
        "ln": np.log(power + 0.1),
        "log10": np.log10(power + 0.1),
        "db": librosa.power_to_db(power, ref=np.max, amin=1e-20),
    }[scale]
    matrix = np.arange(16).reshape(8, 2)
    expected = ((levels.T + 1) / 2 @ matrix).mean(axis=0)
    assert loaded.encode(samples, None, None)[0] == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "mel", "layout": "bt"}, "does not fit layout"),
        ({"layout": "bct"}, "does not fit layout"),
        ({"output": "z"}, "no output 'z'"),
        ({"axis": 5}, "no axis=5"),
    ],
)
def test_options_that_do_not_fit_the_model_are_named(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = loudness(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=message):
        load(path, **options)
    mel = {"input": "mel", "layout": "bft"}
    with pytest.raises(ValueError, match="say bins=8"):
        load(projection(tmp_path / "mel.onnx"), **mel)
    with pytest.raises(ValueError, match="layout is made of"):
        ENCODERS.get("onnx").options.model_validate({"layout": "xyz"})


def test_what_is_no_model_is_a_file_error(tmp_path: Path) -> None:
    damaged = loudness(tmp_path / "model.onnx")
    damaged.write_bytes(damaged.read_bytes()[:60])
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("no model")
    for name in ("model.onnx", "empty.onnx", "text.onnx"):
        with pytest.raises(FileError, match="onnxruntime cannot read it"):
            load(tmp_path / name)
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "absent.onnx")
    encoder = ENCODERS.get("onnx")
    with pytest.raises(TartarusError, match="needs a file of weights"):
        encoder.load(encoder.options(), None, "")


def test_data_beside_a_model_is_read_and_counts_for_its_hash(tmp_path: Path) -> None:
    path = projection(tmp_path / "model.onnx")
    model = onnx.load(path)
    whole = load(path, input="mel", layout="bft", bins=8, n_fft=128)
    onnx.save(model, path, save_as_external_data=True, location="model.data", size_threshold=0)
    parted = load(path, input="mel", layout="bft", bins=8, n_fft=128)
    samples = noise(0.7)
    assert np.array_equal(whole.encode(samples, None, None), parted.encode(samples, None, None))
    weights = ENCODERS.get("onnx").weights(None)
    assert weights is not None
    before = weights_digest(path, weights)
    data = tmp_path / "model.data"
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    assert weights_digest(path, weights) != before
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=r"its data 'model.data' is missing"):
        load(path)


def test_data_outside_of_the_folder_of_a_model_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = projection(folder / "model.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="12345", size_threshold=0)
    (folder / "12345").rename(tmp_path / "12")
    path.write_bytes(path.read_bytes().replace(b"12345", b"../12"))
    with pytest.raises(FileError, match="lies outside of its folder"):
        load(path)


def test_a_model_of_text_takes_documents_one_by_one(tmp_path: Path) -> None:
    helper = onnx.helper
    node = helper.make_node(
        "TfIdfVectorizer",
        ["x"],
        ["y"],
        mode="TF",
        min_gram_length=1,
        max_gram_length=1,
        max_skip_count=0,
        ngram_counts=[0],
        ngram_indexes=[0, 1],
        pool_strings=["slow", "loud"],
    )
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.STRING, [1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "t.onnx")
    loaded = load(tmp_path / "t.onnx", "onnx-text")
    assert loaded.width == 2
    assert loaded.encode(["loud", "slow", "other"]).tolist() == [[0, 1], [1, 0], [0, 0]]
    with pytest.raises(FileError, match=r"x \(tensor\(string\)\).*one input of floating-point"):
        load(tmp_path / "t.onnx")
    with pytest.raises(FileError, match="one input of text"):
        load(loudness(tmp_path / "model.onnx"), "onnx-text")
