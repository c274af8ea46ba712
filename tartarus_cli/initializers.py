"""First weights of networks: drawn with NumPy, so that every backend starts from the same ones.

Import it inside functions: its classes derive from Keras'.
"""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

INITIAL_WEIGHTS = 0.05
"""Dense and convolution kernels start uniform within plus and minus this."""

FirstWeights = Literal["uniform", "glorot"]
"""How kernels start: within plus and minus :data:`INITIAL_WEIGHTS`, or as wide as their shape asks
for (Glorot and Bengio, AISTATS 2010)."""

INITIAL_WORD_VECTORS = 0.25
"""Word vectors start uniform within plus and minus this."""


@keras.saving.register_keras_serializable("tartarus")
class Spread(keras.initializers.Initializer):  # type: ignore[misc]
    """Uniform within plus and minus ``most``: the same weights with every backend.

    NumPy draws them; with JAX, Keras' own initializer compiles a program for each shape.
    """

    def __init__(self, most: float, seed: int) -> None:
        self.most, self.seed = most, seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Draw weights."""
        drawn = np.random.default_rng(self.seed).random(shape, np.float32)
        return ops.convert_to_tensor((2 * drawn - 1) * np.float32(self.most), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"most": self.most, "seed": self.seed}


@keras.saving.register_keras_serializable("tartarus")
class GlorotSpread(keras.initializers.Initializer):  # type: ignore[misc]
    """Uniform within ±√(6 / (inputs + outputs)) of a unit: the same weights with every backend.

    Source: Glorot and Bengio, AISTATS 2010, equation 16.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Draw weights; the last two axes are inputs and outputs, those before a window."""
        *window, inputs, outputs = shape
        limit = (6 / (prod(window) * (inputs + outputs))) ** 0.5
        return Spread(limit, self.seed)(shape, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"seed": self.seed}
