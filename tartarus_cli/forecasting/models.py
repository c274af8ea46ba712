"""What it takes to train a model, to let it predict and to evaluate it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from tartarus_cli.checking.check import check_experiment
from tartarus_cli.data.dataset import Dataset
from tartarus_cli.errors import TartarusError
from tartarus_cli.evaluation.report import EvaluationOptions
from tartarus_cli.experiments.inputs import infer_dimensions
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.forecasting.baselines import measure_baseline
from tartarus_cli.forecasting.choices import measure_choice
from tartarus_cli.forecasting.evaluation import EvaluationCost, measure_evaluation
from tartarus_cli.forecasting.forecast import Span, add_spans
from tartarus_cli.forecasting.networks import measure_network
from tartarus_cli.forecasting.stand_ins import blended, stand_in
from tartarus_cli.models.store import Model, Store
from tartarus_cli.prediction.aligned import Predictions
from tartarus_cli.progress import UNWATCHED, Progress, QuietProgress
from tartarus_cli.training.blend_parts import part_title, requested_parts, with_targets
from tartarus_cli.training.reuse import find_trained
from tartarus_cli.training.train import residual_request
from tartarus_cli.workspace import Workspace

BUDGET_S = 3.0
"""Seconds of each measurement, about."""


@dataclass(frozen=True)
class ModelCost:
    """What it takes to train a model."""

    title: str
    """Experiment and settings, or the name of a model that is there."""
    train: Span
    """Seconds, those of its parts included."""
    predict: float
    """Seconds, of the test items."""
    memory: int
    disk: int
    basis: str
    predictions: Predictions | None
    """Random ones of the same shape; None if it cannot be told."""
    parts: tuple[ModelCost, ...] = ()
    drawn: bool = True
    """Whether it depends on a seed."""
    is_blend: bool = False

    @property
    def own(self) -> Span:
        """Seconds without those of its parts."""
        low, high = add_spans((0.0, 0.0), *(part.train for part in self.parts))
        return max(self.train[0] - low, 0.0), max(self.train[1] - high, 0.0)

    @property
    def own_disk(self) -> int:
        """Bytes without those of its parts."""
        return max(0, self.disk - sum(part.disk for part in self.parts))


@dataclass(frozen=True)
class Forecaster:
    """Measures what trainings and evaluations take; the same one is measured only once."""

    workspace: Workspace
    progress: Progress = UNWATCHED
    budget_s: float = BUDGET_S
    _costs: dict[tuple[str, ...], ModelCost] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def store(self) -> Store:
        """The models that are there."""
        return Store(self.workspace)

    def dataset(self, request: TrainingRequest) -> Dataset:
        """Return the dataset of a request."""
        return self.store.dataset(request.experiment.dataset.name)

    def check(self, request: TrainingRequest, *, evaluated: bool = True) -> TrainingRequest:
        """Check the files of a request as a training does, and fill in the sizes.

        Raises
        ------
        RequestError
            If the experiment cannot be applied to these settings.
        DataError
            If a file is missing, damaged or out of step.
        """
        experiment = check_experiment(
            self.dataset(request),
            request.experiment,
            request.settings,
            evaluated=evaluated,
            progress=self.progress,
        )
        return replace(request, experiment=experiment)

    def sized(self, request: TrainingRequest) -> TrainingRequest:
        """Return a request with the sizes of its dataset, which is not checked."""
        experiment = request.experiment.with_settings(len(request.settings))
        sized = infer_dimensions(self.dataset(request), experiment, request.settings, UNWATCHED)
        return replace(request, experiment=sized)

    def training(self, request: TrainingRequest, *, reuse: bool = False) -> ModelCost:
        """Return what it takes to train a model.

        Parameters
        ----------
        request
            What would be trained, with every size filled in.
        reuse
            Whether a model that was trained before by the same request takes its place.

        Raises
        ------
        TartarusError
            If it cannot be trained.
        """
        found = find_trained(self.store, request) if reuse else None
        key = (request.experiment.model_dump_json(exclude={"shuffled"}), *request.settings)
        if key not in self._costs:
            title = " ".join((request.experiment.name, *request.settings))
            with self.progress.task(f"measuring {title}", 1) as task:
                self._costs[key] = self._measured(title, request)
                task.advance()
        cost = self._costs[key]
        if found is not None:
            reason = f"{found.name} is used again"
            return replace(cost, train=(0.0, 0.0), disk=0, basis=reason, title=found.name)
        return cost

    def evaluation(self, cost: ModelCost, options: EvaluationOptions) -> EvaluationCost | None:
        """Return what it takes to evaluate a model; None if it cannot be told.

        Raises
        ------
        TartarusError
            If the truth is missing or damaged.
        """
        if cost.predictions is None:
            return None
        with self.progress.task("measuring the evaluation", 1) as task:
            measured = measure_evaluation(cost.predictions, options, budget_s=self.budget_s)
            task.advance()
        return measured

    def alike(self, request: TrainingRequest) -> Model | None:
        """Return the newest model of the same experiment, dataset, settings and changes."""
        wanted = (request.experiment.name, request.experiment.dataset.name)
        for model in reversed(self.store.finished()):
            m = model.manifest
            same = (m.experiment, m.dataset) == wanted
            if same and (*m.settings,) == request.settings and (*m.overrides,) == request.overrides:
                return model
        return None

    def _measured(self, title: str, request: TrainingRequest) -> ModelCost:
        baseline = request.experiment.baseline
        if baseline is None:
            return self._network(title, request)
        if baseline.blends:
            return self._blend(title, request)
        dataset, experiment = self.dataset(request), request.experiment
        cost = measure_baseline(dataset, request, budget_s=self.budget_s)
        predictions = _stand_in(dataset, request, cost.form, "features")
        if experiment.dataset.task != "recommendation" and cost.form != "factors":
            predictions = _stand_in(dataset, request, "factors", "factors")
        span = (cost.seconds, cost.seconds)
        draws = experiment.baseline is None or experiment.baseline.draws
        return ModelCost(
            *(title, span, 0.0, cost.memory, cost.disk, cost.basis, predictions), drawn=draws
        )

    def _network(self, title: str, request: TrainingRequest) -> ModelCost:
        cost = measure_network(self.workspace, request, budget_s=self.budget_s)
        predictions = _stand_in(self.dataset(request), request, cost.form, cost.users)
        parts = []
        ridge = residual_request(request)
        if ridge is not None:
            parts.append(self.training(self.sized(ridge), reuse=True))
        alike = self.alike(request)
        epochs = alike.manifest.epochs if alike else None
        basis = cost.basis
        if alike is not None:
            basis += f"; {_of_its_own(alike)}"
        seconds = add_spans(cost.seconds(epochs or None), *(part.train for part in parts))
        return ModelCost(
            *(title, seconds, cost.predict_s + sum(part.predict for part in parts)),
            memory=max(cost.memory, *(part.memory for part in parts), 0),
            disk=cost.disk + sum(part.disk for part in parts),
            basis=basis,
            predictions=predictions,
            parts=tuple(parts),
        )

    def _blend(self, title: str, request: TrainingRequest) -> ModelCost:
        dataset, quiet = self.dataset(request), QuietProgress(self.progress)
        wanted = with_targets(dataset, requested_parts(self.store, request), self.progress)
        parts = [self._part(each) for each in wanted]
        with quiet.task("measuring the choice of weights", 1) as task:
            choice = measure_choice(dataset, request, len(parts), budget_s=self.budget_s)
            task.advance()
        shapes = [part.predictions for part in parts]
        known = [each for each in shapes if each is not None]
        predictions = (
            blended(dataset, request.experiment, known) if len(known) == len(shapes) else None
        )
        if request.experiment.dataset.task != "recommendation":
            predictions = _stand_in(dataset, request, "factors", "factors")
        alike = self.alike(request)
        basis = f"{len(parts)} parts"
        if alike is not None:
            basis += f"; {_of_its_own(alike)}"
        return ModelCost(
            title,
            add_spans((choice, choice), *(part.train for part in parts)),
            sum(part.predict for part in parts),
            max(part.memory for part in parts),
            sum(part.disk for part in parts),
            basis,
            predictions,
            tuple(parts),
            drawn=any(part.drawn for part in parts),
            is_blend=True,
        )

    def _part(self, wanted: Model | TrainingRequest) -> ModelCost:
        if isinstance(wanted, TrainingRequest):
            return self.training(self.sized(wanted), reuse=True)
        request = TrainingRequest(
            wanted.experiment, (*wanted.manifest.settings,), wanted.manifest.seed
        )
        cost = self.training(request)
        title = part_title(wanted)
        return replace(cost, title=title, train=(0.0, 0.0), disk=0, basis=f"{title} is there")


def _of_its_own(model: Model) -> str:
    """Say what a model of the same kind took."""
    manifest = model.manifest
    epochs = f" in {manifest.epochs} epochs" if manifest.epochs else ""
    seconds = f"{manifest.duration_s:.3g} s{epochs}"
    return f"{model.name}, the same with seed {manifest.seed}, took {seconds}"


def _stand_in(
    dataset: Dataset, request: TrainingRequest, form: str, users: str
) -> Predictions | None:
    """Return random predictions; None where the dataset lacks what they would be scored by."""
    try:
        return stand_in(dataset, request.experiment, request.settings, form, users)  # type: ignore[arg-type]
    except TartarusError:
        return None
