"""The search for good parameters of an experiment, by validation items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tartarus_cli.api.arguments import (
    Code,
    Overrides,
    WorkspaceLike,
    overrides_of,
    run_code,
    workspace_of,
)
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.devices import on_device

if TYPE_CHECKING:
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.tuning.study import Study


def tune(
    experiment: str | None = None,
    *settings: str,
    dataset: str | None = None,
    overrides: Overrides = (),
    objective: str | None = None,
    trials: int | None = None,
    timeout: float | None = None,
    pruner: Literal["asha", "hyperband", "none"] = "asha",
    jobs: int = 1,
    cluster: str | None = None,
    study: str | None = None,
    resume: bool = False,
    save: str | None = None,
    force: bool = False,
    device: str = "auto",
    dry_run: bool = False,
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Study | Forecast:
    """Search for the parameters of an experiment that make a figure of validation items best.

    Test items are not read. The first trial is the experiment as it is; the others are drawn by a
    tree of Parzen estimators (TPE), the same in one process from the same seed. Processes that name
    one study, on any machine that sees the workspace, work on it together.

    Parameters
    ----------
    experiment
        A preset, or one of the workspace's own; None: that of the study to go on with.
    settings
        The feature matrices to feed it.
    dataset
        Another dataset than the experiment's own.
    overrides
        Parameters: a value, or a range: ``{"network.dropout": "0.1..0.7",
        "network.hidden": "[256],[512]", "training.learning_rate": "1e-4..1e-2:log"}``. Without any
        range, those of the section ``tune`` of the experiment are searched.
    objective
        The figure: MAP@500, PR-AUC or accuracy, as the task is, if None; or another one of an
        evaluation, or ``val_loss``.
    trials
        How many trials the study is to have, all processes together; 20 if None.
    timeout
        Seconds after which no trial goes on.
    pruner
        How trials that fall behind after some epochs are stopped.
    jobs
        Processes of this machine.
    cluster
        ``local``, the address of a scheduler, or a file that describes a cluster.
    study
        Its name; a new one if None.
    resume
        Go on with the study that is named, or with the newest of the same search.
    save
        Name of the best experiment; one that is free if None.
    force
        Overwrite an experiment of that name.
    device
        ``"cpu"``, ``"gpu"``, or one of several as ``"gpu:1"``; ``"auto"``: a GPU that JAX can use,
        if there is one.
    dry_run
        Only say what would be done, and forecast time, memory and disk from a few steps of a few
        trials; nothing is written.
    code
        Python files with networks and the like of your own.
    seed
        Of the trials and of their trainings; the workspace's, else 0, if None.
    workspace
        Where the dataset is and the study goes.
    progress
        Told of each trial.

    Raises
    ------
    RequestError
        If there is no such experiment or parameter, a value of a range is none of its values, or
        the study searches something else.
    DataError
        If a file is missing, damaged, or has changed since the study began.
    TrainingError
        If no trial has a figure.
    """
    given = {**locals()}
    from tartarus_cli.forecasting.tune import forecast_search
    from tartarus_cli.tuning.tune import Search, TuneOptions
    from tartarus_cli.tuning.tune import tune as tune_parameters

    with shown(progress) as watcher, on_device(device):
        root = workspace_of(workspace)
        search = None
        if experiment is not None:
            search = Search(
                experiment,
                tuple(settings),
                dataset=dataset,
                overrides=overrides_of(overrides),
                seed=seed,
                objective=objective,
                pruner=pruner,
                code=run_code(code),
            )
        options = TuneOptions(
            trials=trials,
            timeout_s=timeout,
            jobs=jobs,
            cluster=cluster,
            study=study,
            resume=resume,
            save=save,
            force=force,
        )
        if dry_run:
            return forecast_search(root, search, options, given, progress=watcher)
        return tune_parameters(root, search, options, progress=watcher)


def list_studies(*, workspace: WorkspaceLike = None) -> list[Study]:
    """Return all searches for parameters of a workspace.

    Raises
    ------
    RequestError
        If there is no such workspace.
    """
    from tartarus_cli.tuning.report import list_studies as list_all

    return list_all(workspace_of(workspace))


def show_study(study: str, *, workspace: WorkspaceLike = None) -> Study:
    """Return a search for parameters, whether or not somebody works on it.

    Raises
    ------
    RequestError
        If there is none of that name.
    """
    from tartarus_cli.tuning.report import read_study
    from tartarus_cli.tuning.storage import find_study

    root = workspace_of(workspace)
    return read_study(root, find_study(root, study))
