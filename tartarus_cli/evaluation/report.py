"""How to evaluate, and the results of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tartarus_cli.data.tasks import Scoring, Task
from tartarus_cli.errors import RequestError, parameter
from tartarus_cli.evaluation.ablation import Ablation
from tartarus_cli.evaluation.classification import Thresholds
from tartarus_cli.evaluation.headlines import HEADLINES, headline
from tartarus_cli.evaluation.protocol import ComparisonBasis, Protocol
from tartarus_cli.evaluation.ranking import MEMORY
from tartarus_cli.evaluation.results import ResultsDocument
from tartarus_cli.html_table import html_table
from tartarus_cli.metrics.classification import ClassReport
from tartarus_cli.options import Shard
from tartarus_cli.scoring.relevant import TieBreaking

if TYPE_CHECKING:
    import polars as pl


LARGEST_K = 1_000_000
"""The last rank that rankings can be cut at."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How to evaluate."""

    k: tuple[int, ...] = ()
    """Cut-offs in addition to the usual ones."""
    users: slice = field(default_factory=lambda: slice(None))
    """The users to rank for, by number."""
    shard: Shard | None = None
    """Of all users, the equal share to rank for; None: ``users`` says it."""
    published: bool = False
    """Add the figures that exist only to compare with the papers."""
    seed: int | None = None
    """Of the random row and of the order of ties; None: the seed of the training."""
    ties: TieBreaking = "drawn"
    """Whether equal scores keep an order that is drawn from the seed, or that of the list of
    items (or classes), as in the published evaluation."""
    memory: int = MEMORY
    """Bytes for scores and factors."""
    references: bool = True
    """Rank at random and by the true factors too."""
    resume: bool = False
    """Go on from what an interrupted evaluation stored."""
    merge: bool = False
    """Join parts of the users that were evaluated before."""
    baselines: bool = False
    """Train, predict and evaluate the baselines that fit the model."""
    cluster: str | None = None
    """Who ranks for the users, as ``run_tasks`` takes it; None: this process."""

    @property
    def partial(self) -> bool:
        """Whether only some users are evaluated."""
        return self.users != slice(None) or self.shard is not None


@dataclass(frozen=True, kw_only=True)
class EvaluationBase:
    """What the evaluations of all tasks have."""

    name: str
    """What the results are called: as the model, or as the file of predictions."""
    model: str | None
    """The model that predicted; None for predictions made elsewhere."""
    experiment: str
    settings: tuple[str, ...]
    """The settings that the model learnt from; empty for predictions made elsewhere."""
    dataset: str
    task: Task
    scoring: Scoring | None
    """How predicted factors rank for users; None where no factors do."""
    seed: int
    """Of the training; of the random row for predictions made elsewhere."""
    random_seed: int
    """Of the random row."""
    items: int
    """Number of test items."""
    items_without_prediction: int
    metrics: dict[str, float]
    """Metric → value; NaN where it has none."""
    rows: dict[str, dict[str, float]]
    """System → metric → value, for random, the baselines and the oracle."""
    parts: dict[str, float]
    """Model that is blended, or added to → its weight; empty for a model that stands alone."""
    validation_score: float | None
    """Mean average precision of the validation items, where the model was chosen by it."""
    chosen: dict[str, dict[str, int | float | str]]
    """Baseline → what it chose by how well validation items rank, by name."""
    advice: str
    """Whether the model beats its baselines, and what to try if not; empty without baselines."""
    gap_closed: dict[str, dict[str, float]]
    """System → metric → share of the way from random to the best possible; the evaluated
    predictions are called ``model`` here."""
    basis: ComparisonBasis
    """What two evaluations must have in common to be compared."""
    protocol: Protocol
    """What was done, in words."""
    fingerprint: str
    """Hash of the predictions and of all else that the figures depend on."""
    results: Path | None
    """The file of the results; None for a part of the users."""
    embedding: str | None = None
    """The last hidden layer of the model, which can be read out as a setting."""
    ablation: Ablation | None = None
    """What its settings are worth; None if that was not asked for."""

    @property
    def headline(self) -> str:
        """The most important metric of the task."""
        return headline(self.task)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; a figure without a value is None."""
        ablation = {} if self.ablation is None else {"ablation": self.ablation.document()}
        return self.results_document().document() | ablation

    def results_document(self) -> ResultsDocument:
        """Return what is written to the file of results."""
        return ResultsDocument.model_validate(self)

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each system and metric, the evaluated predictions first.

        Returns
        -------
        The columns ``system``, ``metric``, ``value`` and ``gap_closed`` (the share of the way from
        random to the best possible), null where there is no value.
        """
        import polars as pl

        cells = [
            (system, metric, value, gaps.get(metric))
            for system, values, gaps in self.systems()
            for metric, value in values.items()
        ]
        types: dict[str, type[pl.DataType]] = {"system": pl.String, "metric": pl.String}
        types |= {"value": pl.Float64, "gap_closed": pl.Float64}
        frame = pl.DataFrame(cells, schema=types, orient="row")
        return frame.with_columns(pl.col("value", "gap_closed").fill_nan(None))

    def systems(self) -> Iterator[tuple[str, Mapping[str, float], Mapping[str, float]]]:
        """Yield name, figures and closed gaps of the model and of each row beneath it."""
        yield self.name, self.metrics, self.gap_closed.get("model", {})
        for system, values in self.rows.items():
            yield system, values, self.gap_closed.get(system, {})

    def _repr_html_(self) -> str:
        first = [metric for metric in HEADLINES[self.task] if metric in self.metrics]
        metrics = list(dict.fromkeys([*first, *self.metrics]))
        about = " ".join([self.experiment, *self.settings])
        return html_table(
            f"{self.name} · {about} · {self.dataset} · {self.task}",
            ["", *metrics],
            ([system, *map(values.get, metrics)] for system, values, _ in self.systems()),
        ) + ("" if self.ablation is None else self.ablation._repr_html_())


@dataclass(frozen=True, kw_only=True)
class RankingEvaluation(EvaluationBase):
    """All figures of one set of predictions that rank items for users."""

    users: int
    """Number of users ranked for."""
    users_without_relevant: int
    """Number of users without relevant items."""
    tied: float
    """Share of the relevant items whose score another item has too, for the same user."""
    shard: Path | None = None
    """The file of the ranks for a part of the users, to be merged; None for all users."""


@dataclass(frozen=True, kw_only=True)
class ClassEvaluation(EvaluationBase):
    """All figures of one set of predicted classes."""

    classes: list[ClassReport]
    confusion: list[list[int]]
    """``(true classes, predicted classes)``; empty where an item may have several classes."""
    thresholds: Thresholds | None
    """None where an item has one class."""
    pictures: tuple[Path, ...] = ()
    """Relative to the root of the workspace."""

    @property
    def confusion_picture(self) -> Path | None:
        """The picture of the confusion matrix, if there is one."""
        pictures = (path for path in self.pictures if path.stem.endswith("_confusion"))
        return next(pictures, None)


Evaluation = RankingEvaluation | ClassEvaluation
"""All figures of one set of predictions."""


def parse_users(text: str | None) -> slice:
    """Read ``A:B``, users counted from 0, B not included; all users if None.

    Raises
    ------
    RequestError
        If the text has another form.

    >>> parse_users("100:200")
    slice(100, 200, None)
    """
    if text is None:
        return slice(None)
    first, colon, last = text.partition(":")
    if not colon or not all(part.isascii() and part.isdigit() for part in (first, last) if part):
        msg = f"{parameter('users', text)}: not of the form A:B"
        first_users, other_users = parameter("users", "0:1000"), parameter("users", "1000:")
        hint = f"For example {first_users}, or {other_users} for all from user 1000 on."
        raise RequestError(msg, hint=hint)
    return slice(int(first) if first else None, int(last) if last else None)


def _check_users(options: EvaluationOptions, task: Task) -> None:
    """Make sure that a task has the users that are asked for."""
    if options.users != slice(None) and options.shard is not None:
        msg = f"{parameter('users')} and {parameter('shard')} exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")
    asked = {
        "users": options.users != slice(None),
        "shard": options.shard is not None,
        "cluster": options.cluster is not None,
    }
    for name in (name for name, given in asked.items() if given and task != "recommendation"):
        msg = f"{parameter(name)}: a {task} task has no users"
        raise RequestError(msg, hint="Leave it out.")


def check_evaluation_options(options: EvaluationOptions, task: Task) -> None:
    """Make sure that a task has what the options ask for.

    Raises
    ------
    RequestError
        If a classification is to be evaluated for some users or in parts, or if rankings are to be
        cut where there are none, or at what is no rank.
    """
    wrong = [k for k in options.k if not isinstance(k, Integral) or not 1 <= k <= LARGEST_K]
    if wrong:
        msg = f"{parameter('k', wrong[0])} is no rank to cut at"
        raise RequestError(msg, hint=f"Give whole numbers from 1 to {LARGEST_K:,}.")
    _check_users(options, task)
    if (options.resume or options.merge) and task != "recommendation":
        msg = f"`resume` and `merge`: a {task} task is evaluated as a whole"
        raise RequestError(msg, hint="Leave them out.")
    if (options.k or options.published) and task == "multiclass":
        msg = "`k` and `published` cut rankings, and a multiclass task ranks nothing"
        raise RequestError(msg, hint="Leave them out.")
    if options.ties not in get_args(TieBreaking):
        msg = f"{parameter('ties', options.ties)} is no way to break ties"
        choices = " or ".join(parameter("ties", choice) for choice in get_args(TieBreaking))
        raise RequestError(msg, hint=f"Choose {choices}.")
    if options.ties != "drawn" and task == "multiclass":
        msg = "`ties` orders rankings, and a multiclass task ranks nothing"
        raise RequestError(msg, hint="Leave it out.")
