"""Tables of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, figure, out, plain, table

if TYPE_CHECKING:
    from tartarus_cli.steps.evaluate import Evaluation
    from tartarus_cli.workspace import Workspace

MOST_CLASSES = 20  # shown in a table; the file of results has them all


def evaluation(workspace: Workspace, result: Evaluation, *, json: bool) -> None:
    """Print the metrics tables of a model, and what one might do next."""
    if json:
        document(result.document())
        return
    name = result.model or (result.results.stem if result.results else "file")
    what = " ".join([result.experiment, *result.settings])
    console = out()
    console.print()
    console.print(
        f"[bold]{plain(name)}[/] · {plain(what)} · {plain(result.dataset)} · {result.task}",
    )
    figures({name: result.metrics} | result.rows)
    _classes(result)
    console.print(_footer(result))
    if result.results is not None:
        console.print(f"Kept in {plain(workspace.within(result.results))}", soft_wrap=True)
    if result.picture is not None:
        console.print(f"Confusion matrix: {plain(str(result.picture))}", soft_wrap=True)
    _next(result)


def figures(rows: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print tables of systems by metrics, as many metrics beside each other as fit."""
    first = max(len(name) for name in rows) + 4
    metrics = list(next(iter(rows.values())))
    for group in _groups(metrics, out().width - first):
        shown = table("", *(f">{_heading(metric)}" for metric in group))
        for name, values in rows.items():
            shown.add_row(plain(name), *(figure(values.get(metric)) for metric in group))
        out().print(shown)


def _groups(metrics: Sequence[str], width: int) -> list[list[str]]:
    """Cut metrics into groups that fit beside each other; a family stays together."""
    groups: list[list[str]] = []
    room = 0
    for family in _families(metrics):
        needed = sum(max(len(_heading(metric)), 6) + 3 for metric in family)
        if not groups or needed > room:
            groups.append([])
            room = width
        groups[-1] += family
        room -= needed
    return groups


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


def _classes(result: Evaluation) -> None:
    if not result.classes:
        return
    largest = sorted(result.classes, key=lambda each: -each.support)[:MOST_CLASSES]
    shown = table("class", ">precision", ">recall", ">F1", ">items")
    for each in largest:
        cells = [figure(value) for value in (each.precision, each.recall, each.f1)]
        shown.add_row(plain(each.name), *cells, f"{each.support:,}")
    out().print(shown)
    if len(result.classes) > len(largest):
        out().print(f"The {len(largest)} largest of {len(result.classes)} classes.")
    if result.confusion and len(result.classes) <= MOST_CLASSES:
        _confusion([each.name for each in result.classes], result.confusion)


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    shown = table("true ↓ predicted →", *(f">{n + 1}" for n in range(len(names))), narrow=True)
    for number, (name, row) in enumerate(zip(names, counts, strict=True), 1):
        cells = [str(count) if count else "[dim]·[/]" for count in row]
        shown.add_row(f"{number} {plain(name)}", *cells)
    out().print(shown)


def _next(result: Evaluation) -> None:
    if result.model is None:
        return
    if result.embedding is None:
        out().print(f"Next: tartarus models show {result.model}   (its layers)")
        return
    told = f"tartarus predict {result.model} --layer {result.embedding}"
    out().print(f"Next: {told}   (as a setting)", soft_wrap=True)
