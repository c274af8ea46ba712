"""What ``text`` made."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from tartarus_cli.cli.render.console import document, out, plain

if TYPE_CHECKING:
    from tartarus_cli.extraction.documents import TextResult
    from tartarus_cli.workspace import Workspace


def text_features(workspace: Workspace, made: TextResult, *, json: bool) -> None:
    """Say what was written, and what can be done with it."""
    files = [workspace.within(path) for path in made.files]
    if json:
        document(vars(made) | {"files": files})
        return
    console = out()
    for file in files:
        console.print(f"  {plain(file)}", soft_wrap=True)
    sets = ", ".join(f"{split} {count:,}" for split, count in made.splits.items())
    console.print(
        f"[bold]{plain(made.setting)}[/] is a new setting of {plain(made.dataset)} "
        f"({sets} items × {made.width:,}); a vocabulary of {made.vocabulary:,}"
        f"{_known(made)}",
        soft_wrap=True,
    )
    console.print(f"Next: {plain(_next(made))}", soft_wrap=True)


def _known(made: TextResult) -> str:
    shares = {split: share for split, share in made.known.items() if share is not None}
    told = ", ".join(f"{share:.0%} of {split}" for split, share in shares.items())
    return f" knows {told} words" if told else ""


def _next(made: TextResult) -> str:
    setting = quote(made.setting)
    if len(made.experiments) == 1:
        return f"tartarus run {quote(made.experiments[0])} {setting}"
    if made.experiments:
        return f"tartarus run EXPERIMENT {setting}   (such as {', '.join(made.experiments)})"
    reads = "   (one that reads sequences)" if made.form == "sequence" else ""
    return f"tartarus run EXPERIMENT {setting} --dataset {quote(made.dataset)}{reads}"
