"""``tartarus text``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import render
from tartarus_cli.cli.datasets import dataset_and
from tartarus_cli.cli.options import (
    Cluster,
    Code,
    DatasetArgument,
    Encoding,
    Json,
    Root,
    Seed,
    Shard,
    parameter_option,
)
from tartarus_cli.cli.signatures import panels


def _extractors(incomplete: str) -> list[str]:
    from tartarus_cli.text import EXTRACTORS

    return [name for name in EXTRACTORS.names() if name.startswith(incomplete)]


ExtractorName = Annotated[
    str | None,
    typer.Argument(
        metavar="{vsm|w2v}",
        help="vsm: tf-idf, sparse; w2v: sequences of words, and word vectors.",
        autocompletion=_extractors,
        show_default=False,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--text",
        metavar="FOLDER",
        help="Make the list of documents from the .txt and .md files of a folder.",
    ),
]
Setting = Annotated[
    str | None,
    typer.Option(
        "--setting", metavar="NAME", help="What the setting is called, if not vsm or w2v."
    ),
]
VectorFile = Annotated[
    Path | None,
    typer.Option(
        "--vectors",
        metavar="FILE",
        help="For w2v: word vectors in word2vec's text or binary format, or in GloVe's, instead of "
        "learning them.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    parameter_option(
        "vsm: words, max_df, terms, sublinear_tf, unit; "
        "w2v: length, dim, window, epochs, min_count, unit"
    ),
]


Words = Annotated[
    int | None,
    typer.Option(
        "--words",
        metavar="N",
        min=1,
        help="Read the first N words of each document (default: vsm 300, w2v 500).",
        show_default=False,
    ),
]


class Missing(StrEnum):
    """What becomes of items that have no document."""

    zero = "zero"
    absent = "absent"


WhenMissing = Annotated[
    Missing,
    typer.Option(
        "--missing",
        help="Items without a document: no words, rows of zeros; or items that lack the setting.",
    ),
]


@panels(
    {
        "Documents": ("words", "encoding", "missing"),
        "Vocabulary": ("vectors", "overrides", "seed"),
        "Work": ("cluster", "shard"),
    }
)
def text(
    dataset: DatasetArgument = None,
    extractor: ExtractorName = None,
    *,
    folder: Folder = None,
    setting: Setting = None,
    words: Words = None,
    encoding: Encoding = None,
    missing: WhenMissing = Missing.zero,
    vectors: VectorFile = None,
    overrides: Parameters = None,
    cluster: Cluster = None,
    shard: Shard = None,
    code: Code = None,
    seed: Seed = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Turn documents into a setting: a vocabulary of the train items, a row for each item.

    A cluster, or shards, read the documents and find their words; a shard does
    so for every OF-th block of 64 documents. The vocabulary and the word vectors
    are learnt here, by the command without --shard.
    """
    from tartarus_cli.api.settings import text as extract_text
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    dataset, extractor = dataset_and(root, dataset, extractor, "extractor, vsm or w2v,")
    result = extract_text(
        dataset,
        extractor,
        setting=setting,
        text=folder,
        words=words,
        encoding=encoding,
        vectors=vectors,
        missing=missing.value,
        overrides=overrides or (),
        cluster=cluster,
        shard=shard,
        code=code or (),
        seed=seed,
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.each_fold(result, lambda each: render.text_result(root, each, json=json), json=json)
