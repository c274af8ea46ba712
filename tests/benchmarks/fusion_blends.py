"""Whether all settings together are at least the best of them alone, by blends of several models.

Usage: python -m tests.benchmarks.fusion_blends [--seeds 0 1 2] [--experiment cold_multi]
           [--plays FILE --tags FILE]

Without tables, in the generated world of ``fusion_world``, a world a seed: two views that are
partly redundant, the second of which is noise for half of the items, and a setting that is noise
for all. With tables, in a dataset that is split from them by each seed (5-core, a tenth validates,
a fifth tests): tags, and a setting of noise. A line a seed and choice of settings: MAP@500 of the
validation items, that of the test items, and how it compares with the best setting alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import tartarus_cli as tt
from tartarus_cli.evaluation.group_report import GroupEvaluation
from tartarus_cli.forecasting.forecast import Forecast
from tests.benchmarks.fusion_world import FIRST, NOISE, PLAYS, SECOND, write_world

TAGS, NOISE_WIDTH = "tags", 64


def write_tables(root: Path, plays: Path, tags: Path, seed: int) -> tt.Workspace:
    """Split a table of plays, import its tags, and put noise beside them."""
    workspace = tt.init(root)
    tt.split(
        PLAYS,
        plays=plays,
        core=5,
        val=0.1,
        test=0.2,
        seed=seed,
        workspace=workspace,
        progress=False,
    )
    tt.features(
        PLAYS, TAGS, source=tags, tags=True, missing="zero", workspace=workspace, progress=False
    )
    tt.factorize(PLAYS, "als", dim=100, workspace=workspace, progress=False)
    dataset, rng = tt.open_workspace(root).dataset(PLAYS), np.random.default_rng(100 + seed)
    for split in dataset.splits:
        rows = rng.standard_normal((len(dataset.ids(split)), NOISE_WIDTH), dtype=np.float32)
        folder = root / "data" / "datasets" / "train_data"
        np.save(folder / f"X_{split}_{NOISE}_{PLAYS}.npy", rows)
    return tt.open_workspace(root)


def measure(workspace: tt.Workspace, name: str, settings: Sequence[str], seed: int) -> float:
    """Run an experiment, print its line, and return its figure of the test items."""
    start = time.perf_counter()
    result = tt.run(name, *settings, dataset=PLAYS, seed=seed, workspace=workspace, progress=False)
    seconds = time.perf_counter() - start
    assert not isinstance(result, GroupEvaluation | Forecast)
    figure = result.metrics["MAP@500"]
    title = f"seed {seed}  {name} {' + '.join(settings)}"
    print(
        f"{title:48}val {result.validation_score:.4f}  test {figure:.4f}  {seconds:.0f} s",
        flush=True,
    )
    return figure


def main() -> None:
    """Print a line for each seed and choice of settings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--experiment", default="cold_multi")
    parser.add_argument("--plays", type=Path)
    parser.add_argument("--tags", type=Path)
    asked = parser.parse_args()
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "world"
            alone: list[tuple[str, ...]]
            together: list[tuple[str, ...]]
            if asked.plays:
                workspace = write_tables(root, asked.plays, asked.tags, seed)
                alone, together = [(TAGS,)], [(TAGS, NOISE)]
            else:
                workspace = write_world(root, seed=seed)
                alone = [(FIRST,), (SECOND,)]
                together = [(FIRST, SECOND), (FIRST, NOISE), (FIRST, SECOND, NOISE)]
            best = max(measure(workspace, asked.experiment, each, seed) for each in alone)
            for settings in together:
                figure = measure(workspace, asked.experiment, settings, seed)
                print(f"seed {seed}  {' + '.join(settings)}: {figure / best:.3f} of the best alone")


if __name__ == "__main__":
    main()
