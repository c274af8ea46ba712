"""What ``tartarus text vsm`` costs beside a script with scikit-learn's TfidfVectorizer.

Both are processes that read the same files and write sparse matrices of train, validation and
test documents. Seconds of the processor are compared too, which say more on a busy machine.

Usage: python -m tests.benchmarks.text [--documents 50000] [--words 300] [--rounds 5]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from tests.worlds import World

SCRIPT = """
import sys
from pathlib import Path
from scipy.sparse import save_npz
from sklearn.feature_extraction.text import TfidfVectorizer

folder, to = Path(sys.argv[1]), Path(sys.argv[2])
vectorizer = TfidfVectorizer(input="filename", sublinear_tf=True, max_df=0.5, max_features=10_000)
for split in ("train", "val", "test"):
    ids = (folder.parent / f"data/datasets/items_index_{split}_songs.tsv").read_text().split()
    paths = [folder / f"{item}.txt" for item in ids]
    rows = vectorizer.fit_transform(paths) if split == "train" else vectorizer.transform(paths)
    save_npz(to / f"{split}.npz", rows.astype("float32"))
"""


def write_world(root: Path, documents: int, words: int) -> World:
    """Write documents whose words are as unlike in frequency as those of a language."""
    world, rng = World(root), np.random.default_rng(0)
    letters = np.array([*"abcdefghijklmnoprstuvy"])
    spelt = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(60_000)]
    share = 1 / np.arange(10, len(spelt) + 10)
    vocabulary, share = np.array(spelt), share / share.sum()
    splits = {"train": documents * 8 // 10, "val": documents // 10, "test": documents // 10}
    world.ids("songs", splits)
    folder = root / "lyrics"
    folder.mkdir()
    for split, count in splits.items():
        for number in range(count):
            drawn = rng.choice(vocabulary, rng.integers(words // 4, words), p=share)
            lines = (" ".join(drawn[n : n + 7]).capitalize() for n in range(0, len(drawn), 7))
            (folder / f"{split}-{number}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return world


def cost(*command: object) -> tuple[float, float]:
    """Run a command to its end; return seconds of the clock and of the processor."""
    began, before = time.perf_counter(), os.times()
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    after = os.times()
    used = after.children_user + after.children_system
    return time.perf_counter() - began, used - before.children_user - before.children_system


def main() -> None:
    """Run both in turn, and print medians and the ratios of pairs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        world = write_world(root / "workspace", options.documents, options.words)
        folder = world.root / "lyrics"
        script = [sys.executable, "-c", SCRIPT, folder, root]
        ours = [sys.executable, "-m", "tartarus_cli", "text", "songs", "vsm", "-w", world.root]
        cost(*ours, "--text", folder)  # makes the list
        pairs = [(cost(*ours), cost(*script)) for _ in range(options.rounds)]
    for number, unit in enumerate(("clock", "processor")):
        one, other = ([each[side][number] for each in pairs] for side in (0, 1))
        ratio = median(a / b for a, b in zip(one, other, strict=True))
        print(
            f"seconds of the {unit}: text vsm {median(one):.2f}, "
            f"TfidfVectorizer {median(other):.2f}, ratio {ratio:.2f} (median of {len(pairs)} pairs)"
        )


if __name__ == "__main__":
    main()
