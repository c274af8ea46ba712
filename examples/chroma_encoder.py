"""An encoder of one's own: how strong the twelve pitch classes of a recording are.

Usage: tartarus embed DATASET chroma --code examples/chroma_encoder.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.encoders import EncoderOptions, LoadedEncoder, Vectors, encoder, window_starts

RATE = 22_050  # samples a second


class ChromaOptions(EncoderOptions):
    """What `--set` may say."""

    n_fft: int = 4096


@encoder(
    "chroma",
    kind="audio",
    summary="mean and deviation over time of twelve pitch classes",
    width=lambda _options, _layer: 24,
    sample_rate=lambda _options: RATE,
    options=ChromaOptions,
)
def load(options: ChromaOptions, _weights: Path | None, _layer: str) -> LoadedEncoder:
    """Make ready what encodes recordings; this runs once in each process."""
    import librosa

    def encode(samples: Any, window_s: float | None, hop_s: float | None) -> Vectors:
        samples = np.pad(samples, (0, max(0, options.n_fft - len(samples))))
        size = len(samples) if window_s is None else int(window_s * RATE)
        starts = window_starts(len(samples), size, int(hop_s * RATE) if hop_s else size)
        vectors = []
        for start in starts:
            window = np.pad(samples[start : start + size], (0, max(0, options.n_fft - size)))
            chroma = librosa.feature.chroma_stft(y=window, sr=RATE, n_fft=options.n_fft, tuning=0.0)
            vectors.append(np.concatenate([chroma.mean(axis=1), chroma.std(axis=1)]))
        return np.array(vectors, np.float32)

    return LoadedEncoder(24, encode)
