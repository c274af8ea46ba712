"""How long ``tartarus --help`` and ``tartarus patches`` take to start.

``--help`` is compared with importing typer and rich alone, ``patches`` of two short recordings
with the import of what it computes with: librosa and scikit-learn.

Usage: python -m tests.benchmarks.start_up [--rounds 11]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from tests.benchmarks.text import cost
from tests.worlds import World

TARTARUS = (sys.executable, "-m", "tartarus_cli")
LIBRARIES = "import librosa.core.spectrum, librosa.filters, soundfile, sklearn.preprocessing"


def write_recordings(root: Path) -> None:
    """Write a dataset of two recordings of three seconds."""
    world, rng = World(root), np.random.default_rng(0)
    world.ids("songs", {"train": 1, "test": 1})
    (root / "songs").mkdir()
    for item in ("train-0", "test-0"):
        noise = 0.1 * rng.standard_normal(3 * 22_050)
        soundfile.write(root / "songs" / f"{item}.wav", noise, 22_050)


def compare(name: str, ours: tuple[object, ...], bare: tuple[object, ...], rounds: int) -> None:
    """Run both in turn, and print medians and their ratio."""
    pairs = [(cost(*ours), cost(*bare)) for _ in range(rounds)]
    for number, unit in enumerate(("clock", "processor")):
        one, other = ([pair[side][number] for pair in pairs] for side in (0, 1))
        ratio = median(a / b for a, b in zip(one, other, strict=True))
        print(
            f"{name}, seconds of the {unit}: {median(one):.3f}, "
            f"the libraries alone {median(other):.3f}, ratio {ratio:.2f} (median of {rounds} pairs)"
        )


def main() -> None:
    """Compare both commands with the import of their libraries."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    compare("--help", (*TARTARUS, "--help"), (sys.executable, "-c", "import typer, rich"), rounds)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_recordings(root)
        ours = (*TARTARUS, "patches", "songs", "--transform", "mel", "--seconds", 1, "-w", root)
        audio = ("--audio", root / "songs", "--no-keep-spectrograms")
        compare("patches", (*ours, *audio), (sys.executable, "-c", LIBRARIES), rounds)


if __name__ == "__main__":
    main()
