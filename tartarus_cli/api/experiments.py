"""What experiments there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tartarus_cli.api.arguments import Code, Overrides, overrides_of, path_of, run_code

if TYPE_CHECKING:
    from tartarus_cli.experiments.request import ListedExperiment
    from tartarus_cli.experiments.schema import Experiment


def list_experiments(
    *, code: Code = (), workspace: Path | str | None = None
) -> list[ListedExperiment]:
    """Return all presets, and the experiments of the workspace if there is one.

    Raises
    ------
    RequestError
        If a folder is named that is no workspace.
    """
    from tartarus_cli.experiments.request import list_experiments as list_all

    run_code(code)
    return list_all(path_of(workspace))


def show_experiment(
    experiment: str,
    *,
    dataset: str | None = None,
    overrides: Overrides = (),
    code: Code = (),
    workspace: Path | str | None = None,
) -> Experiment:
    """Return every parameter of an experiment, inherited ones and defaults included.

    Parameters
    ----------
    experiment
        A preset, or one of the workspace's own.
    dataset
        Another dataset than the experiment's own.
    overrides
        Parameters of the experiment, such as ``{"training.epochs": 5}``.
    code
        Python files with networks and the like of your own.
    workspace
        The folder whose experiments are looked at too; presets need none.

    Raises
    ------
    RequestError
        If there is no such workspace, experiment or parameter.
    """
    from tartarus_cli.experiments.request import show_experiment as show

    run_code(code)
    return show(path_of(workspace), experiment, dataset=dataset, overrides=overrides_of(overrides))
