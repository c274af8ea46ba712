"""Evaluate predicted factors or class scores of the test items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.errors import RequestError
from tartarus_cli.experiments.schema import Experiment, Task
from tartarus_cli.metrics.classification import ClassReport
from tartarus_cli.models import Store, write_manifest
from tartarus_cli.pictures import draw_confusion
from tartarus_cli.progress import UNWATCHED, Progress
from tartarus_cli.steps.classify import classify
from tartarus_cli.steps.experiments import Asked, seed_of
from tartarus_cli.steps.predictions import Predictions, of_file, of_model
from tartarus_cli.steps.ranking import rank
from tartarus_cli.steps.results import write_results
from tartarus_cli.workspace import Inventory, Workspace


@dataclass(frozen=True)
class EvaluationOptions:
    """How to evaluate."""

    k: tuple[int, ...] = ()  # cut-offs beside the usual ones
    users: slice = field(default_factory=lambda: slice(None))
    published: bool = False  # add the figures that exist only to compare with the papers
    seed: int | None = None  # of the random row; that of the training if None


@dataclass(frozen=True)
class Evaluation:
    """All figures of one set of predictions."""

    model: str | None
    experiment: str
    settings: tuple[str, ...]
    dataset: str
    task: str
    seed: int
    random_seed: int  # of the random row
    items: int
    items_without_prediction: int
    users: int | None
    users_without_relevant: int | None
    metrics: dict[str, float]
    rows: dict[str, dict[str, float]]  # random, oracle
    classes: list[ClassReport]
    confusion: list[list[int]]
    results: Path | None  # where they are kept; None for a part of the users
    picture: Path | None = None  # of the confusion matrix, relative to the root of the workspace
    embedding: str | None = None  # the last hidden layer of the model, worth reading out

    def document(self) -> dict[str, Any]:
        """Everything as plain values for JSON; a figure that has no value is null."""
        values = asdict(self) | {"settings": list(self.settings)}
        del values["results"], values["embedding"], values["picture"]
        if self.task == "multiclass":
            values["confusion_picture"] = self.picture and self.picture.as_posix()
        if self.task == "recommendation":
            del values["classes"], values["confusion"]
        values["metrics"] = _plain(self.metrics)
        values["rows"] = {name: _plain(figures) for name, figures in self.rows.items()}
        return values


def evaluation_options(
    k: Sequence[int], users: str | None, *, published: bool, seed: int | None
) -> EvaluationOptions:
    """Read how to evaluate from what the command line says."""
    return EvaluationOptions(tuple(k), parse_users(users), published, seed)


def check_options(options: EvaluationOptions, task: Task) -> None:
    """Make sure that nothing is asked of an evaluation that its task does not have.

    Raises
    ------
    RequestError
        If users are cut out of a classification, or rankings cut where there are none.
    """
    if options.users != slice(None) and task != "recommendation":
        msg = f"--users: a {task} task has no users"
        raise RequestError(msg, hint="Leave it out.")
    if (options.k or options.published) and task == "multiclass":
        msg = "--k and --published cut rankings, and a multiclass task ranks nothing"
        raise RequestError(msg, hint="Leave them out.")


def evaluate(
    workspace: Workspace,
    subject: str | None,
    asked: Asked,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Evaluate a model by name, the newest if None, or a ``.npy`` file of predictions.

    Raises
    ------
    RequestError
        If there is no such model, or the request does not fit what is evaluated.
    DataError
        If a file is missing, damaged or out of step.
    """
    if subject is not None and subject.endswith(".npy"):
        experiment = asked.resolve(workspace)
        path = Path(subject)
        return evaluate_file(workspace, path, experiment, options, ids=ids, progress=progress)
    model = Store(workspace).get(subject)
    own = (None, model.manifest.dataset)
    if asked.experiment or asked.overrides or ids is not None or asked.dataset not in own:
        msg = f"{model.name} is evaluated with the experiment and the dataset that it learnt"
        hint = "--experiment, --dataset, --set and --ids are for a .npy file of predictions."
        raise RequestError(msg, hint=hint)
    return evaluate_model(workspace, model.name, options, progress=progress)


def evaluate_model(
    workspace: Workspace,
    name: str | None,
    options: EvaluationOptions,
    *,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of what a model predicted for the test items, and keep them.

    Raises
    ------
    RequestError
        If there is no such model.
    DataError
        If it has not predicted yet, or a file is missing, damaged or out of step.
    """
    inventory = workspace.scan()
    predictions = of_model(workspace, name, inventory)
    evaluation = _evaluate(inventory, predictions, options, progress)
    model = Store(workspace).get(predictions.model)
    dense = [layer.name for layer in model.manifest.layers if layer.kind == "Dense"]
    flat = [layer.name for layer in model.manifest.layers if layer.kind == "Flatten"]
    hidden = dense[:-1] or flat
    model.manifest.test_evaluations += 1
    if evaluation.results is not None:
        model.manifest.scores = _plain(evaluation.metrics)
    write_manifest(model.folder, model.manifest)
    return replace(evaluation, embedding=hidden[-1] if hidden else None)


def evaluate_file(
    workspace: Workspace,
    path: Path,
    experiment: Experiment,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of predictions that were made elsewhere, in the same way."""
    inventory = workspace.scan()
    predictions = of_file(path, experiment, inventory, ids, progress)
    return _evaluate(inventory, predictions, options, progress)


def parse_users(text: str | None) -> slice:
    """Read ``A:B``, users counted from 0, B not included.

    >>> parse_users("100:200")
    slice(100, 200, None)
    """
    if text is None:
        return slice(None)
    first, colon, last = text.partition(":")
    if not colon or not all(part.isascii() and part.isdigit() for part in (first, last) if part):
        msg = f"--users {text}: not of the form A:B"
        raise RequestError(msg, hint="For example --users 0:1000, or --users 1000: for the rest.")
    return slice(int(first) if first else None, int(last) if last else None)


def _evaluate(
    inventory: Inventory, predictions: Predictions, options: EvaluationOptions, progress: Progress
) -> Evaluation:
    workspace, task = inventory.workspace, predictions.experiment.dataset.task
    check_options(options, task)
    trained = seed_of(workspace, predictions.seed)  # a file's training is unknown
    seed = trained if options.seed is None else options.seed
    about: dict[str, Any] = {
        "model": predictions.model,
        "experiment": predictions.experiment.name,
        "settings": predictions.settings,
        "dataset": predictions.wanted.dataset,
        "task": task,
        "seed": seed if predictions.seed is None else trained,
        "random_seed": seed,
        "items": len(predictions.values),
        "items_without_prediction": int(predictions.absent.sum()),
        "users": None,
        "users_without_relevant": None,
        "rows": {},
        "classes": [],
        "confusion": [],
    }
    if task == "recommendation":
        about |= _recommendation(inventory, predictions, options, seed, progress)
    else:
        about |= classify(inventory, predictions, k=options.k, published=options.published)
    whole = options.users == slice(None)
    path = workspace.results(predictions.name) if whole else None
    evaluation = Evaluation(**about, results=path)
    if path is not None:
        evaluation = replace(evaluation, picture=_draw(workspace, predictions, evaluation))
        write_results(workspace, predictions.name, evaluation.document())
    return evaluation


def _draw(workspace: Workspace, predictions: Predictions, evaluation: Evaluation) -> Path | None:
    """Draw the confusion matrix, or remove that of an earlier task of the same name."""
    path = workspace.confusion_picture(predictions.name)
    if not evaluation.confusion:
        path.unlink(missing_ok=True)
        return None
    names = [each.name for each in evaluation.classes]
    title = " · ".join([predictions.name, evaluation.experiment, evaluation.dataset])
    draw_confusion(path, np.array(evaluation.confusion), names, title)
    return Path(workspace.within(path))


def _recommendation(
    inventory: Inventory,
    predictions: Predictions,
    options: EvaluationOptions,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    ranking = rank(
        inventory,
        predictions,
        k=options.k,
        users=options.users,
        published=options.published,
        seed=seed,
        progress=progress,
    )
    figures = dict(ranking.figures)
    return {
        "metrics": figures.pop("model"),
        "rows": figures,
        "users": ranking.users,
        "users_without_relevant": ranking.users_without_relevant,
    }


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
