"""``tartarus recommend``."""

from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Code, Json, Memory, NewestModel, Root, run_code
from tartarus_cli.cli.signatures import panels
from tartarus_cli.errors import RequestError

MOST = 10_000

User = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="ID", help="Rank the test items for this user.", show_default=False
    ),
]
Item = Annotated[
    str | None,
    typer.Option(
        "--item",
        metavar="ID",
        help="Find the users who would like this test item most.",
        show_default=False,
    ),
]
Top = Annotated[int, typer.Option("--top", min=1, max=MOST, help="How long a list is.")]
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
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Rank new items for a user, users for a new item, or the items for all users into a file.

    Users of whom nothing is known (no train plays) have no list, and are counted.
    The name of the file, in data/playlists, tells --top, --min-score and --known.
    """
    form = _form(tsv=tsv, json=json, one=user is not None or item is not None)
    from tartarus_cli.options import parse_bytes
    from tartarus_cli.recommendation.lists import RecommendRequest
    from tartarus_cli.recommendation.lists import recommend as run
    from tartarus_cli.recommendation.recommender import ListOptions
    from tartarus_cli.workspace import open_workspace

    run_code(code)
    root, options = open_workspace(workspace), ListOptions(top, min_score, known=known)
    wish, watching = RecommendRequest(user, item), render.Watching()
    result = run(root, model, wish, options, memory=parse_bytes(memory), progress=watching)
    render.recommended(root, result, form)


def _form(*, tsv: bool, json: bool, one: bool) -> render.ListForm:
    """Return the form that was asked for."""
    if tsv and json:
        msg = "--tsv and --json exclude each other"
        raise RequestError(msg, hint="Ask for one of them.")
    if tsv and not one:
        msg = "--tsv prints one list, and the lists of all users are written to a file"
        raise RequestError(msg, hint="Leave it out (that file is TSV), or name --user or --item.")
    chosen = render.ListForm
    return chosen.tsv if tsv else chosen.json if json else chosen.terminal
