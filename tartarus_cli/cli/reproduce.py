"""``tartarus reproduce``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import Json, Root
from tartarus_cli.errors import RequestError

PaperName = Annotated[
    str | None,
    typer.Argument(
        metavar="PAPER",
        help="The paper; all are listed if none is named, with what each needs.",
        autocompletion=completing(completion.papers),
        show_default=False,
    ),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="ROW",
        help="A row of its table; may be repeated (default: all).",
        autocompletion=completing(completion.paper_rows),
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only tell time, memory and disk; nothing is written."),
]


PaperSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        help="Seed of everything drawn (default: the one of the paper's file).",
        show_default=False,
    ),
]
Plays = Annotated[
    Path | None,
    typer.Option(
        "--plays",
        metavar="FILE",
        help="A table of plays (users, items, times, artists), of which the paper's dataset is "
        "made first, where it is in no archive.",
        show_default=False,
    ),
]


def reproduce(
    paper: PaperName = None,
    *,
    only: Rows = None,
    plays: Plays = None,
    dry_run: DryRun = False,
    seed: PaperSeed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Run the experiments of a paper: the published figures, ours, and all that differs.

    Models that were trained are used again. Papers of your own are files in
    the workspace's folder papers/, like those of the package.
    """
    if paper is None:
        _list(workspace, unused=bool(only or plays) or dry_run or seed is not None, json=json)
        return
    from tartarus_cli.api.papers import reproduce as run_paper
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    result = run_paper(
        paper,
        only=only or (),
        plays=plays,
        dry_run=dry_run,
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.reproduction(root, result, json=json)


def _list(workspace: Path | None, *, unused: bool, json: bool) -> None:
    """List the papers; a workspace is needed to say what each lacks, not to list them."""
    if unused:
        msg = "the name of a paper is needed"
        raise RequestError(msg, hint="To list the papers, give the command alone.")
    from tartarus_cli.api.papers import list_papers

    render.papers(list_papers(workspace=workspace), json=json)
