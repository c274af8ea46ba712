"""Experiments, listed or in full."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, out, plain, table

if TYPE_CHECKING:
    from tartarus_cli.experiments.request import ListedExperiment
    from tartarus_cli.experiments.schema import Experiment


def experiments(listed: Iterable[ListedExperiment], *, json: bool) -> None:
    """Print the list of experiments."""
    shown = table("experiment", "dataset", "what for")
    shown.columns[0].no_wrap = True
    documents = []
    for each in listed:
        documents.append(_listed(each))
        shown.add_row(plain(each.name), *_row(each))
    if json:
        document(documents)
        return
    out().print(shown)
    out().print("Every parameter of one: tartarus experiments show NAME")


def _row(each: ListedExperiment) -> tuple[str, str]:
    """Say which dataset an experiment is for, and what it is."""
    if each.code_not_run is not None:
        known, files = each.code_not_run, ", ".join(each.code_not_run.code)
        own = f"[cyan](your own; a list does not run its code, {plain(files)})[/]"
        return plain(known.dataset), f"{plain(known.description)} {own}".lstrip()
    if each.experiment is None:
        return "", f"[red]cannot be read:[/] {plain(each.problem)}"
    own = "" if each.preset else " [cyan](your own)[/]"
    return plain(each.experiment.dataset.name), plain(each.experiment.description) + own


def _listed(each: ListedExperiment) -> dict[str, Any]:
    from tartarus_cli.experiments.resolve import to_table

    known = {"name": each.name, "preset": each.preset}
    if each.code_not_run is not None:
        found = each.code_not_run
        told = {"description": found.description, "dataset": {"name": found.dataset}}
        return known | told | {"code": [*found.code], "resolved": False}
    if each.experiment is None:
        return known | {"problem": each.problem}
    return known | to_table(each.experiment)


def experiment(found: Experiment, *, json: bool) -> None:
    """Print every parameter of an experiment."""
    from tartarus_cli.experiments.resolve import to_table, to_toml

    if json:
        document(to_table(found))
        return
    if found.note:
        out().print(f"[yellow]note:[/] {plain(found.note)}")
    sys.stdout.write(to_toml(found))
