"""What the functions take of trainings that are stopped, and go on."""

from __future__ import annotations

import math

from tartarus_cli.api.arguments import WorkspaceLike, workspace_of
from tartarus_cli.errors import Placeholder, RequestError, call, parameter
from tartarus_cli.models.store import Model, Store
from tartarus_cli.options import parse_duration
from tartarus_cli.training.control import CommandName, TrainingControl

Resume = bool | Model | str | None
"""A model whose training was stopped, its name, True for the newest; else nothing goes on."""


def control_of(command: CommandName, checkpoint_every: float | str) -> TrainingControl:
    """Return how a training is run.

    Parameters
    ----------
    command
        The function that goes on with it.
    checkpoint_every
        Seconds, or a text such as ``10m``.

    Raises
    ------
    RequestError
        If it is no time.
    """
    text = checkpoint_every
    seconds = parse_duration(text) if isinstance(text, str) else float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        msg = f"{parameter('checkpoint_every', checkpoint_every)} is no time"
        raise RequestError(msg, hint="Give seconds, or a text like '30s', '10m' or '1h'; 0: never.")
    return TrainingControl(seconds, command=command)


def require_experiment(experiment: str | None, command: CommandName) -> str:
    """Return the name of an experiment.

    Raises
    ------
    RequestError
        If there is none.
    """
    if experiment is None:
        example = call(command, Placeholder("EXPERIMENT"), Placeholder("SETTING"))
        hint = f"Name one: {example}; or go on with what was stopped: {call(command, resume=True)}"
        msg = "no experiment is named"
        raise RequestError(msg, hint=hint)
    return experiment


def stopped_model(
    resume: Resume, workspace: WorkspaceLike, experiment: str | None, **named: object
) -> Model:
    """Return the model whose training goes on.

    Parameters
    ----------
    resume, workspace
        What was asked for.
    experiment
        What was named beside it.
    named
        The other parameters that say what to train.

    Raises
    ------
    RequestError
        If there is none, or if anything is named that the model says itself.
    """
    from tartarus_cli.training.resumable import choose_resumable

    others = [name for name, value in named.items() if value is not None and value not in ((), {})]
    if experiment is not None:
        others.insert(0, "experiment")
    if others:
        hint = "Name the model, or nothing for the newest: its experiment, settings, seed and "
        hint += "parameters are those with which it began."
        if "seeds" in others:
            hint = f"Leave {parameter('resume')} out: the same call goes on where it was stopped."
        msg = f"{parameter('resume')} and {parameter(others[0])} exclude each other"
        raise RequestError(msg, hint=hint)
    if isinstance(resume, Model):
        return resume
    store = Store(workspace_of(workspace))
    return choose_resumable(store, resume if isinstance(resume, str) else None)
