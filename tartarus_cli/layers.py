"""Our own Keras layers and losses, and the workshop in which networks are put together.

The one module that imports Keras at its head, since its classes derive from Keras'; import it
inside functions.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import ops

TINY = 1e-12  # a squared norm below this is that of a zero vector
INITIAL_WEIGHTS = 0.05  # dense and convolution kernels start uniform within plus and minus this


def unit_norm(vectors: Any) -> Any:
    """Divide vectors by their L2 norm; a zero vector stays zero and has a zero gradient.

    Keras' own ``UnitNormalization`` and ``ops.normalize`` have NaN gradients there.
    """
    squared = ops.sum(vectors * vectors, axis=-1, keepdims=True)
    inverse = ops.rsqrt(ops.maximum(squared, TINY))
    return vectors * ops.where(squared > TINY, inverse, ops.zeros_like(inverse))


def cosine_loss(targets: Any, outputs: Any) -> Any:
    """Cosine distance of each row, ``(1 - y·p / (‖y‖ ‖p‖)) / 2``, within 0 and 1.

    A zero vector on either side costs 0.5 and has a zero gradient.
    """
    cosine = ops.sum(unit_norm(targets) * unit_norm(outputs), axis=-1)
    return ops.clip((1 - cosine) / 2, 0, 1)


LOSSES: dict[str, Any] = {
    "cosine": cosine_loss,
    "binary_crossentropy": "binary_crossentropy",
    "categorical_crossentropy": "categorical_crossentropy",
    "mean_squared_error": "mean_squared_error",
}


@keras.saving.register_keras_serializable("tartarus")
class UnitNorm(keras.layers.Layer):  # type: ignore[misc]
    """Divide each row by its L2 norm; zero rows stay zero."""

    def call(self, inputs: Any) -> Any:
        """Return the rows with a norm of 1."""
        return unit_norm(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape


class Workshop:
    """Makes the layers of one network: names them by kind and number, and seeds each of them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: Counter[str] = Counter()

    def input(self, shape: tuple[int, ...]) -> Any:
        """``input_1``, ``input_2``, …: one input of the network."""
        return keras.Input(shape, name=self._next("input"))

    def dense(self, x: Any, width: int, activation: str | None = None) -> Any:
        """``dense_1``, ``dense_2``, …: a dense layer, activation included."""
        spread = keras.initializers.RandomUniform(-INITIAL_WEIGHTS, INITIAL_WEIGHTS, self._draw())
        name = self._next("dense")
        return keras.layers.Dense(width, activation, kernel_initializer=spread, name=name)(x)

    def dropout(self, x: Any, rate: float) -> Any:
        """``dropout_1``, …; a rate of 0 adds no layer."""
        if not rate:
            return x
        return keras.layers.Dropout(rate, seed=self._draw(), name=self._next("dropout"))(x)

    def hidden(self, x: Any, widths: tuple[int, ...], rate: float = 0.0) -> Any:
        """Dense relu layers, each followed by dropout."""
        for width in widths:
            x = self.dropout(self.dense(x, width, "relu"), rate)
        return x

    def input_norm(self, x: Any) -> Any:
        """``input_norm_1``, …: each row divided by its L2 norm."""
        return UnitNorm(name=self._next("input_norm"))(x)

    def batch_norm(self, x: Any) -> Any:
        """``batch_norm_1``, …."""
        return keras.layers.BatchNormalization(name=self._next("batch_norm"))(x)

    def joined(self, branches: list[Any]) -> Any:
        """Put everything side by side, as ``joined``; a single branch is left as it is."""
        if len(branches) == 1:
            return branches[0]
        return keras.layers.Concatenate(name="joined")(branches)

    def output(self, x: Any, width: int, kind: str) -> Any:
        """Make the last layer: dense, and ``unit_norm`` after it where ``kind`` says so."""
        if kind == "unit_norm":
            return UnitNorm(name="unit_norm")(self.dense(x, width))
        return self.dense(x, width, None if kind == "linear" else kind)

    def _next(self, kind: str) -> str:
        self._made[kind] += 1
        return f"{kind}_{self._made[kind]}"

    def _draw(self) -> int:
        """Give each layer a seed of its own, drawn from the network's."""
        self._made["seed"] += 1
        (drawn,) = np.random.SeedSequence([self._seed, self._made["seed"]]).generate_state(1)
        return int(drawn) >> 1  # Keras takes 31 bits
