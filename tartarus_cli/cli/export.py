"""``tartarus export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Code, Json, NewestModel, Root, Split, run_code
from tartarus_cli.cli.recommend import MOST
from tartarus_cli.cli.signatures import panels


class Exports(StrEnum):
    """What can be written."""

    predictions = "predictions"
    embeddings = "embeddings"
    rankings = "rankings"
    run = "run"
    qrels = "qrels"


What = Annotated[
    Exports,
    typer.Option(
        "--what",
        help="Factors or class scores of items; values of a layer; first items of users; "
        "for trec_eval, a run or the truth (qrels).",
        show_default=False,
    ),
]
To = Annotated[
    Path,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Ends in .parquet, .csv or .tsv; for run and qrels in anything else.",
        show_default=False,
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME|INDEX",
        help="For embeddings: the layer, which 'predict --layer' has read out.",
        show_default=False,
    ),
]
Sets = Annotated[
    Split | None,
    typer.Option(
        "--split",
        help="Items (default: test; for embeddings all that were read out).",
        show_default=False,
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        min=1,
        max=MOST,
        help="For rankings and run: items of each user (default: 10; for a run 1000).",
        show_default=False,
    ),
]
MemoryOrNot = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="For rankings and run: room for scores and factors (default: 1GiB).",
        show_default=False,
    ),
]
Blanks = Annotated[
    str | None,
    typer.Option(
        "--blanks",
        metavar="SIGN",
        help="For run and qrels: what stands for each blank in ids, such as _.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


@panels({"Rankings, and files for trec_eval": ("top", "memory", "blanks")})
def export(
    model: NewestModel = None,
    *,
    what: What,
    to: To,
    layer: Layer = None,
    split: Sets = None,
    top: Top = None,
    memory: MemoryOrNot = None,
    blanks: Blanks = None,
    force: Force = False,
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Write predictions, embeddings or rankings as Parquet, CSV, or for trec_eval.

    Users of whom nothing is known (no train plays) are counted: rankings leave
    them out, a run has the items in the order of the ids, as the evaluation has.
    """
    from tartarus_cli.exporting.export import export as run
    from tartarus_cli.exporting.request import ExportRequest
    from tartarus_cli.options import parse_bytes
    from tartarus_cli.workspace import open_workspace

    run_code(code)
    sets = split.value if split else None
    room = None if memory is None else parse_bytes(memory)
    asked = ExportRequest(
        what.value, to, layer=layer, split=sets, top=top, memory=room, blanks=blanks, force=force
    )
    result = run(open_workspace(workspace), model, asked, progress=render.Watching())
    render.exported(result, json=json)
