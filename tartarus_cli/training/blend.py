"""A blend as a model: its parts, each a model of its own, and the weight of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tartarus_cli.baselines import BaselineResult, Judge, PredictionForm, TrainingExamples
from tartarus_cli.baselines.blend import mean_rows
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import has_plays, read_plays
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData, open_training_data
from tartarus_cli.errors import DataError
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.metrics.classification import class_areas
from tartarus_cli.models.store import Model, Store
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.blocks import Floats
from tartarus_cli.scoring.scorers import standardize
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.blend_parts import (
    TrainFunction,
    requested_parts,
    require_held_out,
    train_parts,
    validation_share,
    with_targets,
)
from tartarus_cli.training.item_rows import items_of, model_rows
from tartarus_cli.training.judging import fit_only, validation_ranking
from tartarus_cli.training.model_scores import validation_scorer

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class BlendFit:
    """The parts of a blend, and their weights."""

    parts: tuple[Model, ...]
    fitted: BaselineResult
    counts: dict[str, int]
    """Number of items by use."""


def fit_blend(
    store: Store, request: TrainingRequest, train: TrainFunction, progress: Progress
) -> BlendFit:
    """Train the parts of a blend, or take those that are trained, and choose their weights.

    Parameters
    ----------
    store
        The models of the workspace; each part becomes one of them.
    request
        The experiment of the blend, with its settings and the seed.
    train
        Trains a part.
    progress
        Receives the tasks of each part, and messages.

    Raises
    ------
    RequestError
        If a part does not exist, or cannot be blended.
    DataError
        If a file is missing, damaged or out of step.
    TrainingError
        If a training diverges, or there is not enough memory.
    """
    experiment = request.experiment
    dataset = store.dataset(experiment.dataset.name, request.shuffle)
    share = validation_share(experiment)
    wanted = with_targets(dataset, requested_parts(store, request), progress)
    noun = _lacking_of_val_items(dataset, experiment)
    for each in wanted if noun else ():
        require_held_out(each, share, noun)
    parts = train_parts(store, wanted, train, progress)
    views = [_open_view(dataset, part, request, share) for part in parts]
    for remark in views[0].data.remarks:
        progress.say(remark)
    views = _without_fitted(views)
    validating = np.unique(np.concatenate([view.rows for view in views]))
    with progress.task("blending", 1) as task:
        judge_of = _play_judge if experiment.dataset.task == "recommendation" else _class_judge
        judge = judge_of(dataset, views, validating)
        names = [part.name for part in parts]
        examples = TrainingExamples((), np.empty((0, 0)), judge=judge, parts=names)
        baseline = experiment.baseline
        if baseline is None:
            msg = f"{experiment.name} blends nothing"
            raise TypeError(msg)
        fitted = baseline.fit(examples, experiment.network)
        task.advance()
    counts = {"fit": max(len(view.data.fit) for view in views), "validation": len(validating)}
    return BlendFit(tuple(parts), fitted, counts)


def _lacking_of_val_items(dataset: Dataset, experiment: Experiment) -> str:
    """Say what val items would need to validate; empty if they have it."""
    if experiment.dataset.task == "recommendation":
        return "" if has_plays(dataset, "val") else "plays"
    classes = dataset.find(Kind.TARGETS, split="val", **experiment.target_spec.fields)
    return "" if "val" in dataset.splits and classes else "classes"


@dataclass(frozen=True)
class _View:
    """The items of a training as a part of the blend sees them."""

    model: Model
    data: TrainingData

    @property
    def rows(self) -> Numbers:
        """The numbers of the validating items that it predicts, ascending."""
        return items_of(self.data.validation)

    def unknown(self, validating: Numbers) -> NDArray[np.bool_]:
        """Return of which of the validating items it knows nothing."""
        unknown = np.ones(len(validating), bool)
        described = self.data.validation.set.described[self.rows]
        unknown[np.searchsorted(validating, self.rows)] = ~described
        return unknown


def _open_view(dataset: Dataset, model: Model, request: TrainingRequest, share: float) -> _View:
    """Open the data of a part; which items validate is the same for all of them."""
    experiment = model.experiment
    sources = input_sources(experiment, model.manifest.settings)
    spec = experiment.target_spec
    if request.experiment.dataset.task == "recommendation":
        spec = replace(spec, kind=PLAYS_KIND)
    data = open_training_data(dataset, spec, sources, validation=share)
    return _View(model, data)


def _without_fitted(views: list[_View]) -> list[_View]:
    """Leave out items that any part is fitted to.

    Where there are no val items, and some items lack patches, not the same are held out for all.

    Raises
    ------
    DataError
        If none is left for a part.
    """
    if views[0].data.validation.set.split != "train":
        return views
    fitted = np.unique(np.concatenate([items_of(view.data.fit) for view in views]))
    left = []
    for view in views:
        subset = view.data.validation
        kept = ~np.isin(subset.set.items[subset.samples], fitted)
        if not kept.any():
            msg = f"of the train items that are held out for {view.model.name}, all are learnt by "
            msg += "other parts, since items lack patches"
            raise DataError(msg, hint="Give the dataset val items.")
        validation = replace(subset, samples=subset.samples[kept])
        left.append(replace(view, data=replace(view.data, validation=validation)))
    return left


def _play_judge(dataset: Dataset, views: list[_View], validating: Numbers) -> Judge:
    """Return what says how well a weighted sum of scores ranks the validation items."""
    ranking = validation_ranking(dataset, views[0].data.validation.set.split, validating)
    plays = read_plays(dataset, "train").matrix
    scores = [_standardized(view, ranking, validating, plays) for view in views]
    unknown = np.stack([view.unknown(validating)[ranking.order] for view in views])

    def judge(weights: Any, _form: PredictionForm, _scoring: str) -> float:
        left = unknown[np.asarray(weights) > 0].all(axis=0)  # by all parts that have a weight

        def total(users: slice) -> Floats:
            result = np.zeros((users.stop - users.start, len(ranking.ids)), np.float32)
            for weight, part in zip(weights, scores, strict=True):
                if weight:
                    result += np.float32(weight) * part[users]
                elif left.any():
                    result[:, left] += part[users][:, left]
            return result

        return ranking.mean_average_precision(total)

    return judge


def _standardized(
    view: _View, ranking: ValidationRanking, validating: Numbers, plays: csr_array
) -> Floats:
    """Return what a part scores the validating items, standardised, ``(users, items)``."""
    places = np.searchsorted(validating, view.rows)
    fitted = fit_only(plays, view.data)
    scorer = validation_scorer(view.model, view.data.validation, ranking, fitted, places)
    unknown = view.unknown(validating)[ranking.order]
    blocks = ranking.budget.blocks(slice(0, len(ranking.users)))
    parts = [standardize(scorer(block), unknown) for block in blocks]
    return np.concatenate(parts) if parts else np.empty((0, len(ranking.ids)), np.float32)


def _class_judge(dataset: Dataset, views: list[_View], validating: Numbers) -> Judge:
    """Return what says how well a weighted mean of class scores finds the validation items."""
    truth = views[0].data.validation.targets.rows(validating) > 0
    if not truth.any():
        msg = f"none of the {len(validating):,} items that validate has a class"
        raise DataError(msg, hint=f"Look at the classes of {dataset.name}.")
    scores, unknown = [], []
    for view in views:
        rows = np.zeros(truth.shape, np.float32)
        rows[np.searchsorted(validating, view.rows)] = model_rows(view.model, view.data.validation)
        scores.append(rows)
        unknown.append(view.unknown(validating))

    def judge(weights: Any, _form: PredictionForm, _scoring: str) -> float:
        mean, absent = mean_rows(scores, weights, unknown)
        mean[absent] = mean.min() - 1  # a class of theirs comes last
        return float(np.nanmean(class_areas(mean, truth)["PR-AUC"]))

    return judge
