"""How far our musicnn is from the published package, and what it costs.

Usage: python -m tests.benchmarks.musicnn_reference REFERENCE.npz FOLDER

``REFERENCE.npz`` has outputs of the package (musicnn 0.1.0 with TensorFlow 2.15), under the names
``MSD_musicnn/INPUT/tags``, ``MSD_musicnn/INPUT/penultimate``, and so for ``MTT_musicnn``. The input
``formula`` is three windows of 2 + 1.5 sin(2π (k + 1) t / 187) cos(π (k + 2) m / 96); each other
one is a recording of the folder, whose windows of three seconds are averaged. The weights must be
in the cache (``tartarus encoders add``).

Of a recording, the package gives the penultimate values of the first window alone, as often as
there are windows: where its extractor joins windows, it appends the first one's again. Ours are
those of each window; both are compared. Its tags are right.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.audio.decoding import decode
from tartarus_cli.encoders.arrays_file import read_arrays
from tartarus_cli.encoders.musicnn import SAMPLE_RATE, WEIGHTS, compile_window, encoder_of
from tartarus_cli.encoders.musicnn_network import Tensors
from tartarus_cli.encoders.weights import find_weights, read_weights

LAYERS = ("tags", "penultimate")
FRAMES, BANDS = 187, 96


def formula() -> NDArray[np.float32]:
    """Return the windows of the formula, ``(3, 187, 96)``."""
    t, m = np.arange(FRAMES)[:, None], np.arange(BANDS)
    wave = [
        np.sin(2 * np.pi * (k + 1) * t / FRAMES) * np.cos(np.pi * (k + 2) * m / BANDS)
        for k in range(3)
    ]
    return (2 + 1.5 * np.stack(wave)).astype(np.float32)


def compare_formula(tensors: Tensors, layer: str, expected: NDArray[np.float32]) -> str:
    compute = compile_window(tensors, FRAMES, layer=layer)
    outputs = np.concatenate([compute(window) for window in formula()])
    return f"differs by {np.abs(outputs - expected).max():.1e} (values up to {expected.max():.2f})"


def compare_recording(
    tensors: Tensors, layer: str, recording: Path, expected: NDArray[np.float32]
) -> str:
    samples = decode(recording, SAMPLE_RATE)
    loaded = encoder_of(tensors, layer)
    loaded.encode(samples[: 4 * SAMPLE_RATE], 3.0, None)  # compile
    start = time.process_time()
    windows = loaded.encode(samples, 3.0, None)
    seconds = (time.process_time() - start) / len(samples) * SAMPLE_RATE * 30
    mean, first = windows.mean(axis=0), windows[0]
    differences = [f"{np.abs(each - expected).max():.1e}" for each in (mean, first)]
    return (
        f"differs by {differences[0]} (mean of windows), {differences[1]} (first window); "
        f"{seconds:.2f} CPU-seconds for 30 s"
    )


def main() -> None:
    """Print differences and times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    reference = np.load(arguments.reference)
    recordings = {path.stem.lower(): path for path in sorted(arguments.folder.iterdir())}
    for model, weights in WEIGHTS.items():
        tensors = read_arrays(read_weights(find_weights("musicnn", weights), weights))
        keys = [key.split("/") for key in reference.files if key.startswith(model.upper())]
        for name in dict.fromkeys(key[1] for key in keys if len(key) == 3):
            for layer in LAYERS:
                expected = reference[f"{model.upper()}_musicnn/{name}/{layer}"]
                if name == "formula":
                    text = compare_formula(tensors, layer, expected)
                else:
                    paths = [path for stem, path in recordings.items() if stem.startswith(name)]
                    text = compare_recording(tensors, layer, paths[0], expected)
                print(f"{model} {name:18} {layer:12} {text}")


if __name__ == "__main__":
    main()
