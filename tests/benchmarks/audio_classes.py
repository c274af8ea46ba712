"""How well networks on patches tell ten classes of short recordings apart, beside pooled features.

Usage: python -m tests.benchmarks.audio_classes [--folder DIR] [--seeds 3] [--only NAME …]
       python -m tests.benchmarks.audio_classes --validation --only genre_audio -- --set KEY=VALUE

The recordings are those of :mod:`tests.benchmarks.audio_sounds`: 300 to train with, 100 that
validate, 300 to test with. The workspace is made by the tool's own commands. Pooled features are
mean and deviation over time of 64 mel bands and 20 MFCC; their models, and the strength of these,
are chosen by validation accuracy; the baselines are the tool's own, on patches of ``genre_audio``.
With ``--validation`` no test item is looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.audio_sounds import CLASSES, RATE, write_clips

COUNTS = {"train": 300, "val": 100, "test": 300}
DATASET = "clips"
MEL: tuple[str, ...] = (
    *("--transform", "mel", "--scale", "bin"),
    *("--set", "sample_rate=22050", "--set", "n_fft=2048"),
    *("--set", "hop_length=512", "--set", "bins=64"),
)
"""How ``genre_audio`` wants its patches."""
PATCHES: dict[str, tuple[str, ...]] = {
    "cqt": (),
    "mel": MEL,
    "mel-sound": (*MEL, "--starts", "sound"),
}
"""Name of patches → how they are made."""
NETWORKS: dict[str, tuple[str, ...]] = {
    "single-label-audio": ("single-label-audio", "--set", "patches.name=cqt"),
    "audio_multi_filter_cnn": (
        "single-label-audio",
        *("--set", "patches.name=mel"),
        *("--set", "network.name=audio_multi_filter_cnn"),
    ),
    "audio_crnn": (
        "single-label-audio",
        *("--set", "patches.name=mel"),
        *("--set", "network.name=audio_crnn"),
    ),
    "genre_audio": ("genre_audio", "--set", "patches.name=mel"),
}
"""Name → experiment and what is set."""
BASELINES: dict[str, tuple[str, ...]] = {
    name: (name, "--set", "inputs.kind=patches", "--set", "patches.name=mel")
    for name in ("logistic", "ridge", "knn")
}
"""Name → baseline of the patches that ``genre_audio`` reads, pooled, and what is set."""


def run(folder: Path, *words: str) -> str:
    """Run a command in a workspace, and return what it prints."""
    command = [sys.executable, "-m", "tartarus_cli", *words, "-w", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def make_workspace(folder: Path) -> None:
    """Make the recordings, the dataset and its patches."""
    sys.stdout.write(f"making {folder}\n")
    subprocess.run([sys.executable, "-m", "tartarus_cli", "init", str(folder)], check=True)  # noqa: S603
    classes = write_clips(folder / "audio", COUNTS)
    table = folder / "labels.csv"
    table.write_text("item,label\n" + "".join(f"{item},{name}\n" for item, name in classes.items()))
    words = ["split", DATASET, "--labels", str(table)]
    for split in COUNTS:
        ids = folder / f"{split}.txt"
        ids.write_text("".join(f"{item}\n" for item in classes if item.startswith(split)))
        words += [f"--{split}-ids", str(ids)]
    run(folder, *words)
    audio = ("--audio", str(folder / "audio"))
    for name, how in PATCHES.items():
        seconds = ("--seconds", "3" if name == "mel-sound" else "5")
        run(folder, "patches", DATASET, *audio, *seconds, "--name", name, *how)


def pooled_features(folder: Path, split: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean and deviation of mel bands and MFCC, ``(items, 168)``, and the classes."""
    import librosa
    import soundfile

    rows = []
    for number in range(COUNTS[split]):
        samples, _ = soundfile.read(folder / "audio" / f"{split}-{number:03}.wav", dtype="float32")
        power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=64)
        levels = librosa.power_to_db(power, ref=np.max)
        frames = np.concatenate([levels, librosa.feature.mfcc(S=levels, n_mfcc=20)])
        rows.append(np.concatenate([frames.mean(axis=1), frames.std(axis=1)]))
    return np.array(rows), np.arange(COUNTS[split]) % len(CLASSES)


def judge_pooled(folder: Path, *, test: bool) -> None:
    """Print the accuracy of what scikit-learn makes of pooled features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    sets = {split: pooled_features(folder, split) for split in COUNTS if test or split != "test"}
    models: dict[str, Iterable[Any]] = {
        "logistic": (LogisticRegression(C=10.0**n, max_iter=5000) for n in np.arange(-4, 2.5, 0.5)),
        "svm": (SVC(C=10.0**n) for n in np.arange(-1, 3.5, 0.5)),
        "knn": (KNeighborsClassifier(n) for n in (1, 3, 5, 9, 15)),
    }
    for name, variants in models.items():
        start = time.perf_counter()
        fitted = [make_pipeline(StandardScaler(), each).fit(*sets["train"]) for each in variants]
        scores = [model.score(*sets["val"]) for model in fitted]
        best = int(np.argmax(scores))
        seconds = time.perf_counter() - start
        figure = f" test {fitted[best].score(*sets['test']):.3f}" if test else ""
        report(f"pooled {name}", f"val {scores[best]:.3f}{figure}", seconds)


def train(folder: Path, name: str, seed: int, more: Sequence[str], *, test: bool) -> float:
    """Train a network, print its figures, and return its accuracy on test (or validation) items."""
    start = time.perf_counter()
    words = ["--dataset", DATASET, "--seed", str(seed), *more]
    experiment = {**NETWORKS, **BASELINES}[name]
    model = json.loads(run(folder, "train", *experiment, *words, "--json"))["model"]
    seconds = time.perf_counter() - start
    history = folder / "data" / "models" / model / "history.csv"
    figures, accuracy = [], float("nan")
    if name in NETWORKS:
        with history.open() as file:
            accuracy = max(float(row["val_accuracy"]) for row in csv.DictReader(file))
        figures.append(f"val {accuracy:.3f}")
    if test:
        run(folder, "predict", model)
        accuracy = json.loads(run(folder, "evaluate", model, "--json"))["metrics"]["accuracy"]
        figures.append(f"test {accuracy:.3f}")
    report(f"{name} seed {seed} ({model})", " ".join(figures), seconds)
    return float(accuracy)


def report(name: str, figures: str, seconds: float) -> None:
    """Print a line."""
    print(f"{name}: {figures}, {seconds:.0f} s", flush=True)


def main() -> None:
    """Print a line for each model and seed, and the mean of the seeds of each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="workspace; made if it is not there")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=["pooled", *BASELINES, *NETWORKS])
    parser.add_argument("--validation", action="store_true", help="look at no test item")
    parser.add_argument("more", nargs="*", help="further words for each training, after --")
    arguments = parser.parse_args()
    test = not arguments.validation
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "workspace"
        if not (folder / "audio").exists():
            make_workspace(folder)
        names = arguments.only or ["pooled", *BASELINES, *NETWORKS]
        if "pooled" in names:
            judge_pooled(folder, test=test)
        for name in (name for name in (*BASELINES, *NETWORKS) if name in names):
            seeds = range(arguments.seeds if name in NETWORKS else 1)
            figures = [train(folder, name, seed, arguments.more, test=test) for seed in seeds]
            kind = "test" if test else "val"
            print(f"{name}: mean {kind} accuracy {np.mean(figures):.3f}", flush=True)


if __name__ == "__main__":
    main()
