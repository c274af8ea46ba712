"""Fit a network of items to plays, and store it with the vectors of users that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tartarus_cli.data.array_writing import put_dense
from tartarus_cli.data.crops import CropPredictor
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.plays import read_plays
from tartarus_cli.data.training_data import TrainingData, TrainingSubset
from tartarus_cli.errors import SizeError, parameter
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.sections import TwoTowerSection, UserVectors
from tartarus_cli.files import atomic_write
from tartarus_cli.models.manifest import ModelManifest, UserSource
from tartarus_cli.models.store import Model
from tartarus_cli.models.user_vectors import OWN_VECTORS, TRAIN_VECTORS
from tartarus_cli.progress import Progress
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.scorers import BlendPart, BlendScorer, Scorer
from tartarus_cli.scoring.users import FactorRows
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.augmentation import Augmentation
from tartarus_cli.training.control import TrainingCourse
from tartarus_cli.training.item_rows import items_of, predict_items
from tartarus_cli.training.judging import fit_only, validation_ranking
from tartarus_cli.training.residual import Residual
from tartarus_cli.training.two_tower import (
    TowerExamples,
    TowerOptions,
    TwoTower,
    fit_two_tower,
)
from tartarus_cli.training.two_tower_users import FreeUsers, FrozenUsers, HistoryUsers, Users

if TYPE_CHECKING:
    import keras

USER_SOURCES: dict[UserVectors, UserSource] = {
    "als": "factors",
    "free": "own",
    "history": "history",
}
"""Vectors of users in an experiment → what a model's vectors are multiplied by."""

MAX_TABLE_BYTES = 8 << 30
"""Memory for vectors of users that are learnt, with what the optimizer keeps of them."""


@dataclass(frozen=True)
class PlayTraining:
    """The training of a network on plays."""

    request: TrainingRequest
    """The experiment, with its settings and the seed."""
    dataset: Dataset
    data: TrainingData
    """The samples."""
    folder: Path
    """That of the model; it gets vectors."""
    residual: Model | None = None
    """The ridge on plays that the network's scores are added to; None: they stand alone."""
    augmentation: Augmentation | None = None
    """How the inputs of items are changed; None: they are not."""

    @property
    def section(self) -> TwoTowerSection:
        """Parameters of the users."""
        experiment = self.request.experiment
        if experiment.two_tower is None:
            msg = f"{experiment.name} learns no plays"
            raise TypeError(msg)
        return experiment.two_tower


def fit_plays(
    network: keras.Model,
    training: PlayTraining,
    manifest: ModelManifest,
    course: TrainingCourse,
    progress: Progress,
) -> keras.Model:
    """Fit a network to plays, and write the vectors of users that belong to it.

    Parameters
    ----------
    network
        From the inputs of items to vectors and, in the last column, biases.
    training
        What it is trained with.
    manifest
        That of the model; it gets how the training ended.
    course
        Where it is recorded, how it is run, and where it goes on.
    progress
        Receives a task with a step for each batch.

    Returns
    -------
    The network to be stored: it predicts vectors and biases from the inputs.

    Raises
    ------
    DataError
        If plays are damaged, or there are none.
    TrainingError
        If the training diverges, or vectors of users would take too much memory.
    """
    request, dataset, data = training.request, training.dataset, training.data
    experiment, section = request.experiment, training.section
    validation, plays = data.validation, read_plays(dataset, "train").matrix
    ranking = validation_ranking(dataset, validation.set.split, items_of(validation), request.seed)
    fitted = plays[items_of(data.fit)]
    known = fit_only(plays, data)
    residual = Residual(training.residual, known) if training.residual else None
    examples = TowerExamples(
        items=data.fit.set,
        kinds=experiment.inputs.kinds,
        rows=items_of(data.fit),
        plays=fitted,
        judge=_TowerJudge(validation, ranking, residual),
        augmentation=training.augmentation,
        offset=residual.offset(fitted) if residual else None,
    )
    fit = fit_two_tower(
        network,
        examples,
        _users(section, dataset, experiment.targets.dim, int(fitted.shape[1])),
        options=TowerOptions(
            training=experiment.fitting,
            seed=request.seed,
            count_feature=section.count_feature,
            users_a_step=section.users_a_step,
        ),
        course=course,
        progress=progress,
    )
    _write_vectors(training, fit.model)
    manifest.form, manifest.users = "vectors", USER_SOURCES[section.users]
    if residual is not None:
        manifest.parts = {residual.model.name: float(np.exp(fit.model.log_weight))}
    manifest.epochs, manifest.best_epoch = fit.result.epochs, fit.result.best_epoch
    manifest.validation_score = fit.result.validation_map
    return fit.model.tower


def _users(section: TwoTowerSection, dataset: Dataset, dim: int, users: int) -> Users:
    if section.users == "als":
        return FrozenUsers(dataset.user_factors("als", dim))
    if section.users == "history":
        return HistoryUsers()
    # The vectors, their gradient, and two moments of each number.
    if 4 * 4 * users * dim > MAX_TABLE_BYTES:
        msg = f"vectors of {dim:,} numbers for {users:,} users would take about "
        msg += f"{16 * users * dim / 2**30:.0f} GiB in training"
        choices = [parameter("overrides", f"targets.dim={max(1, MAX_TABLE_BYTES // (16 * users))}")]
        choices.append(parameter("overrides", "two_tower.users=als"))
        raise SizeError(msg, hint=f"Choose {' or '.join(choices)}.")
    return FreeUsers()


@dataclass(frozen=True)
class _TowerJudge:
    """Ranks the validation items by a network that is being trained."""

    validation: TrainingSubset
    ranking: ValidationRanking
    residual: Residual | None

    def __call__(self, model: TwoTower) -> float:
        rows = predict_items(CropPredictor(model.tower), self.validation)
        users = FactorRows(self.ranking.rows_of_users(model.users), biased=True)
        scorer = self.ranking.scorer(ItemRows("vectors", rows, users))
        if self.residual is not None:
            weight = float(np.exp(model.log_weight))
            scorer = self._add(scorer, weight, self.residual)
        return self.ranking.mean_average_precision(scorer)

    def _add(self, scorer: Scorer, weight: float, residual: Residual) -> Scorer:
        other = residual.scorer(self.validation, self.ranking)
        absent = np.zeros(len(self.ranking.ids), bool)
        parts = (BlendPart(1.0, scorer), BlendPart(weight, other))
        return BlendScorer(self.ranking.budget, parts, standardize=False, absent=absent)


def _write_vectors(training: PlayTraining, model: TwoTower) -> None:
    """Write what belongs to the vectors of items: those of users, or of the train items."""
    users, fit = training.section.users, training.data.fit
    if users == "free":
        with atomic_write(training.folder / OWN_VECTORS) as temporary:
            put_dense(temporary, model.users.values)
    if users == "history":
        vectors = np.zeros((len(fit.set.ids), model.users.shape[1]), np.float32)
        vectors[items_of(fit)] = predict_items(CropPredictor(model.tower), fit)[:, :-1]
        with atomic_write(training.folder / TRAIN_VECTORS) as temporary:
            put_dense(temporary, vectors)
