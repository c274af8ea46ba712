"""musicnn, from a checkpoint to vectors; a tiny one, which is computed independently."""

import warnings
from contextlib import suppress

import librosa
import numpy as np
import pytest

from tartarus_cli.encoders import ENCODERS
from tartarus_cli.encoders.arrays_file import read_arrays, write_arrays
from tartarus_cli.encoders.musicnn import (
    MSD_TAGS,
    MTT_TAGS,
    POOLED_WIDTH,
    SAMPLE_RATE,
    WEIGHTS,
    WIDTHS,
    encoder_of,
    frames_of,
    log_mel,
)
from tartarus_cli.encoders.musicnn_network import LAYERS, NAMES
from tartarus_cli.encoders.tensor_bundle import read_bundle
from tests.encoders.tiny_musicnn import POOLED, TAGS, checkpoint, tiny_outputs, tiny_tensors


def noise(seconds: float, loudness: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(4)
    return (loudness * rng.standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


def test_a_checkpoint_is_read_array_by_array() -> None:
    tensors = tiny_tensors()
    read = read_bundle(*checkpoint(tensors))
    assert {*tensors} <= {*read}
    assert all(np.array_equal(read[name], tensor) for name, tensor in tensors.items())
    assert read["dense/bias/Adam"] == pytest.approx(2 * tensors["dense/bias"])


def test_what_is_no_whole_checkpoint_is_a_value_error() -> None:
    index, data = checkpoint(tiny_tensors())
    for size in (0, 30, 47, 48, 100, 500):
        for broken in (index[:size], index[-size:] if size else b""):
            with pytest.raises(ValueError, match="checkpoint"):
                read_bundle(broken, data)
        with suppress(ValueError):
            read_bundle(index[:size] + bytes(40) + index[size + 40 :], data)
    with pytest.raises(ValueError, match="does not fit its data"):
        read_bundle(index, data[:-4])


def test_a_compressed_index_is_refused() -> None:
    index, data = checkpoint(tiny_tensors())
    at = index.index(bytes(5) + b"\0\0\0\0\1\0\0\0")  # behind the first block
    with pytest.raises(ValueError, match="compressed"):
        read_bundle(index[:at] + b"\1" + index[at + 1 :], data)


def test_a_file_of_arrays_is_always_the_same_bytes() -> None:
    tensors = tiny_tensors()
    content = write_arrays(tensors)
    assert write_arrays(dict(reversed(tensors.items()))) == content
    read = read_arrays(content)
    assert all(np.array_equal(read[name], tensor) for name, tensor in tensors.items())
    for broken in (b"", content[:100], content[:-1], b"\xff" * 40, b"\2" + bytes(7) + b"[]"):
        with pytest.raises(ValueError, match="no file of float32 arrays"):
            read_arrays(broken)


@pytest.mark.parametrize("layer", ["penultimate", "mean_pool", "timbral", "temporal"])
def test_each_layer_is_what_numpy_computes_of_each_window(layer: str) -> None:
    tensors = tiny_tensors()
    samples = noise(0.7)
    loaded = encoder_of(tensors, layer)
    vectors = loaded.encode(samples, 0.25, 0.2)
    frames, size, hop = log_mel(samples), frames_of(0.25), frames_of(0.2)
    starts = range(0, len(frames) - size + 1, hop)
    expected = [tiny_outputs(frames[at : at + size], tensors)[layer] for at in starts]
    assert vectors.shape == (len(starts), loaded.width) == (3, len(expected[0]))
    assert vectors == pytest.approx(np.array(expected), abs=1e-4, rel=1e-4)


def test_a_short_recording_is_repeated_until_it_fills_a_window() -> None:
    tensors = tiny_tensors()
    samples = noise(0.1)
    frames = log_mel(samples)
    repeated = np.concatenate([frames] * 20)[: frames_of(0.3)]
    loaded = encoder_of(tensors, "tags")
    vectors = loaded.encode(samples, 0.3, None)
    assert vectors.shape == (1, TAGS)
    assert vectors[0] == pytest.approx(tiny_outputs(repeated, tensors)["tags"], abs=1e-5)
    with warnings.catch_warnings(action="ignore"):
        assert np.isfinite(loaded.encode(samples[:1], 0.3, None)).all()


def test_without_a_window_the_whole_recording_is_one() -> None:
    tensors = tiny_tensors()
    vectors = encoder_of(tensors, "max_pool").encode(noise(0.3), None, None)
    assert vectors.shape == (1, POOLED)
    expected = tiny_outputs(log_mel(noise(0.3)), tensors)["max_pool"]
    assert vectors[0] == pytest.approx(expected, abs=1e-4, rel=1e-4)


def test_the_spectrogram_is_that_of_the_authors_also_where_it_is_loud() -> None:
    for samples in (noise(0.5), noise(0.5, loudness=1.0), np.zeros(600, np.float32)):
        power = librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE, hop_length=256, n_fft=512, n_mels=96
        )
        rounded = power.T.astype(np.float16).astype(float)
        assert log_mel(samples) == pytest.approx(np.log10(10_000 * rounded + 1), abs=2e-3)
    assert np.isfinite(log_mel(noise(0.5, loudness=1e6))).all()


def test_what_is_known_of_the_published_weights_fits_the_network() -> None:
    encoder = ENCODERS.get("musicnn")
    assert len(NAMES) == 64
    assert {w.name for w in encoder.all_weights} == {w.name for w in WEIGHTS.values()}
    assert len({*MSD_TAGS}) == len({*MTT_TAGS}) == WIDTHS["tags"] == 50
    for layer in LAYERS:
        options = encoder.options.model_validate({"model": "mtt"})
        assert encoder.width(options, layer) == WIDTHS.get(layer, POOLED_WIDTH)
        assert len(encoder.labels(options, layer)) in (0, encoder.width(options, layer))
    assert encoder.labels(encoder.options(), "tags")[0] == "rock"
