"""Judge predicted factors or class scores of the test items, and keep the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.tasks import Task
from tartarus_cli.evaluation.checkpoints import CheckpointStore
from tartarus_cli.evaluation.classification import ClassificationResult, evaluate_classes
from tartarus_cli.evaluation.plots import draw_class_pictures
from tartarus_cli.evaluation.protocol import comparison_basis, describe_protocol
from tartarus_cli.evaluation.ranking import RankingOptions, ranking_fingerprint
from tartarus_cli.evaluation.report import (
    OF_CLASSES,
    OF_RANKINGS,
    Evaluation,
    EvaluationOptions,
    check_evaluation_options,
)
from tartarus_cli.evaluation.results import write_results, write_unit_values
from tartarus_cli.evaluation.upper_bound import worse_than_chance
from tartarus_cli.evaluation.user_metrics import evaluate_ranking, json_metrics
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import digest
from tartarus_cli.layout import WorkspacePaths
from tartarus_cli.metrics import family
from tartarus_cli.metrics.lists import LIST_METRICS
from tartarus_cli.models.manifest import write_model_manifest
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import Predictions, file_predictions, model_predictions
from tartarus_cli.progress import UNWATCHED, Progress

NO_QUALITY = (
    *LIST_METRICS,
    "calibration",
)  # families of figures that a better order does not raise
WEAKEST_FIRST = ("random", "popularity", "prior", "knn", "ridge", "oracle")  # rows beside a model


def evaluate_predictions(
    model: Model,
    options: EvaluationOptions,
    *,
    others: Mapping[str, dict[str, float]] | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of what a model predicted for the test items, and keep them.

    Parameters
    ----------
    model
        It has predicted its test items.
    options
        How to evaluate.
    others
        Figures of other systems, to be put beside the model's.
    progress
        Told how it goes.

    Raises
    ------
    DataError
        If it has not predicted yet, or a file is missing, damaged or out of step.
    """
    evaluation = _evaluate(model_predictions(model), options, progress, others)
    dense = [layer.name for layer in model.manifest.layers if layer.kind == "Dense"]
    flat = [layer.name for layer in model.manifest.layers if layer.kind == "Flatten"]
    hidden = dense[:-1] or flat
    model.manifest.test_evaluations += 1
    if evaluation.results is not None:
        model.manifest.scores = json_metrics(evaluation.metrics)
    write_model_manifest(model.folder, model.manifest)
    return replace(evaluation, embedding=hidden[-1] if hidden else None)


def evaluate_file(
    path: Path,
    experiment: Experiment,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of predictions that were made elsewhere, in the same way."""
    predictions = file_predictions(path, experiment, dataset, ids, progress)
    return _evaluate(predictions, options, progress)


def _in_order(rows: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Put rows into the order in which they are shown: the weakest first."""
    order = [name for name in WEAKEST_FIRST if name in rows]
    return {name: rows[name] for name in dict.fromkeys([*order, *rows])}


def _evaluate(
    predictions: Predictions,
    options: EvaluationOptions,
    progress: Progress,
    others: Mapping[str, dict[str, float]] | None = None,
) -> Evaluation:
    task = predictions.task
    check_evaluation_options(options, task)
    workspace = predictions.dataset.workspace
    trained = predictions.model.manifest.seed if predictions.model else None  # a file tells none
    seed = next((seed for seed in (options.seed, trained) if seed is not None), 0)
    judge = _judge_ranking if task == "recommendation" else _judge_classes
    found = judge(predictions, options, seed, progress)
    _tell_of_oracle(predictions, found.fields["rows"], progress)
    found.fields["rows"] = _in_order({**found.fields["rows"], **(others or {})})
    common = comparison_basis(predictions, found.users, _cuts(task, options))
    thresholds = found.fields.get("thresholds")
    if thresholds is not None:
        common["thresholds"] = f"of {thresholds.source}" if thresholds.source else "of 0.5"
    figures = found.fields["metrics"]
    whole = options.users == slice(None)
    evaluation = Evaluation(
        model=predictions.model.name if predictions.model else None,
        experiment=predictions.experiment.name,
        settings=predictions.settings,
        dataset=predictions.dataset.name,
        task=task,
        seed=seed if trained is None else trained,
        random_seed=seed,
        items=predictions.values.shape[0],
        items_without_prediction=int(predictions.absent.sum()),
        basis=common,
        protocol=describe_protocol(predictions, common, figures),
        gap_closed=gaps_closed({"model": figures} | found.fields["rows"], found.perfect),
        fingerprint=fingerprint_of(predictions),
        results=workspace.results(predictions.name) if whole else None,
        **found.fields,
    )
    if not whole:
        return evaluation
    kept = _kept(predictions, evaluation, found.judged)
    if found.shelf is not None:
        found.shelf.forget()
    return kept


def _tell_of_oracle(
    predictions: Predictions, rows: Mapping[str, dict[str, float]], progress: Progress
) -> None:
    """Warn of factors that say less of new items than chance does."""
    if predictions.task == "recommendation" and "oracle" in rows:
        dim = predictions.targets.dim
        told = worse_than_chance(rows["oracle"], rows.get("random", {}), "plays", dim)
        if told:
            progress.warn(told)


def fingerprint_of(predictions: Predictions) -> str:
    """Hash the predictions and, where items are ranked for users, all else that ranks depend on."""
    if predictions.task == "recommendation":
        return ranking_fingerprint(predictions).hex()
    return digest(predictions.path)


def _kept(
    predictions: Predictions,
    evaluation: Evaluation,
    judged: ClassificationResult | None,
) -> Evaluation:
    """Write the results, with their pictures and the figures of each item."""
    workspace, name = predictions.dataset.workspace, predictions.name
    kept = replace(evaluation, pictures=_draw(workspace, predictions, judged))
    _keep_values(predictions, judged)
    write_results(workspace, name, kept.document())
    return kept


@dataclass(frozen=True)
class TaskResult:
    """What came of judging predictions."""

    fields: dict[str, Any]  # of the evaluation
    users: slice | None = None  # that were ranked for
    judged: ClassificationResult | None = None
    shelf: CheckpointStore | None = None  # of parts that whole results make superfluous

    @property
    def perfect(self) -> dict[str, float] | None:
        """The figures that the truth itself would have, where the oracle has no row."""
        return self.judged.perfect if self.judged else None


def _judge_ranking(
    predictions: Predictions,
    options: EvaluationOptions,
    seed: int,
    progress: Progress,
) -> TaskResult:
    how = RankingOptions(
        k=options.k,
        users=options.users,
        seed=seed,
        memory=options.memory,
        references=options.references,
        resume=options.resume,
        merge=options.merge,
    )
    published = options.published
    ranked = evaluate_ranking(predictions, how, published=published, progress=progress)
    fields = {name: getattr(ranked, name) for name in OF_RANKINGS}
    fields |= {"users": ranked.users.stop - ranked.users.start, "classes": [], "confusion": []}
    return TaskResult(fields, users=ranked.users, shelf=ranked.shelf)


def _judge_classes(
    predictions: Predictions,
    options: EvaluationOptions,
    seed: int,
    progress: Progress,
) -> TaskResult:
    cuts: dict[str, Any] = {"k": options.k, "published": options.published}
    judged = evaluate_classes(predictions, **cuts, seed=seed, progress=progress)
    fields = {name: getattr(judged, name) for name in OF_CLASSES}
    return TaskResult(fields | {"users": None, "users_without_relevant": None}, judged=judged)


def _cuts(task: Task, options: EvaluationOptions) -> tuple[int, ...]:
    return () if task == "multiclass" else RankingOptions(k=options.k).ks


def gaps_closed(
    rows: Mapping[str, Mapping[str, float]], perfect: Mapping[str, float] | None
) -> dict[str, dict[str, float]]:
    """Return how much of the way from random to the best possible each row goes.

    (row - random) / (best - random), the best being the oracle or, for classes, the truth itself;
    for figures of quality alone. NaN where the best is no better than random, and empty where there
    is nothing to compare with.

    >>> rows = {"model": {"P@1": 0.3}, "random": {"P@1": 0.1}, "oracle": {"P@1": 0.9}}
    >>> {name: round(row["P@1"], 3) for name, row in gaps_closed(rows, None).items()}
    {'model': 0.25}
    """
    random, best = rows.get("random"), perfect or rows.get("oracle")
    if random is None or best is None:
        return {}
    judged = [name for name in random if family(name) not in NO_QUALITY]
    return {
        name: {each: _share(row[each], random[each], best[each]) for each in judged if each in row}
        for name, row in rows.items()
        if name not in ("random", "oracle")
    }


def _share(value: float, random: float, best: float) -> float:
    return (value - random) / (best - random) if best > random else math.nan


def _draw(
    workspace: WorkspacePaths, predictions: Predictions, judged: ClassificationResult | None
) -> tuple[Path, ...]:
    """Draw what is known of classes, and remove the pictures of an earlier task of that name."""
    if judged is not None:
        about = (predictions.name, predictions.experiment.name, predictions.dataset.name)
        return tuple(draw_class_pictures(workspace, predictions.name, " · ".join(about), judged))
    for path in workspace.pictures_of(predictions.name):
        path.unlink(missing_ok=True)
    return ()


def _keep_values(predictions: Predictions, judged: ClassificationResult | None) -> None:
    """Keep the figures of each item, where items are what is judged."""
    workspace = predictions.dataset.workspace
    path = workspace.unit_values(predictions.name, "items")
    if judged is None:
        path.unlink(missing_ok=True)
        return
    ids = predictions.dataset.ids("test")
    write_unit_values(path, {"ids": np.array(ids), **judged.unit_values}.items())
    workspace.unit_values(predictions.name, "users").unlink(missing_ok=True)
