"""What ``split`` made."""

from __future__ import annotations

from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, out, plain, table, unbroken
from tartarus_cli.errors import counted

if TYPE_CHECKING:
    from tartarus_cli.steps.split import Split
    from tartarus_cli.workspace import Workspace


def split_made(workspace: Workspace, made: Split, *, json: bool) -> None:
    """Say what was left out, how large the sets are, and what comes next."""
    files = [workspace.within(path) for path in made.files]
    before = [workspace.within(path) for path in made.made_before]
    if json:
        document(asdict(made) | {"files": files, "made_before": before})
        return
    console = out()
    _show_stages(made)
    _show_sets(made)
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    items = sum(size.items for size in made.sets.values())
    have = [
        counted(count, what)
        for count, what in ((items, "item"), (made.users, "user"), (made.labels, "label"))
        if count is not None
    ]
    apart = {"lists": "by the lists", "label": "by label, in proportion"}
    way = apart.get(made.by, f"by {made.by}")
    drawn = "" if made.by == "lists" else f", seed {made.seed}"
    console.print(
        f"[bold]{plain(made.dataset)}[/] is a dataset of {', '.join(have)}, divided {way}{drawn}",
        soft_wrap=True,
    )
    console.print(f"Next: {plain(_next(made))}", soft_wrap=True)


def _show_stages(made: Split) -> None:
    columns = ("items", "users", "pairs", "plays", "labels")
    shown = table("left after", *(f">{name}" for name in columns))
    for stage in made.stages:
        shown.add_row(plain(stage.after), *(_number(getattr(stage, name)) for name in columns))
    unbroken(shown)


def _show_sets(made: Split) -> None:
    columns = ("items", "users", "pairs", "plays", "labels")
    shown = table("set", *(f">{name}" for name in columns), ">density")
    for name, size in made.sets.items():
        density = "" if size.density is None else f"{size.density:.3%}"
        shown.add_row(name, *(_number(getattr(size, each)) for each in columns), density)
    unbroken(shown)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _next(made: Split) -> str:
    dataset = quote(made.dataset)
    if made.users is None:
        return f"tartarus check-data {dataset}   (features come from 'text' or 'predict')"
    return f"tartarus factorize {dataset} als"
