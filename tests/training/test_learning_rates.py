"""Schedules, weight decay, class weights, patience and ties of trainings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from tartarus_cli.architectures import ARCHITECTURES
from tartarus_cli.data.features import Matrix
from tartarus_cli.data.items import ItemSet
from tartarus_cli.data.training_data import TrainingSubset
from tartarus_cli.experiments.sections import TrainingSection
from tartarus_cli.losses import weighted_crossentropy
from tartarus_cli.progress import UNWATCHED
from tartarus_cli.training import epochs
from tartarus_cli.training.batches import Batches
from tartarus_cli.training.class_weights import balanced_weights
from tartarus_cli.training.control import TrainingControl, TrainingCourse
from tartarus_cli.training.fit import fit, make_optimizer
from tartarus_cli.training.stopping import BestRule, EarlyStopping

ITEMS, CLASSES = 12, 3


def subset_of(seed: int, counts: tuple[int, ...] = (6, 4, 2)) -> TrainingSubset:
    rng = np.random.default_rng(seed)
    targets = np.eye(CLASSES, dtype=np.float32)[np.repeat(np.arange(CLASSES), counts)]
    inputs = rng.standard_normal((ITEMS, 5)).astype(np.float32)
    items = ItemSet("train", [], (Matrix(Path(), inputs),), np.arange(ITEMS))
    return TrainingSubset(items, Matrix(Path(), targets), np.arange(ITEMS))


def options_of(**changes: Any) -> TrainingSection:
    values = {"loss": "categorical_crossentropy", "monitor": "val_loss", "batch_size": 4}
    return TrainingSection(**{**values, "epochs": 4, "patience": 4, **changes})


def network_of(seed: int = 0) -> keras.Model:
    entry = ARCHITECTURES.get("vector")
    values = {"name": "vector", "output": "softmax", "hidden": (4,), "dropout": 0.2}
    return entry.build([(5,)], entry.options.model_validate(values), CLASSES, seed)


def train(
    folder: Path, options: TrainingSection, control: TrainingControl | None = None, **more: Any
) -> list[bytes]:
    """Train, and return the weights and the history without its seconds."""
    network = network_of(more.pop("seed", 0))
    fit(
        network,
        Batches(subset_of(0), size=options.batch_size, rng=np.random.default_rng(0)),
        Batches(subset_of(1), size=4),
        options=options,
        course=TrainingCourse(
            folder / "history.csv", control or TrainingControl(0), folder / "checkpoint.npz"
        ),
        progress=UNWATCHED,
        **more,
    )
    lines = (folder / "history.csv").read_bytes().splitlines()
    weights = [np.asarray(each).tobytes() for each in network.get_weights()]
    return [*weights, *(line.rsplit(b",", 1)[0] for line in lines)]


def column(folder: Path, name: str) -> list[float]:
    rows = csv.DictReader((folder / "history.csv").read_text().splitlines())
    return [float(row[name]) for row in rows]


class Stopped(BaseException):
    """Stands for a signal that ends the process."""


@pytest.mark.parametrize("schedule", ["one_cycle", "plateau"])
def test_a_training_that_is_stopped_goes_on_with_the_same_learning_rates(
    schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No epoch is better than the first one, so that the rate of a plateau falls.
    warmup = 0.3 if schedule == "one_cycle" else 0
    options = options_of(schedule=schedule, warmup=warmup, learning_rate=0.05, epochs=5)
    options = options.model_copy(update={"optimizer": "adamw", "weight_decay": 0.1})
    monkeypatch.setattr(BestRule, "is_better", lambda *_: False)
    for folder in ("whole", "stopped"):
        (tmp_path / folder).mkdir()
    expected = train(tmp_path / "whole", options)
    rates = column(tmp_path / "whole", "learning_rate")
    assert rates[-1] < rates[1]
    left = [0]

    def is_signalled() -> bool:
        left[0] -= 1
        return left[0] < 0

    monkeypatch.setattr(epochs, "is_signalled", is_signalled)
    run = epochs.Epochs.run
    monkeypatch.setattr(epochs.Epochs, "run", lambda self, task, _: run(self, task, stop_now))

    def stop_now() -> None:
        raise Stopped

    for seed, looks in enumerate((7, 9, 6)):  # later weights are those of the checkpoint
        left[0] = looks
        with pytest.raises(Stopped):
            train(tmp_path / "stopped", options, TrainingControl(600), seed=seed)
    left[0] = 10**9
    assert train(tmp_path / "stopped", options, TrainingControl(600)) == expected


def test_the_history_has_the_rate_of_an_epochs_last_step_if_it_changes(tmp_path: Path) -> None:
    train(tmp_path, options_of(schedule="one_cycle", warmup=0.5, learning_rate=0.1))
    rates = column(tmp_path, "learning_rate")
    assert rates[1] == pytest.approx(0.1)  # after 6 of 12 steps
    assert rates[-1] == pytest.approx(0.1 * (1 + np.cos(np.pi * 5 / 6)) / 2, rel=1e-4)
    train(tmp_path, options_of())
    assert "learning_rate" not in (tmp_path / "history.csv").read_text()


def test_weights_decay_and_biases_and_normalisations_do_not() -> None:
    start = keras.Input((5,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(start))
    gru = keras.layers.GRU(2)(keras.layers.Reshape((2, 2))(x))
    network = keras.Model(start, gru)
    options = options_of(optimizer="adamw", weight_decay=0.5, learning_rate=0.1)
    optimizer = make_optimizer(options, network, 1)
    optimizer.build(network.trainable_variables)
    for variable in network.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer.apply([np.zeros(each.shape, np.float32) for each in network.trainable_variables])
    decayed = {each.name for each in network.trainable_variables if np.all(each.numpy() < 1)}
    assert decayed == {"kernel", "recurrent_kernel"}
    kernel = next(each for each in network.trainable_variables if each.name == "kernel")
    assert np.asarray(kernel.numpy()) == pytest.approx(1 - 0.5 * 0.1)


def test_class_weights_are_those_of_scikit_learn(tmp_path: Path) -> None:
    subset = subset_of(0)
    weights = balanced_weights(subset, "categorical_crossentropy")
    targets: NDArray[np.float32] = subset.targets.rows(np.arange(ITEMS))
    outputs = np.random.default_rng(0).dirichlet(np.ones(CLASSES), ITEMS).astype(np.float32)
    losses = weighted_crossentropy("categorical_crossentropy", weights)(targets, outputs)
    classes = targets.argmax(axis=1)
    shares = compute_sample_weight("balanced", classes)
    assert np.mean(losses) == pytest.approx(log_loss(classes, outputs, sample_weight=shares))
    own = [compute_sample_weight("balanced", column) for column in targets.T]
    binary = weighted_crossentropy(
        "binary_crossentropy", balanced_weights(subset, "binary_crossentropy")
    )(targets, outputs)
    expected = [
        log_loss(column, scores, sample_weight=share)
        for column, scores, share in zip(targets.T, outputs.T, own, strict=True)
    ]
    assert np.mean(binary) == pytest.approx(np.mean(expected), rel=1e-4)
    # What is minimised is what is recorded, of the validation as well.
    loss = weighted_crossentropy("categorical_crossentropy", weights)
    plain, weighted = tmp_path / "plain", tmp_path / "weighted"
    for folder, more in ((plain, {}), (weighted, {"loss": loss})):
        folder.mkdir()
        train(folder, options_of(epochs=1), **more)
    assert column(plain, "val_loss") != column(weighted, "val_loss")


def test_patience_in_steps_keeps_a_training_of_short_epochs_going(tmp_path: Path) -> None:
    for steps, epochs_run in ((0, 2), (10, 5)):  # three batches an epoch
        options = options_of(patience=1, epochs=9, patience_steps=steps, learning_rate=1e-30)
        train(tmp_path, options)
        assert len(column(tmp_path, "loss")) == epochs_run


def test_of_equal_accuracies_the_lower_loss_counts_if_it_is_to() -> None:
    rows = [
        {"val_accuracy": 0.5, "val_loss": 3.0},
        {"val_accuracy": 0.5, "val_loss": 2.0},
        {"val_accuracy": 0.4, "val_loss": 1.0},
    ]
    rules = BestRule("val_accuracy"), BestRule("val_accuracy", "loss")
    for rule, best in zip(rules, ([True, False, False], [True, True, False]), strict=True):
        stopping = EarlyStopping(rule, 9)
        network, found = network_of(), []
        for number, row in enumerate(rows, 1):
            stopping.epoch_ends(number, row, network)
            found.append(stopping.waited == 0)
        assert found == best
