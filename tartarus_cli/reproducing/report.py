"""A paper that was reproduced: its figures, ours, the differences, and what explains them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tartarus_cli.html_table import html_table
from tartarus_cli.reproducing.schema import Figure, Paper, PaperRow

if TYPE_CHECKING:
    import polars as pl

Verdict = Literal["within", "outside", "other data", "not published"]
"""Whether a figure agrees with the published one: it does, it does not, it cannot because the data
is known to be another one, or there is no published figure."""


@dataclass(frozen=True)
class DatasetSizes:
    """How large a dataset is here, and how large it was published."""

    name: str
    here: dict[str, int]
    """``train``, ``val``, ``test`` items and ``users`` → count."""
    published: dict[str, int]
    """The same; empty if not known."""
    source: str
    """Who says so; empty if nobody."""
    remarks: tuple[str, ...]
    """What is known of whether it is the data of the paper, in sentences."""
    other: bool
    """Whether it is known not to be that data."""


@dataclass(frozen=True)
class ReproducedFigure:
    """A figure of a row of a paper, ours beside the published one."""

    row: str
    published_as: str
    dataset: str
    experiment: str
    settings: tuple[str, ...]
    overrides: tuple[str, ...]
    part: str
    """The part of the test items, such as ``semi-cold``; empty: all of them."""
    metric: str
    model: str
    """The model that gave our figure."""
    published: float | None
    source: str
    """Where it was published."""
    ours: float
    """NaN where it has no value."""
    difference: float | None
    """Ours minus the published one."""
    tolerance: float | None
    """How far apart they may be."""
    verdict: Verdict

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        values = asdict(self)
        nan = [name for name, v in values.items() if isinstance(v, float) and math.isnan(v)]
        return values | dict.fromkeys(nan)


@dataclass(frozen=True)
class Reproduction:
    """All figures of a paper, and what differs from the paper."""

    name: str
    """What the paper is called here."""
    paper: Paper
    seed: int
    figures: tuple[ReproducedFigure, ...]
    datasets: tuple[DatasetSizes, ...]
    differs: tuple[str, ...]
    """What differs from the paper, in sentences: the data first."""
    description: Path
    """The file that describes the paper."""
    file: Path
    """The file that this was written to."""

    @property
    def comparable(self) -> bool:
        """Whether nothing shows that the data is not that of the paper."""
        return not any(dataset.other for dataset in self.datasets)

    @property
    def unknown(self) -> bool:
        """Whether a published figure is not known."""
        return any(figure.published is None for figure in self.figures)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        paper = self.paper
        return {
            "paper": self.name,
            "title": paper.title,
            "citation": paper.citation(),
            "protocol": paper.protocol,
            "seed": self.seed,
            "users": paper.users,
            "figures": [figure.document() for figure in self.figures],
            "tolerance": paper.tolerance.model_dump(),
            "comparable": self.comparable,
            "datasets": [asdict(dataset) for dataset in self.datasets],
            "differs": list(self.differs),
            "not_available": paper.not_available if self.unknown else "",
        }

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each figure; every row says what differs from the paper.

        Returns
        -------
        The columns ``row``, ``published_as``, ``dataset``, ``experiment``, ``settings``, ``part``,
        ``metric``, ``model``, ``published``, ``source``, ``ours``, ``difference``, ``tolerance``,
        ``verdict`` and ``differs``; null where there is no value.
        """
        import polars as pl

        numbers = ("published", "ours", "difference", "tolerance")
        texts = ("row", "published_as", "dataset", "experiment", "settings", "part", "metric")
        columns = (*texts, "model", *numbers[:1], "source", *numbers[1:], "verdict", "differs")
        types = {name: pl.Float64 if name in numbers else pl.String for name in columns}
        differs = "\n".join(self.differs)
        cells = [
            figure.document() | {"settings": " ".join(figure.settings), "differs": differs}
            for figure in self.figures
        ]
        rows = [[cell[name] for name in columns] for cell in cells]
        return pl.DataFrame(rows, schema=types, orient="row")

    def _repr_html_(self) -> str:
        from html import escape

        headings = ["row", "experiment", "settings", "metric", "published", "ours", "difference"]
        table = html_table(
            f"{self.paper.title} ({self.name}) · seed {self.seed}",
            [*headings, "agrees"],
            (
                (
                    *(f.row, f.experiment, " ".join(f.settings), f.metric),
                    *(f.published, f.ours, f.difference, f.verdict),
                )
                for f in self.figures
            ),
        )
        differs = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.differs)
        return f"{table}<p>What differs from the paper:</p><ul>{differs}</ul>"


def compare_figure(
    paper: Paper,
    row: PaperRow,
    figure: Figure,
    ours: float,
    model: str,
    *,
    other_data: bool,
) -> ReproducedFigure:
    """Put a figure beside the published one, and say whether they agree.

    They agree if they are no further apart than the paper's tolerance times the published figure.

    Parameters
    ----------
    paper, row, figure
        What is compared.
    ours
        Our figure; NaN if it has no value.
    model
        The model that gave it.
    other_data
        Whether the data is known not to be that of the paper: nothing can agree then.
    """
    published = figure.published
    difference = tolerance = None
    verdict: Verdict = "not published"
    if published is not None:
        difference, tolerance = ours - published, paper.tolerance.relative * abs(published)
        agrees = abs(difference) <= tolerance  # a figure without a value agrees with nothing
        verdict = "other data" if other_data else "within" if agrees else "outside"
    return ReproducedFigure(
        row.name,
        row.published_as,
        row.dataset,
        row.experiment,
        row.settings,
        row.overrides,
        figure.slice.group if figure.slice else "",
        figure.metric,
        model,
        published,
        figure.source,
        ours,
        difference,
        tolerance,
        verdict,
    )
