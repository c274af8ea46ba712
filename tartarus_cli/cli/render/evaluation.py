"""Tables of metrics."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.ablation import ablation
from tartarus_cli.cli.render.classes import class_figures, class_tables
from tartarus_cli.cli.render.console import (
    document,
    figure,
    message,
    next_step,
    out,
    plain,
    table,
    unbroken,
)
from tartarus_cli.errors import call

if TYPE_CHECKING:
    from tartarus_cli.evaluation.protocol import Protocol
    from tartarus_cli.evaluation.report import Evaluation, RankingEvaluation
    from tartarus_cli.evaluation.slices import EvaluatedSlices
    from tartarus_cli.workspace import Workspace

FigureT = TypeVar("FigureT")
"""A figure: a number, or a mean with its deviation."""

GAP = "gap closed"
"""The column of the share of the way from random to the best possible, in the main metric."""

AT_ONE_K = ("Gini", "novelty")
"""Families shown at their largest k alone; the results have them all."""

PICTURES = {
    "_precision_recall": "Precision by recall",
    "_reliability": "Reliability",
    "_confusion": "Confusion matrix",
}
"""End of the name of a picture → what it shows."""


def evaluation(
    workspace: Workspace, result: Evaluation, *, explain: bool = False, json: bool
) -> None:
    """Print the metrics tables of a model, the protocol if asked for, and what to do next."""
    from tartarus_cli.evaluation.report import ClassEvaluation

    if json:
        document(result.document() | {"advice": in_shell(result.advice)})
        return
    out().print(f"\n{_title(result)}")
    systems = _systems(result)
    if isinstance(result, ClassEvaluation):
        class_figures(systems, single=result.task == "multiclass")
        class_tables(result)
        footer = f"{result.items:,} test items"
    else:
        figures(systems)
        footer = _ranking_footer(result)
    out().print(footer + _missing_predictions(result))
    beside(result.chosen, result.advice)
    if explain:
        explained(result.protocol)
    _files(workspace, result)
    _next(result)


def beside(chosen: Mapping[str, Mapping[str, int | float | str]], advice: str) -> None:
    """Print what the baselines chose, and whether the model beats them."""
    for name, values in chosen.items():
        out().print(f"{name} by validation items: {plain(choices(values))}")
    if advice:
        out().print(f"[bold]{message(advice)}[/]", soft_wrap=True)


def _title(result: Evaluation) -> str:
    about = plain(" ".join([result.experiment, *result.settings]))
    title = f"[bold]{plain(result.name)}[/] · {about} · {plain(result.dataset)} · {result.task}"
    return f"{title} · scoring {result.scoring}" if result.scoring else title


def _files(workspace: Workspace, result: Evaluation) -> None:
    """Print the files that were written, and what an ablation came to."""
    from tartarus_cli.evaluation.report import ClassEvaluation

    console = out()
    if result.results is not None:
        console.print(f"Kept in {plain(workspace.relative(result.results))}", soft_wrap=True)
    if isinstance(result, ClassEvaluation):
        for picture in result.pictures:
            title = next(PICTURES[end] for end in PICTURES if picture.stem.endswith(end))
            console.print(f"{title}: {plain(str(picture))}", soft_wrap=True)
    elif result.shard is not None:
        joins = "the same command with --merge instead of --users (or --shard) joins them"
        if result.model is not None:
            merge = call("evaluate", result.model, merge=True)
            joins = f"'{message(merge)}', with the same --k, --seed and --memory, joins them"
        file = plain(workspace.relative(result.shard))
        console.print(f"Kept in {file}: once all users are there, {joins}", soft_wrap=True)
    if result.ablation is not None:
        ablation(workspace, result.ablation)


def figures(
    rows: Mapping[str, Mapping[str, float | str | None]],
    best: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Print tables of systems by metrics, each with as many metrics as fit.

    Parameters
    ----------
    rows
        System → metric → value.
    best
        Metric → its best systems, which are bold.
    """
    name_width = max(len(name) for name in rows) + 4
    metrics = list(next(iter(rows.values())))
    longest = max(len(figure(value)) for values in rows.values() for value in values.values())
    for group in _groups(metrics, out().width - name_width, longest):
        shown = table("", *(f">{_heading(metric)}" for metric in group))
        for name, values in rows.items():
            cells = [(figure(values.get(metric)), best.get(metric, ())) for metric in group]
            bold = [f"[bold]{cell}[/]" if name in systems else cell for cell, systems in cells]
            shown.add_row(plain(name), *bold)
        unbroken(shown)


def _systems(result: Evaluation) -> dict[str, dict[str, float | str | None]]:
    """Return the rows of the table: with the share of the gap closed, behind the main figure."""
    rows: dict[str, dict[str, float | str | None]] = {}
    for name, values, gaps in result.systems():
        closed = gaps.get(result.headline, math.nan)
        scoring = result.chosen.get(name, {}).get("scoring")
        system = name if scoring is None else f"{name} ({scoring})"
        rows[system] = {}
        for metric, value in shortened(values).items():
            rows[system][metric] = value
            if metric == result.headline and result.gap_closed:
                rows[system][GAP] = "" if math.isnan(closed) else f"{closed:.1%}"
    return rows


def choices(chosen: Mapping[str, int | float | str]) -> str:
    """Write what a baseline chose in a line.

    >>> choices({"neighbours": 50, "feature_exponent": 0.25, "scoring": "norm"})
    'neighbours 50, feature exponent 0.25, scoring norm'
    """
    texts = {
        name: f"{value:.3g}" if isinstance(value, float) else value
        for name, value in chosen.items()
    }
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())


def shortened(row: Mapping[str, FigureT]) -> dict[str, FigureT]:
    """Leave out figures that add little: those of some families at all k but the largest."""
    last = {family: name for family in AT_ONE_K for name in row if name.startswith(f"{family}@")}
    return {
        name: value
        for name, value in row.items()
        if name.partition("@")[0] not in AT_ONE_K or name in last.values()
    }


def explained(protocol: Protocol) -> None:
    """Print what was done in an evaluation, and the formula of each figure."""
    steps = {name: text for name, text in protocol.items() if isinstance(text, str)}
    metrics_of: dict[str, list[str]] = {}
    for formulas in protocol.values():
        for metric, formula in formulas.items() if isinstance(formulas, dict) else ():
            metrics_of.setdefault(formula, []).append(_heading(metric))
    meanings = {", ".join(metrics): formula for formula, metrics in metrics_of.items()}
    for title, lines in (("What was done", steps), ("What each figure is", meanings)):
        shown = table(title, "")
        shown.columns[0].min_width = 20
        for name, text in lines.items():
            shown.add_row(plain(name), plain(text))
        out().print(shown)


def slices(result: EvaluatedSlices, *, json: bool) -> None:
    """Print the figures of each group of users, items or plays."""
    if json:
        document(result.document())
        return
    found = result.slices
    first = "range" if found.slices[0].lowest is not None else "group"
    title = f"{found.unit} by {found.counted}"
    out().print(f"\n[bold]{plain(result.name)}[/] · {plain(result.dataset)} · {title}")
    has_users = found.slices[0].users is not None
    headings = [">range" if first == "range" else first, f">{found.unit}"]
    headings += [">evaluated"] * has_users
    rows = [
        [plain(p.label), f"{p.size:,}", *([] if p.users is None else [f"{p.users:,}"])]
        for p in found.slices
    ]
    widths = (max(map(len, cells)) + 3 for cells in zip(*rows, headings, strict=True))
    for metrics in _groups([*found.slices[0].metrics], out().width - sum(widths)):
        shown = table(*headings, *(f">{_heading(metric)}" for metric in metrics))
        for part, cells in zip(found.slices, rows, strict=True):
            shown.add_row(*cells, *(figure(part.metrics[metric]) for metric in metrics))
        unbroken(shown)
    evaluated = f"over the users evaluated: those that have relevant items in the {first}"
    if not has_users:
        evaluated = f"over the items of the {first}"
    out().print(f"{first}: {found.counted}. Means {evaluated}.")


def _groups(metrics: Sequence[str], width: int, cell: int = 6) -> list[list[str]]:
    """Cut metrics into groups that fit into one table; a family that fits stays together.

    Parameters
    ----------
    metrics
        Their names.
    width
        Of the table, without its first column.
    cell
        Characters of the longest figure.
    """
    groups: list[list[str]] = []
    room = 0
    for family in _families(metrics):
        fits = _width(family, cell) <= width
        for part in [family] if fits else [[metric] for metric in family]:
            if not groups or _width(part, cell) > room:
                groups.append([])
                room = width
            groups[-1] += part
            room -= _width(part, cell)
    return groups


def _width(metrics: Sequence[str], cell: int) -> int:
    return sum(max(len(_heading(metric)), cell) + 3 for metric in metrics)


def _families(metrics: Sequence[str]) -> list[list[str]]:
    from tartarus_cli.metrics import family

    return [list(names) for _, names in groupby(metrics, key=family)]


def _heading(metric: str) -> str:
    metric = metric.replace(" (users with relevant items)", "*")
    return metric.replace(" (published)", " publ.")


def _ranking_footer(result: RankingEvaluation) -> str:
    counts = f"{result.items:,} test items ranked for {result.users:,} users"
    without = f"{result.users_without_relevant:,} of them without relevant items"
    share = f"{result.tied:.1%}" if result.tied >= 0.001 else "under 0.1%"
    tied = f"; {share} of the ranks of relevant items are tied" if result.tied > 0 else ""
    return f"{counts}, {without} (they count as 0; * leaves them out){tied}"


def _missing_predictions(result: Evaluation) -> str:
    if not result.items_without_prediction:
        return ""
    return f"; {result.items_without_prediction:,} items without a prediction rank last"


def _next(result: Evaluation) -> None:
    if result.ablation is not None:
        next_step(f"{call('compare', result.ablation.model)}   (the rows, by other metrics too)")
        return
    if result.model is None:
        return
    if result.embedding is None:
        next_step(f"{call('show_model', result.model)}   (all about it)")
        return
    next_step(f"{call('predict', result.model, layer=result.embedding)}   (as a setting)")
