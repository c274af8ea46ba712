"""Tables of a classification: its figures, its classes, and which are confused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import figure, out, plain, table, unbroken

if TYPE_CHECKING:
    from tartarus_cli.evaluation.classification import PooledClasses, Thresholds
    from tartarus_cli.evaluation.report import ClassEvaluation
    from tartarus_cli.metrics.classification import ClassReport

MAX_CLASSES = 20
"""Classes shown in a table; the file of results has them all."""

MICRO = ("precision_micro", "recall_micro", "f1_micro")
"""Metrics that all equal the accuracy where an item has one class."""

Rows = Mapping[str, Mapping[str, float | str | None]]
"""System → metric → value."""


def class_figures(rows: Rows, *, single: bool) -> None:
    """Print the figures of each system: those of the whole ranking, then those cut at some k.

    Parameters
    ----------
    rows
        The figures of each system.
    single
        Whether an item has one class; then all micro averages equal the accuracy.
    """
    metrics = [name for name in next(iter(rows.values())) if not (single and name in MICRO)]
    whole = [name for name in metrics if "@" not in name]
    _whole_table(whole, rows)
    cut = [name for name in metrics if "@" in name]
    if cut:
        _cut_table(cut, rows)
    _remarks(whole, single=single)


def _whole_table(metrics: Sequence[str], rows: Rows) -> None:
    """Print a line for each figure, and a column for each system, as many as fit in one table."""
    longest = max(len(figure(values.get(name))) for values in rows.values() for name in metrics)
    for systems in _groups(rows, out().width - max(map(len, metrics)) - 3, longest):
        shown = table("", *(f">{plain(system)}" for system in systems))
        for name in metrics:
            shown.add_row(name, *(figure(rows[system].get(name)) for system in systems))
        unbroken(shown)


def _groups(systems: Iterable[str], width: int, cell: int = 6) -> list[list[str]]:
    """Cut systems into groups whose columns fit into one table.

    Parameters
    ----------
    systems
        Their names.
    width
        Of the table, without its first column.
    cell
        Characters of the longest figure.

    >>> _groups(["model_1", "random", "ridge"], 22)
    [['model_1', 'random'], ['ridge']]
    """
    groups: list[list[str]] = [[]]
    room = width
    for system in systems:
        needed = max(len(system), 8, cell) + 3
        if groups[-1] and needed > room:
            groups.append([])
            room = width
        groups[-1].append(system)
        room -= needed
    return groups


def _cut_table(metrics: Sequence[str], rows: Rows) -> None:
    """Print a line for each kind of figure and system, a column for each k."""
    cuts = sorted({_parts(name)[1] for name in metrics})
    shown = table("first k classes", "", *(f">@{k}" for k in cuts))
    at = {_parts(name): name for name in metrics}
    for family in dict.fromkeys(family for family, _ in at):
        for number, (system, values) in enumerate(rows.items()):
            cells = [figure(values.get(at[family, k])) for k in cuts]
            shown.add_row("" if number else family, plain(system), *cells)
    unbroken(shown)


def _parts(name: str) -> tuple[str, int]:
    """Cut the name of a figure into its kind and its k.

    >>> _parts("nDCG@5 (published)")
    ('nDCG (published)', 5)
    """
    stem, _, suffix = name.partition("@")
    k, space, note = suffix.partition(" ")
    return f"{stem}{space}{note}", int(k)


def _remarks(metrics: Sequence[str], *, single: bool) -> None:
    from tartarus_cli.metrics.classification import LOWER_IS_BETTER

    remarks = []
    lower = [name for name in metrics if name in LOWER_IS_BETTER]
    if lower:
        remarks.append(f"Lower is better: {' and '.join(lower)}.")
    if single:
        remarks.append("Micro averages all equal the accuracy.")
    if remarks:
        out().print(" ".join(remarks))


def class_tables(result: ClassEvaluation) -> None:
    """Print the figures of the largest classes and, if there are few, the confusion matrix."""
    if not result.classes:
        return
    largest = sorted(result.classes, key=lambda report: -report.support)[:MAX_CLASSES]
    _report(largest, multilabel=result.thresholds is not None)
    if len(result.classes) > len(largest):
        out().print(f"The {len(largest)} largest of {len(result.classes)} classes.")
    if result.thresholds is not None:
        out().print(_threshold_remark(result.thresholds))
    if result.confusion and len(result.classes) <= MAX_CLASSES:
        _confusion([report.name for report in result.classes], result.confusion)


def pooled_class_tables(result: PooledClasses) -> None:
    """Print the figures of the largest classes and, if there are few, the confusion matrix."""
    largest = sorted(result.classes, key=lambda report: -report.support)[:MAX_CLASSES]
    _report(largest, multilabel=False)
    if result.confusion and len(result.classes) <= MAX_CLASSES:
        _confusion([report.name for report in result.classes], result.confusion)


def _report(classes: Sequence[ClassReport], *, multilabel: bool) -> None:
    headings = ("class", ">items", ">precision", ">recall", ">F1", ">ROC-AUC", ">PR-AUC")
    shown = table(*headings, *([">threshold"] if multilabel else []))
    for report in classes:
        values = (report.precision, report.recall, report.f1, report.roc_auc, report.pr_auc)
        cells = [figure(value) for value in values]
        cells += [figure(report.threshold)] if multilabel else []
        shown.add_row(plain(report.name), f"{report.support:,}", *cells)
    unbroken(shown)


def _threshold_remark(thresholds: Thresholds) -> str:
    """Say from which score on a class is predicted, and what chose it."""
    from tartarus_cli.metrics.thresholds import MIN_ITEMS

    if thresholds.source is None:
        return f"Every class is predicted from a score of {thresholds.values[0]:g} on."
    remark = "A class is predicted from its threshold on: the score of its greatest F1 on the "
    remark += f"{thresholds.items:,} val items."
    if thresholds.sharing:
        remark += f" Classes with fewer than {MIN_ITEMS} of them share one: {thresholds.sharing:,}."
    return remark


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    shown = table("true ↓ predicted →", *(f">{n + 1}" for n in range(len(names))), narrow=True)
    for number, (name, row) in enumerate(zip(names, counts, strict=True), 1):
        cells = [str(count) if count else "[dim]·[/]" for count in row]
        shown.add_row(f"{number} {plain(name)}", *cells)
    unbroken(shown)
