"""A study as a value: all its trials with their figures, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tartarus_cli.experiments.ranges import Choices, parse_range
from tartarus_cli.html_table import Cell, html_table
from tartarus_cli.tuning.claims import DEFAULT, LOST, REASON, RETRY_OF, WORKER
from tartarus_cli.tuning.objective import Objective
from tartarus_cli.tuning.storage import StudyRequest

if TYPE_CHECKING:
    import polars as pl
    from optuna.trial import FrozenTrial

TrialState = Literal["complete", "pruned", "failed", "lost", "running", "waiting"]
"""How a trial ended: with a figure, stopped as it fell behind, with a reason, with its process; or
it has not ended."""

_STATES: dict[str, TrialState] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}
SHOWN = 10
"""Trials that a table shows."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial of a study."""

    number: int
    state: TrialState
    default: bool
    """Whether it is the experiment as it is."""
    parameters: dict[str, float | int | str]
    """Parameter → its value; a choice as TOML writes it."""
    figure: float | None
    """The figure of the validation items; None unless it is complete."""
    epochs: dict[int, float]
    """Epoch → the figure that it was compared with others by."""
    epoch_count: int
    """Epochs that it was trained."""
    seconds: float | None
    worker: str
    """The machine and the process."""
    reason: str
    """Why it failed, or was lost."""
    retry_of: int | None
    """The lost trial that it tries again."""

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "number": self.number,
            "state": self.state,
            "default": self.default,
            "parameters": self.parameters,
            "figure": self.figure,
            "epochs": self.epoch_count,
            "figures": {str(epoch): value for epoch, value in self.epochs.items()},
            "seconds": self.seconds,
            "worker": self.worker,
            "reason": self.reason or None,
            "retry_of": self.retry_of,
        }


@dataclass(frozen=True)
class Study:
    """A search for good parameters of an experiment, and what it has come to."""

    name: str
    folder: Path
    """Holds the journal of all trials, and the pictures."""
    request: StudyRequest
    """What is searched."""
    trials: tuple[TrialRecord, ...]
    """All trials, in the order in which they began."""
    importance: dict[str, float]
    """Parameter → its share of the variance of the figures (fANOVA); empty where few trials are
    complete."""
    pictures: tuple[Path, ...] = ()
    experiment: str = ""
    """The experiment of the best values, which the workspace has now; empty if there is none."""
    path: Path | None = None
    """Its file."""

    @property
    def objective(self) -> Objective:
        """What is to be as good as it can be."""
        return Objective(self.request.objective)

    @property
    def complete(self) -> list[TrialRecord]:
        """The trials that have a figure, the best first; of equal ones, the earlier."""
        sign = -1 if self.objective.maximize else 1
        done = [trial for trial in self.trials if trial.figure is not None]
        return sorted(done, key=lambda trial: (sign * (trial.figure or 0), trial.number))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial; None if none is complete."""
        return next(iter(self.complete), None)

    @property
    def default(self) -> TrialRecord | None:
        """The trial of the experiment as it is; None if it is not complete."""
        return next((trial for trial in self.complete if trial.default), None)

    @cached_property
    def counts(self) -> dict[TrialState, int]:
        """How many trials there are, by state."""
        counts: dict[TrialState, int] = {}
        for trial in self.trials:
            counts[trial.state] = counts.get(trial.state, 0) + 1
        return counts

    @property
    def begun(self) -> int:
        """Number of trials that count: those that were lost are tried again."""
        return sum(trial.state not in ("lost", "waiting") for trial in self.trials)

    @property
    def exhausted(self) -> bool:
        """Whether all combinations have had a trial, where all parameters are choices."""
        ranges = [parse_range(text) for text in self.request.ranges.values()]
        counts = [len(each.values) for each in ranges if isinstance(each, Choices)]
        keys = self.request.ranges.keys()
        tried = {
            tuple(sorted(trial.parameters.items()))
            for trial in self.trials
            if trial.state != "lost" and trial.parameters.keys() == keys
        }
        return len(counts) == len(ranges) and len(tried) >= math.prod(counts)

    def to_frame(self) -> pl.DataFrame:
        """Return all trials, one in a row: number, state, figure, a column for each parameter."""
        import polars as pl

        columns: dict[str, Any] = {
            "number": [trial.number for trial in self.trials],
            "state": [trial.state for trial in self.trials],
            self.objective.name: [trial.figure for trial in self.trials],
        }
        for key in self.request.ranges:
            columns[key] = [trial.parameters.get(key) for trial in self.trials]
        columns |= {
            "epochs": [trial.epoch_count for trial in self.trials],
            "seconds": [trial.seconds for trial in self.trials],
            "worker": [trial.worker for trial in self.trials],
            "reason": [trial.reason for trial in self.trials],
        }
        return pl.DataFrame(columns, strict=False)

    def document(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "study": self.name,
            "experiment": self.request.experiment,
            "settings": [*self.request.settings],
            "dataset": self.request.dataset,
            "overrides": [*self.request.overrides],
            "ranges": self.request.ranges,
            "objective": self.objective.name,
            "maximize": self.objective.maximize,
            "pruner": self.request.pruner,
            "seed": self.request.seed,
            "best": None if self.best is None else self.best.document(),
            "default": None if self.default is None else self.default.document(),
            "importance": self.importance,
            "trials": [trial.document() for trial in self.trials],
            "pictures": [str(path) for path in self.pictures],
            "tuned": self.experiment or None,
            "file": None if self.path is None else str(self.path),
        }

    def rows(self) -> list[TrialRecord]:
        """Return what a table shows: the experiment as it is first, then the best trials."""
        others = [trial for trial in self.complete if not trial.default]
        return [*([self.default] if self.default else []), *others[:SHOWN]]

    def _repr_html_(self) -> str:
        request = self.request
        caption = f"{self.name}: {request.experiment} {' '.join(request.settings)}".rstrip()
        keys = list(request.ranges)
        headings = ("trial", self.objective.name, *keys, "epochs", "seconds")
        rows: list[list[Cell]] = [
            [
                f"{trial.number}{' (as it is)' if trial.default else ''}",
                trial.figure,
                *(trial.parameters.get(key) for key in keys),
                trial.epoch_count,
                trial.seconds,
            ]
            for trial in self.rows()
        ]
        return html_table(caption, headings, rows)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return a trial of Optuna as a value."""
    attributes: Mapping[str, Any] = trial.user_attrs
    lost = LOST in attributes
    complete = trial.state.name == "COMPLETE"
    return TrialRecord(
        number=trial.number,
        state="lost" if lost else _STATES[trial.state.name],
        default=DEFAULT in attributes,
        parameters=dict(trial.params),
        figure=float(trial.value) if complete and trial.value is not None else None,
        epochs={int(epoch): float(value) for epoch, value in trial.intermediate_values.items()},
        epoch_count=int(attributes.get("epochs", 0)),
        seconds=attributes.get("seconds"),
        worker=str(attributes.get(WORKER, "")),
        reason=str(attributes.get(REASON, "")),
        retry_of=attributes.get(RETRY_OF),
    )


def parameter_importance(study: Any, keys: Sequence[str], seed: int) -> dict[str, float]:
    """Return how much each parameter matters, by a functional analysis of variance (fANOVA).

    Hutter, Hoos and Leyton-Brown (ICML 2014): a forest of regression trees is fitted to the figures
    of all complete trials. Empty where there are too few of them, or all are as good.

    Parameters
    ----------
    study
        That of Optuna.
    keys
        The parameters that are varied.
    seed
        Of the forest.
    """
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    whole = [trial for trial in trials if {*keys} <= trial.params.keys()]
    if len(whole) < FEWEST or len({trial.value for trial in whole}) < 2:
        return {}
    if len(keys) == 1:
        return {keys[0]: 1.0}
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    evaluator = FanovaImportanceEvaluator(seed=seed)
    shares = get_param_importances(study, evaluator=evaluator, params=[*keys])
    return {key: float(share) for key, share in shares.items()}


FEWEST = 4
"""Complete trials without which nothing is said of the parameters."""
