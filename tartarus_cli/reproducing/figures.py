"""The figures of a row: of all test items and users, or of a part of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from tartarus_cli.metrics import METRICS, RESERVED_NAMES
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.predict import PredictOptions, predict
from tartarus_cli.progress import Progress
from tartarus_cli.reproducing.schema import Figure, Paper, PaperRow, SliceChoice


def check_metrics(paper: Paper, row: PaperRow) -> None:
    """Make sure that there are the metrics of a row, before anything is trained.

    Raises
    ------
    RequestError
        If one of them is unknown, or has no value for each user where only a part of the users or
        items is evaluated.
    """
    cuts = _cuts(row)
    of_users = {label for name in METRICS.names() for label in METRICS.get(name).names(name, cuts)}
    of_all = of_users | {*RESERVED_NAMES} | {f"{n}@{k}" for n in RESERVED_NAMES for k in cuts}
    for figure in row.figures:
        whole = _is_of_all(paper, figure)
        known, kind = (of_all, "metric") if whole else (of_users, "metric of each user")
        if figure.metric not in known:
            msg = f"{row.name}: there is no {kind} called {figure.metric}"
            raise RequestError(msg, hint=nearest(figure.metric, sorted(known)))


def _is_of_all(paper: Paper, figure: Figure) -> bool:
    """Whether a figure is one of those that an evaluation prints."""
    return figure.slice is None and paper.users is None and not paper.users_with_relevant


def evaluation_options(paper: Paper, row: PaperRow) -> EvaluationOptions:
    """Return how the model of a row is evaluated: with the k of the figures that it prints."""
    return EvaluationOptions(_cuts(row) if any(_is_of_all(paper, f) for f in row.figures) else ())


def _cuts(row: PaperRow) -> tuple[int, ...]:
    """Return the k of the metrics that have one.

    >>> names = {"name": "a", "published_as": "A", "dataset": "d", "experiment": "knn"}
    >>> _cuts(PaperRow(**names, figures=(Figure(metric="R@20"), Figure(metric="MRR"))))
    (20,)
    """
    ends = (f.metric.partition("@")[2].partition(" ")[0] for f in row.figures)
    return tuple(dict.fromkeys(int(end) for end in ends if end.isdecimal()))


def evaluate_row(model: Model, row: PaperRow, paper: Paper, progress: Progress) -> list[float]:
    """Return the figures of a model that a row compares, in order; what is stored is used again.

    A figure of a part of the test items is a mean over the users who have relevant items in it;
    what they have of the others is taken out of the ranking.

    Parameters
    ----------
    model
        A finished model.
    row
        The metrics, and the parts of the test items.
    paper
        Says which users count.
    progress
        Reports each step, and parts that hold nothing: their figures are NaN.

    Raises
    ------
    RequestError
        If the evaluation has no such metric.
    DataError
        If a file is missing, damaged or out of step.
    """
    items = _evaluated(model, evaluation_options(paper, row), progress)
    known: dict[SliceChoice | None, Mapping[str, float]] = {}
    for figure in row.figures:
        if figure.slice in known:
            continue
        if _is_of_all(paper, figure):
            whole = read_results(model.workspace, model.name).metrics
            known[None] = {name: math.nan if v is None else v for name, v in whole.items()}
        else:
            ranks = read_stored_ranks(model.dataset, model.name, items)
            known[figure.slice] = _of_part(model, ranks, figure.slice, paper, _cuts(row), progress)
    return [_select(row, figure, known[figure.slice]) for figure in row.figures]


def _evaluated(model: Model, options: EvaluationOptions, progress: Progress) -> int:
    """Return how many items were ranked; predict and evaluate, unless that was done already."""
    with suppress(TartarusError):  # predictions are gone: they are made again
        stored = stored_items(model, options)
        known = read_results(model.workspace, model.name).metrics if stored else {}
        if stored and all(any(f"@{k}" in name for name in known) for k in options.k):
            return stored
    for split in required_splits(model):
        predict(model, PredictOptions(split=split), progress=progress)
    return evaluate(model, options, progress=progress).items


def _of_part(
    model: Model,
    ranks: StoredRanks,
    part: SliceChoice | None,
    paper: Paper,
    cuts: tuple[int, ...],
    progress: Progress,
) -> dict[str, float]:
    """Return every metric of a ranking, of the first users and of a part of the test items."""
    chosen = np.ones(len(ranks.items), np.bool_)
    if part is not None:
        sources = sources_of(model, model.dataset)
        grouping = SLICE_KINDS[part.by].cut(model.dataset, ranks, sources)
        labels = [group.label for group in grouping.groups]
        number = labels.index(part.group) if part.group in labels else -2
        chosen = grouping.group_of_relevant == number
        if not chosen.any():
            dataset, there = model.manifest.dataset, ", ".join(labels)
            progress.warn(f"{dataset} has no {part.group} test plays: {part.by} has {there}")
    counted = ranks.only(chosen)
    first = slice(None, paper.users)
    whole = part is None and not paper.users_with_relevant
    kept = slice(None) if whole else counted.relevant[first] > 0
    values = apply_metrics(counted, k=cuts)
    return {name: mean_of_defined(column[first][kept]) for name, column in values.items()}


def _select(row: PaperRow, figure: Figure, values: Mapping[str, float]) -> float:
    if figure.metric not in values:
        msg = f"{row.name}: the evaluation has no metric called {figure.metric}"
        raise RequestError(msg, hint=nearest(figure.metric, values))
    return values[figure.metric]
