"""What it takes to train a network and to predict with it, from a few steps on real batches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tartarus_cli.baselines import PredictionForm
from tartarus_cli.data.items import ItemSet, open_items
from tartarus_cli.experiments.inputs import inference_batch_size, input_sources
from tartarus_cli.experiments.request import TrainingRequest
from tartarus_cli.experiments.schema import Experiment
from tartarus_cli.forecasting.forecast import Span
from tartarus_cli.forecasting.probe import EPOCHS, StepProbe
from tartarus_cli.forecasting.scratch import scratch_store
from tartarus_cli.machine import peak_memory_mib
from tartarus_cli.models.manifest import UserSource
from tartarus_cli.models.predictors import Predictor, open_predictor
from tartarus_cli.models.store import Model
from tartarus_cli.training.control import TrainingControl
from tartarus_cli.training.stopping import patience_epochs
from tartarus_cli.training.train import train
from tartarus_cli.workspace import Workspace

FLOAT = 4
"""Bytes of a predicted number."""
MOST_PATIENCE = 1_000_000


@dataclass(frozen=True)
class NetworkCost:
    """What it takes to train a network."""

    fixed_s: float
    """Seconds of all that is done once: reading, building, compiling, writing."""
    epoch_s: float
    predict_s: float
    """Seconds to predict the test items."""
    epochs: tuple[int, int]
    """After which it stops by itself at the earliest, and at the latest."""
    memory: int
    disk: int
    form: PredictionForm
    users: UserSource
    basis: str

    def seconds(self, epochs: int | None = None) -> Span:
        """Return the time of a training, of so many epochs if that is known."""
        low, high = self.epochs if epochs is None else (epochs, epochs)
        return self.fixed_s + low * self.epoch_s, self.fixed_s + high * self.epoch_s


def measure_network(
    workspace: Workspace, request: TrainingRequest, *, budget_s: float, evaluated: bool = True
) -> NetworkCost:
    """Train a network for a few steps, and throw it away.

    Parameters
    ----------
    workspace
        Has the data; nothing is written to it.
    request
        What would be trained.
    budget_s
        Seconds for the steps that are measured, about.
    evaluated
        Whether it would predict and be evaluated; else no test item is looked for.

    Raises
    ------
    TartarusError
        If it cannot be trained.
    """
    experiment = request.experiment
    probe = StepProbe(budget_s / 2)
    short = replace(request, experiment=_short(experiment))
    control = TrainingControl(0.0, probe.epoch_ended, limit=probe.limit)
    with scratch_store(workspace) as store:
        start = time.perf_counter()
        model = train(store, short, evaluated=evaluated, control=control)
        whole = time.perf_counter() - start
        disk = sum(path.stat().st_size for path in model.folder.rglob("*") if path.is_file())
        items, predict_s = 0, 0.0
        if evaluated:
            items = len(store.dataset(experiment.dataset.name).ids("test"))
            predict_s = _measure_prediction(model, items, budget_s / 4)
        manifest = model.manifest
    fitting = experiment.fitting
    steps, all_steps = probe.steps, probe.feed.all if probe.feed else 0
    disk += FLOAT * items * (experiment.targets.dim + 1)
    patience = patience_epochs(fitting, max(all_steps, 1))
    return NetworkCost(
        fixed_s=whole - probe.measured_s + probe.compiling_s,
        epoch_s=probe.epoch_s,
        predict_s=predict_s,
        epochs=(min(patience + 1, fitting.epochs), fitting.epochs),
        memory=int(peak_memory_mib() * (1 << 20)),
        disk=disk,
        form=manifest.form,
        users=manifest.users,
        basis=f"{steps:,} of {all_steps:,} steps an epoch, {probe.epoch_s:.2g} s each epoch",
    )


def _short(experiment: Experiment) -> Experiment:
    """Return an experiment that stops after a few epochs, and adds to no other model."""
    changes: dict[str, Any] = {"epochs": EPOCHS, "patience": MOST_PATIENCE}
    update: dict[str, Any] = {"training": experiment.fitting.model_copy(update=changes)}
    if experiment.two_tower is not None:
        update["two_tower"] = experiment.two_tower.model_copy(update={"residual": "none"})
    return experiment.model_copy(update=update)


def _measure_prediction(model: Model, items: int, budget_s: float) -> float:
    """Return the seconds to predict so many items: train items are, as long as there is time."""
    start = time.perf_counter()
    predict = open_predictor(model)
    experiment = model.experiment
    sources = input_sources(experiment, tuple(model.manifest.settings))
    train = open_items(model.dataset, sources, "train")
    size = inference_batch_size(experiment, train)
    _predict_batch(predict, train, 0, size)
    opened = time.perf_counter()
    done = 0
    while done < len(train.items) and time.perf_counter() - opened < budget_s:
        done += _predict_batch(predict, train, done, size)
    each = (time.perf_counter() - opened) / max(done, 1)
    samples = items * len(train.items) / max(len(train.ids), 1)
    return opened - start + each * samples


def _predict_batch(predict: Predictor, items: ItemSet, first: int, size: int) -> int:
    samples = np.arange(first, min(first + size, len(items.items)))
    predict(items.read(samples), lengths=items.lengths(samples))
    return len(samples)
