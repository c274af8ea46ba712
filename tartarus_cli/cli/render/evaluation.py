"""Tables of metrics."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.classes import class_figures, class_tables
from tartarus_cli.cli.render.console import document, figure, out, plain, table, unbroken

if TYPE_CHECKING:
    from tartarus_cli.evaluation.report import Evaluation
    from tartarus_cli.evaluation.slices import EvaluatedSlices
    from tartarus_cli.workspace import Workspace

HEADLINES = {"recommendation": "MAP@500", "multilabel": "ROC-AUC", "multiclass": "accuracy"}
GAP = "gap closed"
AT_ONE_K = ("Gini", "novelty")  # families shown at their largest k; the results have them all


def evaluation(
    workspace: Workspace, result: Evaluation, *, explain: bool = False, json: bool
) -> None:
    """Print the metrics tables of a model, what was done, and what one might do next."""
    if json:
        document(result.document())
        return
    name = result.name
    what = " ".join([result.experiment, *result.settings])
    console = out()
    console.print()
    console.print(
        f"[bold]{plain(name)}[/] · {plain(what)} · {plain(result.dataset)} · {result.task}",
    )
    systems = _systems(name, result)
    if result.users is None:
        class_figures(systems, single=result.task == "multiclass")
    else:
        figures(systems)
    class_tables(result)
    console.print(_footer(result))
    if explain:
        _card(result.protocol)
    _places(workspace, result)
    _next(result)


def _places(workspace: Workspace, result: Evaluation) -> None:
    """Say where everything is kept."""
    console = out()
    if result.part is not None:
        joins = "the same command with --merge instead of --users joins them"
        if result.model is not None:
            merge = f"'tartarus evaluate {result.model} --merge'"
            joins = f"{merge}, with the same --k, --seed and --memory, joins them"
        told = f"Kept in {plain(workspace.within(result.part))}: once all users are there, {joins}"
        console.print(told, soft_wrap=True)
    if result.results is not None:
        console.print(f"Kept in {plain(workspace.within(result.results))}", soft_wrap=True)
    for picture in result.pictures:
        console.print(f"{_what(picture)}: {plain(str(picture))}", soft_wrap=True)


def figures(
    rows: Mapping[str, Mapping[str, float | str | None]],
    best: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Print tables of systems by metrics, as many metrics beside each other as fit.

    Those systems stand out that are the best ones of a metric.
    """
    first = max(len(name) for name in rows) + 4
    metrics = list(next(iter(rows.values())))
    for group in _groups(metrics, out().width - first):
        shown = table("", *(f">{_heading(metric)}" for metric in group))
        for name, values in rows.items():
            cells = [(figure(values.get(metric)), best.get(metric, ())) for metric in group]
            bold = [f"[bold]{cell}[/]" if name in those else cell for cell, those in cells]
            shown.add_row(plain(name), *bold)
        unbroken(shown)


def _systems(name: str, result: Evaluation) -> dict[str, dict[str, float | str | None]]:
    """Return the rows of the table: with the share of the gap closed, behind the main figure."""
    headline = HEADLINES[result.task]
    rows: dict[str, dict[str, float | str | None]] = {}
    for system, row in ({name: result.metrics} | result.rows).items():
        gaps = result.gap_closed.get("model" if system == name else system, {})
        closed = gaps.get(headline, math.nan)
        rows[system] = {}
        for metric, value in shortened(row).items():
            rows[system][metric] = value
            if metric == headline and result.gap_closed:
                rows[system][GAP] = "" if math.isnan(closed) else f"{closed:.1%}"
    return rows


def shortened(row: Mapping[str, float]) -> dict[str, float]:
    """Leave out what tells little more: some figures at all k but the largest."""
    last = {family: name for family in AT_ONE_K for name in row if name.startswith(f"{family}@")}
    return {
        name: value
        for name, value in row.items()
        if name.partition("@")[0] not in AT_ONE_K or name in last.values()
    }


def _card(protocol: Mapping[str, Any]) -> None:
    """Print what was done in an evaluation."""
    told = {name: said for name, said in protocol.items() if name != "figures"}
    meaning: dict[str, list[str]] = {}
    for name, said in protocol["figures"].items():
        meaning.setdefault(said, []).append(_heading(name))
    what = {", ".join(names): said for said, names in meaning.items()}
    for title, lines in (("What was done", told), ("What each figure is", what)):
        shown = table(title, "")
        shown.columns[0].min_width = 20
        for name, said in lines.items():
            shown.add_row(plain(name), plain(said))
        out().print(shown)


def slices(result: EvaluatedSlices, *, json: bool) -> None:
    """Print the figures of each quantile of users or items."""
    if json:
        document(result.document())
        return
    found = result.found
    of = "users" if found.by == "user-activity" else "items"
    metrics = list(found.slices[0].metrics)
    out().print(
        f"\n[bold]{plain(result.name)}[/] · {plain(result.dataset)} · {of} by {found.counted}"
    )
    headings = (">range", f">{of}", ">judged", *(f">{_heading(metric)}" for metric in metrics))
    shown = table(*headings)
    for each in found.slices:
        ends = dict.fromkeys([each.lowest, each.highest])
        cells = [" – ".join(f"{end:,}" for end in ends), f"{each.size:,}", f"{each.users:,}"]
        shown.add_row(*cells, *(figure(each.metrics[metric]) for metric in metrics))
    unbroken(shown)
    judged = "over the users judged: those that have relevant items in the range"
    out().print(f"range: {found.counted}. Means {judged}.")


def _groups(metrics: Sequence[str], width: int) -> list[list[str]]:
    """Cut metrics into groups that fit beside each other; a family that fits stays together."""
    groups: list[list[str]] = []
    room = 0
    for family in _families(metrics):
        whole = _width(family) <= width
        for part in [family] if whole else [[metric] for metric in family]:
            if not groups or _width(part) > room:
                groups.append([])
                room = width
            groups[-1] += part
            room -= _width(part)
    return groups


def _width(metrics: Sequence[str]) -> int:
    return sum(max(len(_heading(metric)), 6) + 3 for metric in metrics)


def _families(metrics: Sequence[str]) -> list[list[str]]:
    from tartarus_cli.metrics import family

    return [list(names) for _, names in groupby(metrics, key=family)]


def _heading(metric: str) -> str:
    metric = metric.replace(" (users with relevant items)", "*")
    return metric.replace(" (published)", " publ.")


def _footer(result: Evaluation) -> str:
    if result.users is None:
        told = f"{result.items:,} test items"
    else:
        told = f"{result.items:,} test items ranked for {result.users:,} users"
        idle = result.users_without_relevant
        told += f", {idle:,} of them without relevant items (they count as 0; * leaves them out)"
    if result.items_without_prediction:
        told += f"; {result.items_without_prediction:,} items without a prediction rank last"
    return told


def _what(picture: Path) -> str:
    """Say what a picture shows."""
    shown = {
        "_precision_recall": "Precision by recall",
        "_reliability": "Reliability",
        "_confusion": "Confusion matrix",
    }
    return next(what for ending, what in shown.items() if picture.stem.endswith(ending))


def _next(result: Evaluation) -> None:
    if result.model is None:
        return
    if result.embedding is None:
        out().print(f"Next: tartarus models show {result.model}   (all about it)")
        return
    told = f"tartarus predict {result.model} --layer {quote(result.embedding)}"
    out().print(f"Next: {plain(told)}   (as a setting)", soft_wrap=True)
