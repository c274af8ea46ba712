"""Networks of several settings on a generated world, by how well validation items rank.

Usage: python -m tests.benchmarks.fusion [--seeds 3] [--workspace FOLDER] [--only WORD]

A line for each network and its settings: MAP of the validation items, as a mean over seeds, and the
same where all of these items lack a setting, with the networks that were trained on all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

import tartarus_cli as tt
from tartarus_cli.models.user_vectors import OWN_VECTORS
from tests.benchmarks.fusion_world import FIRST, NOISE, PLAYS, SECOND, write_world

BOTH, NOISY, ALL = (FIRST, SECOND), (FIRST, NOISE), (FIRST, SECOND, NOISE)
GATES: dict[str, dict[str, Any]] = {
    f"gate {gate}, dropped {rate:g}": {"network.gate": gate, "network.modality_dropout": rate}
    for gate in ("none", "scalar", "item")
    for rate in (0.0, 0.1, 0.3)[: 2 + (gate == "item")]
}
BRANCHES: dict[str, dict[str, Any]] = {
    f"dropped {rate:g}, contrast {weight:g}": {
        "network.modality_dropout": rate,
        "network.contrast": weight,
    }
    for rate, weight in ((0.0, 0.0), (0.3, 0.0), (0.3, 0.1))
}


@dataclass(frozen=True)
class Case:
    """A network, and the settings that it reads."""

    title: str
    experiment: str
    settings: tuple[str, ...]
    overrides: Mapping[str, Any]


CASES = [
    *[Case("alone", "two_tower_deep", (setting,), {}) for setting in (FIRST, SECOND)],
    *[
        Case(title, experiment, settings, overrides)
        for settings in (BOTH, NOISY)
        for experiment, kinds in (
            ("two_tower_deep", GATES),
            ("two_tower_single_branch", BRANCHES),
        )
        for title, overrides in kinds.items()
    ],
    *[Case("as preset", "two_tower_fusion", settings, {}) for settings in (BOTH, NOISY, ALL)],
]


def measure(workspace: tt.Workspace, case: Case, seed: int) -> list[float]:
    """Train a network, and rank the validation items: as they are, and without each setting."""
    model = tt.train(
        case.experiment,
        *case.settings,
        dataset=PLAYS,
        overrides=dict(case.overrides),
        seed=seed,
        workspace=workspace,
        progress=False,
    )
    from tartarus_cli.models.networks import load_network

    network, users = load_network(model), np.load(model.folder / OWN_VECTORS)
    dataset = workspace.dataset(PLAYS)
    inputs = [dataset.features(setting, "val").rows(slice(None)) for setting in case.settings]
    plays = csr_array(read_val_plays(workspace))
    figures = []
    for absent in (None, *range(len(inputs))) if len(inputs) > 1 else (None,):
        present = [x * (n != absent) for n, x in enumerate(inputs)]
        rows = network.predict_on_batch(present if len(present) > 1 else present[0])
        figures.append(mean_average_precision(users @ rows[:, :-1].T + rows[:, -1], plays))
    return figures


def read_val_plays(workspace: tt.Workspace) -> csr_array:
    """Return who plays the validation items, ``(items, users)``."""
    from tartarus_cli.data.plays import read_plays

    return read_plays(workspace.dataset(PLAYS), "val").matrix


def mean_average_precision(scores: NDArray[np.floating[Any]], plays: csr_array) -> float:
    """MAP over all items, of ``(users, items)``; users of no item are left out."""
    played = plays.toarray().T[np.arange(len(scores))[:, None], np.argsort(-scores, axis=1)] > 0
    precisions = np.cumsum(played, axis=1) / np.arange(1, played.shape[1] + 1)
    some = played.any(axis=1)
    return float(((precisions * played).sum(axis=1)[some] / played.sum(axis=1)[some]).mean())


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workspace", type=Path, help="of a world that was written before")
    parser.add_argument("--only", default="", help="measure cases whose line has this word")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = asked.workspace or Path(folder) / "world"
        workspace = tt.open_workspace(root) if root.exists() else write_world(root)
        for case in CASES:
            title = f"{case.experiment:24}{case.title:44}{' + '.join(case.settings):24}"
            if asked.only not in title:
                continue
            start = time.perf_counter()
            figures = np.array([measure(workspace, case, seed) for seed in range(asked.seeds)])
            seconds = (time.perf_counter() - start) / asked.seeds
            means = "  ".join(f"{figure:.4f}" for figure in figures.mean(axis=0))
            spread = figures[:, 0].max() - figures[:, 0].min()
            print(f"{title}{means}  (seeds differ by {spread:.4f}; {seconds:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
