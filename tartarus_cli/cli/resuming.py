"""Arguments and options of commands whose training goes on where it was stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from tartarus_cli.cli import completion
from tartarus_cli.cli.completion import completing
from tartarus_cli.errors import RequestError, parameter

ExperimentOrModel = Annotated[
    str | None,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A preset or one of the workspace's own; see 'tartarus experiments list'. With "
        "--resume: the model, or nothing for the newest that was stopped.",
        autocompletion=completing(completion.experiments),
        show_default=False,
    ),
]
ResumeTraining = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a training that was stopped: that of the model which is named in place of "
        "EXPERIMENT, or the newest.",
    ),
]
CheckpointEvery = Annotated[
    str,
    typer.Option(
        "--checkpoint-every",
        metavar="TIME",
        help="How often a training writes a checkpoint, besides when it is stopped; 0: never.",
    ),
]


def named_or_resumed(
    experiment: str | None, settings: list[str] | None, *, resume: bool
) -> tuple[str | None, list[str], bool | str]:
    """Return the experiment and its settings, and what goes on instead: a model, or the newest."""
    if not resume:
        return experiment, settings or [], False
    if settings:
        msg = f"{parameter('resume')} takes the name of a model, or none, and not "
        msg += " ".join([str(experiment), *settings])
        hint = "The experiment and its settings are those with which the model was begun. Several "
        hint += f"seeds go on by the command that began them, without {parameter('resume')}."
        raise RequestError(msg, hint=hint)
    return None, [], experiment or True
