"""What a search of 20 trials gains on the example world: ``python -m tests.benchmarks.tuning``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tartarus_cli as tt
from tartarus_cli.tuning.study import TrialRecord

SETTINGS = ("a-sem-emb", "audio-emb")


def main(trials: int = 20) -> None:
    """Tune ``rec_multi``, and print validation and test figures before and after."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        tt.init(root, example=True)
        start = time.monotonic()
        study: Any = tt.tune("rec_multi", *SETTINGS, trials=trials, workspace=root, progress=False)
        seconds = time.monotonic() - start
        print(f"{trials} trials in {seconds:.0f} s: {study.counts}")
        figures = {"as it is": study.default, "best": study.best}
        for name, trial in figures.items():
            print(f"{name}: validation {study.objective.name} {_figure(trial):.4f}")
        names = {"rec_multi": "as it is", study.experiment: "best"}
        for experiment in filter(None, names):
            result: Any = tt.run(experiment, *SETTINGS, workspace=root, progress=False)
            print(f"{names[experiment]}: test MAP@500 {result.metrics['MAP@500']:.4f}")


def _figure(trial: TrialRecord | None) -> float:
    return float("nan") if trial is None or trial.figure is None else trial.figure


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
