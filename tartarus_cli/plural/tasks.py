"""Train, predict and evaluate one member of a group: what a worker does, here or elsewhere.

A task is a function of the package with plain values as arguments, so that it can be run by
another process or another machine that sees the workspace. Doing one twice is harmless: what is
trained already is used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tartarus_cli.ablate import find_or_train
from tartarus_cli.evaluation.baseline_rows import evaluate_baselines
from tartarus_cli.evaluation.class_scores import required_splits
from tartarus_cli.evaluation.evaluator import Choices, Rows, evaluate_predictions
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.request import TrainingRequest, build_request
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.models.store import Model, Store
from tartarus_cli.plugins import run_files
from tartarus_cli.prediction.predict import Pool, PredictOptions, predict
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.training.control import TrainingControl
from tartarus_cli.workspace import Workspace


def training_arguments(
    workspace: Workspace, request: TrainingRequest, pool: Pool, checkpoint_every: float
) -> dict[str, Any]:
    """Return the arguments of :func:`train_member` as plain values."""
    return {
        "root": str(workspace.root),
        "data": str(workspace.data),
        "experiment": request.experiment.name,
        "settings": list(request.settings),
        "dataset": request.experiment.dataset.name,
        "overrides": list(request.overrides),
        "seed": request.seed,
        "code": [str(file.path) for file in request.code],
        "pool": pool,
        "checkpoint_every": checkpoint_every,
    }


def train_member(  # noqa: PLR0913 — plain values, as a worker gets them
    *,
    root: str,
    data: str,
    experiment: str,
    settings: Sequence[str],
    dataset: str,
    overrides: Sequence[str],
    seed: int,
    code: Sequence[str],
    pool: Pool,
    checkpoint_every: float,
    progress: Progress = UNWATCHED,
) -> str:
    """Train a model, or find the one that this would give, and let it predict.

    A training that was stopped goes on.

    Returns
    -------
    The name of the model.

    Raises
    ------
    TartarusError
        If it cannot be trained, or cannot predict.
    """
    workspace = Workspace(Path(root), Path(data))
    request = build_request(
        *(workspace, experiment, settings, dataset, overrides, seed),
        code=run_files([Path(file) for file in code]),
    )
    control = TrainingControl(checkpoint_every, command="run")
    model, reused = find_or_train(Store(workspace), request, control=control, progress=progress)
    if reused:
        progress.say(f"{model.name} is used again: it was trained by the same request")
    for split in required_splits(model):
        predict(model, PredictOptions(split=split, pool=pool), progress=progress)
    return model.name


def evaluation_arguments(
    workspace: WorkspacePaths,
    model: str,
    options: EvaluationOptions,
    rows: Rows | None = None,
    chosen: Choices | None = None,
) -> dict[str, Any]:
    """Return the arguments of :func:`evaluate_member` as plain values."""
    return {
        "root": str(workspace.root),
        "data": str(workspace.data),
        "model": model,
        "k": list(options.k),
        "published": options.published,
        "ties": options.ties,
        "baselines": options.baselines,
        "memory": options.memory,
        "rows": rows,
        "chosen": chosen,
    }


def evaluate_member(  # noqa: PLR0913 — plain values, as a worker gets them
    *,
    root: str,
    data: str,
    model: str,
    k: Sequence[int],
    published: bool,
    ties: Any,
    baselines: bool,
    memory: int,
    rows: Mapping[str, dict[str, float]] | None,
    chosen: Choices | None,
    progress: Progress = UNWATCHED,
) -> None:
    """Evaluate what a member predicted; its figures are written as those of any model.

    With ``rows``, the figures of baselines that were evaluated for all members; else, with
    ``baselines``, those of its own are trained.

    Raises
    ------
    TartarusError
        If it cannot be evaluated.
    """
    store = Store(Workspace(Path(root), Path(data)))
    options = EvaluationOptions(
        tuple(k), published=published, ties=ties, memory=memory, baselines=baselines
    )
    trained: Model = store.get(model)
    if rows is None and baselines:
        beside = evaluate_baselines(trained, options, progress)
        rows, chosen = beside.rows, beside.chosen
    evaluate_predictions(trained, options, other_rows=rows, chosen=chosen, progress=progress)
