"""Keras layers of two-tower networks: those of the item tower, which are saved, and the users'.

It imports Keras at its head, since its classes derive from Keras'; import it inside functions.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("tartarus")
class CountFeature(keras.layers.Layer):  # type: ignore[misc]
    """Half the standardised ``log(1 + number of non-zero features)`` of each item, over all inputs.

    Parameters
    ----------
    mean, deviation
        Of the logarithm, over the items that the network was fitted to.
    limits
        The lowest and the highest logarithm of these items, which stand for what is beyond them,
        such as that of an item that lacks a setting; None if there are none.
    """

    def __init__(
        self,
        mean: float,
        deviation: float,
        limits: tuple[float, float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.mean, self.deviation, self.limits = mean, deviation, limits

    def call(self, inputs: Any) -> Any:
        """Return ``(items, 1)`` of one matrix of features, or of a list of them."""
        matrices = inputs if isinstance(inputs, list | tuple) else [inputs]
        counts = sum(
            ops.sum(ops.cast(ops.not_equal(x, 0), self.compute_dtype), axis=-1, keepdims=True)
            for x in matrices
        )
        logarithms = ops.log1p(counts)
        if self.limits is not None:
            logarithms = ops.clip(logarithms, *self.limits)
        return (logarithms - self.mean) / (2 * self.deviation)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return one column."""
        first = input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape
        return (first[0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        options = {"mean": self.mean, "deviation": self.deviation, "limits": self.limits}
        return {**super().get_config(), **options}


@keras.saving.register_keras_serializable("tartarus")
class VectorScale(keras.layers.Layer):  # type: ignore[misc]
    """Multiply all columns but the last, which is the bias of an item, by a constant."""

    def __init__(self, factor: float, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        """Return scaled vectors and the same biases."""
        return ops.concatenate([inputs[:, :-1] * self.factor, inputs[:, -1:]], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": self.factor}


class UserTable(keras.layers.Layer):  # type: ignore[misc]
    """A vector of each user, which is learnt: the rows of a table by their numbers."""

    def __init__(self, first: Any, **options: Any) -> None:
        super().__init__(**options)
        self.table = self.add_weight(shape=first.shape, initializer="zeros", name="table")
        self.table.assign(first)

    def call(self, inputs: Any) -> Any:
        """Return ``(users, dim)`` of ``(users,)`` numbers."""
        return ops.take(self.table, inputs, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return a row of the table for each number."""
        return (*input_shape, self.table.shape[1])


class HistoryVectors(keras.layers.Layer):  # type: ignore[misc]
    """Vectors of users from the features of what they played, with the weights of the item tower.

    Parameters
    ----------
    dense
        The dense layer that makes vectors and biases of features.
    count
        The one that does it of the number of features; None if it is not used.
    """

    def __init__(self, dense: Any, count: Any, **options: Any) -> None:
        super().__init__(**options)
        self.dense, self.count = dense, count

    def call(self, inputs: Any) -> Any:
        """Sum vectors ``(users, dim)``: of features, of how many there are, of plays."""
        features, count, weight = inputs
        sums = ops.matmul(features, self.dense.kernel[:, :-1]) + weight * self.dense.bias[:-1]
        return sums + (ops.matmul(count, self.count.kernel[:, :-1]) if self.count else 0)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return a vector a user."""
        return (input_shape[0][0], self.dense.units - 1)


class Scores(keras.layers.Layer):  # type: ignore[misc]
    """Scores ``(users, items)``: vectors of users times those of items, plus the items' biases."""

    def call(self, inputs: Any) -> Any:
        """Multiply users ``(users, dim)`` by items ``(items, dim + 1)``."""
        users, items = inputs
        return ops.matmul(users, ops.transpose(items[:, :-1])) + items[:, -1]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return a row for each user."""
        return (input_shape[0][0], input_shape[1][0])


class WeightedOffset(keras.layers.Layer):  # type: ignore[misc]
    """Add scores of another model, times ``exp`` of a number that is learnt, which starts at 0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.log_weight = self.add_weight(shape=(), initializer="zeros", name="log_weight")

    def call(self, inputs: Any) -> Any:
        """Add two matrices of scores, ``(users, items)``."""
        scores, offset = inputs
        return scores + ops.exp(self.log_weight) * offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the scores."""
        return input_shape[0]
