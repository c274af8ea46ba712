"""``musicnn``: a convolutional network that was trained to tag music.

Source: J. Pons and X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging", late-breaking demo of ISMIR 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio import Samples, cached_transform
from tartarus_cli.audio.stft import MelOptions
from tartarus_cli.encoders import (
    EncoderOptions,
    LoadedEncoder,
    Vectors,
    Weights,
    WeightsPart,
    encoder,
    window_starts,
)
from tartarus_cli.encoders.arrays_file import read_arrays, write_arrays
from tartarus_cli.encoders.musicnn_network import LAYERS, NAMES, Tensors, build, layer_width
from tartarus_cli.encoders.tensor_bundle import read_bundle
from tartarus_cli.encoders.weights import find_weights, read_weights
from tartarus_cli.environment import keras_defaults, open_keras

SAMPLE_RATE = 16_000
SPECTROGRAM = MelOptions(sample_rate=SAMPLE_RATE, hop_length=256, n_fft=512, bins=96)
GREATEST = float(np.finfo(np.float16).max)

FILE_BYTES, INDEX_BYTES, DATA_BYTES = 3_173_932, 4_948, 9_465_596

MSD_TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists"),
    *("classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill"),
    *("instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic"),
    *("experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock"),
    *("60s", "rnb", "indie pop", "sad", "House", "happy"),
)
MTT_TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male"),
    *("singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman"),
    *("male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice"),
    *("new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice"),
    *("weird", "country", "metal", "female voice", "choral"),
)


def _convert(parts: Sequence[bytes]) -> bytes:
    """Make the file of weights from a checkpoint, without what its training needed alone."""
    index, data = parts
    tensors = {name: array for name, array in read_bundle(index, data).items() if name in NAMES}
    if len(tensors) < len(NAMES):
        msg = "it lacks arrays of musicnn"
        raise ValueError(msg)
    return write_arrays(tensors)


def _weights(model: str, file: str, index: str, data: str) -> Weights:
    """Describe the weights of a model by the hashes of their file and of its checkpoint."""
    folder = f"{model.upper()}_musicnn"
    return Weights(
        name=f"musicnn-{model}.safetensors",
        digest=file,
        size=FILE_BYTES,
        source="pip download --no-deps musicnn==0.1.0",
        package="musicnn-0.1.0-py3-none-any.whl",
        parts=(
            WeightsPart(f"{folder}/.index", index, INDEX_BYTES),
            WeightsPart(f"{folder}/.data-00000-of-00001", data, DATA_BYTES),
        ),
        convert=_convert,
    )


WEIGHTS = {
    "msd": _weights(
        "msd",
        "38a42f047ae2cae3fd11ce375dd80570e767763fb0f84ef3cad869f1a5b5223e",
        "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
        "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    ),
    "mtt": _weights(
        "mtt",
        "6437d106d25f800cfda04b679120575ceafff7a26827bcedc1281df95a620c71",
        "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
        "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    ),
}


class MusicnnOptions(EncoderOptions):
    """What ``--set`` may say."""

    model: Literal["msd", "mtt"] = "msd"
    """What it was trained on: the Million Song Dataset, or MagnaTagATune."""


WIDTHS = {"penultimate": 200, "tags": 50, "timbral": 408, "temporal": 153}
POOLED_WIDTH = 753  # of the other layers


def _width(_options: MusicnnOptions, layer: str) -> int:
    return WIDTHS.get(layer, POOLED_WIDTH)


def _labels(options: MusicnnOptions, layer: str) -> tuple[str, ...]:
    return {"msd": MSD_TAGS, "mtt": MTT_TAGS}[options.model] if layer == "tags" else ()


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Return the spectrogram that the network was trained on, ``(frames, 96)``.

    Parameters
    ----------
    samples
        Mono, at 16 kHz.
    """
    magnitude = cached_transform("mel", SPECTROGRAM)(samples).T
    # The authors round the power to 16 bits before its logarithm.
    power = np.minimum(np.square(magnitude), GREATEST).astype(np.float16).astype(np.float32)
    return np.asarray(np.log10(10_000 * power + 1), np.float32)


def frames_of(seconds: float) -> int:
    """Return the frames of so many seconds, as the authors count them.

    >>> frames_of(3), frames_of(1)
    (187, 62)
    """
    size, hop = SPECTROGRAM.n_fft, SPECTROGRAM.hop_length
    return max(1, int(seconds * SAMPLE_RATE - size // 2) // hop + 1)


@encoder(
    "musicnn",
    kind="audio",
    summary="convolutional network that was trained to tag music (Pons and Serra 2019)",
    options=MusicnnOptions,
    layers=LAYERS,
    width=_width,
    labels=_labels,
    weights=lambda options: WEIGHTS[options.model],
    all_weights=tuple(WEIGHTS.values()),
    sample_rate=lambda _options: SAMPLE_RATE,
    window_s=3.0,
    licence="ISC",
    reference="J. Pons and X. Serra, musicnn: pre-trained convolutional neural networks for music "
    "audio tagging, late-breaking demo of ISMIR 2019",
    packages=("keras",),
)
def load(options: MusicnnOptions, weights: Path | None, layer: str) -> LoadedEncoder:
    """Read the weights; the network is compiled once for each length of a window."""
    expected = WEIGHTS[options.model]
    path = find_weights("musicnn", expected, weights)
    tensors = read_arrays(read_weights(path, expected))
    return encoder_of(tensors, layer)


def encoder_of(tensors: Tensors, layer: str) -> LoadedEncoder:
    """Return the encoder that computes a layer with these weights.

    Each window has values of its own. The published package repeats the penultimate values of the
    first one instead.
    """
    network = lru_cache(maxsize=8)(partial(compile_window, tensors, layer=layer))

    def encode(samples: Samples, window_s: float | None, hop_s: float | None) -> Vectors:
        frames = log_mel(samples)
        size = len(frames) if window_s is None else frames_of(window_s)
        hop = size if hop_s is None else frames_of(hop_s)
        if len(frames) < size:  # repeated, as in training
            frames = np.resize(frames, (size, frames.shape[1]))
        compute = network(size)
        starts = window_starts(len(frames), size, hop)
        return np.concatenate([compute(frames[start : start + size]) for start in starts])

    return LoadedEncoder(layer_width(layer, tensors), encode)


def compile_window(
    tensors: Tensors, frames: int, *, layer: str
) -> Callable[[NDArray[np.float32]], Vectors]:
    """Return what computes a window ``(frames, bands)``, always of the same shape."""
    open_keras()
    with keras_defaults():
        model = build(tensors, frames, SPECTROGRAM.bins, layer)

        def compute(window: NDArray[np.float32]) -> Vectors:
            return np.asarray(model.predict_on_batch(window[np.newaxis]), np.float32)

        compute(np.zeros((frames, SPECTROGRAM.bins), np.float32))  # compile
    return compute
