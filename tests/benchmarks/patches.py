"""Cost of preparing a 30 s MP3 beside its bare parts, and what a second process brings.

Usage: python -m tests.benchmarks.patches [--files 60] [--rounds 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from tartarus_cli.audio.decoding import decode
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.extraction.patch_job import PatchJob, PreparedRecording, prepare
from tartarus_cli.extraction.workers import Recording, WorkerOptions, prepare_all

RATE, SECONDS = 44_100, 30


def make_recordings(folder: Path, count: int) -> list[Recording]:
    """Write stereo MP3s of 30 s: chords of decaying tones and noise, no two alike."""
    made = []
    time_s = np.arange(RATE * SECONDS) / RATE
    for number in range(count):
        rng = np.random.default_rng(number)
        beat = np.exp(-4 * (time_s % 0.5))
        tones = sum(np.sin(2 * np.pi * f * time_s) for f in rng.uniform(60, 4000, 6))
        noise = 0.1 * rng.standard_normal((len(time_s), 2))
        path = folder / f"{number}.mp3"
        soundfile.write(path, 0.1 * (beat * tones)[:, None] + 0.1 * noise, RATE, format="MP3")
        made.append(Recording(str(number), path))
    return made


def per_core(recordings: list[Recording], folder: Path, rounds: int) -> None:
    """Print the cost of ``prepare`` beside decoding, resampling and the transform alone."""
    recipe = PatchRecipe.model_validate({"transform": "cqt", "parameters": {}})
    few = recordings[:12]
    ratios, bare_ms, ours_ms = [], [], []
    for number in range(rounds + 1):
        job = PatchJob(
            recipe, folder / f"staging{number}", folder / f"kept{number}", keep_spectrograms=True
        )
        began = time.perf_counter()
        for each in few:
            recipe.spectrogram(decode(each.path, 22_050))
        between = time.perf_counter()
        for each in few:
            prepare(job, each)
        ended = time.perf_counter()
        if number:  # the first round makes the filters
            bare_ms.append(1000 * (between - began) / len(few))
            ours_ms.append(1000 * (ended - between) / len(few))
            ratios.append(ours_ms[-1] / bare_ms[-1])
    print(
        f"a 30 s MP3: {median(ours_ms):.0f} ms prepared, {median(bare_ms):.0f} ms for decoding, "
        f"resampling and the transform with its filters made: ratio {median(ratios):.2f}"
    )


def throughput(recordings: list[Recording], folder: Path, jobs: int) -> float:
    """Return recordings a second, from the time that each process has done its first."""
    recipe = PatchRecipe.model_validate({"transform": "cqt", "parameters": {}})
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        job = PatchJob(recipe, Path(staging), Path(staging) / "kept", keep_spectrograms=False)
        done, began = 0, 0.0
        for outcome in prepare_all(job, recordings, WorkerOptions(jobs, 300), lambda: None):
            assert isinstance(outcome, PreparedRecording), outcome
            done += 1
            if done == 2 * jobs:
                began = time.perf_counter()
        return (done - 2 * jobs) / (time.perf_counter() - began)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_recordings(folder, 20)
        recordings = [Recording(str(n), made[n % len(made)].path) for n in range(asked.files)]
        per_core(made, folder, asked.rounds)
        ratios = []
        for _ in range(asked.rounds):
            one, two = (throughput(recordings, folder, jobs) for jobs in (1, 2))
            ratios.append(two / one)
            print(f"  1 job {one:6.1f} files/s   2 jobs {two:6.1f} files/s")
        print(f"2 jobs beside 1: {median(ratios):.2f} times (median)")


if __name__ == "__main__":
    main()
