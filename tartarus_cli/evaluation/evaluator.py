"""Evaluate predicted factors or class scores of the test items, and write the results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.advice import advise
from tartarus_cli.evaluation.classification import evaluate_classes
from tartarus_cli.evaluation.plots import draw_class_pictures
from tartarus_cli.evaluation.protocol import (
    ComparisonBasis,
    comparison_basis,
    describe_protocol,
)
from tartarus_cli.evaluation.ranking import RankingOptions, ranking_fingerprint
from tartarus_cli.evaluation.report import (
    ClassEvaluation,
    Evaluation,
    EvaluationBase,
    EvaluationOptions,
    RankingEvaluation,
    check_evaluation_options,
)
from tartarus_cli.evaluation.results import (
    put_results,
    put_unit_values,
    read_results,
    replace_results,
)
from tartarus_cli.evaluation.upper_bound import worse_than_chance
from tartarus_cli.evaluation.user_metrics import RankingResult, evaluate_ranking, json_metrics
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.files import digest, room_for
from tartarus_cli.metrics import family
from tartarus_cli.metrics.lists import LIST_METRICS
from tartarus_cli.models.store import Model
from tartarus_cli.prediction.aligned import Predictions, file_predictions, model_predictions
from tartarus_cli.progress import UNWATCHED, Progress

NO_QUALITY = (*LIST_METRICS, "calibration")
"""Families of figures that a better order does not raise."""

WEAKEST_FIRST = ("random", "popularity", "prior", "artist_mean", "knn", "ridge", "oracle")
"""The order of the rows beneath a model."""

Rows = Mapping[str, dict[str, float]]
"""System → metric → value."""

Choices = Mapping[str, dict[str, int | float | str]]
"""Baseline → what it chose by validation items, by name."""


def evaluate_predictions(
    model: Model,
    options: EvaluationOptions,
    *,
    other_rows: Rows | None = None,
    chosen: Choices | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of what a model predicted for the test items, and write the results.

    Parameters
    ----------
    model
        A model that has predicted its test items.
    options
        How to evaluate.
    other_rows
        Figures of other systems, to be shown beneath the model's.
    chosen
        What these systems chose by validation items.
    progress
        Reports each block of users, and what may be a mistake.

    Raises
    ------
    DataError
        If it has not predicted yet, or a file is missing, damaged or out of step.
    """
    evaluation = _evaluate(
        _Evaluator(model_predictions(model), options, progress, other_rows or {}, chosen or {})
    )
    whole = evaluation.results is not None
    model.count_evaluation(json_metrics(evaluation.metrics) if whole else None)
    return replace(evaluation, embedding=_last_hidden_layer(model))


def evaluate_file(
    path: Path,
    experiment: Experiment,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    ids: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Evaluation:
    """Compute the figures of predictions that were made elsewhere, in the same way.

    Parameters
    ----------
    path
        A ``.npy`` file, ``(items, dim)``.
    experiment
        What was predicted: its task and its targets.
    dataset
        The dataset of the experiment.
    options
        How to evaluate.
    ids
        A file of the ids of the rows; None: the test items in their order.
    progress
        Reports each block of users, and what may be a mistake.
    """
    predictions = file_predictions(path, experiment, dataset, ids, progress)
    return _evaluate(_Evaluator(predictions, options, progress))


def _last_hidden_layer(model: Model) -> str | None:
    dense = [layer.name for layer in model.manifest.layers if layer.kind == "Dense"]
    flat = [layer.name for layer in model.manifest.layers if layer.kind == "Flatten"]
    hidden = dense[:-1] or flat
    return hidden[-1] if hidden else None


@dataclass(frozen=True)
class _Evaluator:
    """Predictions, and how to evaluate them."""

    predictions: Predictions
    options: EvaluationOptions
    progress: Progress
    other_rows: Rows = field(default_factory=dict)
    chosen: Choices = field(default_factory=dict)

    @property
    def random_seed(self) -> int:
        """The seed of the random row and of the order of ties."""
        return _evaluation_seed(self.predictions, self.options)

    @property
    def k(self) -> tuple[int, ...]:
        """The further k that lists are cut at, of the experiment and of the request."""
        return merge_cut_offs(self.predictions.experiment, self.options)

    @property
    def whole(self) -> bool:
        """Whether all users, or items, are evaluated."""
        return not self.options.partial

    def rows(self, references: Rows) -> dict[str, dict[str, float]]:
        """Put the rows into the order in which they are shown: the weakest first."""
        rows = {**references, **self.other_rows}
        order = [name for name in WEAKEST_FIRST if name in rows]
        return {name: rows[name] for name in dict.fromkeys([*order, *rows])}

    def common(
        self,
        metrics: dict[str, float],
        references: Rows,
        basis: ComparisonBasis,
        perfect: Mapping[str, float] | None = None,
    ) -> EvaluationBase:
        """Return what the evaluations of all tasks have.

        Parameters
        ----------
        metrics
            The figures of the predictions.
        references
            The figures of random, and of the oracle if there is one.
        basis
            What another evaluation must have in common with this one to be compared.
        perfect
            The figures of the truth itself, where there is no oracle.
        """
        predictions, model = self.predictions, self.predictions.model
        rows, workspace = self.rows(references), predictions.dataset.workspace
        _warn_of_other_truth(predictions, basis, self.progress)
        return EvaluationBase(
            name=predictions.name,
            model=model.name if model else None,
            experiment=predictions.experiment.name,
            settings=predictions.settings,
            dataset=predictions.dataset.name,
            task=predictions.task,
            scoring=predictions.scoring,
            seed=model.manifest.seed if model else self.random_seed,
            random_seed=self.random_seed,
            items=len(predictions.absent),
            items_without_prediction=int(predictions.absent.sum()),
            metrics=metrics,
            rows=rows,
            parts=dict(model.manifest.parts) if model else {},
            validation_score=model.manifest.validation_score if model else None,
            chosen=dict(self.chosen),
            advice=advise(model, metrics, rows) if model and self.whole else "",
            gap_closed=gaps_closed({"model": metrics} | rows, perfect),
            basis=basis,
            protocol=describe_protocol(predictions, basis, metrics, self.random_seed),
            fingerprint=fingerprint_of(predictions, self.options),
            results=workspace.results(predictions.name) if self.whole else None,
        )


def _evaluate(evaluator: _Evaluator) -> Evaluation:
    task = evaluator.predictions.task
    check_evaluation_options(evaluator.options, task)
    if task == "recommendation":
        return _evaluate_ranking(evaluator)
    return _evaluate_classes(evaluator)


def _evaluate_ranking(evaluator: _Evaluator) -> RankingEvaluation:
    predictions, options = evaluator.predictions, evaluator.options
    ranking = RankingOptions(
        k=evaluator.k,
        users=options.users,
        shard=options.shard,
        seed=evaluator.random_seed,
        ties=options.ties,
        memory=options.memory,
        references=options.references,
        resume=options.resume,
        merge=options.merge,
        cluster=options.cluster,
    )
    if not evaluator.whole:
        return _ranking_evaluation(evaluator, ranking, None)[0]
    workspace, name = predictions.dataset.workspace, predictions.name
    values = workspace.unit_values(name, "users")
    with replace_results(workspace, name, [values]) as temporary:
        evaluation, result = _ranking_evaluation(evaluator, ranking, temporary[values])
        put_results(temporary[workspace.results(name)], evaluation.results_document())
    result.checkpoints.delete()
    return evaluation


def _ranking_evaluation(
    evaluator: _Evaluator, ranking: RankingOptions, stored: Path | None
) -> tuple[RankingEvaluation, RankingResult]:
    """Rank, and write the figures of each user to a temporary file, if there is one."""
    predictions = evaluator.predictions
    result = evaluate_ranking(
        predictions,
        ranking,
        published=evaluator.options.published,
        stored=stored,
        progress=evaluator.progress,
    )
    _warn_of_weak_oracle(predictions, result.rows, evaluator.progress)
    basis = comparison_basis(predictions, result.users, ranking.ks, evaluator.options.ties)
    evaluation = RankingEvaluation(
        **vars(evaluator.common(result.metrics, result.rows, basis)),
        users=result.users.stop - result.users.start,
        users_without_relevant=result.users_without_relevant,
        tied=result.tied,
        shard=result.shard,
    )
    return evaluation, result


def _evaluate_classes(evaluator: _Evaluator) -> ClassEvaluation:
    predictions, options = evaluator.predictions, evaluator.options
    result = evaluate_classes(
        predictions,
        k=evaluator.k,
        published=options.published,
        seed=evaluator.random_seed,
        ties=options.ties,
        progress=evaluator.progress,
    )
    ks = () if predictions.task == "multiclass" else RankingOptions(k=evaluator.k).ks
    basis = comparison_basis(predictions, None, ks, options.ties)
    if result.thresholds is not None:
        source = result.thresholds.source
        basis["thresholds"] = f"of {source}" if source else "of 0.5"
    common = evaluator.common(result.metrics, result.rows, basis, result.perfect_metrics)
    workspace, name = predictions.dataset.workspace, predictions.name
    title = f"{name} · {common.experiment} · {common.dataset}"
    pictures = draw_class_pictures(workspace, name, title, result)
    evaluation = ClassEvaluation(
        **vars(common),
        classes=result.classes,
        confusion=result.confusion,
        thresholds=result.thresholds,
        pictures=tuple(Path(workspace.relative(path)) for path in pictures),
    )
    values = workspace.unit_values(name, "items")
    with replace_results(workspace, name, [values, *pictures]) as temporary:
        for path, picture in pictures.items():
            with room_for(temporary[path]):
                temporary[path].write_bytes(picture)
        ids = np.array(predictions.dataset.ids("test"))
        put_unit_values(temporary[values], {"ids": ids, **result.unit_values}.items())
        put_results(temporary[workspace.results(name)], evaluation.results_document())
    return evaluation


def _warn_of_other_truth(
    predictions: Predictions, basis: ComparisonBasis, progress: Progress
) -> None:
    """Warn if the truth, for the same test items, is not that of the results that are replaced."""
    name = predictions.name
    try:
        previous = read_results(predictions.dataset.workspace, name).basis or {}
    except TartarusError:  # there are none, or they are damaged
        return
    same = all(previous.get(key) == basis[key] for key in ("dataset", "task", "test items"))
    if same and previous.get("truth") != basis["truth"]:
        progress.warn(
            f"the truth of {predictions.dataset.name} is not what it was when {name} was last "
            "evaluated: these figures cannot be compared with earlier ones"
        )


def _warn_of_weak_oracle(predictions: Predictions, rows: Rows, progress: Progress) -> None:
    """Warn of true factors that say less about new items than chance does."""
    if "oracle" in rows:
        dim = predictions.targets.dim
        warning = worse_than_chance(rows["oracle"], rows.get("random", {}), "plays", dim)
        if warning:
            progress.warn(warning)


def merge_cut_offs(experiment: Experiment, options: EvaluationOptions) -> tuple[int, ...]:
    """Return the further k of an experiment and of a request, each once and in order."""
    return tuple(sorted({*experiment.cut_offs, *options.k}))


def _evaluation_seed(predictions: Predictions, options: EvaluationOptions) -> int:
    """Return the seed that is asked for, else that of the training, else 0."""
    if options.seed is not None:
        return options.seed
    return predictions.model.manifest.seed if predictions.model else 0


def fingerprint_of(predictions: Predictions, options: EvaluationOptions) -> str:
    """Hash the predictions and, where items are ranked for users, all else that ranks depend on."""
    if predictions.task != "recommendation":
        return digest(predictions.path)
    seed = _evaluation_seed(predictions, options)
    ties = f"{options.ties} {seed if options.ties == 'drawn' else ''}"
    return blake2b(ranking_fingerprint(predictions) + ties.encode(), digest_size=16).hexdigest()


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
    metrics = [metric for metric in random if family(metric) not in NO_QUALITY]
    return {
        name: {
            metric: _share(row[metric], random[metric], best[metric])
            for metric in metrics
            if metric in row
        }
        for name, row in rows.items()
        if name not in ("random", "oracle")
    }


def _share(value: float, random: float, best: float) -> float:
    return (value - random) / (best - random) if best > random else math.nan
