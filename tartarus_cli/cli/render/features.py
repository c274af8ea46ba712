"""What ``features`` made."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.flags import in_shell
from tartarus_cli.cli.render.console import document, out, plain

if TYPE_CHECKING:
    from tartarus_cli.features.importing import ImportedFeatures
    from tartarus_cli.workspace import Workspace


def features_made(workspace: Workspace, made: ImportedFeatures, *, json: bool) -> None:
    """Say what was written, and what can be done with it."""
    files = [workspace.within(path) for path in made.files]
    if json:
        document(vars(made) | {"source": str(made.source), "files": files})
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    sets = ", ".join(f"{split} {count:,}" for split, count in made.splits.items())
    console.print(
        f"[bold]{plain(made.setting)}[/] is a new setting of {plain(made.dataset)} "
        f"({sets} items × {made.width:,}, {made.form})",
        soft_wrap=True,
    )
    console.print(f"Next: {plain(_next(made))}", soft_wrap=True)


def _next(made: ImportedFeatures) -> str:
    name = quote(made.experiments[0]) if len(made.experiments) == 1 else "EXPERIMENT"
    dataset = "" if made.default else f" --dataset {quote(made.dataset)}"
    such = f"   (such as {', '.join(made.experiments)})" if len(made.experiments) > 1 else ""
    overrides = "".join(f" --set {each}" for each in made.overrides)
    run = f"tartarus run {name} {quote(made.setting)}{dataset}{overrides}{such}"
    return f"{in_shell(made.before)}   (then {run})" if made.before else run
