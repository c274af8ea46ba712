"""The values of each user or item that evaluations stored, and tests of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.errors import DataError, FileError, RequestError, call, display_path
from tartarus_cli.evaluation.compared_systems import ComparedSystem
from tartarus_cli.evaluation.comparison import ALPHA, LEVEL, Difference, Unit
from tartarus_cli.evaluation.results import (
    ResultsDocument,
    read_unit_values,
    unit_metric_names,
)
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.hierarchical import hierarchical_test
from tartarus_cli.metrics.significance import (
    affordable_resamples,
    bootstrap_interval,
    holm,
    randomization_test,
)
from tartarus_cli.progress import Progress, ProgressTask

Values = NDArray[np.float64]
"""``(users,)`` or ``(items,)``; NaN where a metric says nothing."""

GROUP_WORK = 5
"""How many times as long a resample takes that draws seeds too."""

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
    stored: StoredValues,
    systems: Sequence[ComparedSystem],
    metrics: Sequence[str],
    *,
    resamples: int,
    seed: int,
    progress: Progress,
) -> tuple[list[Difference], int]:
    """Test each further system against the first, and correct for the number of tests.

    Two models are tested over users alone; where one of the two is a group, over users and seeds.

    Parameters
    ----------
    stored
        The values of all models.
    systems
        Models or groups, the reference first.
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
    reference, *others = systems
    count = len(stored.values(reference.results[0], metrics[0]))
    work = count * (GROUP_WORK if any(system.grouped for system in systems) else 1)
    used = affordable_resamples(work, resamples)
    if used < resamples:
        progress.say(f"{count:,} {stored.unit}: each test is limited to {used:,} resamples")
    pairs = [(system, metric) for system in others for metric in metrics]
    differences = []
    with progress.task("comparing", 2 * count * used * len(pairs)) as task:
        for system, metric in pairs:
            task.describe(f"{system.name}: {metric}")
            draws = _Draws(metric, used, seed, task)
            if system.grouped or reference.grouped:
                tables = _tables(stored, reference, system, metric)
                task.advance((2 * count - tables[0].shape[1]) * used)
                differences.append(_test_group(tables, system.name, draws))
                continue
            values = _paired(stored, reference.results[0], system.results[0], metric)
            task.advance(2 * (count - len(values)) * used)
            differences.append(_test(values, system.name, draws))
    corrected = holm([difference.p for difference in differences])
    return [
        replace(difference, p_holm=p, significant=p < ALPHA)
        for difference, p in zip(differences, corrected, strict=True)
    ], used


def _paired(stored: StoredValues, reference: str, model: str, metric: str) -> Values:
    """Return the differences of the users, or items, that have a value for both models."""
    differences = _differences(stored, reference, model, metric)
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        raise _no_values(metric, stored.unit)
    return differences


def _differences(stored: StoredValues, reference: str, model: str, metric: str) -> Values:
    """Return the differences of all users, or items; NaN where one of the two has no value."""
    values, expected = stored.values(model, metric), stored.values(reference, metric)
    if values.shape != expected.shape:
        raise FileError(
            stored.path(model),
            found=f"{len(values):,} {stored.unit}",
            expected=f"{len(expected):,}, as for {reference}",
            hint=evaluate_again(model),
        )
    return values - expected


def _no_values(metric: str, unit: Unit) -> RequestError:
    msg = f"{metric} cannot be tested: none of the {unit} has a value"
    return RequestError(msg, hint="Leave it out.")


@dataclass(frozen=True)
class _Draws:
    """What a test draws."""

    metric: str
    resamples: int
    seed: int
    task: ProgressTask

    def generator(self) -> np.random.Generator:
        """Return a new generator, whose numbers depend on the seed and the metric alone."""
        return np.random.default_rng((self.seed, crc32(self.metric.encode())))


def _test(differences: Values, model: str, draws: _Draws) -> Difference:
    count, advance = draws.resamples, draws.task.advance
    low, high = bootstrap_interval(
        differences, draws.generator(), resamples=count, level=LEVEL, advance=advance
    )
    p = randomization_test(differences, draws.generator(), resamples=count, advance=advance)
    mean = float(differences.mean())
    return Difference(model, draws.metric, len(differences), mean, low, high, p, p, p < ALPHA)


def _tables(
    stored: StoredValues, reference: ComparedSystem, system: ComparedSystem, metric: str
) -> list[Values]:
    """Return tables ``(seeds, users)``, the sum of whose means is the difference of two systems.

    Of the same seeds, there is one table, of the differences cell by cell. Users for whom a model
    has no value are left out.
    """
    first, second = reference, system
    if reference.is_paired_with(system):
        names = [*zip(first.rows_by_seed(), second.rows_by_seed(), strict=True)]
        tables = [np.stack([_differences(stored, *pair, metric) for pair in names])]
    else:
        zero = first.results[0]
        own = [_differences(stored, zero, name, metric) for name in second.results]
        # Both are compared with one model of the reference, which keeps the numbers small.
        others = [-_differences(stored, zero, name, metric) for name in first.results]
        tables = [np.stack(own), np.stack(others)]
    known = ~np.any([np.isnan(table).any(axis=0) for table in tables], axis=0)
    if not known.any():
        raise _no_values(metric, stored.unit)
    return [table[:, known] for table in tables]


def _test_group(tables: Sequence[Values], name: str, draws: _Draws) -> Difference:
    low, high, p = hierarchical_test(
        tables,
        draws.generator(),
        resamples=draws.resamples,
        level=LEVEL,
        advance=draws.task.advance,
    )
    mean, users = float(sum(table.mean() for table in tables)), tables[0].shape[1]
    return Difference(name, draws.metric, users, mean, low, high, p, p, p < ALPHA)
