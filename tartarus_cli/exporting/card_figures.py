"""The sections of a model card on figures: as the evaluation stored them, with intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.evaluation.comparison import LEVEL, Unit
from tartarus_cli.evaluation.differences import StoredValues
from tartarus_cli.evaluation.group_report import GroupEvaluation
from tartarus_cli.evaluation.headlines import HEADLINES
from tartarus_cli.evaluation.results import ResultsDocument, read_results
from tartarus_cli.exporting.markdown import code, facts, plain, table
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics.significance import affordable_resamples, bootstrap_interval
from tartarus_cli.models.store import Model

RESAMPLES = 10_000
"""Bootstrap resamples of an interval; fewer of many users."""


@dataclass(frozen=True)
class Figures:
    """The figures of a model and of what it is compared with."""

    results: ResultsDocument
    intervals: dict[str, dict[str, tuple[float, float]]]
    """System → metric → low and high end; those that have none are left out."""

    @property
    def metrics(self) -> list[str]:
        """The metrics that a table has: the important ones."""
        first = HEADLINES[self.results.task]
        shown = [metric for metric in first if metric in self.results.metrics]
        return shown or [*self.results.metrics]

    @property
    def systems(self) -> dict[str, Mapping[str, float | None]]:
        """System → metric → value, the model first."""
        own = self.results.model or self.results.experiment
        return {own: self.results.metrics, **self.results.rows}


def read_figures(model: Model) -> Figures | None:
    """Read the figures of a model, with intervals; None if it was not evaluated.

    Raises
    ------
    FileError
        If its results are damaged.
    """
    try:
        results = read_results(model.workspace, model.name)
    except RequestError:
        return None
    names = {model.name: model.name, **_names_of_rows(model, results)}
    shown = Figures(results, {})
    for system, name in names.items():
        found = intervals(model.workspace, name, shown.metrics)
        if found:
            shown.intervals[system] = found
    return shown


def _names_of_rows(model: Model, results: ResultsDocument) -> dict[str, str]:
    """Return the results that the rows of baselines are those of: row → name."""
    names = {}
    for baseline in model.store.finished():
        row = results.rows.get(baseline.manifest.experiment)
        if row is None or baseline.manifest.dataset != results.dataset:
            continue
        try:
            other = read_results(model.workspace, baseline.name)
        except (RequestError, DataError):
            continue
        if other.metrics == row:
            names[baseline.manifest.experiment] = baseline.name
    return names


def intervals(
    workspace: WorkspacePaths, name: str, metrics: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the 95% interval of each figure that has a value for each user or item.

    Bootstrap percentiles over users, or items, from the values that the evaluation stored; empty
    if there are none.
    """
    results = read_results(workspace, name)
    unit: Unit = "users" if results.task == "recommendation" else "items"
    stored = StoredValues(workspace, unit, {name: results})
    try:
        present = stored.metrics()
    except DataError:
        return {}
    found = {}
    for metric in (metric for metric in metrics if metric in present):
        try:
            values = stored.values(name, metric)
        except DataError:
            continue
        values = values[~np.isnan(values)]
        if len(values):
            rng = np.random.default_rng((0, crc32(metric.encode())))
            resamples = affordable_resamples(len(values), RESAMPLES)
            found[metric] = bootstrap_interval(values, rng, resamples=resamples, level=LEVEL)
    return found


def figures_section(figures: Figures) -> Iterator[str]:
    """Yield the table of the model and of what it is compared with."""
    yield "## Figures"
    metrics = figures.metrics
    rows = [
        [
            code(system),
            *(_cell(values.get(m), figures.intervals.get(system, {}).get(m)) for m in metrics),
        ]
        for system, values in figures.systems.items()
    ]
    yield table(["", *map(plain, metrics)], rows)
    unit = "users" if figures.results.task == "recommendation" else "test items"
    if figures.intervals:
        yield (
            f"In brackets: {LEVEL:.0%} intervals, bootstrap percentiles over {unit}; the noise of "
            "training, by which two seeds differ, is not in them."
        )
    if not {*figures.results.rows} - {"random", "oracle"}:
        yield "It was evaluated without baselines."
    chosen = figures.results.chosen
    if chosen:
        yield "What baselines chose by validation items:"
        yield facts((code(name), code(json.dumps(values))) for name, values in chosen.items())


def group_figures_section(result: GroupEvaluation) -> Iterator[str]:
    """Yield the table of a group, mean and standard deviation, and that of its members."""
    yield "## Figures"
    metrics = [m for m in HEADLINES[result.task] if m in result.metrics] or [*result.metrics]
    rows = [
        [code(system), *(str(values[m]) if m in values else "—" for m in metrics)]
        for system, values in result.systems()
    ]
    yield table(["", *map(plain, metrics)], rows)
    count = len(result.members) - len(result.failed)
    yield (
        f"Mean ± standard deviation (n - 1) of {count} {result.kind}; what draws nothing has one "
        "value."
    )
    members = [
        [
            plain(each.member.label),
            code(each.member.model or "—"),
            *(_cell(each.metrics.get(m)) for m in metrics),
        ]
        for each in result.members
    ]
    yield table(["member", "model", *map(plain, metrics)], members)


def _cell(value: float | None, interval: tuple[float, float] | None = None) -> str:
    if value is None or math.isnan(value):
        return "—"
    ends = "" if interval is None else f" [{interval[0]:.4f}, {interval[1]:.4f}]"
    return f"{value:.4f}{ends}"


def protocol_facts(results: ResultsDocument) -> Iterator[tuple[str, object]]:
    """Yield what was done in the evaluation, as its protocol says it."""
    for name, value in results.protocol.items():
        if isinstance(value, str):
            yield plain(name), plain(value)
    yield "scoring", results.scoring
    if results.users_without_relevant:
        yield "users without relevant test items", f"{results.users_without_relevant:,}"


def hub_metrics(
    results: Mapping[str, float | None], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Return figures as model hubs read them."""
    return [
        {"type": metric, "name": metric, "value": round(value, 6)}
        for metric in metrics
        if (value := results.get(metric)) is not None and math.isfinite(value)
    ]
