"""``tartarus recommend``."""

from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import Cluster, Code, Device, Json, Memory, NewestModel, Root
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

MAX_TOP = 10_000
"""Longest list."""

User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="ID",
        help="Rank the test items for this user.",
        autocompletion=completing(completion.users),
        show_default=False,
    ),
]
Item = Annotated[
    str | None,
    typer.Option(
        "--item",
        metavar="ID",
        help="Find the users who would like this test item most.",
        autocompletion=completing(completion.test_items),
        show_default=False,
    ),
]
Top = Annotated[int, typer.Option("--top", min=1, max=MAX_TOP, help="How long a list is.")]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", help="Leave out what scores less.", show_default=False),
]
Known = Annotated[
    bool, typer.Option("--known", help="Mark what the user has, according to the truth.")
]
Tsv = Annotated[bool, typer.Option("--tsv", help="Lines with tabs on standard output.")]


@panels({"Lists": ("top", "min_score", "known", "tsv")})
def recommend(
    model: NewestModel = None,
    *,
    user: User = None,
    item: Item = None,
    top: Top = 10,
    min_score: MinScore = None,
    known: Known = False,
    tsv: Tsv = False,
    memory: Memory = "1GiB",
    cluster: Cluster = None,
    device: Device = "auto",
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Rank new items for a user, users for a new item, or the items for all users into a file.

    Users of whom nothing is known (no train plays) have no list, and are counted.
    The name of the file, in data/playlists, has --top, --min-score and --known in it.
    """
    form = _form(tsv=tsv, json=json, single=user is not None or item is not None)
    from tartarus_cli.api.results import recommend as compute

    result = compute(
        model,
        user=user,
        item=item,
        top=top,
        min_score=min_score,
        known=known,
        memory=memory,
        cluster=cluster,
        device=device,
        code=code or (),
        workspace=workspace,
        progress=render.ConsoleProgress(),
    )
    render.recommended(result, form)


def _form(*, tsv: bool, json: bool, single: bool) -> render.ListForm:
    """Return the form of the option that is given, or that of a terminal."""
    if tsv and json:
        msg = "--tsv and --json exclude each other"
        raise RequestError(msg, hint="Leave one of the two out.")
    if tsv and not single:
        msg = "--tsv prints one list, and the lists of all users are written to a file"
        raise RequestError(msg, hint="Leave it out (that file is TSV), or name --user or --item.")
    chosen = render.ListForm
    return chosen.tsv if tsv else chosen.json if json else chosen.terminal
