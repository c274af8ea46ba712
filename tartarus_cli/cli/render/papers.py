"""Papers: the list of them, their tables with all that differs, and what a run would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
from tartarus_cli.cli.render.spans import written_size, written_span
from tartarus_cli.errors import Placeholder, call

if TYPE_CHECKING:
    from tartarus_cli.reproducing.estimates import Estimate
    from tartarus_cli.reproducing.report import ReproducedFigure, Reproduction
    from tartarus_cli.reproducing.reproduce import ListedPaper
    from tartarus_cli.workspace import Workspace

VERDICTS = {"within": "yes", "outside": "no", "other data": "other data", "not published": "—"}
"""Verdict → how the table shows it."""


def papers(listed: Sequence[ListedPaper], *, json: bool) -> None:
    """Print the papers, with what each needs and what of it is missing."""
    if json:
        document([_listed_document(each) for each in listed])
        return
    for each in listed:
        if each.file is None:
            problem = f"[bold]{plain(each.name)}[/] cannot be used: {message(each.problem)}"
            out().print(f"\n{problem}", soft_wrap=True)
            continue
        paper, missing = each.file.paper, each.missing
        out().print(f"\n[bold]{plain(each.name)}[/] · {plain(paper.title)}", soft_wrap=True)
        venue = f"{', '.join(paper.authors)}. {paper.venue}, {paper.year}. {paper.url}"
        out().print(f"  {plain(venue)}", soft_wrap=True)
        needed = dict.fromkeys((row.dataset, s) for row in paper.rows for s in row.settings)
        by_dataset = [
            f"{name} ({', '.join(s for d, s in needed if d == name)})"
            for name in dict.fromkeys(row.dataset for row in paper.rows)
        ]
        out().print(f"  needs {plain(', '.join(by_dataset))}", soft_wrap=True)
        out().print(f"  rows: {', '.join(row.name for row in paper.rows)}", soft_wrap=True)
        if missing is not None:
            lacks = f"missing here: {', '.join(missing)}" if missing else "all of it is here"
            out().print(f"  {plain(lacks)}", soft_wrap=True)
    out().print()
    next_step(call("reproduce", Placeholder("PAPER"), dry_run=True))


def _listed_document(each: ListedPaper) -> dict[str, object]:
    if each.file is None:
        return {"name": each.name, "problem": each.problem}
    paper = each.file.paper
    return {
        "name": each.name,
        **paper.model_dump(mode="json"),
        "file": str(each.file.path),
        "shipped": each.file.shipped,
        "missing": None if each.missing is None else [*each.missing],
    }


def reproduction(workspace: Workspace, result: Reproduction | Estimate, *, json: bool) -> None:
    """Print the table of a paper with all that differs, or what a run of it would take."""
    from tartarus_cli.reproducing.estimates import Estimate

    if json:
        document(result.document())
    elif isinstance(result, Estimate):
        _estimate(result)
    else:
        _figures(workspace, result)


def _figures(workspace: Workspace, result: Reproduction) -> None:
    paper, console = result.paper, out()
    console.print(f"\n[bold]{plain(paper.title)}[/] ({plain(result.name)})", soft_wrap=True)
    console.print(plain(f"{', '.join(paper.authors)}. {paper.venue}, {paper.year}."))
    console.print(plain(paper.url))
    share = f"±{paper.tolerance.relative:.0%}"
    headings = (">published", ">ours", ">difference", f"within {share}", "model")
    shown = table("row", "metric", *headings)
    for each in result.figures:
        shown.add_row(*map(plain, _cells(each)))
    unbroken(shown)
    for row in dict.fromkeys(each.row for each in result.figures):
        first = next(each for each in result.figures if each.row == row)
        console.print(plain(f"{row}: {_recipe(first)}"), soft_wrap=True)
    _notes(result)
    if result.description.is_relative_to(workspace.root):
        described = plain(workspace.relative(result.description))
        console.print(f"The paper is described by {described}", soft_wrap=True)
    file = plain(workspace.relative(result.file))
    console.print(f"Kept in {file}", soft_wrap=True)


def _cells(each: ReproducedFigure) -> list[str]:
    known = each.difference is not None and each.difference == each.difference
    difference = f"{each.difference:+.4f}" if known else "—"
    metric = f"{each.metric}, {each.part}" if each.part else each.metric
    values = [figure(each.published), figure(each.ours), difference]
    return [each.row, metric, *values, VERDICTS[each.verdict], each.model]


def _recipe(each: ReproducedFigure) -> str:
    changes = [f"--set {override}" for override in each.overrides]
    words = " ".join([each.experiment, *each.settings, *changes, f"--dataset {each.dataset}"])
    source = f"; published in {each.source}" if each.source else ""
    return f"{each.published_as}; here: {words}{source}"


def _notes(result: Reproduction) -> None:
    """Print what differs from the paper, how far figures may differ, and what is not known."""
    console, paper = out(), result.paper
    console.print("\n[bold]What differs from the paper[/]")
    for sentence in result.differs:
        console.print(f"- {plain(sentence)}", soft_wrap=True)
    console.print(f"Protocol: {plain(paper.protocol)}", soft_wrap=True)
    share, reason = paper.tolerance.relative, paper.tolerance.reason
    text = f"Tolerance: {share:.0%} of the published figure ({reason})."
    console.print(plain(text), soft_wrap=True)
    if result.unknown:
        text = f"Where no published figure stands: {paper.not_available}."
        console.print(plain(text), soft_wrap=True)
        copy = f"copy {result.description} to papers/{result.name}.toml of the workspace"
        write = 'and write published = FIGURE and source = "TABLE" to the metric'
        console.print(message(f"To compare with it, {copy}, {write}."), soft_wrap=True)


def _estimate(result: Estimate) -> None:
    console = out()
    title = f"[bold]{plain(result.title)}[/] ({plain(result.name)}), estimated"
    console.print(f"\n{title}", soft_wrap=True)
    _estimate_rows(result)
    speed = f"{result.gigaflops:,.0f} GFLOP/s, measured now"
    text = "Times are from the first epoch at which a training may end to the last one, at "
    console.print(f"{text}{speed}; memory is that of one row at a time.", soft_wrap=True)
    console.print(f"The disk of the workspace has {written_size(result.free_disk)} left.")
    if result.disk > result.free_disk:
        console.print("[bold]That is too little.[/]")
    if result.unknown:
        names = ", ".join(result.unknown)
        console.print(plain(f"How long {names} will take is not known."), soft_wrap=True)
    out().print("Nothing was written.")
    next_step(call("reproduce", result.name, only=list(result.only) or None, seed=result.seed))


def _estimate_rows(result: Estimate) -> None:
    shown = table("row", ">time", ">memory", ">disk", "estimated from")
    for row in result.rows:
        cells = [
            written_span(row.seconds),
            written_size(row.memory),
            written_size(row.disk),
            row.basis,
        ]
        shown.add_row(plain(row.row), *map(plain, cells))
    if len(result.rows) > 1:
        total = [
            written_span(result.seconds),
            written_size(result.memory),
            written_size(result.disk),
            "",
        ]
        shown.add_row("all", *total)
    unbroken(shown)
