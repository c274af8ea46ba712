"""From datasets to trained models, their predictions and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tartarus_cli import run as run_steps
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
)
from tartarus_cli.api.progress import ProgressOption, shown
from tartarus_cli.evaluation.evaluate import evaluation_options
from tartarus_cli.evaluation.report import Evaluation
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.new_files import NewPrediction, new_files_request, predict_files
from tartarus_cli.prediction.predict import Pool, Prediction, PredictOptions
from tartarus_cli.prediction.predict import predict as predict_items
from tartarus_cli.training.train import train as train_model


def train(
    experiment: str,
    *settings: str,
    dataset: str | None = None,
    overrides: Overrides = (),
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Model:
    """Train a network, or fit a baseline.

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
    code
        Python files with networks and the like of your own.
    seed
        Of the first weights and the order of items; the workspace's, else 0, if None.
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
    root = workspace_of(workspace)
    request = build_request(
        *(root, experiment, settings, dataset, overrides_of(overrides), seed), code=run_code(code)
    )
    with shown(progress) as watcher:
        return train_model(Store(root), request, progress=watcher)


def run(
    experiment: str,
    *settings: str,
    dataset: str | None = None,
    overrides: Overrides = (),
    k: Sequence[int] = (),
    users: str | None = None,
    published: bool = False,
    baselines: bool = False,
    pool: Pool = "mean",
    code: Code = (),
    seed: int | None = None,
    workspace: WorkspaceLike = None,
    progress: ProgressOption = "auto",
) -> Evaluation:
    """Check, train, predict and evaluate; for the parameters see :func:`train`, :func:`evaluate`.

    Raises
    ------
    RequestError
        If there is no such experiment, setting or parameter.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If the training diverges.
    """
    root = workspace_of(workspace)
    request: TrainingRequest = build_request(
        *(root, experiment, settings, dataset, overrides_of(overrides), seed), code=run_code(code)
    )
    options = evaluation_options(k, users, published=published, seed=seed, baselines=baselines)
    with shown(progress) as watcher:
        return run_steps.run(root, request, options, pool=pool, progress=watcher)


def predict(
    model: ModelLike = None,
    *,
    layer: str | int | None = None,
    split: SplitName | None = None,
    pool: Pool = "mean",
    audio: Path | str | None = None,
    text: Path | str | None = None,
    jobs: int | None = None,
    timeout: float | None = None,
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
        A new recording or document, or a folder of them, instead of the items of the dataset.
    jobs, timeout
        For recordings: processes, and seconds after which one is given up.
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
    run_code(code)
    options = PredictOptions(None if layer is None else str(layer), split, pool)
    files = new_files_request(path_of(audio), path_of(text), options, jobs=jobs, timeout=timeout)
    trained = model_of(model, workspace)
    with shown(progress) as watcher:
        if files is not None:
            return predict_files(trained, files, progress=watcher)
        return predict_items(trained, options, progress=watcher)
