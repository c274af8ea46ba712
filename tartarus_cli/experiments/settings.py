"""What settings may be called, and which experiments read one alone."""

from __future__ import annotations

import re

from tartarus_cli.architectures import InputKind
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.request import list_experiments
from tartarus_cli.layout import WorkspacePaths

LONGEST_SETTING = 150
"""Bytes of a setting's name at most: file systems limit those of a file."""


def check_setting_name(name: str, *, option: str = "") -> None:
    """Make sure that a name can be that of a new setting.

    Parameters
    ----------
    name
        The name.
    option
        Written before the name in messages: the parameter that it is the value of.

    Raises
    ------
    RequestError
        If it is empty or long, begins with a dot or a hyphen, holds a slash or an unprintable
        character, or is a name that layers of models have.
    """
    fits = name.strip() == name and name.isprintable() and not re.search(r"[/\\]", name)
    if re.match(r"model_\d+-pred_", name):
        msg = f"{option}{name}: such names are those of layers of models"
        raise RequestError(msg, hint="Use another name.")
    if not fits or not name or name[0] in ".-" or len(name.encode()) > LONGEST_SETTING:
        raise setting_name_error(name, option=option)


def setting_name_error(name: str, *, option: str = "") -> RequestError:
    """Return the error of a name that no setting can have."""
    msg = f"{option}{name!r}: a setting cannot have this name"
    hint = "Use a short name without / and \\ that begins with a letter or a number."
    return RequestError(msg, hint=hint)


def experiments_reading(workspace: WorkspacePaths, dataset: str, kind: InputKind) -> list[str]:
    """Name the networks' experiments on a dataset that take one setting of a kind and nothing else.

    Parameters
    ----------
    workspace
        Its own experiments are considered, and the presets.
    dataset
        The name of the dataset.
    kind
        What the input has to be: ``features``, or ``sequence`` for numbers of words.
    """
    experiments = [listed.experiment for listed in list_experiments(workspace.root)]
    return [
        experiment.name
        for experiment in experiments
        if experiment
        and experiment.baseline is None
        and (experiment.dataset.name, experiment.inputs.kind) == (dataset, kind)
        and experiment.settings_needed == 1
    ]
