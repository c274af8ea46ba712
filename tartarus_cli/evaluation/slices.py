"""The figures of a recommendation apart for groups of users, items or plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.items import InputSource
from tartarus_cli.errors import FileError, RequestError, TartarusError, call, nearest, parameter
from tartarus_cli.evaluation.evaluate import PredictionFile, evaluate
from tartarus_cli.evaluation.evaluator import fingerprint_of, merge_cut_offs
from tartarus_cli.evaluation.modality_groups import (
    BASIS,
    modality_of_items,
    require_sources,
    sources_of,
)
from tartarus_cli.evaluation.report import EvaluationOptions, check_evaluation_options
from tartarus_cli.evaluation.results import read_results, read_unit_values, unit_metric_names
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

AT_K = ("nDCG", "R")
"""The families of metrics that are shown at further k."""

SHOWN = ("MAP@500 (users with relevant items)", "ROC-AUC", "MRR", "nDCG@5", "R@5")
"""The metrics of each slice of a recommendation."""

SHOWN_OF_CLASSES = ("accuracy", "P@1", "nDCG@5", "R@5", "MRR", "LRAP", "coverage_error")
"""The metrics of each slice of a classification: those that are means over items."""


@dataclass(frozen=True, kw_only=True)
class Slice(Group):
    """The figures of the users, items or plays of one group."""

    users: int | None
    """Users with relevant items in the group, which the figures are means of; None for a
    classification, where they are means of all its items."""
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
        evaluated = [] if slices.slices[0].users is None else ["evaluated users"]
        return html_table(
            f"{self.name} · {self.dataset} · {slices.unit} by {slices.counted}",
            ["", slices.unit, *evaluated, *slices.slices[0].metrics],
            (
                [part.label, part.size, *([part.users] * len(evaluated)), *part.metrics.values()]
                for part in slices.slices
            ),
        )


def slice_evaluation(
    dataset: Dataset,
    name: str,
    by: SliceBy,
    items: int,
    *,
    sources: Sequence[InputSource] = (),
    k: Sequence[int] = (),
) -> Slices:
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
    sources
        What the model reads; needed to cut items by which settings they have.
    k
        Cut-offs in addition to the usual one.

    Raises
    ------
    DataError
        If the ranks, or files that tell the groups apart, are missing or damaged.
    """
    ranks = read_stored_ranks(dataset, name, items)
    grouping = SLICE_KINDS[by].cut(dataset, ranks, sources)
    slices = [
        _slice(ranks.only(grouping.group_of_relevant == number), group, k)
        for number, group in enumerate(grouping.groups)
    ]
    return Slices(by, grouping.unit, grouping.basis, slices)


def _slice(ranks: RelevantRanks, group: Group, k: Sequence[int]) -> Slice:
    with_relevant = ranks.relevant > 0
    values = apply_metrics(ranks, k=k)
    metrics = {name: mean_of_defined(values[name][with_relevant]) for name in _shown(SHOWN, k)}
    return Slice(**vars(group), users=int(with_relevant.sum()), metrics=metrics)


def _shown(usual: Sequence[str], k: Sequence[int]) -> list[str]:
    """Return the metrics to show: the usual ones, and some at further k."""
    return [*dict.fromkeys([*usual, *(f"{family}@{cut}" for cut in k for family in AT_K)])]


def _slice_items(
    dataset: Dataset, name: str, sources: Sequence[InputSource], k: Sequence[int]
) -> Slices:
    """Average the stored metrics of each test item of a classification, by what the items have."""
    path = dataset.workspace.unit_values(name, "items")
    stored = unit_metric_names(path)
    values = read_unit_values(path, [m for m in _shown(SHOWN_OF_CLASSES, k) if m in stored])
    labels, groups = modality_of_items(dataset, sources)
    for metric, each in values.items():
        if each.shape != groups.shape:
            raise FileError(
                path,
                found=f"{metric} of {len(each):,} items",
                expected=f"{len(groups):,}, one for each test item",
                hint=f"Evaluate again: {call('evaluate', name)}",
            )
    slices = [
        Slice(
            label=label,
            size=int((groups == number).sum()),
            users=None,
            metrics={m: mean_of_defined(each[groups == number]) for m, each in values.items()},
        )
        for number, label in enumerate(labels)
    ]
    return Slices("modality", "items", BASIS, slices)


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
        If there is no such way to cut, it recommends nothing and items are not cut by which
        settings they have, or only some users are asked for.
    DataError
        If a file is missing, damaged or out of step.
    """
    if by not in SLICE_KINDS:
        msg = f"{parameter('by', by)} is no way to cut an evaluation"
        raise RequestError(msg, hint=nearest(by, SLICE_KINDS))
    _check_options(options)
    dataset, model = subject.dataset, None if isinstance(subject, PredictionFile) else subject
    ranks_items = _ranks_items(subject, by)
    check_evaluation_options(options, subject.experiment.dataset.task)
    SLICE_KINDS[by].require_inputs(dataset)
    sources = sources_of(model, dataset)
    if by == "modality":
        require_sources(dataset, sources)
    items = stored_items(model, options) if model is not None and ranks_items else None
    if items is not None and model is not None:
        model.count_evaluation(None)
        name = model.name
    else:
        evaluation = evaluate(subject, options, progress=progress)
        name, items = evaluation.name, evaluation.items
    k = merge_cut_offs(subject.experiment, options)
    if not ranks_items:
        return EvaluatedSlices(name, dataset.name, _slice_items(dataset, name, sources, k))
    slices = slice_evaluation(dataset, name, by, items, sources=sources, k=k)
    return EvaluatedSlices(name, dataset.name, slices)


def _check_options(options: EvaluationOptions) -> None:
    if options.partial:
        name = "users" if options.shard is None else "shard"
        msg = f"`by` cuts all users, and `{name}` names some"
        raise RequestError(msg, hint="Leave one of the two out.")
    if options.published or options.baselines or options.merge:
        msg = "`by` prints a few figures of one model"
        raise RequestError(msg, hint="Leave out `published`, `baselines` and `merge`.")


def _ranks_items(subject: Model | PredictionFile, by: SliceBy) -> bool:
    """Whether it is a recommendation; refuse to cut the users or plays of a classification."""
    task = subject.experiment.dataset.task
    name = str(subject.path) if isinstance(subject, PredictionFile) else subject.name
    if task == "recommendation" or by == "modality":
        return task == "recommendation"
    msg = f"`by`: {name} is of a {task} task, which has no users"
    apart = parameter("by", "modality")
    hint = "Leave it out: the figures of each class show where it is good. To cut items by which "
    raise RequestError(msg, hint=f"{hint}settings they have: {apart}.")


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
