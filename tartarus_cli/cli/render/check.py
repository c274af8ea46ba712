"""What ``check-data`` found."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, out, plain, table

if TYPE_CHECKING:
    from tartarus_cli.checking.check import CheckResult, DatasetSummary
    from tartarus_cli.checking.report import DataProblem

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def checked(result: CheckResult, *, json: bool) -> None:
    """Print what ``check-data`` found."""
    if json:
        document(checked_document(result))
        return
    for name, summary in result.datasets.items():
        problems = [problem for problem in result.problems if problem.dataset == name]
        _dataset(name, summary, sound=all(each.severity != "error" for each in problems))
        _problems(problems)
    _problems([problem for problem in result.problems if not problem.dataset])
    _verdict(result)


def checked_document(result: CheckResult) -> dict[str, object]:
    """Return what ``check-data`` found, as JSON has it."""
    from dataclasses import asdict

    told = [
        {name: in_shell(text) for name, text in asdict(problem).items()}
        for problem in result.problems
    ]
    datasets = {name: asdict(each) for name, each in result.datasets.items()}
    return {"datasets": datasets, "problems": told, "ok": result.ok}


def _verdict(result: CheckResult) -> None:
    counts = dict.fromkeys(COLOURS, 0)
    for problem in result.problems:
        counts[problem.severity] += 1
    told = [f"[{COLOURS[s]}]{n} {s}{'s' * (n != 1)}[/]" for s, n in counts.items() if n]
    if not result.datasets:
        told = ["no datasets in data/datasets"]
    out().print(", ".join(told) or "[green]No problems.[/]")
    if not result.datasets:
        out().print(
            "Make one: tartarus split NAME --plays FILE   (or --labels FILE)", soft_wrap=True
        )
        out().print("Published ones: tartarus fetch", soft_wrap=True)
        out().print("An example to try: tartarus init PATH --example", soft_wrap=True)


def _dataset(name: str, summary: DatasetSummary, *, sound: bool) -> None:
    console = out()
    console.rule(f"[bold]{plain(name)}[/]", align="left")
    console.print("   ".join(_facts(summary)))
    _settings(summary)
    for kind, patch in summary.patches.items():
        of = f" of {plain(patch.transform)}" if patch.transform else ""
        console.print(f"patches: {kind} an item, {patch.frames} frames × {patch.bins} bins{of}")
    if summary.ready:
        console.print("Can be run now:" if sound else "Can be run once the errors are mended:")
    for experiment, settings in summary.ready.items():
        words = ["tartarus run", plain(quote(experiment)), *["SETTING"] * settings]
        words += ["--dataset", plain(quote(name))] if experiment in summary.borrowed else []
        console.print(f"  {' '.join(words)}", soft_wrap=True)
    if summary.waiting:
        console.print("Cannot be run yet:")
    for experiment, lacks in summary.waiting.items():
        told = f"  {plain(experiment)}: lacks {plain(', '.join(lacks))}"
        console.print(f"[dim]{told}[/]", soft_wrap=True)


def _facts(summary: DatasetSummary) -> list[str]:
    splits = [f"{split} {count:,}" for split, count in summary.items.items()]
    facts = [f"items: {' · '.join(splits) or 'none'}"]
    if summary.users is not None:
        facts.append(f"users: {summary.users:,}")
    if summary.density is not None:
        facts.append(f"density of the truth: {summary.density:.3%}")
    if summary.classes is not None:
        facts.append(f"classes: {summary.classes}")
    return facts


def _settings(summary: DatasetSummary) -> None:
    if not summary.settings:
        return
    shown = table("setting", ">width", "values")
    for name, setting in summary.settings.items():
        values = f"sparse, {setting.density:.2%} filled" if setting.sparse else "dense"
        shown.add_row(plain(name), f"{setting.width:,}", values)
    out().print(shown)


def _problems(problems: Sequence[DataProblem]) -> None:
    if not problems:
        return
    shown = table("", "file: found; expected; what to do")
    for problem in sorted(problems, key=lambda each: list(COLOURS).index(each.severity)):
        colour = COLOURS[problem.severity]
        told = (
            f"{plain(problem.file)}\n{message(problem.found)}; expected {message(problem.expected)}"
        )
        if problem.severity != "note":
            told += f"\n[dim]{message(problem.hint)}[/]"
        shown.add_row(f"[{colour}]{problem.severity}[/]", told)
    out().print(shown)
