"""From datasets to trained models, their predictions and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tartarus_cli.api.arguments import (
    Code,
    ModelLike,
    Overrides,
    SplitName,
    WorkspaceLike,
    model_of,
    overrides_of,
    path_of,
    run_code,
    workspace_of,
    workspace_of_models,
)
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.api.resuming import Resume, control_of, require_experiment, stopped_model
from tartarus_cli.devices import on_device
from tartarus_cli.models.groups import Group, Groups
from tartarus_cli.models.store import Model, Store

if TYPE_CHECKING:
    from tartarus_cli.evaluation.group_report import GroupEvaluation
    from tartarus_cli.evaluation.report import Evaluation, EvaluationOptions
    from tartarus_cli.forecasting.forecast import Forecast
    from tartarus_cli.plugins import CodeFile
    from tartarus_cli.prediction.new_files import NewPrediction
    from tartarus_cli.prediction.outcome import Prediction
    from tartarus_cli.prediction.predict import Pool
    from tartarus_cli.progress import Progress
    from tartarus_cli.scoring.relevant import TieBreaking


NAMED = ("settings", "dataset", "overrides", "seed", "seeds")
"""Parameters of :func:`run` that say what is trained, beside the experiment."""


def train(
    experiment: str | None = None,
    *settings: str,
    dataset: str | None = None,
    overrides: Overrides = (),
    device: str = "auto",
    code: Code = (),
    seed: int | None = None,
    checkpoint_every: float | str = "10m",
    resume: Resume = False,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Model:
    """Train a network, or fit a baseline; or go on with a training that was stopped.

    Parameters
    ----------
    experiment
        A preset, or one of the workspace's own.
    settings
        The feature matrices to feed it.
    dataset
        Another dataset than the experiment's own.
    overrides
        Parameters of the experiment, such as ``{"training.epochs": 5}``.
    device
        ``"cpu"``, ``"gpu"``, or one of several as ``"gpu:1"``; ``"auto"``: a GPU that JAX can use,
        if there is one.
    code
        Python files with networks and the like of your own.
    seed
        Of the first weights and the order of items; the workspace's, else 0, if None.
    checkpoint_every
        How often it writes a checkpoint, besides when it is stopped: seconds, or such as ``"10m"``;
        0: never.
    resume
        A model whose training was stopped, or its name, or True for the newest: it goes on from
        there, to the same weights and losses. Nothing else is named then but how it is run.
    workspace
        Where the dataset is and the model goes.
    progress
        Told of each epoch.

    Raises
    ------
    RequestError
        If there is no such experiment, setting or parameter.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If the training diverges.
    """
    from tartarus_cli.experiments.request import build_request
    from tartarus_cli.training.train import resume as resume_training
    from tartarus_cli.training.train import train as train_model

    with shown(progress) as watcher, on_device(device):
        control = control_of("train", checkpoint_every)
        files = run_code(code)
        if resume:
            named = {"settings": settings, "dataset": dataset, "overrides": overrides, "seed": seed}
            model = stopped_model(resume, workspace, experiment, **named)
            return resume_training(model, control=control, progress=watcher)
        experiment = require_experiment(experiment, "train")
        root = workspace_of(workspace)
        request = build_request(
            *(root, experiment, settings, dataset, overrides_of(overrides), seed), code=files
        )
        return train_model(Store(root), request, control=control, progress=watcher)


def run(
    experiment: str | None = None,
    *settings: str,
    dataset: str | None = None,
    overrides: Overrides = (),
    k: Sequence[int] = (),
    users: str | None = None,
    published: bool = False,
    ties: TieBreaking = "drawn",
    baselines: bool = False,
    pool: Pool = "mean",
    ablate: bool = False,
    device: str = "auto",
    code: Code = (),
    seed: int | None = None,
    seeds: int | Sequence[int] | None = None,
    folds: bool = False,
    cluster: str | None = None,
    checkpoint_every: float | str = "10m",
    resume: Resume = False,
    dry_run: bool = False,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Evaluation | GroupEvaluation | Forecast:
    """Check, train, predict and evaluate; for the parameters see :func:`train`, :func:`evaluate`.

    With ``ablate``, the model is also compared with such of each setting alone, of all but each,
    and of shuffled features: the attribute ``ablation`` of what is returned. Models that the same
    request has trained before are used again then.

    With ``seeds``, a number of them (from 0 on) or the seeds themselves, there is a model for each,
    and what is returned has the mean and the standard deviation of each figure. The same call goes
    on after an interruption, and tries again what failed. With ``cluster``, workers do them side by
    side: ``local``, the address of a Dask scheduler, or a file of jobs.

    With ``dry_run``, nothing is done: what is returned says what would be, and forecasts time,
    memory and disk from a few measured steps.

    With ``resume``, the training of a model goes on, or what follows it if that is finished.

    With ``folds``, ``dataset`` names folds that :func:`split` made, and there is a model for each.
    Where items are classified, ``pooled`` of what is returned has the figures over all items, each
    predicted by the model of the fold that tests it. The figures of a recommendation are means over
    folds alone: each fold ranks its own test items for all users, and no list spans two folds.

    Raises
    ------
    RequestError
        If there is no such experiment, setting or parameter.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If the training diverges.
    """
    given = {**locals()}
    from tartarus_cli.evaluation.report import EvaluationOptions, parse_users
    from tartarus_cli.experiments.request import build_request
    from tartarus_cli.forecasting.run import forecast_run, planned_run
    from tartarus_cli.plural.seeds import require_no_other_seed, require_several, run_seeds
    from tartarus_cli.run import run as run_steps
    from tartarus_cli.training.resumable import asked_for

    with shown(progress) as watcher, on_device(device):
        control, files = control_of("run", checkpoint_every), run_code(code)
        options = EvaluationOptions(
            tuple(k),
            parse_users(users),
            published=published,
            ties=ties,
            seed=seed,
            baselines=baselines,
        )
        if folds and not resume:
            return _run_folds(given, options, files, control.checkpoint_every, watcher)
        resumed = None
        if resume:
            others = {name: given[name] for name in NAMED} | {"folds": folds or None}
            resumed = stopped_model(resume, workspace, experiment, **others)
            root, request = resumed.workspace, asked_for(resumed)
        else:
            root, experiment = workspace_of(workspace), require_experiment(experiment, "run")
            request = build_request(
                *(root, experiment, settings, dataset, overrides_of(overrides), seed), code=files
            )
        if seeds is not None:
            require_no_other_seed(seed)
        if dry_run:
            return forecast_run(
                workspace_of(workspace), planned_run(request, options, given), progress=watcher
            )
        if seeds is not None:
            return run_seeds(
                *(workspace_of(workspace), request, options, seeds),
                pool=pool,
                ablate=ablate,
                cluster=cluster,
                checkpoint_every=control.checkpoint_every,
                progress=watcher,
            )
        require_several(cluster)
        return run_steps(
            *(root, request, options),
            pool=pool,
            ablate=ablate,
            resumed=resumed,
            control=control,
            progress=watcher,
        )


def _run_folds(
    given: Mapping[str, Any],
    options: EvaluationOptions,
    code: Sequence[CodeFile],
    checkpoint_every: float,
    progress: Progress,
) -> GroupEvaluation:
    """Run an experiment on each fold; ``given`` are the arguments of :func:`run`."""
    from tartarus_cli.experiments.request import ExperimentRequest
    from tartarus_cli.plural.folds import require_no_seeds, run_folds

    require_no_seeds(given["seeds"], dry_run=given["dry_run"])
    name = require_experiment(given["experiment"], "run")
    return run_folds(
        workspace_of(given["workspace"]),
        ExperimentRequest(name, given["dataset"], overrides_of(given["overrides"])),
        given["settings"],
        options,
        seed=given["seed"],
        code=code,
        pool=given["pool"],
        ablate=given["ablate"],
        cluster=given["cluster"],
        checkpoint_every=checkpoint_every,
        progress=progress,
    )


def predict(
    model: ModelLike = None,
    *,
    layer: str | int | None = None,
    split: SplitName | None = None,
    pool: Pool = "mean",
    audio: Path | str | None = None,
    text: Path | str | None = None,
    encoding: str | None = None,
    jobs: int | None = None,
    timeout: float | None = None,
    command: str | Sequence[str] = (),
    accept_changed_inputs: bool = False,
    device: str = "auto",
    code: Code = (),
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Prediction | NewPrediction:
    """Predict for the items of a dataset or for new files, or read out a layer as a setting.

    Parameters
    ----------
    model
        The newest if None.
    layer
        Name or index of a layer to read out, which becomes a new setting.
    split
        Which items; test if None, for a layer all.
    pool
        How the rows of an item's patches become one.
    audio, text
        A new recording or document, or a folder of them, instead of the items of the dataset. A
        model that reads both is given both: files of one name are of one item.
    encoding
        For documents: the encoding of those that are not in UTF-8 and have no byte-order mark.
    jobs, timeout
        For recordings: processes, and seconds after which one is given up.
    command
        For new files: the command, or commands, of a program that made settings of the model, as
        it was given then. It runs only if it is given again: a workspace may come from anybody.
    accept_changed_inputs
        Predict from features, ids or a vocabulary that are not those of the training; the model's
        manifest then records them.
    device
        ``"cpu"``, ``"gpu"``, or one of several as ``"gpu:1"``; ``"auto"``: a GPU that JAX can use,
        if there is one.
    code
        Python files with networks and the like of your own.
    workspace
        Where the model is, if it is named.
    progress
        Told of each block.

    Raises
    ------
    RequestError
        If there is no such model, layer, split or file.
    DataError
        If a file is missing, damaged, or not as in training.
    """
    from tartarus_cli.encodings import check_encoding
    from tartarus_cli.prediction.new_files import new_files_request, predict_files
    from tartarus_cli.prediction.predict import PredictOptions
    from tartarus_cli.prediction.predict import predict as predict_items

    with shown(progress) as watcher, on_device(device):
        run_code(code)
        options = PredictOptions(
            None if layer is None else str(layer), split, pool, accept_changed_inputs
        )
        files = new_files_request(
            path_of(audio),
            path_of(text),
            options,
            jobs=jobs,
            timeout=timeout,
            encoding=check_encoding(encoding),
            commands=(command,) if isinstance(command, str) else command,
        )
        trained = model_of(model, workspace)
        if files is not None:
            return predict_files(trained, files, progress=watcher)
        return predict_items(trained, options, progress=watcher)


def list_models(*, workspace: WorkspaceLike = None) -> list[Model]:
    """Return all models of a workspace, finished or not.

    Raises
    ------
    RequestError
        If there is no such workspace.
    """
    return Store(workspace_of(workspace)).all()


def list_groups(*, workspace: WorkspaceLike = None) -> list[Group]:
    """Return all groups of models of a workspace, finished or not.

    Raises
    ------
    RequestError
        If there is no such workspace.
    """
    return Groups(workspace_of(workspace)).all()


def delete_models(*models: Model | Group | str, workspace: WorkspaceLike = None) -> list[Path]:
    """Delete models, their predictions and their results; settings made from their layers stay.

    Parameters
    ----------
    models
        Models, groups of them, or their names. What another model is made of is deleted only
        together with it; the members of a group go with it, but for those of another group too.
    workspace
        Where the models are, if they are named.

    Returns
    -------
    The files of the settings that were made from their layers.

    Raises
    ------
    RequestError
        If there is no such model, or another one is made of it, or they are of several workspaces.
    """
    from tartarus_cli.evaluation.delete import delete_group, delete_model, plan_deletion

    named = workspace_of_models(models) if workspace is None else workspace
    root = workspace_of(named)
    names = [each if isinstance(each, str) else each.name for each in models]
    deletion = plan_deletion(root, names)
    left = [path for name in deletion.models for path in delete_model(root, name)]
    for name in deletion.groups:
        delete_group(root, name)
    return left
