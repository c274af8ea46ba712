"""Searches for parameters: the table of the best trials, and what to do next."""

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
from tartarus_cli.errors import Placeholder, call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.layout import WorkspacePaths
    from tartarus_cli.tuning.study import Study, TrialRecord


def study(workspace: WorkspacePaths, result: Study, *, json: bool) -> None:
    """Print the best trials, beneath the experiment as it is, and how to run the best of them."""
    if json:
        document(result.document())
        return
    request, console = result.request, out()
    recipe = " ".join([request.experiment, *request.settings])
    title = f"Study {result.name}"
    console.print(f"[bold]{plain(title)}[/] · {plain(recipe)} · {plain(request.dataset)}")
    keys = list(request.ranges)
    headings = (f">{result.objective.name}", *(f">{_short(key, keys)}" for key in keys))
    shown = table("trial", *headings, ">epochs", ">seconds")
    for trial in result.rows():
        shown.add_row(*map(plain, _cells(trial, keys)))
    unbroken(shown)
    _remarks(result)
    for picture in result.pictures:
        console.print(f"Picture: {plain(workspace.relative(picture))}", soft_wrap=True)
    _next(workspace, result)


def _cells(trial: TrialRecord, keys: Sequence[str]) -> list[str]:
    name = f"{trial.number} (as it is)" if trial.default else str(trial.number)
    values = (trial.parameters.get(key) for key in keys)
    cells = ["" if value is None else str(value) for value in values]
    seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
    return [name, figure(trial.figure), *cells, str(trial.epoch_count or ""), seconds]


def _short(key: str, keys: Sequence[str]) -> str:
    """Write a parameter without its section, unless two would have one name."""
    name = key.rpartition(".")[2]
    return key if sum(each.rpartition(".")[2] == name for each in keys) > 1 else name


def _remarks(result: Study) -> None:
    """Print how the trials ended, and which parameters matter."""
    console, counts = out(), result.counts
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    console.print(plain(f"{count_noun(len(result.trials), 'trial')}: {states}"))
    text = f"{result.objective.name}: of the validation items; test items were not read."
    console.print(plain(text), soft_wrap=True)
    if result.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in result.importance.items())
        console.print(plain(f"Share of the variance (fANOVA): {shares}"), soft_wrap=True)
    reasons: dict[str, list[int]] = {}
    for trial in result.trials:
        if trial.state == "failed":
            reasons.setdefault(trial.reason, []).append(trial.number)
    for reason, numbers in reasons.items():
        which = f"trial{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
        text = message(f"{which} failed: {reason}")
        console.print(f"[yellow]warning:[/] {text}", soft_wrap=True)


def _next(workspace: WorkspacePaths, result: Study) -> None:
    request, best = result.request, result.best
    if result.path is not None:
        path = workspace.relative(result.path)
        out().print(f"The best one: {plain(path)}", soft_wrap=True)
        code = list(request.code) or None
        next_step(call("run", result.experiment, *request.settings, code=code))
    elif best is not None and best.default:
        out().print(plain(f"No trial is better than {request.experiment} as it is."))
        if result.exhausted:
            out().print("All combinations of values have been tried.")
            return
        again = call("tune", study=result.name, resume=True, trials=2 * result.begun)
        next_step(again)


def studies(listed: Sequence[Study], *, json: bool) -> None:
    """Print the list of studies."""
    if json:
        document([each.document() for each in listed])
        return
    if not listed:
        begin = call("tune", Placeholder("EXPERIMENT"), Placeholder("SETTING"))
        out().print(message(f"There are no studies. To begin one: {begin}"), soft_wrap=True)
        return
    shown = table("study", "experiment", "dataset", ">trials", "figure", ">as it is", ">best")
    for each in listed:
        recipe = " ".join([each.request.experiment, *each.request.settings])
        best, default = each.best, each.default
        figures = (figure(t.figure if t else None) for t in (default, best))
        cells = (each.name, recipe, each.request.dataset, str(each.begun), each.objective.name)
        shown.add_row(*map(plain, (*cells, *figures)))
    out().print(shown)
