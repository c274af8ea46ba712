"""The table of an ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import figure, message, out, plain, table, unbroken
from tartarus_cli.cli.render.differences import MARK, probability, signed, signed_interval

if TYPE_CHECKING:
    from tartarus_cli.evaluation.ablation import Ablation, AblationRow
    from tartarus_cli.layout import WorkspacePaths


def ablation(workspace: WorkspacePaths, result: Ablation) -> None:
    """Print what each row scores, how it differs from all settings, and what that says."""
    console = out()
    title = f"What the {'settings' if result.settings else 'patches'} of {result.model} are worth"
    recipe = " ".join([result.experiment, *result.settings])
    console.print(f"[bold]{plain(title)}[/] · {plain(recipe)}")
    headings = (*result.metrics[:1], "95% interval", *result.metrics[1:])
    shown = table("", *(f">{each}" for each in (*headings, "diff.", "95% interval", "p (Holm)")))
    shown.add_column("model")
    for row in result.rows:
        shown.add_row(*map(plain, _cells(result, row)))
    for name, figures in result.references.items():
        first, *others = (figure(figures.get(metric)) for metric in result.metrics)
        shown.add_row(*map(plain, (name, first, "", *others, "", "", "", "")))
    unbroken(shown)
    _remarks(result)
    for picture in result.pictures:
        console.print(f"Picture: {plain(str(picture))}", soft_wrap=True)
    path = workspace.relative(workspace.ablation(result.model))
    console.print(f"Kept in {plain(path)}", soft_wrap=True)


def _remarks(result: Ablation) -> None:
    """Print what the figures say, how they were computed, and what is not there."""
    console = out()
    for sentence in result.summary:
        console.print(f"[bold]{plain(sentence)}[/]", soft_wrap=True)
    console.print(plain(_caption(result)), soft_wrap=False)
    for label, reason in result.left_out.items():
        text = message(f"{label} is left out: {reason}")
        console.print(f"[yellow]warning:[/] {text}", soft_wrap=True)
    if result.remark:
        console.print(plain(result.remark), soft_wrap=True)


def _cells(result: Ablation, row: AblationRow) -> list[str]:
    first, *others = (figure(row.figures.get(metric)) for metric in result.metrics)
    cells = [row.label, first, f"[{row.low:.4f}, {row.high:.4f}]", *others]
    test = row.difference
    if test is None:
        return [*cells, "", "", "", row.model]
    corrected = (MARK if test.significant else "") + probability(test.p_holm)
    interval = signed_interval(test.low, test.high)
    return [*cells, signed(test.difference), interval, corrected, row.model]


def _caption(result: Ablation) -> str:
    from tartarus_cli.evaluation.comparison import CAVEAT

    return (
        f"diff.: less all settings. Bootstrap intervals and paired randomization tests over "
        f"{result.unit}, {result.resamples:,} resamples; {MARK} p < .05 after Holm's correction; "
        f"{CAVEAT}. shuffled: all settings, each item with those of another one of its set "
        f"(seed {result.seed})."
    )
