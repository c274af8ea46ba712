"""What a second worker of a cluster on this machine brings to ``patches``, each with one core.

Usage: python -m tests.benchmarks.cluster_patches [--files 300] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from tartarus_cli.extraction.patches import extract_patches
from tartarus_cli.extraction.request import PatchesRequest
from tartarus_cli.workspace import open_workspace
from tests.benchmarks.patches import make_recordings
from tests.distribution.clusters import running_cluster


def make_workspace(root: Path, files: int) -> None:
    """Write a dataset of so many items, whose recordings are 30 s each."""
    audio, data = root / "audio", root / "data"
    for folder in (audio, data / "datasets", data / "index"):
        folder.mkdir(parents=True)
    made = make_recordings(audio, 20)
    ids = [f"item-{number}" for number in range(files)]
    for split, items in (("train", ids[2:]), ("val", ids[:1]), ("test", ids[1:2])):
        path = data / "datasets" / f"items_index_{split}_songs.tsv"
        path.write_text("".join(f"{item}\n" for item in items))
    lines = (f"{item}\t{made[n % len(made)].path.name}\n" for n, item in enumerate(ids))
    (data / "index" / "index_audio_songs.tsv").write_text("".join(lines))


def seconds(root: Path, cluster: str, seed: int) -> float:
    """Return how long the whole command takes."""
    began = time.perf_counter()
    request = PatchesRequest(
        "songs", keep_spectrograms=False, cluster=cluster, seed=seed, force=True
    )
    extract_patches(open_workspace(root), request)
    return time.perf_counter() - began


def main() -> None:
    """Measure one worker, then two."""
    from distributed import Client

    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_workspace(root / "few", 16)
        make_workspace(root / "many", asked.files)
        took = []
        for workers in (1, 2):
            folder = root / f"cluster{workers}"
            folder.mkdir()
            with running_cluster(folder) as cluster:
                for number in range(workers):
                    cluster.add_worker(str(number))
                with Client(cluster.address) as client:
                    client.wait_for_workers(workers)
                seconds(root / "few", cluster.address, 0)  # workers import what they need
                rounds = [
                    seconds(root / "many", cluster.address, seed) for seed in range(asked.rounds)
                ]
            took.append(median(rounds))
            print(f"  {workers} of one core: {asked.files / took[-1]:.1f} recordings a second")
        print(f"two workers beside one: {took[0] / took[1]:.2f} times")


if __name__ == "__main__":
    main()
