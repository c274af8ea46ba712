"""What the figures of an ablation say, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tartarus_cli.evaluation.ablation import Ablation, AblationRow

MEASURES_OF_CHANCE = ("random", "popularity", "prior")
"""Rows that need no content of the items."""


def summarize(ablation: Ablation) -> tuple[str, ...]:
    """Say what each setting is worth, whether content matters, and whether one alone is better."""
    return tuple(sentence for part in (_worth, _content, _alone) for sentence in part(ablation))


def _worth(ablation: Ablation) -> Iterator[str]:
    """Say by how much the figure falls without each setting."""
    settings = ablation.rows[0].settings
    if len(settings) < 2:
        return
    parts = []
    for setting in settings:
        row = _without(ablation, settings, setting)
        if row is not None and row.difference is not None:
            worth = round(-row.difference.difference, 4) + 0.0  # no minus before a zero
            parts.append(f"{setting} {worth:+.4f}{_sure(row)}")
    if parts:
        yield f"What a setting adds to the others in {ablation.metric}: {', '.join(parts)}."


def _without(ablation: Ablation, settings: Sequence[str], setting: str) -> AblationRow | None:
    """Return the row of all settings but one; of two, that of the other one alone."""
    rest = {*settings} - {setting}
    rows = (row for row in ablation.rows if row.kind in ("alone", "without"))
    return next((row for row in rows if {*row.settings} == rest), None)


def _content(ablation: Ablation) -> Iterator[str]:
    """Say whether shuffled features do as well as the right ones."""
    row = next((row for row in ablation.rows if row.kind == "shuffled"), None)
    if row is None or row.difference is None:
        return
    figures = f"{_figure(ablation, row)} with those of other items"
    whole = f"{_figure(ablation, ablation.rows[0])} with the features of the items"
    others = [
        f"{name} {ablation.references[name][ablation.metric]:.4f}"
        for name in MEASURES_OF_CHANCE
        if ablation.references.get(name, {}).get(ablation.metric) is not None
    ]
    beside = f" ({', '.join(others)})" if others else ""
    if row.difference.significant and row.difference.difference < 0:
        verdict = "Content matters"
    elif row.difference.significant:
        verdict = "Content does harm"
    else:
        verdict = "Content is not shown to matter (the difference is not significant)"
    yield f"{verdict}: {ablation.metric} is {whole}, {figures}{beside}."


def _alone(ablation: Ablation) -> Iterator[str]:
    """Say whether a setting alone is better than all of them."""
    rows = [row for row in ablation.rows if row.kind == "alone"]
    better = [
        f"{row.settings[0]} alone is better than all settings by {row.difference.difference:.4f}"
        f"{_sure(row)}."
        for row in rows
        if row.difference is not None and round(row.difference.difference, 4) > 0
    ]
    if rows:
        yield from better or ["No setting alone is better than all of them."]


def _figure(ablation: Ablation, row: AblationRow) -> str:
    value = row.figures[ablation.metric]
    return "undefined" if value is None else f"{value:.4f}"


def _sure(row: AblationRow) -> str:
    significant = row.difference is not None and row.difference.significant
    return " (significant)" if significant else " (not significant)"
