"""The values of each user or item that evaluations stored, and tests of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, FileError, RequestError, call, display_path
from tartarus_cli.evaluation.comparison import ALPHA, LEVEL, Difference, Unit
from tartarus_cli.evaluation.results import (
    ResultsDocument,
    read_unit_values,
    unit_metric_names,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.significance import (
    affordable_resamples,
    bootstrap_interval,
    holm,
    randomization_test,
)
from tartarus_cli.progress import Progress, ProgressTask

Values = NDArray[np.float64]
"""``(users,)`` or ``(items,)``; NaN where a metric says nothing."""

TOLERANCE = 1e-5
"""Between a mean and the values it was computed from, relative to means over 1."""


@dataclass(frozen=True)
class StoredValues:
    """The values of each user or item that the evaluations of several models stored."""

    workspace: WorkspacePaths
    unit: Unit
    results: Mapping[str, ResultsDocument]
    """Name of the results → the results."""

    def path(self, name: str) -> Path:
        """Return the file of the values of one model.

        Raises
        ------
        DataError
            If it is missing.
        """
        path = self.workspace.unit_values(name, self.unit)
        if not path.is_file():
            msg = f"{display_path(path)} is missing: what {name} scores for each of the {self.unit}"
            raise DataError(msg, hint=evaluate_again(name))
        return path

    def metrics(self) -> list[str]:
        """Return the names of the metrics of which every model has values."""
        first, *others = (set(unit_metric_names(self.path(name))) for name in self.results)
        common = first.intersection(*others)
        results = next(iter(self.results.values()))
        return [metric for metric in results.metrics if metric in common]

    def values(self, name: str, metric: str) -> Values:
        """Read the values of one metric.

        Raises
        ------
        FileError
            If their mean is not the figure of the results.
        """
        path = self.path(name)
        values = read_unit_values(path, [metric])[metric].astype(np.float64, copy=False)
        figure = self.results[name].metrics.get(metric)
        fits = values.ndim == 1 and not np.isinf(values).any()
        mean = _mean(values) if fits else None
        if not fits or not _agree(mean, figure):
            raise FileError(
                path,
                found=f"{metric}: {values.shape} values of mean {mean}",
                expected=f"one for each of the {self.unit}, of mean {figure} as in {name}.json",
                hint=evaluate_again(name),
            )
        return values


def evaluate_again(name: str) -> str:
    """Write the remedy for results that are damaged or too old."""
    return f"Evaluate it again: {call('evaluate', name)}"


def _mean(values: Values) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None


def _agree(mean: float | None, figure: float | None) -> bool:
    if mean is None or figure is None:
        return mean is figure
    return abs(mean - figure) <= TOLERANCE * max(1, abs(figure))


def compute_differences(
    stored: StoredValues, metrics: Sequence[str], *, resamples: int, seed: int, progress: Progress
) -> tuple[list[Difference], int]:
    """Test each further model against the first, and correct for the number of tests.

    Parameters
    ----------
    stored
        The values of the models, the reference first.
    metrics
        What to test.
    resamples
        Bootstrap resamples and random sign flips of each test; fewer if there are many users.
    seed
        Of the resamples; each metric has draws of its own.
    progress
        Reports the resamples, and if there are fewer than asked for.

    Returns
    -------
    The differences, and the number of resamples.
    """
    reference, *others = stored.results
    count = len(stored.values(reference, metrics[0]))
    used = affordable_resamples(count, resamples)
    if used < resamples:
        progress.say(f"{count:,} {stored.unit}: each test is limited to {used:,} resamples")
    pairs = [(model, metric) for model in others for metric in metrics]
    differences = []
    with progress.task("comparing", 2 * count * used * len(pairs)) as task:
        for model, metric in pairs:
            task.describe(f"{model}: {metric}")
            values = _paired(stored, reference, model, metric)
            task.advance(2 * (count - len(values)) * used)
            differences.append(_test(values, model, metric, used, seed, task))
    corrected = holm([difference.p for difference in differences])
    return [
        replace(difference, p_holm=p, significant=p < ALPHA)
        for difference, p in zip(differences, corrected, strict=True)
    ], used


def _paired(stored: StoredValues, reference: str, model: str, metric: str) -> Values:
    """Return the differences of the users, or items, that have a value for both models."""
    values, expected = stored.values(model, metric), stored.values(reference, metric)
    if values.shape != expected.shape:
        raise FileError(
            stored.path(model),
            found=f"{len(values):,} {stored.unit}",
            expected=f"{len(expected):,}, as for {reference}",
            hint=evaluate_again(model),
        )
    differences = values - expected
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        msg = f"{metric} cannot be tested: none of the {stored.unit} has a value"
        raise RequestError(msg, hint="Leave it out.")
    return differences


def _test(
    differences: Values, model: str, metric: str, resamples: int, seed: int, task: ProgressTask
) -> Difference:
    def generator() -> np.random.Generator:
        return np.random.default_rng((seed, crc32(metric.encode())))

    low, high = bootstrap_interval(
        differences, generator(), resamples=resamples, level=LEVEL, advance=task.advance
    )
    p = randomization_test(differences, generator(), resamples=resamples, advance=task.advance)
    mean = float(differences.mean())
    return Difference(model, metric, len(differences), mean, low, high, p, p, p < ALPHA)
