"""Tables of a classification: its figures, its classes, which are taken for which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import figure, out, plain, table, unbroken

if TYPE_CHECKING:
    from tartarus_cli.evaluation.classification import Thresholds
    from tartarus_cli.evaluation.report import Evaluation
    from tartarus_cli.metrics.classification import ClassReport

MOST_CLASSES = 20  # shown in a table; the file of results has them all
MICRO = ("precision_micro", "recall_micro", "f1_micro")

Rows = Mapping[str, Mapping[str, float | str | None]]  # system → metric → value


def class_figures(rows: Rows, *, single: bool) -> None:
    """Print the figures of each system: those of the whole ranking, then those cut at some k.

    Parameters
    ----------
    rows
        By the name of the system.
    single
        Whether an item has one class; then all micro averages are the accuracy.
    """
    metrics = [name for name in next(iter(rows.values())) if not (single and name in MICRO)]
    whole = [name for name in metrics if "@" not in name]
    _whole_table(whole, rows)
    cut = [name for name in metrics if "@" in name]
    if cut:
        _cut_table(cut, rows)
    _remarks(whole, single=single)


def _whole_table(metrics: Sequence[str], rows: Rows) -> None:
    """Print a line for each figure, a column for each system, as many as fit beside each other."""
    for systems in _groups(rows, out().width - max(map(len, metrics)) - 3):
        shown = table("", *(f">{plain(system)}" for system in systems))
        for name in metrics:
            shown.add_row(name, *(figure(rows[system].get(name)) for system in systems))
        unbroken(shown)


def _groups(systems: Iterable[str], width: int) -> list[list[str]]:
    """Cut systems into groups whose columns fit beside each other.

    >>> _groups(["model_1", "random", "ridge"], 22)
    [['model_1', 'random'], ['ridge']]
    """
    groups: list[list[str]] = [[]]
    room = width
    for system in systems:
        needed = max(len(system), 8) + 3
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
    stem, _, rest = name.partition("@")
    k, space, more = rest.partition(" ")
    return f"{stem}{space}{more}", int(k)


def _remarks(metrics: Sequence[str], *, single: bool) -> None:
    from tartarus_cli.metrics.classification import LOWER_IS_BETTER

    told = []
    lower = [name for name in metrics if name in LOWER_IS_BETTER]
    if lower:
        told.append(f"Lower is better: {' and '.join(lower)}.")
    if single:
        told.append("Micro averages all equal the accuracy.")
    if told:
        out().print(" ".join(told))


def class_tables(result: Evaluation) -> None:
    """Print the figures of the largest classes, and which of a few are taken for which."""
    if not result.classes:
        return
    largest = sorted(result.classes, key=lambda each: -each.support)[:MOST_CLASSES]
    _report(largest, several=result.thresholds is not None)
    if len(result.classes) > len(largest):
        out().print(f"The {len(largest)} largest of {len(result.classes)} classes.")
    if result.thresholds is not None:
        out().print(_choice(result.thresholds))
    if result.confusion and len(result.classes) <= MOST_CLASSES:
        _confusion([each.name for each in result.classes], result.confusion)


def _report(classes: Sequence[ClassReport], *, several: bool) -> None:
    headings = ("class", ">items", ">precision", ">recall", ">F1", ">ROC-AUC", ">PR-AUC")
    shown = table(*headings, *([">threshold"] if several else []))
    for each in classes:
        values = (each.precision, each.recall, each.f1, each.roc_auc, each.pr_auc)
        cells = [figure(value) for value in values]
        cells += [figure(each.threshold)] if several else []
        shown.add_row(plain(each.name), f"{each.support:,}", *cells)
    unbroken(shown)


def _choice(thresholds: Thresholds) -> str:
    """Say who chose from which score on a class is predicted."""
    from tartarus_cli.metrics.thresholds import MIN_ITEMS

    if thresholds.source is None:
        return f"Every class is predicted from a score of {thresholds.values[0]:g} on."
    told = "A class is predicted from its threshold on: the score of its greatest F1 on the "
    told += f"{thresholds.items:,} val items."
    if thresholds.sharing:
        told += f" Classes with fewer than {MIN_ITEMS} of them share one: {thresholds.sharing:,}."
    return told


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    shown = table("true ↓ predicted →", *(f">{n + 1}" for n in range(len(names))), narrow=True)
    for number, (name, row) in enumerate(zip(names, counts, strict=True), 1):
        cells = [str(count) if count else "[dim]·[/]" for count in row]
        shown.add_row(f"{number} {plain(name)}", *cells)
    unbroken(shown)
