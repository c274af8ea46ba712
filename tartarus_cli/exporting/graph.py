"""The network of a model as a function of what it reads, with all that its predictions need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tartarus_cli.architectures import InputKind, Shape
from tartarus_cli.audio.patches import PatchRecipe
from tartarus_cli.audio.scaler import Scaler
from tartarus_cli.baselines import from_log_norms
from tartarus_cli.data.patches import read_scaler
from tartarus_cli.models.manifest import LayerInfo
from tartarus_cli.models.predictors import learns_norms, load_to_layer
from tartarus_cli.models.preprocessing import SCALER, stored_recipe
from tartarus_cli.models.store import Model

if TYPE_CHECKING:
    import keras

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class GraphInput:
    """What a network reads in one place."""

    name: str
    """That of the setting, or ``patches``."""
    kind: InputKind
    shape: Shape
    """Of one item."""
    setting: str = ""
    """Name of the setting; empty for patches."""
    recipe: PatchRecipe | None = None
    """How patches are made; None if that is not recorded."""
    scale: tuple[Rows, Rows] | None = None
    """Mean and deviation of each place of a patch in decibels, ``(frames or 1, bins, 1)``, by which
    the function scales it; None if it reads what is scaled already."""

    def scaled(self, rows: Any) -> Any:
        """Scale patches, of NumPy or of Keras' backend; leave all else as it is."""
        return rows if self.scale is None else (rows - self.scale[0]) / self.scale[1]

    def unscaled(self, rows: Rows) -> Rows:
        """Return patches in decibels of which the scaled ones are given."""
        if self.scale is None:
            return rows
        mean, deviation = self.scale
        return np.asarray(rows * deviation + mean, np.float32)


@dataclass(frozen=True)
class NetworkGraph:
    """A network, or a part of it, with the scaling before it and the norm after it."""

    network: keras.Model
    """Computes float32."""
    inputs: tuple[GraphInput, ...]
    output: str
    """Name of what it predicts."""
    norms: bool
    """Whether the last column of the network is the logarithm of a norm, by which the others are
    multiplied."""

    @property
    def columns(self) -> int:
        """Columns of the network's output, flattened."""
        return math.prod(self.network.output_shape[1:])

    @property
    def width(self) -> int:
        """Columns of a row that it predicts."""
        return self.columns - self.norms

    def trace(self, *arrays: Any) -> Any:
        """Predict rows ``(items, width)`` of arrays of Keras' backend."""
        from keras import ops

        rows = self.network(self._batch(arrays), training=False)
        if len(rows.shape) != 2:
            rows = ops.reshape(rows, (-1, self.columns))
        if not self.norms:
            return rows
        directions, logarithms = rows[:, :-1], rows[:, -1:]
        norms = ops.sqrt(ops.sum(ops.square(directions), axis=-1, keepdims=True))
        return directions / ops.where(norms > 0, norms, 1.0) * ops.exp(logarithms)

    def predict(self, arrays: Sequence[Rows]) -> Rows:
        """Predict rows as Tartarus does it, ``(items, width)``."""
        rows = np.asarray(self.network.predict_on_batch(self._batch(arrays)), np.float32)
        rows = rows.reshape(len(rows), self.columns)
        return from_log_norms(rows) if self.norms else rows

    def _batch(self, arrays: Sequence[Any]) -> Any:
        pairs = zip(self.inputs, arrays, strict=True)
        scaled = [each.scaled(values) for each, values in pairs]
        return scaled if len(scaled) > 1 else scaled[0]


def open_graph(model: Model, layer: LayerInfo | None) -> NetworkGraph:
    """Load the network of a model, or the part of it up to a layer, to compute float32.

    Raises
    ------
    DataError
        If a file of the model is missing or damaged.
    """
    network = as_float32(load_to_layer(model, layer))
    inputs = _inputs(model, [tuple(each.shape[1:]) for each in network.inputs])
    output = layer.name if layer else output_name(model)
    if output in {each.name for each in inputs}:
        output = f"{output}_output"
    return NetworkGraph(network, inputs, output, layer is None and learns_norms(model))


def output_name(model: Model) -> str:
    """Return what the rows are called that a model predicts."""
    if model.manifest.form == "vectors":
        return "vectors"
    return "scores" if model.target_kind == "class" else "factors"


def as_float32(network: keras.Model) -> keras.Model:
    """Return a network, or a copy of one that computes with less, which computes float32."""
    import keras

    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network

    def clone(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


def _inputs(model: Model, shapes: Sequence[Shape]) -> tuple[GraphInput, ...]:
    settings, names = iter(model.manifest.settings), set[str]()
    inputs = []
    for kind, shape in zip(model.experiment.inputs.kinds, shapes, strict=True):
        setting = "" if kind == "patches" else next(settings)
        name = _new_name(setting or "patches", names)
        names.add(name)
        if kind == "patches":
            recipe = stored_recipe(model)
            scale = None if recipe is None else _scale(model, shape)
            inputs.append(GraphInput(name, kind, shape, recipe=recipe, scale=scale))
        else:
            inputs.append(GraphInput(name, kind, shape, setting))
    return tuple(inputs)


def _new_name(name: str, names: set[str]) -> str:
    """Return a name, with a number if it is taken.

    >>> _new_name("text", {"text", "text_2"})
    'text_3'
    """
    numbered = (f"{name}_{number}" for number in range(2, len(names) + 3))
    return next(each for each in (name, *numbered) if each not in names)


def _scale(model: Model, shape: Shape) -> tuple[Rows, Rows] | None:
    """Return the scale of the patches of a model, if it does not depend on the frame, or fits."""
    scaler = Scaler(*read_scaler(model.folder / SCALER))
    frames, bins = shape[:2]
    if len(scaler.mean) % bins:
        return None
    mean, deviation = (
        np.asarray(each, np.float32).reshape(-1, bins, 1) for each in (scaler.mean, scaler.scale)
    )
    if all((each == each[:1]).all() for each in (mean, deviation)):
        return mean[:1], deviation[:1]
    return (mean, deviation) if len(mean) == frames else None
