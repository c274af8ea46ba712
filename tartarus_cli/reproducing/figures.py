"""The figures of a row: of all test items and users, or of a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from tartarus_cli.errors import RequestError, TartarusError, nearest
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluate import evaluate
from tartarus_cli.evaluation.modality_groups import sources_of
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.evaluation.results import read_results
from tartarus_cli.evaluation.slice_kinds import SLICE_KINDS
from tartarus_cli.evaluation.slices import stored_items
from tartarus_cli.evaluation.stored_ranks import StoredRanks, read_stored_ranks
from tartarus_cli.evaluation.user_metrics import apply_metrics, mean_of_defined
from tartarus_cli.metrics import METRICS
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.predict import PredictOptions, predict
from tartarus_cli.progress import Progress
from tartarus_cli.reproducing.schema import PaperRow, SliceChoice


def check_metrics(row: PaperRow) -> None:
    """Make sure that there are the metrics of a row, before anything is trained.

    Raises
    ------
    RequestError
        If one of them is unknown, or has no value for each user where only a part is evaluated.
    """
    cuts = _cuts(row)
    known = {label for name in METRICS.names() for label in METRICS.get(name).names(name, cuts)}
    for figure in row.figures:
        if row.slice is not None and figure.metric not in known:
            msg = f"{row.name}: {figure.metric} is no metric of the users of a part of the items"
            raise RequestError(msg, hint=nearest(figure.metric, sorted(known)))


def _cuts(row: PaperRow) -> tuple[int, ...]:
    """Return the k of the metrics that have one.

    >>> from tartarus_cli.reproducing.schema import Figure
    >>> names = {"name": "a", "published_as": "A", "dataset": "d", "experiment": "knn"}
    >>> _cuts(PaperRow(**names, figures=(Figure(metric="R@20"), Figure(metric="MRR"))))
    (20,)
    """
    ends = (f.metric.partition("@")[2].partition(" ")[0] for f in row.figures)
    return tuple(dict.fromkeys(int(end) for end in ends if end.isdecimal()))


def evaluate_row(
    model: Model, row: PaperRow, users: int | None, progress: Progress
) -> dict[str, float]:
    """Return the figures of a model that a row compares; what is stored is used again.

    A figure of a part of the test items is a mean over the users who have relevant items in it;
    what they have of the others is taken out of the ranking.

    Parameters
    ----------
    model
        A finished model.
    row
        The metrics, and the part of the test items.
    users
        How many users count, the first ones; None: all.
    progress
        Reports each step.

    Raises
    ------
    RequestError
        If the evaluation has no such metric.
    DataError
        If a file is missing, damaged or out of step.
    """
    items = _evaluated(model, EvaluationOptions(_k_of(model, row)), progress)
    metrics = [figure.metric for figure in row.figures]
    if row.slice is None and users is None:
        whole = read_results(model.workspace, model.name).metrics
        values = {name: value for name, value in whole.items() if value is not None}
        return _select(row, values)
    ranks = read_stored_ranks(model.dataset, model.name, items)
    return _select(row, _of_part(model, ranks, row.slice, users, _cuts(row)), metrics)


def _k_of(model: Model, row: PaperRow) -> tuple[int, ...]:
    return () if model.manifest.task == "multiclass" else _cuts(row)


def _evaluated(model: Model, options: EvaluationOptions, progress: Progress) -> int:
    """Return how many items were ranked; predict and evaluate, unless that was done already."""
    with suppress(TartarusError):  # predictions are gone: they are made again
        stored = stored_items(model, options)
        known = read_results(model.workspace, model.name).metrics if stored else {}
        if stored and all(any(f"@{k}" in name for name in known) for k in options.k):
            progress.say(f"{model.name} has been evaluated already")
            return stored
    for split in required_splits(model):
        predict(model, PredictOptions(split=split), progress=progress)
    return evaluate(model, options, progress=progress).items


def _of_part(
    model: Model,
    ranks: StoredRanks,
    part: SliceChoice | None,
    users: int | None,
    cuts: tuple[int, ...],
) -> dict[str, float]:
    """Return every metric of a ranking, of the first users and of a part of the test items."""
    chosen = np.ones(len(ranks.items), np.bool_)
    if part is not None:
        sources = sources_of(model, model.dataset)
        grouping = SLICE_KINDS[part.by].cut(model.dataset, ranks, sources)
        labels = [group.label for group in grouping.groups]
        if part.group not in labels:
            msg = f"no test item of {model.manifest.dataset} is in the part {part.group!r}"
            raise RequestError(msg, hint=f"Cut by {part.by}, there are {', '.join(labels)}.")
        chosen = grouping.group_of_relevant == labels.index(part.group)
    counted = ranks.only(chosen)
    first = slice(None, users)
    kept = slice(None) if part is None else counted.relevant[first] > 0
    values = apply_metrics(counted, k=cuts)
    return {name: mean_of_defined(column[first][kept]) for name, column in values.items()}


def _select(
    row: PaperRow, values: dict[str, float], metrics: Sequence[str] | None = None
) -> dict[str, float]:
    names = metrics or [figure.metric for figure in row.figures]
    for name in names:
        if name not in values:
            msg = f"{row.name}: the evaluation has no metric called {name}"
            raise RequestError(msg, hint=nearest(name, values))
    return {name: values[name] for name in names}
