"""``tartarus embed``."""

from __future__ import annotations

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
    Jobs,
    Json,
    Root,
    Shard,
    Timeout,
    parameter_option,
)
from tartarus_cli.cli.signatures import panels


def _encoders(incomplete: str) -> list[str]:
    from tartarus_cli.encoders import ENCODERS

    return [name for name in ENCODERS.names() if name.startswith(incomplete)]


class PoolName(StrEnum):
    """How the vectors of the windows of a recording become one."""

    mean = "mean"
    mean_std = "mean+std"
    max = "max"


class FileNoun(StrEnum):
    """What a program of others reads."""

    recordings = "recordings"
    documents = "documents"


class Missing(StrEnum):
    """What becomes of items that have no vector."""

    absent = "absent"
    zero = "zero"


EncoderName = Annotated[
    str | None,
    typer.Argument(
        metavar="ENCODER",
        help="mel-stats or cqt-stats, which need nothing, musicnn, or another one; see 'tartarus "
        "encoders'.",
        autocompletion=_encoders,
        show_default=False,
    ),
]
Command = Annotated[
    str | None,
    typer.Option(
        "--command",
        metavar="COMMAND",
        help="In place of ENCODER: a program of any environment, such as 'python my_clap.py {list} "
        "{out}'. It reads a Parquet file, id and path of recordings or id and text of documents, "
        "and writes one: id, and vector or a column for each dimension.",
        show_default=False,
    ),
]
Source = Annotated[
    FileNoun | None,
    typer.Option(
        "--from",
        help="What the program reads (default: documents with --text, else recordings).",
        show_default=False,
    ),
]
Chunk = Annotated[
    int | None,
    typer.Option(
        "--chunk",
        metavar="N",
        min=1,
        help="Give the program N files at a time (default: 256).",
        show_default=False,
    ),
]
Setting = Annotated[
    str | None,
    typer.Option(
        "--setting", metavar="NAME", help="What the setting is called, if not as the encoder."
    ),
]
Audio = Annotated[
    Path | None,
    typer.Option(
        "--audio",
        metavar="FOLDER",
        help="Make the list of recordings from this folder; ids come from the files' names.",
        show_default=False,
    ),
]
Text = Annotated[
    Path | None,
    typer.Option(
        "--text",
        metavar="FOLDER",
        help="Make the list of documents from the .txt and .md files of a folder.",
        show_default=False,
    ),
]
Window = Annotated[
    float | None,
    typer.Option(
        "--window",
        metavar="SECONDS",
        help="Encode windows of this length; 0: the whole recording as one (default: the "
        "encoder's).",
        show_default=False,
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        "--hop",
        metavar="SECONDS",
        help="From one window to the next (default: the encoder's, or as a window).",
        show_default=False,
    ),
]
Pool = Annotated[
    PoolName, typer.Option("--pool", help="What becomes of the vectors of a recording's windows.")
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer", metavar="NAME", help="Another output of the encoder.", show_default=False
    ),
]
Parameters = Annotated[
    list[str] | None,
    parameter_option(
        "mel-stats and cqt-stats: statistics, and those of the transform (see 'patches')"
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="The file of weights, where it is not the one that 'encoders add' put away.",
        show_default=False,
    ),
]
WhenMissing = Annotated[
    Missing,
    typer.Option(
        "--missing",
        help="Items without a recording or document: items that lack the setting, or rows of "
        "zeros.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a setting of that name that was made otherwise.")
]


@panels(
    {
        "Files": ("audio", "text", "encoding", "missing"),
        "Encoder": ("window", "hop", "pool", "layer", "parameters", "weights"),
        "A program of others": ("command", "source", "chunk"),
        "Work": ("jobs", "timeout", "cluster", "shard"),
    }
)
def embed(
    dataset: DatasetArgument = None,
    encoder: EncoderName = None,
    *,
    command: Command = None,
    source: Source = None,
    chunk: Chunk = None,
    setting: Setting = None,
    audio: Audio = None,
    text: Text = None,
    window: Window = None,
    hop: Hop = None,
    pool: Pool = PoolName.mean,
    layer: Layer = None,
    parameters: Parameters = None,
    weights: WeightsFile = None,
    encoding: Encoding = None,
    missing: WhenMissing = Missing.absent,
    force: Force = False,
    jobs: Jobs = None,
    timeout: Timeout = None,
    cluster: Cluster = None,
    shard: Shard = None,
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Turn recordings or documents into vectors by an encoder: a setting for every set.

    Vectors are kept by the content of each file: interrupted, it goes on where it
    was, and another pooling or dataset encodes nothing again. A shard encodes
    every OF-th file; the same command without --shard then writes the setting.
    """
    from tartarus_cli.api.vectors import embed as embed_dataset
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    if command is None:
        dataset, encoder = dataset_and(root, dataset, encoder, "encoder, such as mel-stats,")
    else:
        dataset = root.dataset_name(dataset)
    result = embed_dataset(
        dataset,
        encoder,
        command=command,
        source=source.value if source else None,
        chunk=chunk,
        setting=setting,
        audio=audio,
        text=text,
        window=window,
        hop=hop,
        pool=pool.value,
        layer=layer,
        overrides=parameters or (),
        weights=weights,
        encoding=encoding,
        missing=missing.value,
        force=force,
        jobs=jobs,
        timeout=timeout,
        cluster=cluster,
        shard=shard,
        code=code or (),
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    render.each_fold(result, lambda each: render.embed_result(root, each, json=json), json=json)
