"""The figures of a group of models: their mean, and by how much they differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from tartarus_cli.baselines import BASELINES
from tartarus_cli.data.tasks import Scoring, Task
from tartarus_cli.errors import DataError, TartarusError, call
from tartarus_cli.evaluation.advice import NO_BASELINES, advise
from tartarus_cli.evaluation.headlines import HEADLINES, headline
from tartarus_cli.evaluation.results import ResultsDocument, read_results
from tartarus_cli.html_table import html_table
from tartarus_cli.models.groups import Group, GroupKind, Member
from tartarus_cli.models.store import Store

if TYPE_CHECKING:
    import polars as pl

    from tartarus_cli.evaluation.classification import PooledClasses


@dataclass(frozen=True)
class Spread:
    """A figure of several models."""

    mean: float
    """Mean over those that have a value; NaN if none has."""
    sd: float | None
    """Their sample standard deviation, with n - 1; NaN of a single one, and None of what draws
    nothing, and so has one value for all seeds."""
    n: int
    """Number of values."""

    def __str__(self) -> str:
        """Write the mean and, where something is drawn, the standard deviation.

        >>> print(Spread(0.25, 0.125, 3), Spread(0.25, None, 1), Spread(math.nan, None, 0))
        0.2500 ± 0.1250 0.2500 —
        """
        mean = _figure(self.mean)
        return mean if self.sd is None or not self.n else f"{mean} ± {_figure(self.sd)}"

    def document(self) -> dict[str, float | int | None]:
        """Return it as plain values for JSON; what has no value is None."""
        return {"mean": _json(self.mean), "sd": _json(self.sd), "n": self.n}


def spread_of(values: Iterable[float | None]) -> Spread:
    """Return the mean and the sample standard deviation of the figures that have a value.

    >>> spread_of([1.0, 2.0, 3.0, None])
    Spread(mean=2.0, sd=1.0, n=3)
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if len(known) < 2:
        return Spread(known[0] if known else math.nan, math.nan, len(known))
    return Spread(fmean(known), stdev(known), len(known))


Spreads = Mapping[str, Spread]
"""Metric → its figure."""


@dataclass(frozen=True)
class EvaluatedMember:
    """A member of a group, with its figures."""

    member: Member
    results: ResultsDocument | None
    """None where it failed, or has no results any more."""

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metric → value; empty where it failed."""
        return dict(self.results.metrics) if self.results else {}


@dataclass(frozen=True)
class GroupEvaluation:
    """The figures of a group of models, and of what they have to beat."""

    group: Group
    members: tuple[EvaluatedMember, ...]
    metrics: dict[str, Spread]
    """Metric → its figure over the members."""
    rows: dict[str, dict[str, Spread]]
    """System → metric → figure, for random, the baselines and the oracle."""
    gap_closed: dict[str, dict[str, Spread]]
    """System → metric → share of the way from random to the best possible; the group itself is
    called ``model`` here."""
    advice: str
    """Whether the group beats its baselines, and what to try if not; empty without baselines."""

    @property
    def name(self) -> str:
        """What the group is called, such as ``group_1``."""
        return self.group.name

    @property
    def kind(self) -> GroupKind:
        """What its members differ in."""
        return self.group.manifest.kind

    @property
    def task(self) -> Task:
        """The task of its dataset."""
        return self.group.manifest.task

    @property
    def headline(self) -> str:
        """The most important metric of the task."""
        return headline(self.task)

    @property
    def failed(self) -> tuple[EvaluatedMember, ...]:
        """The members that have no figures."""
        return tuple(each for each in self.members if each.results is None)

    @cached_property
    def first(self) -> ResultsDocument:
        """The results of the first member that has figures."""
        return next(each.results for each in self.members if each.results is not None)

    @cached_property
    def pooled(self) -> dict[str, PooledClasses]:
        """System → figures over the items of all folds, every item once; the group is first.

        Empty where lists of items are ranked, and for a group of seeds.
        """
        from tartarus_cli.evaluation.pooled_folds import pool_folds

        return pool_folds(self.group, [*self.rows])

    def pooled_rows(self) -> dict[str, dict[str, float]]:
        """Return system → metric → value over all items, random included."""
        rows = {system: figures.metrics for system, figures in self.pooled.items()}
        own = self.pooled.get(self.name)
        if own is None:
            return {}
        return {self.name: rows.pop(self.name), "random": own.random, **rows}

    @property
    def scoring(self) -> Scoring | None:
        """How predicted factors rank; None where none do, or where the members differ in it."""
        scorings = {each.results.scoring for each in self.members if each.results is not None}
        return scorings.pop() if len(scorings) == 1 else None

    @property
    def same_model(self) -> bool:
        """Whether all members are one model, since nothing is drawn."""
        return _is_one_model(self.group)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; a figure without a value is None."""
        manifest = self.group.manifest
        about = manifest.model_dump(mode="json", exclude={"members", "code"})
        chosen = dict(self.first.chosen)
        return {
            "group": self.name,
            **about,
            "members": [
                {
                    **each.member.model_dump(mode="json"),
                    "label": each.member.label,
                    "metrics": each.metrics,
                }
                for each in self.members
            ],
            "n": len(self.members) - len(self.failed),
            "mean": {name: _json(figure.mean) for name, figure in self.metrics.items()},
            "sd": {name: _json(figure.sd) for name, figure in self.metrics.items()},
            "rows": _documents(self.rows),
            "gap_closed": _documents(self.gap_closed),
            "chosen": chosen,
            "advice": self.advice,
            "basis": self.first.basis,
            **self._pooled_document(),
        }

    def _pooled_document(self) -> dict[str, Any]:
        """Return the figures over all items as plain values; nothing where there are none."""
        own = self.pooled.get(self.name)
        if own is None:
            return {}
        rows = {
            system: {metric: _json(value) for metric, value in row.items()}
            for system, row in self.pooled_rows().items()
        }
        pooled = {"items": own.items, "metrics": rows.pop(self.name), "rows": rows}
        classes = [asdict(report) for report in own.classes]
        return {"pooled": pooled | {"classes": classes, "confusion": own.confusion}}

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each system and metric, the group first, then each of its members.

        Returns
        -------
        The columns ``system``, ``metric``, ``mean``, ``sd`` (null where nothing is drawn, and of a
        single member) and ``n``.
        """
        import polars as pl

        cells = [
            (system, metric, figure.mean, figure.sd, figure.n)
            for system, figures in self.systems()
            for metric, figure in figures.items()
        ]
        cells += [
            (each.member.label, metric, math.nan if value is None else value, None, 1)
            for each in self.members
            for metric, value in each.metrics.items()
        ]
        types: dict[str, type[pl.DataType]] = {"system": pl.String, "metric": pl.String}
        types |= {"mean": pl.Float64, "sd": pl.Float64, "n": pl.Int64}
        frame = pl.DataFrame(cells, schema=types, orient="row")
        return frame.with_columns(pl.col("mean", "sd").fill_nan(None))

    def systems(self) -> Iterator[tuple[str, Spreads]]:
        """Yield name and figures of the group and of each row beneath it."""
        yield self.name, self.metrics
        yield from self.rows.items()

    def _repr_html_(self) -> str:
        first = [metric for metric in HEADLINES[self.task] if metric in self.metrics]
        metrics = list(dict.fromkeys([*first, *self.metrics]))
        manifest = self.group.manifest
        about = " ".join([manifest.experiment, *manifest.settings])
        count = f"{len(self.members) - len(self.failed)} {self.kind}"
        table = html_table(
            f"{self.name} · {about} · {manifest.dataset} · {self.task} · mean ± sd of {count}",
            ["", *metrics],
            (
                [system, *(str(figures[m]) if m in figures else None for m in metrics)]
                for system, figures in self.systems()
            ),
        )
        members = html_table(
            "Members",
            ["", "model", *metrics],
            (
                [each.member.label, each.member.model, *map(each.metrics.get, metrics)]
                for each in self.members
            ),
        )
        return table + members


def evaluate_group(group: Group) -> GroupEvaluation:
    """Put the figures of a group's members together, as their results have them.

    Raises
    ------
    DataError
        If no member has results.
    """
    members = tuple(EvaluatedMember(member, _results(group, member)) for member in group.members)
    by_model = {each.member.model: each.results for each in members}
    results = [result for result in by_model.values() if result is not None]
    if not results:
        msg = f"no member of {group.name} has results"
        raise DataError(msg, hint=f"See what there is: {call('list_models')}")
    same = _is_one_model(group)
    metrics = _spreads([result.metrics for result in results], once=same)
    systems = dict.fromkeys(system for result in results for system in result.rows)
    rows = {
        system: _spreads(
            [result.rows[system] for result in results if system in result.rows],
            once=same or _is_same_for_all(group.manifest.kind, system),
        )
        for system in systems
    }
    gaps = {
        system: _spreads(
            [result.gap_closed[system] for result in results if system in result.gap_closed],
            once=same or (system != "model" and _is_same_for_all(group.manifest.kind, system)),
        )
        for system in ("model", *systems)
        if any(system in result.gap_closed for result in results)
    }
    advice = _advice(group, [*_named(members)], metrics, rows)
    return GroupEvaluation(group, members, metrics, rows, gaps, advice)


def _results(group: Group, member: Member) -> ResultsDocument | None:
    if member.status != "evaluated":
        return None
    try:
        return read_results(group.workspace, member.model)
    except TartarusError:  # deleted, or damaged
        return None


def _is_one_model(group: Group) -> bool:
    """Whether several members are one model, since nothing is drawn."""
    return len(group.models) == 1 < sum(bool(member.model) for member in group.members)


def _is_same_for_all(kind: GroupKind, system: str) -> bool:
    """Whether a system has one figure for all seeds: the oracle, and what is not drawn."""
    drawn = system == "random" or (system in BASELINES.names() and BASELINES.get(system).draws)
    return kind == "seeds" and not drawn


def _spreads(figures: Sequence[Mapping[str, float | None]], *, once: bool) -> dict[str, Spread]:
    """Return the figure of each metric that one of several systems has.

    Parameters
    ----------
    figures
        Metric → value, of each member.
    once
        Whether they are of one system that draws nothing: the first is that of all.
    """
    metrics = dict.fromkeys(metric for values in figures for metric in values)
    if once:
        first = figures[0]
        return {metric: _once(first.get(metric)) for metric in metrics}
    return {metric: spread_of(values.get(metric) for values in figures) for metric in metrics}


def _once(value: float | None) -> Spread:
    known = value is not None and not math.isnan(value)
    return Spread(value if known and value is not None else math.nan, None, int(known))


def _named(members: Sequence[EvaluatedMember]) -> Iterator[tuple[str, ResultsDocument]]:
    return ((each.member.model, each.results) for each in members if each.results is not None)


def _advice(
    group: Group,
    members: Sequence[tuple[str, ResultsDocument]],
    metrics: Spreads,
    rows: Mapping[str, Spreads],
) -> str:
    """Say whether a group beats its baselines in the mean, and with how many of its members."""
    means = {name: {m: figure.mean for m, figure in row.items()} for name, row in rows.items()}
    own = {metric: figure.mean for metric, figure in metrics.items()}
    try:
        model = Store(group.workspace).get(members[0][0])
    except TartarusError:  # its folder was removed by hand
        return ""
    text = advise(model, own, means, name=group.name)
    if not text:
        return ""
    metric = headline(group.manifest.task)
    wins, count = sum(_beats_all(result, metric) for _, result in members), len(members)
    first, stop, rest = text.partition(". To try: ")
    share = f"{wins} of {count} {group.manifest.kind} {'is' if wins == 1 else 'are'}"
    return f"{first}; {share} ahead of every baseline{stop}{rest}"


def _beats_all(result: ResultsDocument, metric: str) -> bool:
    own = result.metrics.get(metric) or 0.0
    others = [row.get(metric) or 0.0 for s, row in result.rows.items() if s not in NO_BASELINES]
    return all(own > other for other in others)


def _documents(systems: Mapping[str, Spreads]) -> dict[str, Any]:
    return {
        system: {metric: figure.document() for metric, figure in figures.items()}
        for system, figures in systems.items()
    }


def _json(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _figure(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.4f}"
