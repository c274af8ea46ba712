"""What settings may be called, and which experiments read one alone."""

from __future__ import annotations

import re

from tartarus_cli.architectures import InputKind
from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.request import list_experiments
from tartarus_cli.layout import WorkspacePaths

LONGEST_SETTING = 150  # bytes


def check_setting_name(name: str, *, option: str = "") -> None:
    """Make sure that a setting can be called so; ``option`` is what the name was given with.

    Raises
    ------
    RequestError
        If it cannot.
    """
    fits = name.strip() == name and name.isprintable() and not re.search(r"[/\\]", name)
    if re.match(r"model_\d+-pred_", name):
        msg = f"{option}{name}: this is what a layer of a model is called"
        raise RequestError(msg, hint="Take another name.")
    if not fits or not name or name[0] in ".-" or len(name.encode()) > LONGEST_SETTING:
        raise setting_name_error(name, option=option)


def setting_name_error(name: str, *, option: str = "") -> RequestError:
    """Return the error of a name that no setting can have."""
    msg = f"{option}{name!r}: a setting cannot be called so"
    hint = "Take a short name without / and \\, that begins with a letter or a number."
    return RequestError(msg, hint=hint)


def experiments_reading(workspace: WorkspacePaths, dataset: str, kind: InputKind) -> list[str]:
    """Name the experiments on a dataset that take one setting of a kind, and nothing else."""
    listed = [each.experiment for each in list_experiments(workspace.root)]
    found = [each for each in listed if each and each.baseline is None]
    wanted = (dataset, kind, 1)
    return [
        each.name
        for each in found
        if (each.dataset.name, each.inputs.kind, each.settings_needed) == wanted
    ]
