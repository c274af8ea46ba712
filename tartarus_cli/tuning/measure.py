"""The figure of a model, or of a network that is being trained, on the validation items."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import from_log_norms
from tartarus_cli.data.crops import CropPredictor
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.data.features import unit_rows
from tartarus_cli.data.plays import read_plays
from tartarus_cli.data.tasks import PLAYS_KIND
from tartarus_cli.data.training_data import TrainingData, open_training_data
from tartarus_cli.errors import DataError, parameter
from tartarus_cli.experiments.inputs import input_sources
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.file_names import Kind
from tartarus_cli.metrics import METRICS
from tartarus_cli.metrics.classification import (
    class_areas,
    multiclass_metrics,
    multilabel_metrics,
)
from tartarus_cli.models.store import Model
from tartarus_cli.scoring.forms import ItemRows
from tartarus_cli.scoring.scorers import Scorer
from tartarus_cli.scoring.users import FactorRows
from tartarus_cli.scoring.validation import ValidationRanking
from tartarus_cli.training.blend_parts import validation_share
from tartarus_cli.training.item_rows import Network, items_of, model_rows, predict_items
from tartarus_cli.training.judging import fit_only, validation_ranking
from tartarus_cli.training.model_scores import validation_scorer
from tartarus_cli.tuning.objective import LOSS, MAP, Objective, metric_of

if TYPE_CHECKING:
    import keras

VAL_MAP = "val_map"
"""What a training that is stopped by rankings calls MAP@500."""


@dataclass(frozen=True)
class Measure:
    """Measures models of an experiment on the validation items of a dataset."""

    dataset: Dataset
    experiment: Experiment
    """Every size filled in."""
    settings: tuple[str, ...]
    seed: int
    objective: Objective
    _twins: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of_model(self, model: Model) -> float:
        """Return the figure of a trained model; NaN where it has none.

        Raises
        ------
        DataError
            If a file is damaged, or nobody knows what is right for the validation items.
        """
        manifest, name = model.manifest, self.objective.name
        value: float | None
        if name == LOSS:
            value = manifest.validation_loss
        elif manifest.blends or (name == MAP and manifest.score_name == "MAP" and self._by_map):
            value = manifest.validation_score
        elif self._recommends:
            plays = fit_only(read_plays(self.dataset, "train").matrix, self._data)
            value = self._of_scorer(
                validation_scorer(model, self._data.validation, self._ranking, plays)
            )
        else:
            value = self._of_classes(model_rows(model, self._data.validation))
        return math.nan if value is None else float(value)

    def prepare(self) -> None:
        """Open what models are measured by.

        Raises
        ------
        DataError
            If a file is missing or damaged, or nobody played, or no class has, validation items.
        """
        blends = self.experiment.baseline is not None and self.experiment.baseline.blends
        if self.objective.name == LOSS or blends or self._by_map:
            return
        if self._recommends:
            self._ranking.users  # noqa: B018
        elif not self._truth.any():
            msg = f"no validation item of {self.dataset.name} has a class"
            raise DataError(msg, hint="Give the dataset val items with classes.")

    @property
    def judges_epochs(self) -> bool:
        """Whether a network is measured after each epoch, beside what its training measures."""
        return self.experiment.baseline is None and self.objective.name != LOSS and not self._by_map

    def of_network(self, network: keras.Model) -> float:
        """Return the figure of a network with the weights that it has now."""
        network = self._twin(network)
        mean_over_crops = CropPredictor(network)

        def predict(inputs: Any, lengths: NDArray[np.int64] | None) -> NDArray[np.float32]:
            rows = mean_over_crops(inputs, lengths)
            return from_log_norms(rows) if self.experiment.scoring == "norm" else rows

        return self._of_rows(predict)

    def of_epoch(self, figures: Mapping[str, float]) -> float | None:
        """Return the figure of an epoch that a trial is judged by; None if it has none."""
        name = LOSS if self.objective.name == LOSS else VAL_MAP if self._by_map else None
        return figures.get(name or self.objective.name)

    def _twin(self, network: keras.Model) -> keras.Model:
        """Return a model of the same weights, with no state of a training."""
        import keras

        if network not in self._twins:
            self._twins[network] = keras.Model(network.inputs, network.outputs)
        return self._twins[network]

    def _of_rows(self, predict: Network) -> float:
        rows = predict_items(predict, self._data.validation)
        if not self._recommends:
            return self._of_classes(rows)
        kind, dim = self.experiment.targets.kind, self.experiment.targets.dim
        factors = self._ranking.rows_of_users(self.dataset.user_factors(kind, dim))
        unit_items = kind == "pmi" or self.experiment.scoring == "cosine"
        users = FactorRows(factors, unit=kind == "pmi")
        items = ItemRows("factors", rows, users, unit_items=unit_items)
        return self._of_scorer(self._ranking.scorer(items))

    @property
    def _recommends(self) -> bool:
        return self.experiment.dataset.task == "recommendation"

    @property
    def _by_map(self) -> bool:
        """Whether its training is stopped by how well validation items rank."""
        return self.experiment.baseline is None and self.experiment.targets.kind == PLAYS_KIND

    @cached_property
    def _data(self) -> TrainingData:
        experiment = self.experiment
        spec = experiment.target_spec
        if self._recommends:
            spec = replace(spec, kind=PLAYS_KIND)
        sources = input_sources(experiment, self.settings)
        share = _share_of(experiment, self.dataset)
        return open_training_data(self.dataset, spec, sources, validation=share)

    @cached_property
    def _ranking(self) -> ValidationRanking:
        subset = self._data.validation
        return validation_ranking(self.dataset, subset.set.split, items_of(subset), self.seed)

    def _of_scorer(self, scorer: Scorer) -> float:
        if self.objective.name == MAP:
            return self._ranking.mean_average_precision(scorer)
        name, k = metric_of(self.objective.name)
        return self._ranking.mean(scorer, lambda ranks: METRICS.get(name).measure(ranks, k))

    @cached_property
    def _truth(self) -> NDArray[np.bool_]:
        """The classes of the validation items, ``(items, classes)``."""
        subset, experiment = self._data.validation, self.experiment
        matrix = subset.targets
        if experiment.targets.kind != "class":
            files = self.dataset.select(Kind.TARGETS, fact="class", split=subset.set.split)
            names = self.dataset.label_names
            fitting = [file for file in files if names is None or file.dim == len(names)]
            if len(fitting) != 1:
                msg = f"the classes of the {subset.set.split} items of {self.dataset.name} are not "
                msg += "known, which would say how good a trial is"
                option = parameter("objective", LOSS)
                raise DataError(msg, hint=f"Choose by the loss: {option}")
            matrix = self.dataset.matrix(fitting[0].path)
        return np.asarray(matrix.rows(items_of(subset)) > 0)

    def _of_classes(self, rows: NDArray[np.float32]) -> float:
        scores, truth = self._class_scores(rows), self._truth
        name = self.objective.name
        if name == "PR-AUC":
            return float(np.nanmean(class_areas(scores, truth)["PR-AUC"]))
        if self.experiment.dataset.task == "multiclass":
            classes = truth.argmax(axis=1)
            if name == "accuracy":
                return float((scores.argmax(axis=1) == classes).mean())
            return multiclass_metrics(scores, classes).overall[name]
        _, k = metric_of(name)
        return multilabel_metrics(scores, truth, k=(k,) if k else ()).overall[name]

    def _class_scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        spec = self.experiment.target_spec
        if spec.kind == "class":
            return rows
        file = self.dataset.label_factors(spec)
        path = (file or self.dataset.require(Kind.CLASS_FACTORS, **spec.fields)).path
        factors = unit_rows(self.dataset.matrix(path).rows(slice(None)))
        return np.asarray(unit_rows(rows) @ factors.T, np.float32)


def _share_of(experiment: Experiment, dataset: Dataset) -> float:
    """Return which share of the train items validates, where there are no val items.

    Raises
    ------
    RequestError
        If there are none, and the experiment holds out none.
    """
    if experiment.training is None and "val" in dataset.splits:
        return 0.2
    return validation_share(experiment)
