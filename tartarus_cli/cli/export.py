"""``tartarus export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.options import Code, Json, NewestModelOrGroup, Root, Split
from tartarus_cli.cli.recommend import MAX_TOP
from tartarus_cli.cli.signatures import panels


class Exports(StrEnum):
    """Kinds of exports."""

    predictions = "predictions"
    users = "users"
    embeddings = "embeddings"
    rankings = "rankings"
    run = "run"
    qrels = "qrels"
    figures = "figures"
    onnx = "onnx"
    safetensors = "safetensors"
    card = "card"


What = Annotated[
    Exports,
    typer.Option(
        "--what",
        help="Factors, vectors or class scores of items; those of users; values of a layer; "
        "first items of users; for trec_eval, a run or the truth (qrels); figures of the "
        "evaluation, of a group with mean and standard deviation; the network for other programs "
        "(onnx); weights, or arrays of a baseline (safetensors); a model card in Markdown.",
        show_default=False,
    ),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Ends in .parquet, .csv or .tsv; for run and qrels in anything else. Of a group, each "
        "seed has a file: _seed_0 before the ending. For onnx, safetensors and card: by default "
        "MODEL.onnx, .safetensors or .md in this folder.",
        show_default=False,
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME|INDEX",
        help="For embeddings: the layer, which 'predict --layer' has read out; for onnx: the last "
        "one that is written (default: the output).",
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
        max=MAX_TOP,
        help="For rankings and run: items of each user (default: 10; for a run 1000).",
        show_default=False,
    ),
]
MemoryOrNot = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="For rankings and run: memory for scores and factors (default: 1GiB).",
        show_default=False,
    ),
]
Replacement = Annotated[
    str | None,
    typer.Option(
        "--replace-whitespace",
        metavar="CHAR",
        help="For run and qrels: what replaces each whitespace character in ids, such as _.",
        show_default=False,
    ),
]
OldReplacement = Annotated[str | None, typer.Option("--blanks", hidden=True)]
EscapeFormulas = Annotated[
    bool,
    typer.Option(
        "--escape-formulas",
        help="For .csv and .tsv: write ' before texts that a spreadsheet would run, such as =1+1.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


@panels({"Rankings, and files for trec_eval": ("top", "memory", "replace_whitespace")})
def export(
    model: NewestModelOrGroup = None,
    *,
    what: What,
    to: To = None,
    layer: Layer = None,
    split: Sets = None,
    top: Top = None,
    memory: MemoryOrNot = None,
    replace_whitespace: Replacement = None,
    blanks: OldReplacement = None,
    escape_formulas: EscapeFormulas = False,
    force: Force = False,
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Write predictions, layers, rankings or figures as tables, or the model itself.

    A network in ONNX is compared with Keras (to 1e-5) before the file is
    there. Of a network that learns from plays, the vectors of users lie
    beside it.

    Users of whom nothing is known (no train plays) are counted: rankings leave
    them out, a run has the items in one drawn order, as the evaluation has.
    """
    from tartarus_cli.api.results import export as write

    result = write(
        model,
        what=what.value,
        path=to,
        layer=layer,
        split=split.value if split else None,
        top=top,
        memory=memory,
        replace_whitespace=blanks if replace_whitespace is None else replace_whitespace,
        escape_formulas=escape_formulas,
        force=force,
        code=code or (),
        workspace=workspace,
        progress=render.ConsoleProgress(),
    )
    render.exported(result, json=json)
