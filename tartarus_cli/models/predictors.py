"""Trained models that predict: networks, layers of networks, and baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.baselines import (
    Baseline,
    BaselineResult,
    FittedBaseline,
    Items,
    NamedArrays,
    Presence,
    TrainingExamples,
    Trial,
    from_log_norms,
)
from tartarus_cli.data.array_writing import save_arrays
from tartarus_cli.data.arrays import read_named_arrays
from tartarus_cli.data.crops import CropPredictor
from tartarus_cli.environment import keras_defaults, open_keras
from tartarus_cli.errors import DataError, FileError, RequestError, display_path
from tartarus_cli.files import write_text
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.networks import load_network
from tartarus_cli.models.store import BASELINE, HISTORY, Model

if TYPE_CHECKING:
    import keras


class Predictor(Protocol):
    """Anything that turns the features of items into rows of factors, scores or activations."""

    width: int
    """Columns of what it returns."""

    def __call__(
        self,
        inputs: Sequence[NDArray[np.float32]],
        present: Presence = (),
        lengths: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Predict a block of items, ``(items, width)``; the rows of absent settings are zeros.

        Parameters
        ----------
        inputs
            One array an input, ``(items, …)``; patches are whole, also where the network reads
            crops: then the outputs for crops that overlap by half are averaged.
        present
            Of each input, which items have it.
        lengths
            ``(items,)``: frames of each patch that its crops cover; None: all.
        """


def open_predictor(
    model: Model, layer: LayerInfo | None = None, fitted: FittedBaseline | None = None
) -> Predictor:
    """Load a model to predict with, or to read out one of its layers.

    Parameters
    ----------
    model
        A finished model.
    layer
        The layer of a network whose activations are returned; None: its output.
    fitted
        A baseline that remembers its train items, with these; None: it is read.

    Raises
    ------
    RequestError
        If it is a baseline that needs more than the features of an item.
    DataError
        If its file is damaged.
    """
    if model.baseline is None:
        return _NetworkPredictor(model, layer)
    if model.baseline.remembers and fitted is None:
        msg = f"{model.name} ({model.manifest.experiment}) predicts only for items of its dataset"
        raise RequestError(msg, hint="Use a network, or the baseline ridge.")
    return _BaselinePredictor(model, fitted or read_known(model, model.baseline))


def write_fitted(folder: Path, fitted: BaselineResult, score: str) -> None:
    """Write the arrays of a fitted baseline, and all that it tried, with the validation figures.

    ``score`` is what its scores are called.
    """
    save_arrays(folder / BASELINE, fitted.arrays.items())
    rows = [_trial_row(trial, score) for trial in fitted.trials]
    if rows:
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        write_text(folder / HISTORY, "".join(f"{line}\n" for line in lines))


def _trial_row(trial: Trial, score: str) -> dict[str, str]:
    """Return the cells of a trial: its parameters and figures, by column."""
    figures = {"val_loss": trial.loss, f"val_{score}": trial.score}
    cells = {name: str(value) for name, value in trial.parameters.items()}
    return cells | {name: repr(value) for name, value in figures.items() if value is not None}


def read_known(
    model: Model, baseline: Baseline, train: TrainingExamples | None = None
) -> FittedBaseline:
    """Read a fitted baseline.

    Parameters
    ----------
    model
        The model that it is.
    baseline
        Its type; says which arrays there have to be, and of which shapes.
    train
        Features and targets of the train items, for one that keeps referring to them.

    Raises
    ------
    DataError
        If its file is missing or damaged.
    """
    experiment, manifest = model.experiment, model.manifest
    return FittedBaseline(
        options=experiment.network,
        arrays=read_fitted_arrays(model, baseline),
        form=manifest.form,
        dim=manifest.target_dim,
        seed=manifest.seed,
        classes=experiment.targets.kind == "class",
        single=experiment.dataset.task == "multiclass",
        train=train,
    )


def read_fitted_arrays(model: Model, baseline: Baseline) -> NamedArrays:
    """Read the arrays that a baseline learnt, which may be none.

    Raises
    ------
    DataError
        If their file is missing or damaged.
    """
    columns = model.manifest.target_dim + learns_norms(model)
    widths = model.manifest.widths
    shapes = {
        name: tuple(len(widths) if length == -1 else length for length in shape)
        for name, shape in baseline.shapes(sum(widths), columns).items()
    }
    try:
        arrays = read_named_arrays(model.arrays, tuple(shapes), baseline.optional)
    except FileError as problem:
        msg = f"{display_path(model.arrays)}: {problem.found}"
        raise DataError(msg, hint=f"Train {model.name} again.") from None
    for name, array in arrays.items():
        if array.shape != shapes[name] or not np.isfinite(array).all():
            raise FileError(
                model.arrays,
                found=f"{name} of shape {array.shape}, or values that are not finite",
                expected=f"numbers of shape {shapes[name]}",
                hint=f"Train {model.name} again.",
            )
    return arrays


def learns_norms(model: Model) -> bool:
    """Whether a model gives directions of factors and, as one more column, logarithms of norms."""
    scoring = model.manifest.scoring or model.experiment.scoring
    return scoring == "norm" and model.manifest.form == "factors"


class _BaselinePredictor:
    """A baseline that needs only the features of an item."""

    def __init__(self, model: Model, fitted: FittedBaseline) -> None:
        if model.baseline is None:
            msg = f"{model.name} is no baseline"
            raise TypeError(msg)
        self._fitted, self._predict = fitted, model.baseline.predict
        self.width = 1 if model.manifest.form == "scores" else model.manifest.target_dim
        self._norms = learns_norms(model)

    def __call__(
        self,
        inputs: Sequence[NDArray[np.float32]],
        present: Presence = (),
        lengths: NDArray[np.int64] | None = None,  # noqa: ARG002 — baselines read no crops
    ) -> NDArray[np.float32]:
        items = Items([""] * len(inputs[0]), tuple(inputs), present=present)
        rows = self._predict(self._fitted, items)
        return from_log_norms(rows) if self._norms else np.asarray(rows, np.float32)


class _NetworkPredictor:
    """A Keras network, up to one of its layers."""

    def __init__(self, model: Model, layer: LayerInfo | None) -> None:
        open_keras()
        with keras_defaults():
            network = load_to_layer(model, layer)
        self._norms = layer is None and learns_norms(model)
        self.width = math.prod(network.output_shape[1:]) - self._norms
        self._predict = CropPredictor(network)

    def __call__(
        self,
        inputs: Sequence[NDArray[np.float32]],
        present: Presence = (),  # noqa: ARG002 — a network sees that the rows are zeros
        lengths: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        with keras_defaults():
            rows = self._predict(inputs, lengths)
        return from_log_norms(rows) if self._norms else rows


def load_to_layer(model: Model, layer: LayerInfo | None) -> keras.Model:
    """Load a network, or the part of it up to a layer.

    Raises
    ------
    DataError
        If its file is missing or damaged.
    BackendError
        If Keras cannot load it although it is whole.
    """
    network = load_network(model)
    if layer is None:
        return network
    import keras

    # A list only where there are several, as in __call__.
    inputs = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    return keras.Model(inputs, network.get_layer(layer.name).output)
