"""Fit of the presets to begin with on the example world, and their figures beside the baselines'.

Usage: python -m tests.benchmarks.cold_presets [--seeds 3]

Each preset has a fresh copy of the world, so that nothing is reused. The figures are those of the
test items, which choose nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copytree

PRESETS = {
    "cold_multi": ("MSD-A-songs", "a-sem-emb", "audio-emb"),
    "cold_audio": ("MSD-A-songs", "audio-emb"),
    "cold_sparse": ("MSD-A-artists", "tags"),
}
"""Preset → its dataset and the settings that it reads."""


def run(*words: str) -> str:
    """Run a command, and return what it prints."""
    command = [sys.executable, "-m", "tartarus_cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Print a line for each preset and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        run("init", str(world), "--example")
        for preset, (dataset, *settings) in PRESETS.items():
            for seed in range(seeds):
                copy = Path(folder) / f"{preset}_{seed}"
                copytree(world, copy)
                words = ("--seed", str(seed), "-w", str(copy))
                start = time.perf_counter()
                run("train", preset, *settings, "--dataset", dataset, *words)
                seconds = time.perf_counter() - start
                run("predict", "-w", str(copy))
                found = json.loads(run("evaluate", "--baselines", "--json", "-w", str(copy)))
                rows = {preset: found["metrics"], **found["rows"]}
                figures = "  ".join(f"{name} {row['MAP@500']:.4f}" for name, row in rows.items())
                print(f"{preset} seed {seed}: fit {seconds:.1f} s; MAP@500 {figures}", flush=True)


if __name__ == "__main__":
    main()
