"""How well ``--dry-run`` forecasts: the time that it says beside the time that it then took.

Each line is one command of a process of its own: forecast at least and at most, the time of the
command, and the ratio of the two, where the command may have ended anywhere between: 1 within the
span, else how far outside. Where the number of epochs is fixed, the span is a point.

    python -m tests.benchmarks.forecast [small|all]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from scipy.sparse import csr_array, random_array, save_npz

import tartarus_cli as tt

EPOCHS = ("--set", "training.epochs=12", "--set", "training.patience=12")
"""So many epochs whatever the losses are."""
SMALL: tuple[tuple[str, ...], ...] = (
    ("run", "rec_sparse", "tags", "--dataset", "MSD-A-artists", *EPOCHS),
    ("run", "two_tower", "a-sem-emb", "--dataset", "MSD-A-songs"),
    ("run", "ridge_plays", "a-sem-emb", "audio-emb", "--dataset", "MSD-A-songs"),
    ("run", "knn", "tags", "--dataset", "MSD-A-artists"),
)
LARGE: tuple[tuple[str, ...], ...] = (
    ("run", "two_tower", "wide", "--dataset", "big", *EPOCHS),
    ("run", "ridge_plays", "wide", "--dataset", "big"),
    ("run", "knn", "wide", "--dataset", "big"),
)
ITEMS, USERS, PLAYS, WIDTH = {"train": 6000, "val": 600, "test": 2000}, 20_000, 30, 300
RECORDINGS, RATE = 60, 22_050


def big_world(root: Path) -> None:
    """Write a dataset of many items and users, whose plays are random."""
    rng = np.random.default_rng(0)
    folder = root / "data" / "datasets"
    (folder / "train_data").mkdir(parents=True, exist_ok=True)
    users = "".join(f"user-{number}\n" for number in range(USERS))
    (folder / "users_index_big.tsv").write_text(users)
    for split, count in ITEMS.items():
        ids = "".join(f"{split}-{number}\n" for number in range(count))
        (folder / f"items_index_{split}_big.tsv").write_text(ids)
        rows = rng.standard_normal((count, WIDTH)).astype(np.float32)
        np.save(folder / "train_data" / f"X_{split}_wide_big.npy", rows)
        plays = random_array((count, USERS), density=PLAYS / USERS, rng=rng, format="csr")
        save_npz(folder / f"matrix_{split}_big.npz", csr_array(plays))


def recordings(root: Path) -> None:
    """Write recordings of several lengths, and the list of them."""
    rng = np.random.default_rng(0)
    folder, index = root / "audio" / "noise", root / "data" / "index"
    folder.mkdir(parents=True, exist_ok=True)
    index.mkdir(parents=True, exist_ok=True)
    ids = [f"noise-{number}" for number in range(RECORDINGS)]
    for number, name in enumerate(ids):
        samples = 0.1 * rng.standard_normal(RATE * (20 + 2 * (number % 30)))
        soundfile.write(folder / f"{name}.flac", samples, RATE)
    lines = "".join(f"{name}\tnoise/{name}.flac\n" for name in ids)
    (index / "index_audio_noise.tsv").write_text(lines)
    parts = {"train": ids[:40], "val": ids[40:50], "test": ids[50:]}
    for split, names in parts.items():
        text = "".join(f"{name}\n" for name in names)
        (root / "data" / "datasets" / f"items_index_{split}_noise.tsv").write_text(text)


def compare(root: Path, words: Sequence[str]) -> float:
    """Forecast a command, give it, and print both; return the ratio."""
    forecast = json.loads(_tartarus(root, *words, "--dry-run", "--json")[0])
    low, high = forecast["total"]["seconds"]
    start = time.perf_counter()
    _, start_up = _tartarus(root, *words)
    seconds = time.perf_counter() - start - start_up
    ratio = low / seconds if seconds < low else high / seconds if seconds > high else 1.0
    title = " ".join(word for word in words if word not in ("--set", "--dataset"))
    spent = f"measured in {forecast['measured_s']:.0f} s"
    text = f"{title:70} {low:7.1f} to {high:7.1f} s  took {seconds:7.1f} s  ratio {ratio:5.2f}"
    print(f"{text}  {spent}", flush=True)
    return ratio


def _tartarus(root: Path, *words: str) -> tuple[str, float]:
    """Run a command; return what it printed, and how long a process takes that does nothing."""
    command = [sys.executable, "-m", "tartarus_cli"]
    done = subprocess.run(  # noqa: S603
        [*command, *words, "-w", str(root)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    start = time.perf_counter()
    subprocess.run([*command, "--version"], capture_output=True, check=True)  # noqa: S603
    return done.stdout, time.perf_counter() - start


def main() -> None:
    """Compare all commands, and print the worst ratio."""
    small = sys.argv[1:] == ["small"]
    with TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        tt.init(root, example=True)
        big_world(root)
        recordings(root)
        ratios = [compare(root, words) for words in SMALL]
        ratios.append(compare(root, ("evaluate", "model_1")))
        ratios.append(compare(root, ("patches", "noise", "--no-keep-spectrograms")))
        if not small:
            ratios += [compare(root, words) for words in LARGE]
    worst = max(ratios, key=lambda ratio: max(ratio, 1 / ratio))
    print(f"worst ratio: {worst:.2f}")


if __name__ == "__main__":
    main()
