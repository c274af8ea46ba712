"""The results of a comparison: the figures of several models, and how sure differences are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tartarus_cli.data.tasks import Scoring, Task
from tartarus_cli.evaluation.protocol import ComparisonBasis
from tartarus_cli.html_table import Cell, html_table
from tartarus_cli.metrics.classification import LOWER_IS_BETTER

if TYPE_CHECKING:
    import polars as pl

Unit = Literal["users", "items"]
"""What has a value of each metric: users of a recommendation, items of a classification."""

LOWEST_IS_BEST = (*LOWER_IS_BETTER, "Gini")
"""Families of metrics of which the lowest figure is the best."""

DIGITS = 4
"""Figures that are the same in so many decimals are equally good."""

LEVEL = 0.95
"""Of the confidence intervals."""

GROUP_CAVEAT = (
    "those of a group are over its seeds too, by the hierarchical bootstrap (seeds are drawn, then "
    "users or items; p is twice the share of draws beyond zero); the noise of a single training is "
    "not known"
)
"""What the intervals and tests of groups say."""

CAVEAT = "the noise of training, by which two seeds of one experiment differ, is not in them"
"""What the intervals and tests do not say."""

ALPHA = 0.05
"""A difference is significant if its corrected p is below."""


@dataclass(frozen=True)
class ComparedModel:
    """The figures of one model."""

    name: str
    experiment: str
    settings: tuple[str, ...]
    seed: int
    """Of its training; of a group, that of its first member."""
    metrics: dict[str, float | None]
    """Metric → value; of a group, the mean."""
    scoring: Scoring | None = None
    """How its factors rank for users; None where no factors do, or where it is not known."""
    overrides: tuple[str, ...] = ()
    """What was changed in the experiment, as ``section.key=value``; of a model."""
    label: str = ""
    """What it is among the rows of an ablation; empty if none is compared."""
    seeds: tuple[int, ...] = ()
    """The seeds of a group whose members differ."""
    models: tuple[str, ...] = ()
    """The members of a group."""
    deviations: dict[str, float | None] = field(default_factory=dict)
    """Metric → standard deviation over the members of a group (n - 1)."""

    def written(self, metric: str) -> str:
        """Write a figure with four digits, that of a group with its deviation.

        >>> ComparedModel("group_1", "ridge", (), 0, {"P@1": 0.5}, deviations={"P@1": 0.1}).written(
        ...     "P@1"
        ... )
        '0.5000 ± 0.1000'
        """
        value, sd = self.metrics.get(metric), self.deviations.get(metric)
        if value is None:
            return "—"
        return f"{value:.4f}" if sd is None else f"{value:.4f} ± {sd:.4f}"

    @property
    def title(self) -> str:
        """What a table calls it."""
        return self.label or self.name


@dataclass(frozen=True)
class Difference:
    """By how much a model differs from the reference in one metric, and how sure that is."""

    model: str
    metric: str
    n: int
    """Users or items that have a value for both models."""
    difference: float
    """Mean over them of the model's value minus the reference's."""
    low: float
    """Lower end of the confidence interval."""
    high: float
    """Upper end of the confidence interval."""
    p: float
    """Of a two-sided paired randomization test or, with a group, of the hierarchical bootstrap."""
    p_holm: float
    """The same after Holm's correction for all tests of the comparison."""
    significant: bool


@dataclass(frozen=True)
class Comparison:
    """The figures of several models, and the differences of each from the first."""

    dataset: str
    task: Task
    unit: Unit
    rows: tuple[ComparedModel, ...]
    """The models, the reference first."""
    tested: tuple[str, ...]
    """The metrics whose differences were tested."""
    main: tuple[str, ...]
    """The metrics for a table in a paper, in the order in which figures are shown."""
    differences: tuple[Difference, ...]
    resamples: int
    """Bootstrap resamples, and random sign flips, of each test."""
    seed: int
    """Of the resamples."""
    basis: ComparisonBasis
    """What all evaluations have in common."""

    @property
    def reference(self) -> str:
        """The model that the others are compared with."""
        return self.rows[0].name

    @property
    def name(self) -> str:
        """The models, the reference first: ``model_1, model_2``."""
        return ", ".join(row.name for row in self.rows)

    @property
    def metrics(self) -> list[str]:
        """All metrics that one of the models has, in the order of the first."""
        return list(dict.fromkeys(metric for row in self.rows for metric in row.metrics))

    @property
    def caveat(self) -> str:
        """What the intervals and tests say, and what not."""
        return GROUP_CAVEAT if any(row.seeds for row in self.rows) else CAVEAT

    def title(self, name: str) -> str:
        """Return what a table calls the model of a name."""
        return next(row.title for row in self.rows if row.name == name)

    def best(self) -> dict[str, list[str]]:
        """Return for each metric the models that none is better than, to four decimals."""
        return {metric: _best(self.rows, metric) for metric in self.metrics}

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        about = {"reference": self.reference, "confidence": LEVEL, "alpha": ALPHA}
        about |= {"caveat": f"intervals and p are over {self.unit}; {self.caveat}"}
        return about | {"correction": "Holm", "best": self.best()} | asdict(self)

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each model and metric, the reference first.

        Returns
        -------
        The columns ``model``, ``metric``, ``value``, ``sd`` (of a group) and ``best`` (whether no
        model is better); then those of :class:`Difference`, null for the reference and for metrics
        that were not tested: ``n``, ``difference``, ``low``, ``high``, ``p``, ``p_holm`` and
        ``significant``.
        """
        import polars as pl

        best = self.best()
        values = [
            (
                *(row.name, metric, row.metrics.get(metric)),
                *(row.deviations.get(metric), row.name in best[metric]),
            )
            for row in self.rows
            for metric in self.metrics
        ]
        types: dict[str, type[pl.DataType]] = {"model": pl.String, "metric": pl.String}
        types |= {"value": pl.Float64, "sd": pl.Float64, "best": pl.Boolean}
        numbers = dict.fromkeys(("difference", "low", "high", "p", "p_holm"), pl.Float64)
        tests = {"model": pl.String, "metric": pl.String, "n": pl.Int64}
        return pl.DataFrame(values, schema=types, orient="row").join(
            pl.DataFrame(
                [asdict(difference) for difference in self.differences],
                schema=tests | numbers | {"significant": pl.Boolean},
            ),
            on=["model", "metric"],
            how="left",
            maintain_order="left",
        )

    def _repr_html_(self) -> str:
        caption = f"{self.dataset} · {self.task}"
        rows = ([row.title, *map(_html_figures(row), self.main)] for row in self.rows)
        models = html_table(caption, ["", *self.main], rows)
        headings = ["model", "metric", "difference", "low", "high", "p", "p (Holm)", self.unit]
        differences = html_table(
            f"Differences from {self.title(self.reference)}, with {LEVEL:.0%} intervals",
            [*headings, "significant"],
            (
                (
                    *(self.title(test.model), test.metric, test.difference, test.low, test.high),
                    *(test.p, test.p_holm, test.n, test.significant),
                )
                for test in self.differences
            ),
        )
        return models + differences


def _html_figures(row: ComparedModel) -> Callable[[str], Cell]:
    return row.written if row.deviations else row.metrics.get


def _best(rows: Sequence[ComparedModel], metric: str) -> list[str]:
    values = {row.name: row.metrics.get(metric) for row in rows}
    figures = {name: round(value, DIGITS) for name, value in values.items() if value is not None}
    choose = min if metric.partition("@")[0] in LOWEST_IS_BEST else max
    return [name for name, value in figures.items() if value == choose(figures.values())]
