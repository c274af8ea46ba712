"""The figures of groups of models: means, with how much the members differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.classes import class_figures, pooled_class_tables
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
from tartarus_cli.cli.render.evaluation import GAP, beside, explained, figures, shortened
from tartarus_cli.errors import DataError, Placeholder, TartarusError, call, count_noun

if TYPE_CHECKING:
    from tartarus_cli.evaluation.delete import Deletion
    from tartarus_cli.evaluation.group_report import EvaluatedMember, GroupEvaluation, Spread
    from tartarus_cli.models.groups import Group
    from tartarus_cli.models.store import Model

DEVIATION = " " * len(" ± 0.0000")
"""Stands behind a figure without a deviation, so that it is below the others."""

MOST_METRICS = 4
"""Figures that are shown of each member."""


def group_evaluation(result: GroupEvaluation, *, explain: bool = False, json: bool) -> None:
    """Print the means of a group and of its baselines, then each member, and what to do next."""
    if json:
        document(result.document() | {"advice": in_shell(result.advice)})
        return
    out().print(f"\n{_title(result)}", soft_wrap=True)
    _pooled(result)
    systems = _systems(result)
    if result.task == "recommendation":
        figures(systems)
    else:
        class_figures(systems, single=result.task == "multiclass")
    _members(result)
    out().print(plain(_footer(result)))
    beside(result.first.chosen, result.advice)
    if explain:
        explained(result.first.protocol)
    path = result.group.workspace.relative(result.group.workspace.group(result.name))
    out().print(f"Kept in {plain(path)}", soft_wrap=True)
    _end(result)


def _pooled(result: GroupEvaluation) -> None:
    """Print the figures of all items of all folds, each judged once."""
    own = result.pooled.get(result.name)
    if own is None:
        return
    out().print(f"\nAll {own.items:,} items, each scored by the model of the fold that tests it:")
    class_figures(result.pooled_rows(), single=result.task == "multiclass")
    pooled_class_tables(own)
    out().print("\nMean ± standard deviation over the folds (n - 1):")


def _end(result: GroupEvaluation) -> None:
    """Print what is missing, and what to do next."""
    for each in result.failed:
        out().print(f"[yellow]warning:[/] {message(_problem(each))}", soft_wrap=True)
    if result.failed:
        text = "run the same command again: what is there is used, the rest is tried once more"
        out().print(f"Next: {text}", soft_wrap=True)
        return
    if result.kind == "folds":
        first = call("compare", result.group.models[0], Placeholder("MODEL"))
        next_step(f"{first}   (another model of the same fold)")
        return
    next_step(f"{call('compare', result.name, Placeholder('MODEL'))}   (or another group)")


def _problem(each: EvaluatedMember) -> str:
    member = each.member
    if member.status == "failed":
        return f"{member.label} failed, and is not in the figures: {member.error}"
    return f"{member.label} ({member.model or 'not trained yet'}) has no results"


def _title(result: GroupEvaluation) -> str:
    manifest = result.group.manifest
    about = plain(" ".join([manifest.experiment, *manifest.settings]))
    title = f"[bold]{result.name}[/] · {about} · {plain(manifest.dataset)} · {manifest.task}"
    title += f" · scoring {result.scoring}" if result.scoring else ""
    return f"{title} · {_count(result)}"


def _count(result: GroupEvaluation) -> str:
    whole, there = len(result.members), len(result.members) - len(result.failed)
    noun = result.kind.removesuffix("s")
    return count_noun(whole, noun) if there == whole else f"{there} of {count_noun(whole, noun)}"


def _systems(result: GroupEvaluation) -> dict[str, dict[str, float | str | None]]:
    """Return the rows of the table: with the share of the gap closed, behind the main figure."""
    rows: dict[str, dict[str, float | str | None]] = {}
    once = result.same_model  # of everything
    for system, spreads in result.systems():
        closed = result.gap_closed.get("model" if system == result.name else system, {})
        scoring = result.first.chosen.get(system, {}).get("scoring")
        row = rows[system if scoring is None else f"{system} ({scoring})"] = {}
        for metric, spread in shortened(spreads).items():
            row[metric] = str(spread) if spread.sd is not None or once else f"{spread}{DEVIATION}"
            if metric == result.headline and result.gap_closed:
                row[GAP] = _percent(closed.get(metric))
    return rows


def _percent(spread: Spread | None) -> str:
    if spread is None or not spread.n:
        return ""
    sd = spread.sd
    if sd is None:
        return f"{spread.mean:.1%}"
    return f"{spread.mean:.1%} ± {'—' if sd != sd else f'{sd:.1%}'}"  # noqa: PLR0124 — NaN


def _members(result: GroupEvaluation) -> None:
    """Print the main figures of each member."""
    from tartarus_cli.evaluation.headlines import HEADLINES

    metrics = [m for m in HEADLINES[result.task] if m in result.metrics][:MOST_METRICS]
    shown = table("", "model", *(f">{metric}" for metric in metrics))
    for each in result.members:
        cells = [figure(each.metrics.get(metric)) for metric in metrics]
        name = each.member.model or each.member.status
        shown.add_row(each.member.label, plain(name), *cells)
    unbroken(shown)


def _footer(result: GroupEvaluation) -> str:
    first = result.first
    items = first.items
    if result.kind == "folds":
        items = sum(each.results.items for each in result.members if each.results is not None)
    counts = f"{items:,} test items"
    if first.users is not None:
        counts += f" ranked for {first.users:,} users"
    if result.same_model:
        one = f"{result.group.models[0]} is the model of all {result.kind}"
        return f"{counts}. Nothing is drawn: {one}, and its figures have no deviation."
    spread = f"mean ± standard deviation over the {result.kind} (n - 1)"
    once = [name for name, row in result.rows.items() if any(f.sd is None for f in row.values())]
    if once and result.kind == "seeds":
        spread += f"; {', '.join(once)}: once, since nothing of it is drawn"
    return f"{counts}. Figures: {spread}."


def group(shown_group: Group, *, json: bool) -> None:
    """Print the figures of a group and of its members, or how far it came."""
    from tartarus_cli.evaluation.group_report import evaluate_group

    if shown_group.evaluated:
        try:
            result = evaluate_group(shown_group)
        except DataError:  # its results were deleted
            result = None
        if result is not None:
            group_evaluation(result, json=json)
            return
    if json:
        document({"group": shown_group.name, **shown_group.manifest.model_dump(mode="json")})
        return
    out().print(f"[bold]{shown_group.name}[/] · {plain(_recipe(shown_group))}", soft_wrap=True)
    shown = table("", "model", "status")
    for member in shown_group.members:
        status = f"{member.status}: {member.error}" if member.error else member.status
        shown.add_row(member.label, member.model or "—", message(status))
    out().print(shown)
    out().print("Next: the command that began it goes on.")


def group_cells(listed: Group) -> tuple[str, ...]:
    """Return the line of a group in the list of models."""
    from tartarus_cli.evaluation.group_report import evaluate_group

    manifest, members = listed.manifest, listed.members
    seeds = {member.seed for member in members}
    score = f"{len(listed.evaluated)} of {len(members)} {manifest.kind}"
    if listed.evaluated:
        try:
            result = evaluate_group(listed)
        except TartarusError:  # the results are gone, or damaged
            return (listed.name, _recipe(listed), manifest.dataset, _few(seeds), "—", score)
        name = result.headline
        figures_of = f"{name} {result.metrics[name]}" if name in result.metrics else ""
        score = figures_of if not result.failed else f"{figures_of} ({score})"
    return (listed.name, _recipe(listed), manifest.dataset, _few(seeds), "—", score)


def _few(seeds: Collection[int]) -> str:
    """Write seeds shortly.

    >>> _few({0, 1, 2}), _few({3, 7}), _few({4})
    ('0–2', '3, 7', '4')
    """
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered))


def _recipe(shown_group: Group) -> str:
    """Write the experiment with its settings, what was changed in it, and its members."""
    manifest = shown_group.manifest
    changes = (f"--set {quote(override)}" for override in manifest.overrides)
    count = f"({len(manifest.members)} {manifest.kind})"
    return " ".join([manifest.experiment, *manifest.settings, *changes, count])


def folded(trained: Sequence[Model], groups: Sequence[Group]) -> set[str]:
    """Return the models that a line of a group stands for: its members, and what these alone blend.

    Parameters
    ----------
    trained
        All models.
    groups
        All groups.
    """
    members = {name for each in groups for name in each.models}
    parts = {part for model in trained if model.name in members for part in model.manifest.parts}
    others = {p for model in trained if model.name not in members for p in model.manifest.parts}
    return members | (parts - others)


def deletion_question(deletion: Deletion) -> str:
    """Ask whether groups and models are to be deleted."""
    models = deletion.models
    whose = "its predictions and its" if len(models) == 1 else "their predictions and their"
    if not deletion.groups:
        return f"Delete {', '.join(models)}, {whose} results?"
    names = ", ".join(deletion.groups)
    if not models:
        return f"Delete {names}, which has no models of its own?"
    noun = "model" if len(models) == 1 else "models"
    return f"Delete {names} with the {noun} {', '.join(models)}, {whose} results?"


def deleted_group(name: str) -> None:
    """Say that a group was deleted."""
    out().print(f"Deleted {plain(name)}.")


def deletion_remarks(deletion: Deletion) -> None:
    """Say which members stay, and which groups lack some now."""
    for model, others in deletion.shared.items():
        out().print(f"{model} stays: it is in {', '.join(others)} too.", soft_wrap=True)
    for name, lost in deletion.incomplete.items():
        text = f"{name} lacks {', '.join(lost)} now: the command that trained it does so again."
        out().print(text, soft_wrap=True)
