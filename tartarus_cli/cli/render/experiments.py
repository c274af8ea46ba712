"""Experiments, listed or in full."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, message, out, plain, table
from tartarus_cli.errors import Placeholder, call

if TYPE_CHECKING:
    from tartarus_cli.experiments.request import ListedExperiment
    from tartarus_cli.experiments.schema import Experiment


GROUPS = ("learn from plays", "published", "baselines", "your own")
"""Headings of the list, in order: what to begin with stands first."""


def experiments(listed: Iterable[ListedExperiment], *, json: bool) -> None:
    """Print the list of experiments."""
    shown = table("experiment", "dataset", "what for")
    shown.columns[0].no_wrap = True
    documents = []
    groups: dict[str, list[ListedExperiment]] = {heading: [] for heading in GROUPS}
    for row in listed:
        documents.append(_as_document(row))
        groups[_group(row)].append(row)
    if json:
        document(documents)
        return
    for heading, rows in groups.items():
        if rows:
            shown.add_row(f"[bold]{heading}[/]", "", "")
        for row in rows:
            shown.add_row(f"  {plain(row.name)}", *_cells(row))
    out().print(shown)
    names = ("cold_multi", *map(Placeholder, ("SETTING", "SETTING")))
    first = call("run", *names, baselines=True)
    out().print(message(f"For new items of several settings, begin with: {first}"), soft_wrap=True)
    command = call("show_experiment", Placeholder("NAME"))
    out().print(message(f"Every parameter of one: {command}"), soft_wrap=True)


def _group(row: ListedExperiment) -> str:
    """Return the heading that an experiment stands under."""
    first, published, baselines, own = GROUPS
    if not row.preset or row.experiment is None:
        return own
    baseline = row.experiment.baseline
    if row.experiment.targets.kind == "plays":
        return first
    return published if baseline is None else baselines


def _cells(row: ListedExperiment) -> tuple[str, str]:
    """Say which dataset an experiment is for, and what it is."""
    if row.code_not_run is not None:
        error, files = row.code_not_run, ", ".join(row.code_not_run.code)
        mark = f"[cyan](your own; a list does not run its code, {plain(files)})[/]"
        return plain(error.dataset), f"{plain(error.description)} {mark}".lstrip()
    if row.experiment is None:
        return "", f"[red]cannot be read:[/] {message(row.problem)}"
    mark = "" if row.preset else " [cyan](your own)[/]"
    return plain(row.experiment.dataset.name), plain(row.experiment.description) + mark


def _as_document(row: ListedExperiment) -> dict[str, Any]:
    from tartarus_cli.experiments.resolve import to_table

    head = {"name": row.name, "preset": row.preset}
    if row.code_not_run is not None:
        error = row.code_not_run
        text = {"description": error.description, "dataset": {"name": error.dataset}}
        return head | text | {"code": [*error.code], "resolved": False}
    if row.experiment is None:
        return head | {"problem": in_shell(row.problem)}
    return head | to_table(row.experiment)


def experiment(resolved: Experiment, *, json: bool) -> None:
    """Print every parameter of an experiment."""
    from tartarus_cli.experiments.resolve import to_table, to_toml

    if json:
        document(to_table(resolved))
        return
    if resolved.note:
        out().print(f"[yellow]note:[/] {message(resolved.note)}")
    sys.stdout.write(to_toml(resolved))
