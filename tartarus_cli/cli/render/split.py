"""What ``split`` made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, Any

from tartarus_cli.cli.render.console import document, out, plain, table, unbroken
from tartarus_cli.errors import count_noun

if TYPE_CHECKING:
    from tartarus_cli.splitting.split import Split
    from tartarus_cli.workspace import Workspace


def split_made(workspace: Workspace, made: Split, *, json: bool) -> None:
    """Say what was left out, how large the sets are, and what comes next."""
    files = [workspace.within(path) for path in made.files]
    away = [workspace.within(path) for path in made.set_aside]
    if json:
        document(asdict(made) | {"files": files, "set_aside": away})
        return
    console = out()
    _show_stages(made)
    _show_sets(made)
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    for file in away:
        console.print(f"  set aside: {plain(file)}", soft_wrap=True)
    items = sum(size.items for size in made.sets.values())
    have = [
        count_noun(count, what)
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
    rows = {stage.after: asdict(stage) for stage in made.stages}
    _show("left after", rows, ("items", "users", "pairs", "plays", "labels"))


def _show_sets(made: Split) -> None:
    rows = {name: asdict(size) for name, size in made.sets.items()}
    for row in rows.values():
        row["density"] = None if row["density"] is None else f"{row['density']:.3%}"
    _show("set", rows, ("items", "users", "pairs", "plays", "labels", "density"))


def _show(heading: str, rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Show a table, without the columns of which nothing is known."""
    known = [name for name in columns if any(row.get(name) is not None for row in rows.values())]
    shown = table(heading, *(f">{name}" for name in known))
    for label, row in rows.items():
        shown.add_row(plain(label), *(_number(row[name]) for name in known))
    unbroken(shown)


def _number(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:,}"


def _next(made: Split) -> str:
    dataset = quote(made.dataset)
    if made.users is None:
        return f"tartarus features {dataset} SETTING --from FILE   (or: patches, text, predict)"
    return f"tartarus factorize {dataset} als"
