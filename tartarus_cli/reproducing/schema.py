"""What the file of a paper says: its data, its protocol, its rows, and what differs here."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, PositiveFloat, PositiveInt, model_validator

from tartarus_cli.data.tables.times import parse_moment
from tartarus_cli.evaluation.slice_kinds import SliceBy
from tartarus_cli.experiments.sections import DatasetName, Section

Text = Annotated[str, Field(min_length=1)]
"""A text that says something."""


class Sizes(Section):
    """How large a dataset of a paper is, and who says so."""

    train: PositiveInt | None = None
    """Train items; None, here and below: not known."""
    val: PositiveInt | None = None
    """Val items."""
    test: PositiveInt | None = None
    """Test items."""
    users: PositiveInt | None = None
    """Users."""
    source: Text
    """Where these numbers were published."""
    certain: bool = True
    """Whether that is the paper, or comes with its data; if not, a difference is told, and is no
    proof that the data is another one."""

    def known(self) -> dict[str, int]:
        """Return the numbers that are known: ``train``, ``val``, ``test`` or ``users`` → count."""
        names = ("train", "val", "test", "users")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class Windows(Section):
    """How items are divided by the time of their first play: the windows of a paper, as dates.

    See :mod:`tartarus_cli.reproducing.windows`.
    """

    since: Text
    """Plays before it are not read."""
    val: Text
    """Items first played from it on, and before ``cut``, are val items."""
    cut: Text
    """Items first played from it on are test items; later plays of train items are dropped."""
    until: Text
    """Plays from it on are not read."""
    core: PositiveInt = 1
    """Least users of a train item, and least train items of a user."""
    known_artists: bool = False
    """Whether val and test items of artists without train items are left out."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        texts = (self.since, self.val, self.cut, self.until)
        moments = [parse_moment(text) for text in texts]
        values = [moment.value for moment in moments if moment is not None and moment.is_date]
        if len(values) < len(texts) or sorted({*values}) != values:
            msg = "since, val, cut and until have to be dates such as 2018-09-01, in this order"
            raise ValueError(msg)
        return self


class PaperDataset(Section):
    """A dataset of a paper, and how one gets it."""

    name: DatasetName
    """What it is called in a workspace."""
    archive: str = ""
    """The archive of ``fetch`` that holds it; empty: it is in none."""
    obtain: str = ""
    """How one gets what is in no archive, in words."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Setting that is in no archive → what it is made of, in words."""
    factors: Literal["als"] | None = None
    """Factors of plays that its rows need and that are in no archive; None: none."""
    windows: Windows | None = None
    """How it is made of a table of plays; None: it is not."""
    sizes: Sizes | None = None
    """None: its sizes are not known."""


class SliceChoice(Section):
    """The part of the plays of the test items that a figure is of."""

    by: SliceBy
    """What plays are cut by, as ``evaluate --by`` has it."""
    group: Text
    """The part, as ``evaluate --by`` calls it."""


class Figure(Section):
    """A figure of a row: what the paper printed, if that is known, and where."""

    metric: Text
    """Its name, as ``evaluate`` has it, such as ``MAP@500``."""
    slice: SliceChoice | None = None
    """None: of all test items."""
    published: FiniteFloat | None = None
    """What the paper printed; None: not known."""
    source: str = ""
    """The table of the paper that has it, and its row."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.published is None) != (self.source == ""):
            msg = f"{self.metric}: published and source belong together"
            raise ValueError(msg)
        return self


class PaperRow(Section):
    """A system of a paper: what stands for it here, and its figures."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """What ``--only`` calls it."""
    published_as: Text
    """What the paper calls it."""
    dataset: DatasetName
    """One of the paper's datasets."""
    experiment: Text
    """The experiment that stands for it."""
    settings: tuple[str, ...] = ()
    """The settings that it reads."""
    overrides: tuple[str, ...] = ()
    """What is changed in the experiment, as ``section.key=value``."""
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]
    """What is compared."""
    differs: tuple[Text, ...] = ()
    """What differs in this row alone, in sentences."""


class Tolerance(Section):
    """How far a figure may be from the published one and still agree with it."""

    relative: PositiveFloat
    """Share of the published figure."""
    reason: Text
    """Why so much."""


class Paper(Section):
    """A paper, and how its results are obtained here."""

    title: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1)]
    venue: Text
    """Where it appeared."""
    year: PositiveInt
    url: Text
    """Where it can be read."""
    doi: str = ""
    protocol: Text
    """How the paper splits and evaluates, and who says so."""
    users: PositiveInt | None = None
    """How many users are ranked for, the first ones; None: all."""
    users_with_relevant: bool = False
    """Whether figures are means over the users alone who have relevant items."""
    seed: int = 0
    """Of the models, unless another one is asked for."""
    tolerance: Tolerance
    differs: Annotated[tuple[Text, ...], Field(min_length=1)]
    """What differs here from the paper, in data, split, network, training and seeds, in sentences:
    no published figure is shown without them."""
    not_available: str = ""
    """Why figures of the paper are not known; needed if some are not."""
    datasets: Annotated[tuple[PaperDataset, ...], Field(min_length=1)]
    rows: Annotated[tuple[PaperRow, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        datasets = [dataset.name for dataset in self.datasets]
        names = [row.name for row in self.rows]
        for row in self.rows:
            if row.dataset not in datasets:
                msg = f"{row.name}: {row.dataset} is none of its datasets, {', '.join(datasets)}"
                raise ValueError(msg)
            if names.count(row.name) > 1:
                msg = f"there are {names.count(row.name)} rows called {row.name}"
                raise ValueError(msg)
        unknown = [f for row in self.rows for f in row.figures if f.published is None]
        if unknown and not self.not_available:
            msg = f"{unknown[0].metric} has no published figure, and not_available does not say why"
            raise ValueError(msg)
        return self

    def dataset(self, name: str) -> PaperDataset:
        """Return one of its datasets by its name."""
        return next(dataset for dataset in self.datasets if dataset.name == name)

    def citation(self) -> str:
        """Return authors, title, venue and year in one line."""
        authors = ", ".join(self.authors)
        return f"{authors}: {self.title}. {self.venue}, {self.year}. {self.url}"


def known_keys(location: tuple[Any, ...]) -> list[str]:
    """Return the keys that may stand where an unknown one stands.

    >>> "metric" in known_keys(("rows", 0, "figures", 1, "metrik"))
    True
    """
    models: dict[str, type[Section]] = {
        "datasets": PaperDataset,
        "sizes": Sizes,
        "windows": Windows,
        "rows": PaperRow,
        "figures": Figure,
        "slice": SliceChoice,
        "tolerance": Tolerance,
    }
    above = [part for part in location[:-1] if isinstance(part, str)]
    model = models.get(above[-1], Paper) if above else Paper
    return list(model.model_fields)
