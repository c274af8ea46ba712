"""Results of ``check-data``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, out, plain, table
from tartarus_cli.errors import Placeholder, call, count_noun, parameter

if TYPE_CHECKING:
    from tartarus_cli.checking.check import CheckResult
    from tartarus_cli.checking.report import DataProblem
    from tartarus_cli.checking.summary import DatasetSummary

MOST_FILES = 5
"""Files that are named of which the same is said."""

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
"""Severity of a problem → its colour; the most severe first."""


def check_result(result: CheckResult, *, json: bool) -> None:
    """Print the summary and the problems of each dataset."""
    if json:
        document(check_document(result))
        return
    for name, summary in result.datasets.items():
        problems = [problem for problem in result.problems if problem.dataset == name]
        valid = all(problem.severity != "error" for problem in problems)
        _print_dataset(name, summary, valid=valid)
        _print_problems(problems)
    _print_problems([problem for problem in result.problems if not problem.dataset])
    _print_verdict(result)


def check_document(result: CheckResult) -> dict[str, object]:
    """Return the summaries and the problems as a JSON document."""
    from dataclasses import asdict

    problems = [
        {name: in_shell(text) for name, text in asdict(problem).items()}
        for problem in result.problems
    ]
    datasets = {name: _summary_document(summary) for name, summary in result.datasets.items()}
    return {"datasets": datasets, "problems": problems, "ok": result.ok}


def _summary_document(summary: DatasetSummary) -> dict[str, object]:
    from dataclasses import asdict

    waiting = {
        experiment: [in_shell(text) for text in missing]
        for experiment, missing in summary.waiting.items()
    }
    return asdict(summary) | {"waiting": waiting}


def _print_verdict(result: CheckResult) -> None:
    counts = dict.fromkeys(COLOURS, 0)
    for problem in result.problems:
        counts[problem.severity] += 1
    parts = [f"[{COLOURS[s]}]{n} {s}{'s' * (n != 1)}[/]" for s, n in counts.items() if n]
    if not result.datasets:
        parts = ["no datasets in data/datasets"]
    out().print(", ".join(parts) or "[green]No problems.[/]")
    if not result.datasets:
        name, file, path = map(Placeholder, ("NAME", "FILE", "PATH"))
        for line in (
            f"Create one: {call('split', name, plays=file)}   (or {parameter('labels', file)})",
            f"Published ones: {call('fetch')}",
            f"An example to try: {call('init', path, example=True)}",
        ):
            out().print(message(line), soft_wrap=True)


def _print_dataset(name: str, summary: DatasetSummary, *, valid: bool) -> None:
    console = out()
    console.rule(f"[bold]{plain(name)}[/]", align="left")
    console.print("   ".join(_facts(summary)))
    _print_settings(summary)
    for kind, patch in summary.patches.items():
        transform = f" of {plain(patch.transform)}" if patch.transform else ""
        shape = f"{patch.frames} frames × {patch.bins} bins"
        console.print(f"patches: {kind} an item, {shape}{transform}")
    if summary.ready:
        console.print("Can be run now:" if valid else "Can be run when the errors are corrected:")
    for experiment, settings in summary.ready.items():
        dataset = name if experiment in summary.borrowed else None
        command = call("run", experiment, *[Placeholder("SETTING")] * settings, dataset=dataset)
        console.print(f"  {message(command)}", soft_wrap=True)
    if summary.waiting:
        console.print("Cannot be run yet:")
    for experiment, missing in summary.waiting.items():
        line = f"  {plain(experiment)}: lacks {message(', '.join(missing))}"
        console.print(f"[dim]{line}[/]", soft_wrap=True)


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


def _print_settings(summary: DatasetSummary) -> None:
    if not summary.settings:
        return
    lacking = ["absent"] if any(s.absent for s in summary.settings.values()) else []
    rows = table("setting", ">width", "values", *lacking)
    for name, setting in summary.settings.items():
        values = f"sparse, {setting.density:.2%} filled" if setting.sparse else "dense"
        absent = [f"{split} {count:,}" for split, count in setting.absent.items()]
        cells = [" · ".join(absent)] if lacking else []
        rows.add_row(plain(name), f"{setting.width:,}", values, *cells)
    out().print(rows)


def _print_problems(problems: Sequence[DataProblem]) -> None:
    if not problems:
        return
    rows = table("", "file: found; expected; what to do")
    severities = list(COLOURS)
    for problem, files in sorted(
        _group(problems), key=lambda group: severities.index(group[0].severity)
    ):
        colour = COLOURS[problem.severity]
        names = [plain(file) for file in files[:MOST_FILES]]
        if len(files) > len(names):
            names.append(f"… and {count_noun(len(files) - len(names), 'more file')}")
        text = "\n".join(names) + f"\n{message(problem.found)}; "
        text += f"expected {message(problem.expected)}"
        if problem.severity != "note":
            text += f"\n[dim]{message(problem.hint)}[/]"
        rows.add_row(f"[{colour}]{problem.severity}[/]", text)
    out().print(rows)


def _group(problems: Sequence[DataProblem]) -> list[tuple[DataProblem, list[str]]]:
    """Put problems of which the same is said together: one of them, and the files of all."""
    groups: dict[tuple[str, ...], tuple[DataProblem, list[str]]] = {}
    for problem in problems:
        key = problem.severity, problem.found, problem.expected, problem.hint
        groups.setdefault(key, (problem, []))[1].append(problem.file)
    return [*groups.values()]
