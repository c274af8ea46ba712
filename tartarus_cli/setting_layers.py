"""Keras layers of networks that read several settings, of which an item may lack some.

A row of zeros says nothing: an item with such a row lacks that setting. What the layers share is
the *presence*, ``(items, settings)``: 1 where an item has a setting, else 0.

It imports Keras at its head, since its classes derive from Keras'; import it inside functions.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tartarus_cli.losses import contrastive_loss

Shape = tuple[int | None, ...]

ABSENT = -1e4
"""Logit of a setting that an item lacks; a float16 can hold it."""

LOGIT_SCALE = 20.0
"""What the logit of a setting is multiplied by, since it has to move further than other weights."""


@keras.saving.register_keras_serializable("tartarus")
class Presence(keras.layers.Layer):  # type: ignore[misc]
    """Which settings an item has: those whose row is not all zeros."""

    def call(self, inputs: Any) -> Any:
        """Return ``(items, settings)`` of one matrix of features, or of a list of them."""
        matrices = inputs if isinstance(inputs, list | tuple) else [inputs]
        columns = [ops.any(ops.not_equal(x, 0), axis=-1) for x in matrices]
        return ops.cast(ops.stack(columns, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return a column for each setting."""
        several = isinstance(input_shape[0], list | tuple)
        return (input_shape[0][0], len(input_shape)) if several else (input_shape[0], 1)


@keras.saving.register_keras_serializable("tartarus")
class SettingDropout(keras.layers.Layer):  # type: ignore[misc]
    """In training, drop whole settings of an item, but never all that it has.

    Parameters
    ----------
    rate
        Probability that a setting of an item is dropped in a step; where all of them would be, one
        of them, drawn with equal chances, stays.
    seed
        Of what is drawn.
    """

    def __init__(self, rate: float, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, presence: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 — Keras'
        """Return the presence with zeros where a setting is dropped."""
        if not training:
            return presence
        held = presence > 0
        draws = keras.random.uniform(ops.shape(presence), seed=self.seed_generator)
        draws = ops.where(held, draws, -1.0)
        largest = ops.max(draws, axis=-1, keepdims=True)
        stays = ops.logical_or(draws >= self.rate, draws >= largest)
        return presence * ops.cast(stays, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("tartarus")
class SettingGate(keras.layers.Layer):  # type: ignore[misc]
    """Weights of the settings of each item, which sum to 1; 0 for settings that it lacks.

    They are the softmax, over what an item has, of a logit of each setting, to which those of the
    item's own content are added where there are any. Logits start as 0.

    Parameters
    ----------
    settings
        How many there are.
    """

    def __init__(self, settings: int, **options: Any) -> None:
        super().__init__(**options)
        self.settings = settings
        self.logits = self.add_weight(shape=(settings,), initializer="zeros", name="logits")

    def call(self, inputs: Any) -> Any:
        """Return ``(items, settings)`` of the presence, or of the presence and logits of items."""
        presence, *content = inputs if isinstance(inputs, list | tuple) else [inputs]
        logits = LOGIT_SCALE * self.logits + (content[0] if content else ops.zeros_like(presence))
        logits = ops.where(presence > 0, logits, ABSENT)
        largest = ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
        powers = ops.exp(logits - largest) * presence
        # The sum is 1 at least, or 0 for an item that has none.
        return powers / ops.maximum(ops.sum(powers, axis=-1, keepdims=True), 0.5)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the presence."""
        return input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "settings": self.settings}


@keras.saving.register_keras_serializable("tartarus")
class WeightedSetting(keras.layers.Layer):  # type: ignore[misc]
    """Multiply the rows of one setting by their weights and the number of settings of the item.

    So equal weights change nothing. Without weights, rows of settings that were dropped become 0.

    Parameters
    ----------
    number
        Of the setting, from 0.
    """

    def __init__(self, number: int, **options: Any) -> None:
        super().__init__(**options)
        self.number = number

    def call(self, inputs: Any) -> Any:
        """Return ``(items, width)`` of rows, the presence and, where there are any, the weights."""
        rows, presence, *weights = inputs
        column = slice(self.number, self.number + 1)
        if not weights:
            return rows * presence[:, column]
        return rows * (ops.sum(presence, axis=-1, keepdims=True) * weights[0][:, column])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the rows."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "number": self.number}


@keras.saving.register_keras_serializable("tartarus")
class StackSettings(keras.layers.Layer):  # type: ignore[misc]
    """Put rows of the same width, one an item of each setting, one after another."""

    def call(self, inputs: Any) -> Any:
        """Return ``(items, settings, width)`` of ``(items, width)`` each."""
        return ops.stack(inputs, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return an axis of settings between items and numbers."""
        return (input_shape[0][0], len(input_shape), input_shape[0][1])


@keras.saving.register_keras_serializable("tartarus")
class PresentMean(keras.layers.Layer):  # type: ignore[misc]
    """The mean over the settings that an item has; zeros for one that has none."""

    def call(self, inputs: Any) -> Any:
        """Return ``(items, width)`` of ``(items, settings, width)`` and the presence."""
        rows, presence = inputs
        sums = ops.sum(rows * presence[:, :, None], axis=1)
        return sums / ops.maximum(ops.sum(presence, axis=-1, keepdims=True), 0.5)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return a row for each item."""
        return (input_shape[0][0], input_shape[0][2])


@keras.saving.register_keras_serializable("tartarus")
class Contrast(keras.layers.Layer):  # type: ignore[misc]
    """In training, add a loss that pulls the settings of an item together; change nothing.

    Parameters
    ----------
    weight
        Of the loss, beside that of the network.
    temperature
        As in :func:`tartarus_cli.losses.contrastive_loss`.
    """

    def __init__(self, weight: float, temperature: float, **options: Any) -> None:
        super().__init__(**options)
        self.weight, self.temperature = weight, temperature

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 — Keras'
        """Return the rows ``(items, settings, width)`` of such rows and the presence."""
        rows, presence = inputs
        if training:
            self.add_loss(self.weight * contrastive_loss(rows, presence, self.temperature))
        return rows

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the rows."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        options = {"weight": self.weight, "temperature": self.temperature}
        return {**super().get_config(), **options}
