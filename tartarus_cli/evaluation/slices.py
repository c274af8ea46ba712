"""The figures of a recommendation apart for groups of users, items or plays."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import RequestError, TartarusError
from tartarus_cli.evaluation.evaluate import PredictionFile, evaluate
from tartarus_cli.evaluation.evaluator import evaluate_predictions, fingerprint_of
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.evaluation.slice_groups import Group, Unit
from tartarus_cli.evaluation.slice_kinds import SLICE_KINDS, SliceBy
from tartarus_cli.evaluation.stored_ranks import read_stored_ranks
from tartarus_cli.evaluation.user_metrics import apply_metrics, json_metrics, mean_of_defined
from tartarus_cli.html_table import html_table
from tartarus_cli.metrics.ranks import RelevantRanks
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import model_predictions
from tartarus_cli.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    import polars as pl

SHOWN = ("MAP@500 (users with relevant items)", "ROC-AUC", "MRR", "nDCG@5", "R@5")
"""The metrics of each slice."""


@dataclass(frozen=True, kw_only=True)
class Slice(Group):
    """The figures of the users, items or plays of one group."""

    users: int
    """Users with relevant items in the group, which the figures are means of."""
    metrics: dict[str, float]
    """Metric → value; NaN where it has none."""


@dataclass(frozen=True)
class Slices:
    """The figures of each group."""

    by: SliceBy
    unit: Unit
    """What was cut."""
    counted: str
    """What it was cut by, in words."""
    slices: list[Slice]


@dataclass(frozen=True)
class EvaluatedSlices:
    """The figures of a model, or of a file of predictions, apart for each group."""

    name: str
    """What the results are called: as the model, or as the file of predictions."""
    dataset: str
    slices: Slices

    def document(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; a figure without a value is None."""
        slices = asdict(self.slices)
        for part in slices["slices"]:
            part["metrics"] = json_metrics(part["metrics"])
        return {"name": self.name, "dataset": self.dataset, "found": slices}

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each group and metric.

        Returns
        -------
        The columns ``name``, ``label``, ``lowest``, ``highest``, ``size``, ``users``, ``metric``
        and ``value`` (null where there is none).
        """
        import polars as pl

        cells = [
            (self.name, part.label, part.lowest, part.highest, part.size, part.users, metric, value)
            for part in self.slices.slices
            for metric, value in part.metrics.items()
        ]
        texts, counts = ("name", "label", "metric"), ("lowest", "highest", "size", "users")
        columns = (*texts[:2], *counts, "metric", "value")
        types: dict[str, type[pl.DataType]] = dict.fromkeys(columns, pl.Int64)
        types |= dict.fromkeys(texts, pl.String) | {"value": pl.Float64}
        frame = pl.DataFrame(cells, schema=types, orient="row")
        return frame.with_columns(pl.col("value").fill_nan(None))

    def _repr_html_(self) -> str:
        slices = self.slices
        return html_table(
            f"{self.name} · {self.dataset} · {slices.unit} by {slices.counted}",
            ["", slices.unit, "evaluated users", *SHOWN],
            ([part.label, part.size, part.users, *part.metrics.values()] for part in slices.slices),
        )


def slice_evaluation(dataset: Dataset, name: str, by: SliceBy, items: int) -> Slices:
    """Cut the stored ranks of an evaluation into groups, and compute the figures of each.

    Every figure is a mean over the users that have relevant items in the group; their relevant
    items of other groups are taken out of the ranking: they are neither right nor wrong.

    Parameters
    ----------
    dataset
        The dataset of the evaluation.
    name
        The name of the results.
    by
        What to cut by.
    items
        How many items were ranked.

    Raises
    ------
    DataError
        If the ranks, or files that tell the groups apart, are missing or damaged.
    """
    ranks = read_stored_ranks(dataset, name, items)
    grouping = SLICE_KINDS[by].cut(dataset, ranks)
    slices = [
        _slice(ranks.only(grouping.group_of_relevant == number), group)
        for number, group in enumerate(grouping.groups)
    ]
    return Slices(by, grouping.unit, grouping.basis, slices)


def _slice(ranks: RelevantRanks, group: Group) -> Slice:
    with_relevant = ranks.relevant > 0
    metrics = {
        name: mean_of_defined(values[with_relevant])
        for name, values in apply_metrics(ranks).items()
        if name in SHOWN
    }
    in_order = {name: metrics[name] for name in SHOWN}
    return Slice(**vars(group), users=int(with_relevant.sum()), metrics=in_order)


def evaluate_slices(
    subject: Model | PredictionFile,
    options: EvaluationOptions,
    by: SliceBy,
    *,
    progress: Progress = UNWATCHED,
) -> EvaluatedSlices:
    """Cut an evaluation into groups; stored ranks are used again while they hold.

    Parameters
    ----------
    subject
        A model that has predicted its test items, or a file of predictions.
    options
        How to evaluate where nothing is stored.
    by
        What to cut by.
    progress
        Reports each block of users, and what may be a mistake.

    Raises
    ------
    RequestError
        If it recommends nothing, or only some users are asked for.
    DataError
        If a file is missing, damaged or out of step.
    """
    _check_options(options)
    if isinstance(subject, PredictionFile):
        _check_has_users(subject.experiment.dataset.task, str(subject.path))
        SLICE_KINDS[by].require_inputs(subject.dataset)
        evaluation = evaluate(subject, options, progress=progress)
        name, items = evaluation.name, evaluation.items
    else:
        _check_has_users(subject.manifest.task, subject.name)
        SLICE_KINDS[by].require_inputs(subject.dataset)
        name = subject.name
        stored = stored_items(subject, options)
        if stored is not None:
            subject.count_evaluation(None)
        items = stored or evaluate_predictions(subject, options, progress=progress).items
    slices = slice_evaluation(subject.dataset, name, by, items)
    return EvaluatedSlices(name, subject.dataset.name, slices)


def _check_options(options: EvaluationOptions) -> None:
    if options.users != slice(None):
        msg = "`by` cuts all users, and `users` names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.k or options.published or options.baselines or options.merge:
        msg = "`by` prints a few figures of one model, always the same"
        raise RequestError(msg, hint="Leave out `k`, `published`, `baselines` and `merge`.")


def _check_has_users(task: str, name: str) -> None:
    if task != "recommendation":
        msg = f"`by`: {name} is of a {task} task, which has no users"
        hint = "Leave it out: the figures of each class show where it is good."
        raise RequestError(msg, hint=hint)


def stored_items(model: Model, options: EvaluationOptions) -> int | None:
    """Return how many items were ranked, if the results are those of the files as they are.

    None if they are not, or if there are none.

    Raises
    ------
    DataError
        If there are results of predictions that are gone or damaged.
    """
    workspace, name = model.workspace, model.name
    try:
        results = read_results(workspace, name)
    except TartarusError:  # none, or damaged: evaluated again
        return None
    predictions = model_predictions(model)
    same = results.fingerprint == fingerprint_of(predictions, options)
    same &= results.items == len(predictions.absent)
    return results.items if same and workspace.unit_values(name, "users").is_file() else None
