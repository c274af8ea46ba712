"""``tartarus predict``."""

from pathlib import Path
from typing import Annotated

import typer

from tartarus_cli.cli import completion, render
from tartarus_cli.cli.completion import completing
from tartarus_cli.cli.options import (
    Code,
    Device,
    Encoding,
    Jobs,
    Json,
    NewestModel,
    PooledOrNot,
    PoolOrNot,
    Root,
    Split,
    Timeout,
)
from tartarus_cli.cli.signatures import panels

Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME|INDEX",
        help="Read out this layer as a new setting; see 'tartarus models show MODEL'.",
        autocompletion=completing(completion.layers),
    ),
]
OneSplit = Annotated[
    Split | None,
    typer.Option(
        "--split", help="Which items (default: test; all with --layer).", show_default=False
    ),
]


NewAudio = Annotated[
    Path | None,
    typer.Option(
        "--audio",
        metavar="FILE|FOLDER",
        help="Predict for recordings that are in no dataset.",
        show_default=False,
    ),
]
NewText = Annotated[
    Path | None,
    typer.Option(
        "--text",
        metavar="FILE|FOLDER",
        help="Predict for documents that are in no dataset; with --audio, files of one name are of "
        "one item.",
        show_default=False,
    ),
]


Commands = Annotated[
    list[str] | None,
    typer.Option(
        "--command",
        metavar="COMMAND",
        help="Let the program run that made a setting of the model; it has to be given as it was "
        "to 'embed'.",
        show_default=False,
    ),
]
AcceptChanged = Annotated[
    bool,
    typer.Option(
        "--accept-changed-inputs",
        help="Predict although features or ids are not those of the training; it is recorded.",
    ),
]


@panels(
    {
        "Changed inputs": ("accept_changed_inputs",),
        "New recordings or documents": ("audio", "text", "encoding", "jobs", "timeout", "command"),
    }
)
def predict(
    model: NewestModel = None,
    *,
    layer: Layer = None,
    split: OneSplit = None,
    pool: PooledOrNot = PoolOrNot.mean,
    audio: NewAudio = None,
    text: NewText = None,
    encoding: Encoding = None,
    jobs: Jobs = None,
    timeout: Timeout = None,
    command: Commands = None,
    accept_changed_inputs: AcceptChanged = False,
    device: Device = "auto",
    code: Code = None,
    workspace: Root = None,
    json: Json = False,
) -> None:
    """Predict for the items of a dataset or for new files, or read out a layer as a setting."""
    from tartarus_cli.api.models import predict as compute
    from tartarus_cli.prediction.new_files import NewPrediction
    from tartarus_cli.workspace import open_workspace

    root = open_workspace(workspace)
    result = compute(
        model,
        layer=layer,
        split=split.value if split else None,
        pool=pool.value,
        audio=audio,
        text=text,
        encoding=encoding,
        jobs=jobs,
        timeout=timeout,
        command=command or (),
        accept_changed_inputs=accept_changed_inputs,
        device=device,
        code=code or (),
        workspace=root,
        progress=render.ConsoleProgress(),
    )
    if isinstance(result, NewPrediction):
        render.predicted_new(root, result, json=json)
    else:
        render.predicted(root, result, json=json)
