"""Encoders, from samples and texts to vectors."""

from pathlib import Path

import numpy as np
import pytest

from tartarus_cli.audio import TRANSFORMS, cached_transform
from tartarus_cli.audio.patches import decibels
from tartarus_cli.encoders import ENCODERS, LoadedEncoder, pool_windows, pooled_width
from tartarus_cli.errors import TartarusError
from tartarus_cli.plugins import run_file
from tests.foreign import Foreign

RATE = 22_050


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def noise_of(rate: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.1, rate).astype(np.float32)


def load(name: str, **options: object) -> LoadedEncoder:
    encoder = ENCODERS.get(name)
    return encoder.load(encoder.options(**options), None, encoder.layers[0])


@pytest.mark.parametrize("name", ENCODERS.names())
def test_names_and_facts_of_each_encoder_can_be_shown(name: str) -> None:
    encoder = ENCODERS.get(name)
    assert "_" not in name
    assert encoder.summary
    assert encoder.layers
    assert encoder.kind in ("audio", "text")
    options = encoder.options()
    width = encoder.width(options, encoder.layers[0])
    assert width is None or width > 0
    if encoder.kind == "audio":
        assert encoder.sample_rate(options) > 0


@pytest.mark.parametrize("name", ENCODERS.names())
def test_each_encoder_gives_finite_vectors_that_depend_on_the_content_alone(name: str) -> None:
    encoder = ENCODERS.get(name)
    if encoder.missing_modules:
        pytest.skip(f"{name} needs {', '.join(encoder.missing_modules)}")
    try:
        loaded = load(name)
    except TartarusError as problem:
        pytest.skip(f"{problem}")
    if encoder.kind == "text":
        texts = ["la la la", "", "Ein Satz, und noch einer."]
        first, again = loaded.encode(texts), loaded.encode(texts[::-1])[::-1]
        rows = len(texts)
    else:
        samples = noise_of(encoder.sample_rate(encoder.options()))
        first, again = (loaded.encode(samples, encoder.window_s, encoder.hop_s) for _ in "12")
        rows = len(again)
    assert first.dtype == np.float32
    assert first.shape == (rows, loaded.width)
    assert rows >= 1
    assert np.isfinite(first).all()
    assert first == pytest.approx(again, rel=1e-5, abs=1e-5)
    assert encoder.width(encoder.options(), encoder.layers[0]) in (None, loaded.width)


def test_the_example_of_an_encoder_of_ones_own_tells_notes_apart(foreign: Foreign) -> None:
    assert foreign.folder.is_dir()
    assert "chroma" not in ENCODERS.names()
    run_file(Path(__file__).parents[2] / "examples" / "chroma_encoder.py")
    loaded = load("chroma", n_fft=2048)
    time = np.arange(2 * RATE) / RATE
    for pitch, note in ((440.0, 9), (523.25, 0)):  # A and C
        windows = loaded.encode(np.sin(2 * np.pi * pitch * time).astype(np.float32), 1.0, 0.5)
        assert windows.shape == (3, loaded.width)
        assert windows[:, :12].argmax(axis=1).tolist() == [note] * 3


@pytest.mark.parametrize(("name", "transform"), [("mel-stats", "mel"), ("cqt-stats", "cqt")])
def test_statistics_are_those_of_the_spectrogram_in_decibels(name: str, transform: str) -> None:
    samples = noise(2.5)
    loaded = load(name)
    given = ENCODERS.get(name).options().model_dump(exclude={"statistics"})
    levels = decibels(
        cached_transform(transform, TRANSFORMS.get(transform).options(**given))(samples)
    )
    deltas = levels[:, 1:] - levels[:, :-1]
    parts = [levels.mean(axis=1), levels.std(axis=1), deltas.mean(axis=1), deltas.std(axis=1)]
    vectors = loaded.encode(samples, None, None)
    assert vectors.shape == (1, loaded.width)
    assert vectors[0] == pytest.approx(np.concatenate(parts), abs=1e-3)


def test_windows_are_encoded_one_by_one_and_what_is_left_at_the_end_is_not() -> None:
    loaded = load("mel-stats", bins=24)
    windows = loaded.encode(noise(3.4), 1.0, 0.5)
    assert len(windows) == 5
    assert len(loaded.encode(noise(0.2), 1.0, 0.5)) == 1


def test_silence_and_a_single_sample_have_finite_statistics() -> None:
    loaded = load("mel-stats", statistics=("std", "delta_std"), bins=24)
    for samples in (np.zeros(RATE, np.float32), np.ones(1, np.float32)):
        vectors = loaded.encode(samples, None, None)
        assert vectors.shape == (1, 48)
        assert np.isfinite(vectors).all()


def test_a_single_window_has_no_deviation_when_it_is_pooled() -> None:
    window = np.array([[1, 2]], np.float32)
    pooled = pool_windows(window, "mean+std")
    assert pooled.tolist() == [1, 2, 0, 0]
    assert pooled_width(2, "mean+std") == len(pooled)
